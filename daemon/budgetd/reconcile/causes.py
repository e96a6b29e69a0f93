"""Why an invoice and the ledger differ: hypotheses, the surest first. Pure.

Those that price the requests anew are in `price_causes`.
"""

from collections.abc import Callable

from budgetd.ledger.rows import UNSTATED
from budgetd.reconcile import price_causes
from budgetd.reconcile.case import ROUNDING_NUSD, ROUNDING_PCT, ROUNDING_PERMILLE, Case, Cause, in_words
from budgetd.reconcile.days import following
from budgetd.reconcile.wording import percent
from budgetwire.money import format_usd

LAG_DAYS = 2
"""Providers may still add to a day for so long."""


def find_cause(case: Case) -> Cause:
    """The first hypothesis that holds."""
    for hypothesis in HYPOTHESES:
        cause = hypothesis(case)
        if cause is not None:
            return cause
    return _unknown(case)


def _unread(case: Case) -> Cause | None:
    if not case.row.missing:
        return None
    what = ", ".join(
        sorted({line.what or line.model or "one without a name" for line in case.row.missing})[:3]
    )
    return Cause("unread", f"The invoice has a line without an amount: {what}. What it bills is not known.")


def _agrees(case: Case) -> Cause | None:
    row = case.row
    drift, whole = abs(row.drift_nusd), max(abs(row.invoice_nusd), row.ledger_nusd)
    rounded = drift <= ROUNDING_NUSD and drift * 100 <= ROUNDING_PCT * whole
    return Cause("agrees", "") if rounded or drift * 1000 <= ROUNDING_PERMILLE * whole else None


def _before(case: Case) -> Cause | None:
    if case.first_day is None or case.row.day < case.first_day:
        since = "nothing yet" if case.first_day is None else f"nothing before {case.first_day}"
        return Cause("before", f"The ledger has {since}: what was spent then did not pass the proxy.")
    if case.row.day == case.first_day and case.row.drift_nusd > 0:
        return Cause("before", "The ledger begins on this day: what was spent earlier in it is not there.")
    return None


def _apart(case: Case) -> Cause | None:
    row = case.row
    if row.model or not row.lines:
        return None
    what = ", ".join(sorted({line.what or "something without a name" for line in row.lines})[:3])
    return Cause(
        "apart",
        f"The invoice bills this apart from any model: {what}. Where the ledger counts it with the model,"
        " that row has as much too much.",
    )


def _bypass(case: Case) -> Cause | None:
    if case.row.count or case.row.drift_nusd <= 0:
        return None
    return Cause(
        "bypass",
        "The ledger has no request of this model on this day: traffic that did not pass the proxy.",
    )


def _midnight(case: Case) -> Cause | None:
    for row in case.days:
        if row.day in {following(case.row.day), following(case.row.day, -1)} and case.fits(-row.drift_nusd):
            return Cause(
                "midnight",
                f"{row.day} has the opposite drift: requests that ran over midnight UTC, which the provider"
                " files under the other day.",
            )
    return None


def _estimates(case: Case) -> Cause | None:
    guessed = [portion for portion in case.row.requests if portion.basis in UNSTATED]
    nusd = case.row.estimated_nusd
    if not nusd or abs(case.row.drift_nusd) > nusd:
        return None
    were = "was" if sum(portion.requests for portion in guessed) == 1 else "were"
    return Cause(
        "estimates",
        f"{in_words(guessed)} {were} estimated, at {format_usd(nusd)} in all: the drift is within that.",
    )


def _late(case: Case) -> Cause | None:
    if case.row.drift_nusd < 0 and case.row.day > following(case.today, -LAG_DAYS):
        when = "is not over" if case.row.day >= case.today else "is just over"
        return Cause("late", f"The day {when}: providers add to it for some hours. Look again later.")
    return None


def _absent(case: Case) -> Cause | None:
    if case.row.lines or not case.row.count:
        return None
    return Cause(
        "absent",
        f"The invoice has no line of this model on this day, the ledger has {in_words(case.row.requests)}:"
        " they were billed to another organization than the key is of, or under another name.",
    )


def _unknown(case: Case) -> Cause:
    if case.row.drift_nusd > 0:
        part = percent(case.row.drift_nusd, case.row.invoice_nusd).removeprefix("+")
        return Cause(
            "bypass",
            f"No price or class explains it: {part} of what is billed would be traffic that did not pass the"
            " proxy.",
        )
    return Cause("unknown", "The invoice says less, and nothing here explains it; a discount would.")


HYPOTHESES: tuple[Callable[[Case], Cause | None], ...] = (
    *(_unread, _agrees, _before, _apart, _bypass),
    *price_causes.HYPOTHESES,
    *(_midnight, price_causes.two_at_once, _estimates, _late, _absent),
)
"""In the order in which they are tried."""
