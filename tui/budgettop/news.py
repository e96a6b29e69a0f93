"""What a new state brings: what is urgent, what is told aloud, which keys are of use. Pure."""

from dataclasses import dataclass
from typing import Literal

from budgettop import text
from budgettop.alerting import SIGNS, waits
from budgettop.counter import label
from budgettop.view import View
from budgetwire.messages import Alert, InFlight, Snapshot
from budgetwire.money import format_usd

KEYS = "h goes there: ⏎ allows once · f $5 more · x refuses"
"""What to press, on whatever screen this is read."""
ALERT_KEYS = "5 shows all · A acknowledges all"
QUIET_SECONDS = 5.0
"""The shortest time between two words of alerts, however many fire; held requests are told at once."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something to tell the person aloud, on whatever screen."""

    title: str
    sentence: str
    severity: Literal["warning", "error"]


class News:
    """What the person has been told of: each held request and each alert that fires once, a storm in one."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._firing: set[int] | None = None
        """None until there was a state: what fired before is no news."""
        self._untold: set[int] = set()
        self._told_at: float | None = None

    def take(self, view: View) -> list[Word]:
        """Return what is to be told of this view, which is the next in time."""
        if view.stand != "live" or view.snapshot is None:
            return []
        return [*self._of_held(view.held), *self._of_alerts(view.snapshot.alerts, view.now)]

    def _of_held(self, held: list[InFlight]) -> list[Word]:
        new = [request for request in held if request.id not in self._held]
        self._held = {request.id for request in held}
        return [Word("Held", told(new), "warning")] if new else []

    def _of_alerts(self, alerts: list[Alert], now: float) -> list[Word]:
        loud = [alert for alert in alerts if waits(alert) and _is_loud(alert)]
        firing = {alert.id for alert in loud}
        self._untold |= set() if self._firing is None else firing - self._firing
        self._untold &= firing  # what was answered meanwhile is no news either
        self._firing = firing
        if not self._untold or (self._told_at is not None and abs(now - self._told_at) < QUIET_SECONDS):
            return []
        self._told_at = now
        new = [alert for alert in loud if alert.id in self._untold]
        self._untold = set()
        return [_word(new)]


def urgent(old: Snapshot, new: Snapshot) -> bool:
    """Whether something happened that a person waits for, rather than an amount having moved on."""
    return old.daemon != new.daemon or old.alerts != new.alerts or _marks(old) != _marks(new)


def used(snapshot: Snapshot) -> bool:
    """Whether any request was seen."""
    return bool(snapshot.in_flight or snapshot.burn.requests_today or snapshot.burn.month_nusd)


def keys(view: View) -> object:
    """Return what decides which keys are of use on every screen."""
    return view.stand, view.paused_at is None, view.waiting_alerts, view.unused, bool(view.held)


def told(requests: list[InFlight]) -> str:
    """Say that requests are held, and which key leads to them."""
    if len(requests) > 1:
        return f"{len(requests)} requests are held.\n{KEYS}"
    (request,) = requests
    who = request.project or request.user or request.client
    what = (request.model or "A request") + (f" for {who}" if who else "")
    by = f" by {label(request.held_by, request.held_subject)}" if request.held_by else ""
    needs = format_usd(request.reserved_nusd)
    return text.printable(f"{what} is held{by}: it needs {needs}.") + f"\n{KEYS}"


def _is_loud(alert: Alert) -> bool:
    # A held request speaks for itself, with the keys that decide upon it.
    return alert.severity != "info" and alert.rule != "held"


def _word(alerts: list[Alert]) -> Word:
    """Tell of alerts that have just fired by the gravest of them."""
    worst = max(alerts, key=lambda alert: (alert.severity == "critical", alert.fired_at, alert.id))
    others = len(alerts) - 1
    more = f"\nand {others} other alert{'s' * (others != 1)}" if others else ""
    sentence = f"{SIGNS[worst.severity][0]} {text.printable(worst.message)}{more}\n{ALERT_KEYS}"
    return Word("Alert", sentence, "error" if worst.severity == "critical" else "warning")


def _marks(snapshot: Snapshot) -> object:
    limits = [
        (limit.name, limit.subject, limit.limit_nusd, limit.granted_nusd, limit.paused, limit.refused)
        for limit in snapshot.limits
    ]
    return limits, [(request.id, request.phase == "held") for request in snapshot.in_flight]
