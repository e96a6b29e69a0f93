"""One alert in words: its sign, how it stands, how often it happened. Nothing here knows a widget."""

from datetime import datetime, time, timedelta, tzinfo
from typing import Literal

from budgettop import text
from budgettop.counter import label
from budgettop.view import View
from budgetwire.messages import Alert, InFlight

Stage = Literal["firing", "snoozed", "acknowledged", "resolved"]

SIGNS = {"info": ("●", "calm"), "warning": ("▲", "near"), "critical": ("■", "over")}
"""Of alerts that fire, by severity: a sign and the name of its style."""
_QUIET = {"snoozed": ("z", "faint"), "acknowledged": ("✓", "faint"), "resolved": ("✓", "faint")}

MORNING = time(9)
"""Until when tomorrow an alert is snoozed."""


def sign(alert: Alert) -> tuple[str, str]:
    """Return the sign of an alert and its style."""
    stage = stage_of(alert)
    return SIGNS[alert.severity] if stage == "firing" else _QUIET[stage]


def stage_of(alert: Alert) -> Stage:
    """Return how it stands; a daemon older than the states says only whether it was acknowledged."""
    return "acknowledged" if alert.state == "firing" and alert.acknowledged_at is not None else alert.state


def waits(alert: Alert) -> bool:
    """Whether it fires and nobody has answered it."""
    return stage_of(alert) == "firing"


def answerable(alert: Alert) -> bool:
    """Whether it can be acknowledged or snoozed."""
    return stage_of(alert) in ("firing", "snoozed")


def last_at(alert: Alert) -> float:
    """Return when it happened last."""
    return alert.last_at or alert.fired_at


def times(alert: Alert) -> str:
    """Write how often it happened, if more than once: ``×500``."""
    return f"×{alert.count:,}" if alert.count > 1 else ""


def about(alert: Alert) -> str:
    """Write what it is about: a limit and whose counter, a model, or the rule alone."""
    return label(alert.limit, alert.subject) if alert.limit else alert.subject or alert.rule.replace("_", " ")


def stage(alert: Alert, view: View) -> str:
    """Write how it stands in few cells: ``firing``, ``till 16:04``, ``✓ ada``, ``✓ over``."""
    match stage_of(alert):
        case "firing":
            return "firing"
        case "snoozed":
            until = alert.snoozed_until
            return "snoozed" if until is None else f"till {text.when(until, view.now, view.zone)}"
        case "acknowledged":
            return f"✓ {alert.acknowledged_by}" if alert.acknowledged_by else "✓ ack"
        case "resolved":
            return "✓ over"


def newest_first(alerts: list[Alert]) -> list[Alert]:
    """Return them in the order in which they fired; one that goes on happening keeps its place."""
    return sorted(alerts, key=lambda alert: (-alert.fired_at, -alert.id))


def held_request(alert: Alert | None, view: View) -> InFlight | None:
    """Return the request that an alert is about, if it waits for a decision still."""
    if alert is None or alert.request_id is None:
        return None
    return next((request for request in view.held if request.id == alert.request_id), None)


def tomorrow(now: float, zone: tzinfo | None) -> float:
    """Return when the next day's morning is, by that zone's wall clock."""
    day = text.local(now, zone).date() + timedelta(days=1)
    morning = datetime.combine(day, MORNING)
    return (morning.replace(tzinfo=zone) if zone else morning.astimezone()).timestamp()
