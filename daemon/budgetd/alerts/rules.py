"""When an alert fires and what it says. Pure."""

from budgetd.budget.decision import Crossing
from budgetd.ledger.rows import AlertRow
from budgetwire.money import format_usd


def threshold_alert(crossing: Crossing, id: int, now: float) -> AlertRow:
    """The alert that a counter's spending has passed a threshold, the cap itself at 100 %."""
    window, threshold = crossing.window, crossing.threshold_pct
    limit = window.limit
    name = f"{limit.name} / {window.subject}" if window.subject else limit.name
    amounts = f"{format_usd(window.spent_nusd)} of {format_usd(window.cap_nusd)}"
    if threshold < 100:
        message = f"{name} passed {threshold} %: {amounts} spent"
    elif threshold == 100:
        message = f"{name} cap reached: {amounts} spent; {_THEN[limit.on_exceed]}"
    else:
        message = f"{name} is {threshold} % of its cap: {amounts} spent"
    return AlertRow(
        id=id,
        rule="threshold",
        severity="critical" if threshold >= 100 else "warning",
        limit=limit.name,
        subject=window.subject,
        window_starts_at=window.starts_at,
        threshold_pct=threshold,
        message=message,
        fired_at=now,
    )


_THEN = {
    "refuse": "further requests are refused",
    "hold": "further requests are held",
    "downgrade": "further requests are downgraded",
    "alert": "nothing is refused",
}


def config_alert(error: str, id: int, now: float) -> AlertRow:
    """The alert that a changed configuration was not put in force."""
    return _warning("config", f"configuration rejected, the one before stays in force: {error}", id, now)


def recovered_alert(count: int, cost_nusd: int, id: int, now: float) -> AlertRow:
    """The alert that requests were in flight when the daemon died."""
    what = "1 request was" if count == 1 else f"{count} requests were"
    cost = format_usd(cost_nusd)
    return _warning(
        "recovered", f"{what} in flight when budgetd was killed; counted at the expected {cost}", id, now
    )


def _warning(rule: str, message: str, id: int, now: float) -> AlertRow:
    """An alert that is about no limit."""
    return AlertRow(
        id=id,
        rule=rule,
        severity="warning",
        limit="",
        window_starts_at=now,
        threshold_pct=0,
        message=message,
        fired_at=now,
    )
