"""What a new state brings: whether a person waits for it, who was held, which keys are of use. Pure."""

from budgettop import text
from budgettop.counter import label
from budgettop.view import View
from budgetwire.messages import InFlight, Snapshot
from budgetwire.money import format_usd

KEYS = "h goes there: ⏎ allows once · f $5 more · x refuses"
"""What to press, on whatever screen this is read."""


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


def _marks(snapshot: Snapshot) -> object:
    limits = [
        (limit.name, limit.subject, limit.limit_nusd, limit.granted_nusd, limit.paused, limit.refused)
        for limit in snapshot.limits
    ]
    return limits, [(request.id, request.phase == "held") for request in snapshot.in_flight]
