"""What goes wrong with the ledger: its file, its disk, its records. Pure."""

from budgetd.alerts.finding import Finding

_COMPARE = "`budgetd reconcile-spend` compares the ledger with the invoice."


def not_written(why: str) -> Finding:
    """Commits fail, or do not get to the disk."""
    return Finding(
        rule="ledger",
        severity="critical",
        message=why,
        advice="Billable requests are refused until they can be recorded; what was spent is written then.",
        subject="commits",
    )


def not_read(why: str) -> Finding:
    """What is in it cannot be read."""
    return Finding(
        rule="ledger",
        severity="critical",
        message=why,
        advice="Limits go by what was counted so far; sums on the screen are missing.",
        subject="sums",
    )


def not_checkpointed(why: str) -> Finding:
    """What is committed stays in the write-ahead log, which grows."""
    return Finding(
        rule="ledger",
        severity="critical",
        message=why,
        advice="Requests go on. If the machine fails now, what was recorded since is lost.",
        subject="checkpoints",
    )


def slow_disk(path: str, milliseconds: float) -> Finding:
    """Every request waits for the disk."""
    return Finding(
        rule="ledger",
        severity="warning",
        message=f"{path}: every request waits {milliseconds:.0f} ms for this disk to take its commit.",
        advice="Put the ledger on a local disk: `path` in [ledger] of config.toml.",
        subject="slow disk",
    )


def damaged(path: str) -> Finding:
    """Texts in the file are not what was written."""
    return Finding(
        rule="ledger",
        severity="critical",
        message=f"{path}: some texts in it are not UTF-8: the file is damaged. What can be read is counted.",
        advice=f"Amounts may be damaged too. {_COMPARE} Keep a copy of the file, and check the disk.",
        subject="damage",
    )


def left_out(count: int, why: str) -> Finding:
    """Records could not be written for what they say."""
    records = "1 record" if count == 1 else f"{count} records"
    return Finding(
        rule="records_lost",
        severity="critical",
        message=f"{records} could not be written and had to be left out; the last: {why}.",
        advice=f"All others are written. {_COMPARE}",
        subject="left out",
    )


def missing(path: str, ids: range) -> Finding:
    """Requests that were committed before a kill are not there after it."""
    which = f"request {ids[0]} is" if len(ids) == 1 else f"requests {ids[0]} to {ids[-1]} are"
    records = "record" if len(ids) == 1 else "records"
    return Finding(
        rule="records_lost",
        severity="critical",
        message=(
            f"{path}: the {records} of {which} missing, committed before budgetd was killed: the"
            " write-ahead log was cut or removed, an older copy was put back, or the machine failed."
        ),
        advice=f"What they cost is not counted. {_COMPARE}",
        alone=True,
    )
