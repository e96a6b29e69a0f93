"""What limits give word of: a threshold or the cap is passed, requests do not fit. Pure."""

from typing import Literal

from budgetd.alerts.finding import Finding, Rule, shown
from budgetd.alerts.settings import Severity
from budgetd.budget.counters import Window
from budgetd.budget.decision import Crossing
from budgetwire.money import format_usd

_THEN = {
    "refuse": "further requests are refused",
    "hold": "further requests are held",
    "downgrade": "further requests are downgraded",
    "alert": "nothing is refused",
}


def crossing(crossed: Crossing) -> Finding:
    """A counter's spending has passed a threshold: the rule `threshold`, from 100 % on `cap`."""
    window, pct = crossed.window, crossed.threshold_pct
    spent = f"{_amounts(window)} spent"
    if pct < 100:
        return _about(
            window, "threshold", "warning", f"{named(window)} passed {pct} %: {spent}", _raise(window), pct
        )
    if pct == 100:
        message = f"{named(window)} cap reached: {spent}; {_THEN[window.limit.on_exceed]}"
    else:
        message = f"{named(window)} is at {pct} % of its cap: {spent}"
    return _about(window, "cap", "critical", message, _raise(window), pct)


def refused(window: Window, amount_nusd: int | None, reason: Literal["room", "unbounded"]) -> Finding:
    """A limit has refused a request that needs so much; None where its cost has no bound."""
    if reason == "unbounded" or amount_nusd is None:
        message = f"{named(window)} refuses requests whose cost has no bound: it is strict"
        advice = (
            'Give the request an output limit (like max_tokens), or set guarantee = "expected" for'
            f" {window.limit.name} in budget.toml."
        )
    else:
        message = f"{named(window)} refuses requests: {_needs(window, amount_nusd)}"
        advice = _raise(window)
    return _about(window, "refused", "warning", message, advice)


def held(window: Window, amount_nusd: int | None, waiting: int, request_id: int) -> Finding:
    """So many requests wait for a person; ``request_id`` is the one that has waited longest."""
    what = "a request" if waiting == 1 else f"{waiting} requests"
    needs = "its cost has no bound" if amount_nusd is None else _needs(window, amount_nusd)
    return _about(
        window,
        "held",
        "warning",
        f"{named(window)} holds {what}: {needs}",
        f"In budgettop: enter allows it once, f grants $5, x refuses it; or `budgetd approve {request_id}`"
        f" or `budgetd refuse {request_id}`. Silence refuses it after {window.limit.hold_seconds} s.",
        request_id=request_id,
    )


def downgraded(window: Window, model: str, fallback: str) -> Finding:
    """A cheaper model has taken the place of the one that was asked for."""
    message = (
        f"{named(window)} has no room for {shown(model)}: requests go to {fallback}"
        f" ({_amounts(window)} spent)"
    )
    return _about(window, "downgraded", "warning", message, _raise(window))


def named(window: Window) -> str:
    """A counter as people call it."""
    limit = window.limit
    return f"{limit.name} / {shown(window.subject)}" if window.subject else limit.name


def _amounts(window: Window) -> str:
    return f"{format_usd(window.spent_nusd)} of {format_usd(window.cap_nusd)}"


def _needs(window: Window, amount_nusd: int) -> str:
    about = "up to" if window.limit.guarantee == "strict" else "about"
    reserved = f" and {format_usd(window.reserved_nusd)} reserved" if window.reserved_nusd else ""
    kept = f" and {format_usd(window.withheld_nusd)} kept for unknown ends" if window.withheld_nusd else ""
    return f"{_amounts(window)} spent{reserved}{kept}, {about} {format_usd(amount_nusd)} needed"


def _raise(window: Window) -> str:
    """How to make room."""
    return (
        f"To raise it, press e in budgettop or edit {window.limit.name} in budget.toml;"
        " g grants more for this window."
    )


def _about(
    window: Window,
    rule: Rule,
    severity: Severity,
    message: str,
    advice: str,
    threshold_pct: int = 0,
    request_id: int | None = None,
) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        message=message,
        advice=advice,
        limit=window.limit.name,
        subject=window.subject,
        window_starts_at=window.starts_at,
        window_ends_at=window.ends_at,
        threshold_pct=threshold_pct,
        request_id=request_id,
    )
