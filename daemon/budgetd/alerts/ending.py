"""Why an alert is over: its window is, or what caused it has gone. Pure."""

from collections.abc import Mapping

from budgetd.budget.counters import Window
from budgetd.budget.limits import Limit
from budgetd.ledger.rows import AlertRow

WINDOW_OVER = "window over"
ACKNOWLEDGED = "acknowledged"

CALM_SECONDS = 3600.0
"""Where no window ends, nothing is refused, downgraded or billed beyond a plan any more after so long
without.
"""

RECORDED_SECONDS = 86400.0
"""Of what has happened and cannot end, nobody has to know any more so long after somebody did."""

_HAPPENED = frozenset(("recovered", "drift", "records_lost", "clock", "limit_removed"))

_CURRENT = frozenset(("refused", "downgraded"))


def why_over(
    alert: AlertRow,
    now: float,
    limits: Mapping[str, Limit],
    window: Window | None,
    cap_before: int | None,
) -> str | None:
    """The reason; None while it goes on. What is held, and a forecast, is ended by whoever watches it.

    Args:
        alert: one that is not over.
        now: UTC epoch seconds.
        limits: those in force, by name.
        window: the present one of the counter it is about, if there is one.
        cap_before: the cap that the counter had when this happened last, in nanodollars, if it is known.
    """
    if alert.rule == "held":
        return None
    if alert.window_ends_at is not None and now >= alert.window_ends_at:
        return WINDOW_OVER
    if alert.rule == "overage":
        return "the plan pays" if now - alert.last_at >= CALM_SECONDS else None
    if not alert.limit:
        known_for = now - (now if alert.acknowledged_at is None else alert.acknowledged_at)
        return ACKNOWLEDGED if alert.rule in _HAPPENED and known_for >= RECORDED_SECONDS else None
    limit = limits.get(alert.limit)
    if limit is None:
        return "limit removed"
    if window is None:
        return None if alert.window_ends_at is not None else "below again"
    return _why_window_over(alert, window) or _why_cause_gone(alert, window, cap_before, now)


def is_of_old(alert: AlertRow, reason: str, limits: Mapping[str, Limit]) -> bool:
    """Whether it fired when alerts did not end yet, so that nobody was promised word of its end."""
    limit = limits.get(alert.limit)
    ends = limit is not None and limit.window in {"hour", "day", "week", "month"}
    return ends and alert.window_ends_at is None and reason in {WINDOW_OVER, "below again"}


def _why_window_over(alert: AlertRow, window: Window) -> str | None:
    if window.ends_at is None:
        return None if alert.window_ends_at is None else "limit changed"
    if window.starts_at > alert.window_starts_at:
        return WINDOW_OVER
    return None if window.starts_at == alert.window_starts_at else "limit changed"


def _why_cause_gone(alert: AlertRow, window: Window, cap_before: int | None, now: float) -> str | None:
    if alert.rule in {"threshold", "cap"}:
        if window.spent_nusd * 100 >= alert.threshold_pct * window.cap_nusd:
            return None
        return "below again" if window.ends_at is None else "limit raised"
    if cap_before is not None and window.cap_nusd > cap_before:
        return "limit raised"
    if alert.rule in _CURRENT:
        if window.limit.on_exceed == "alert":
            return "limit changed"
        if window.ends_at is None and now - alert.last_at >= CALM_SECONDS:
            return "below again"
    return None
