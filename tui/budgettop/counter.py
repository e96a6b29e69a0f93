"""One counter of one limit in words and sums: its name, its cap, how it stands, what it does when full.

Nothing here knows a widget; what a row looks like is in `widgets.limit_row` and `widgets.limit_table`.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import tzinfo
from typing import Literal

from rich.cells import cell_len

from budgettop import text
from budgetwire.messages import InFlight, Limit, Snapshot
from budgetwire.money import format_usd

Key = tuple[str, str]
"""What tells counters apart: the limit's name and the subject."""
Standing = Literal["calm", "near", "over"]

SHORT_FORM = ("daily", "monthly")
"""The limits that can be set here before they exist."""
NOBODY = "(none)"
"""The subject of requests that name none."""


def key_of(limit: Limit) -> Key:
    """Return what tells a counter from all others."""
    return limit.name, limit.subject


def listed(snapshot: Snapshot | None) -> dict[Key, Limit | None]:
    """Return all counters in the daemon's order, then the limits that can still be set."""
    limits = snapshot.limits if snapshot else []
    names = {limit.name for limit in limits}
    counters: dict[Key, Limit | None] = {key_of(limit): limit for limit in limits}
    return counters | {(name, ""): None for name in SHORT_FORM if name not in names}


def label(name: str, subject: str, width: int | None = None) -> str:
    """Write the name and whose counter it is; where room is short the name is cut before the subject."""
    if not subject:
        return name
    if width is None or cell_len(whole := f"{name} / {subject}") <= width:
        return f"{name} / {subject}"
    room = max(width - cell_len(f" / {subject}"), min(6, width // 2 - 2))
    return whole if room <= 0 else f"{text.fit(name, room).rstrip()} / {subject}"


def subject(limit: Limit) -> str:
    """Return whose counter it is, also where a request named nobody."""
    return limit.subject or (NOBODY if limit.per else "")


def cap(limit: Limit) -> int:
    """Return the cap in force: as configured, and what was granted on top."""
    return limit.limit_nusd + limit.granted_nusd


def left(limit: Limit) -> int:
    """Return what may still be reserved; below zero where it is over."""
    return cap(limit) - limit.headroom_nusd - limit.spent_nusd - held_back(limit)


def held_back(limit: Limit) -> int:
    """Return what is not spent and yet out of reach: reserved in flight, or kept for unknown ends."""
    return limit.reserved_nusd + limit.unknown_nusd


def standing(limit: Limit) -> Standing:
    """Return the one word of a counter: over at its cap, near past its first threshold."""
    if limit.spent_nusd >= cap(limit):
        return "over"
    return "near" if passed(limit) is not None else "calm"


def passed(limit: Limit) -> int | None:
    """Return the highest threshold (per cent) that is passed."""
    reached = [pct for pct in limit.thresholds_pct if limit.spent_nusd * 100 >= pct * cap(limit)]
    return max(reached, default=None)


def numbers(limit: Limit, *, brief: bool = False) -> str:
    """Write what is spent, what is reserved on top, and the cap; brief: with what was granted in it."""
    reserved = f" + {text.amount(held_back(limit))}" if held_back(limit) else ""
    spent = f"{format_usd(limit.spent_nusd)}{reserved}"
    if limit.granted_nusd and not brief:
        return f"{spent} of {format_usd(limit.limit_nusd)} + {text.amount(limit.granted_nusd)} granted"
    return f"{spent} of {format_usd(cap(limit))}"


def renewal(limit: Limit, now: float, zone: tzinfo | None) -> str:
    """Say when what is spent stops counting."""
    if limit.ends_at is not None:
        return f"resets {text.when(limit.ends_at, now, zone)}"
    return "in all" if limit.window == "total" else f"in any {window(limit)}"


def window(limit: Limit) -> str:
    """Write a window as people say it: ``day``, ``5 h``, ``7 days``."""
    length, unit = limit.window[:-1], limit.window[-1:]
    if not length.isdecimal():
        return limit.window
    return {"h": f"{length} h", "d": f"{length} day{'s' * (length != '1')}"}.get(unit, limit.window)


def policy(limit: Limit) -> str:
    """Say what happens at the cap, where it is not a plain refusal."""
    match limit.on_exceed:
        case "refuse":
            return ""
        case "alert":
            return "alert only"
        case "hold":
            return "holds"
        case "downgrade":
            return f"falls back to {limit.fallback_model}"


def doing(limit: Limit) -> str:
    """Say what is done to requests that do not fit."""
    acts = {"refuse": "refusing", "alert": "alert only", "hold": "holding", "downgrade": "downgrading"}
    return acts[limit.on_exceed]


def state(limit: Limit, held: int = 0) -> str:
    """Return the word that a row cannot do without: PAUSED, or what is done now that it is full."""
    if limit.paused:
        return "PAUSED"
    if held:
        return f"HOLD {held}"
    if left(limit) > 0:
        return ""
    return {"hold": "HOLD", "downgrade": "DOWNGRADE"}.get(limit.on_exceed, "")


def matches(limit: Limit) -> str:
    """Write what the limit is about."""
    return ", ".join(f"{what} = {globs}" for what, globs in limit.match.items()) or "everything"


def held_by(requests: Iterable[InFlight]) -> Counter[Key]:
    """Count the held requests of each counter."""
    return Counter((request.held_by, request.held_subject) for request in requests if request.phase == "held")
