"""What the daemon itself gives word of: its files, prices, channels, and how it ended and began. Pure."""

from collections.abc import Sequence

import msgspec

from budgetd.alerts.finding import Finding, shown
from budgetd.budget.limits import Limit
from budgetwire.messages import ReportDrift
from budgetwire.money import NUSD_PER_USD, format_usd

MOST_REASON = 200
"""Characters of a reason that comes from somewhere else."""

SMALL_NUSD = NUSD_PER_USD
"""Less than this, recovered after a crash, is only for the record."""

REMOVE_ON_PURPOSE = (
    "Put the file back. To remove limits on purpose: `enabled = false` in [budget], or"
    " `budgetd limits set NAME none`, or `budgetd limits forget`."
)
"""What to do where budget.toml has lost its limits."""

MOST_NAMED = 5
"""Limits that one message names."""


def config_rejected(error: str) -> Finding:
    """A changed file was not put in force."""
    return Finding(
        rule="config",
        severity="critical",
        message=f"configuration rejected, the one before stays in force: {error}",
        advice="Mend the file; it is read again as soon as it changes. `budgetd config-check` tries it.",
    )


def limits_kept(why: str) -> Finding:
    """The limits in force are not those of budget.toml, which has lost them: ``why``, a sentence."""
    return Finding(
        rule="config",
        severity="critical",
        message=why.removesuffix("."),
        advice=REMOVE_ON_PURPOSE,
    )


def limit_removed(limit: Limit) -> Finding:
    """An edit of budget.toml has taken a limit out."""
    return Finding(
        rule="limit_removed",
        severity="warning",
        message=(
            f"the limit {shown(limit.name)} was removed from budget.toml; its cap was"
            f" {format_usd(limit.limit_nusd)} {_per_window(limit.window)}"
        ),
        advice="If that was not meant, put it back into the file.",
        subject=limit.name,
    )


def limits_disabled(limits: Sequence[Limit]) -> Finding:
    """An edit of budget.toml has put all limits out of force."""
    names = ", ".join(shown(limit.name) for limit in limits[:MOST_NAMED])
    more = f" and {len(limits) - MOST_NAMED} more" if len(limits) > MOST_NAMED else ""
    return Finding(
        rule="limit_removed",
        severity="warning",
        message=f"budget.toml says enabled = false: no limit is in force; before these were: {names}{more}",
        advice="Take enabled = false out of [budget] to put them in force again.",
    )


def unknown_model(provider: str, model: str, like: str = "") -> Finding:
    """No price is known of a model that was asked for; ``like``: the one at whose price it counts, if any."""
    counts = (
        f"It counts at the price of {shown(like)}, the nearest that is known."
        if like
        else "It counts at the provider's dearest, unless unknown_model refuses it."
    )
    return Finding(
        rule="unknown_model",
        severity="warning",
        message=f"no price is known for {shown(model)} of {shown(provider)}"
        + (f"; it counts as {shown(like)}" if like else ""),
        advice=(
            f"{counts} `budgetd sync-pricing` looks for its price; or set it in [pricing.overrides] of"
            " config.toml."
        ),
        subject=f"{provider}/{model}",
    )


def many_unknown_models(provider: str, model: str) -> Finding:
    """Of more models than have an alert of their own."""
    found = unknown_model(provider, model)
    return msgspec.structs.replace(
        found,
        message=f"no price is known for many models, the last {shown(model)} of {shown(provider)}",
        subject="",
    )


def overage(account: str) -> Finding:
    """An answer to a subscription was billed as its paid extra usage."""
    whose = f" (account {shown(account)})" if account else ""
    return Finding(
        rule="overage",
        severity="warning",
        message=f"your plan's paid extra usage is on{whose}: what it pays for counts as money",
        advice=(
            "Your limits count it like any API traffic until the plan pays again. To stop it, pause spending"
            " or switch extra usage off in the account's settings."
        ),
        subject=account,
    )


def prices_stale(days: int) -> Finding:
    """The prices in use are so many days old."""
    return Finding(
        rule="prices_stale",
        severity="warning",
        message=f"the prices are {days} days old: what is new or has changed since counts wrongly",
        advice='`budgetd sync-pricing` fetches newer ones; sync = "daily" in [pricing] does so by itself.',
    )


def drift(found: ReportDrift) -> Finding:
    """An invoice says something else than the ledger."""
    off = found.invoice_nusd - found.ledger_nusd
    more = f"{format_usd(abs(off))} {'more' if off > 0 else 'less'}"
    days = found.since if found.since == found.until else f"{found.since} to {found.until}"
    return Finding(
        rule="drift",
        severity="warning",
        message=(
            f"{shown(found.provider)} invoiced {more} than the ledger says for {days}:"
            f" {format_usd(found.invoice_nusd)} against {format_usd(found.ledger_nusd)}"
            + (f"; {found.cause}" if found.cause else "")
        ),
        advice="`budgetd reconcile-spend` shows it day by day, and enters the difference if you say so.",
        subject=found.provider,
    )


def delivery_failing(channel: str, error: str) -> Finding:
    """A channel does not take what is sent to it."""
    return Finding(
        rule="delivery",
        severity="warning",
        message=f"alerts do not arrive at {channel}: {error}",
        advice=(
            f"`budgetd alerts test {channel}` tries it; `budgetd alerts redeliver {channel}` sends what was"
            " given up on."
        ),
        subject=channel,
    )


def upstream_failing(name: str, what: str, failed: int) -> Finding:
    """An upstream cannot be reached, or does not answer as it should. ``what`` it does, and how many requests
    have failed since it began.
    """
    return Finding(
        rule="upstream",
        severity="warning",
        message=f"{shown(name)} {shown(what, MOST_REASON)}; {failed_text(failed)}",
        advice=(
            "Clients try again by themselves, often without a word. Look at your network and the provider's"
            f" status page, and at the url of [upstreams.{name}] in config.toml if you have set one."
        ),
        subject=name,
    )


def failed_text(count: int) -> str:
    """So many requests."""
    return "1 request failed" if count == 1 else f"{count:,} requests failed"


def recovered(count: int, nusd: int) -> Finding:
    """So many requests were in flight when an earlier daemon died."""
    what = "1 request was" if count == 1 else f"{count} requests were"
    return Finding(
        rule="recovered",
        severity="warning" if nusd >= SMALL_NUSD else "info",
        message=f"{what} in flight when budgetd was killed; counted at the expected {format_usd(nusd)}",
        advice="`budgetd reconcile-spend` compares it with the invoice.",
        alone=True,
    )


def restarted(version: str, now: float) -> Finding:
    """The daemon has been started again; of interest for a day."""
    return Finding(
        rule="restarted",
        severity="info",
        message=f"budgetd {version} was started again",
        window_starts_at=now,
        window_ends_at=now + 86400,
    )


def _per_window(window: str) -> str:
    """How long a cap is for."""
    if window == "total":
        return "in total"
    return f"a {window}" if window.isalpha() else f"in {window}"
