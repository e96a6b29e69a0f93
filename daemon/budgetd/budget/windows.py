"""Windows: the stretches of time that limits count in, as UTC instants computed from a time zone.

Calendar days have 23 to 25 hours, some zones skip a midnight or a whole day (FACTS 8), so a bound is always
found by asking the zone for the instant of a local time, never by adding hours.
"""

import difflib
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

Calendar = Literal["hour", "day", "week", "month"]
"""Windows that begin and end by the wall clock. A week begins on Monday."""

KINDS = ("hour", "day", "week", "month", "total")
"""All windows with a name; any other is rolling, and its name is its length."""

MOST_DAYS = 366
"""Longest rolling window: its minutes are kept."""

_ROLLING = re.compile(r"([0-9]{1,9})([hd])")
_SECONDS = {"h": 3600, "d": 86400}
_QUARTER = 900
"""Zones move their clocks by multiples of this many seconds."""


def check_window(window: str) -> None:
    """Raise ValueError, with a sentence for a person, if no window is called this."""
    if window in KINDS:
        return
    found = _ROLLING.fullmatch(window)
    if found is None:
        near = difflib.get_close_matches(window, [*KINDS, "daily", "weekly", "monthly", "hourly"], 1, 0.6)
        close = {"daily": "day", "weekly": "week", "monthly": "month", "hourly": "hour"}
        hint = f'; did you mean "{close.get(near[0], near[0])}"?' if near else "."
        raise ValueError(
            f'no window is called "{window}": write {", ".join(KINDS)},'
            f' or whole hours or days of a rolling one like "5h" or "7d"{hint}'
        )
    if int(found[1]) == 0:
        raise ValueError("a rolling window of zero holds nothing; the shortest is 1h.")
    if int(found[1]) * _SECONDS[found[2]] > MOST_DAYS * 86400:
        raise ValueError(f"a rolling window is at most {MOST_DAYS}d long.")


def rolling_seconds(window: str) -> int | None:
    """Length of a rolling window; None for the others."""
    found = _ROLLING.fullmatch(window)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def window_bounds(kind: Calendar, now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Start and end, in UTC epoch seconds, of the window of this kind that holds ``now``."""
    if kind == "hour":
        return _hour_bounds(now, zone)
    first = _first_day(kind, datetime.fromtimestamp(now, UTC).astimezone(zone).date())
    following = _next_first(kind, first)
    # Where the clock goes back over midnight a date comes twice; what has ended stays ended.
    while _midnight(following, zone) <= now:
        first, following = following, _next_first(kind, following)
    return _midnight(first, zone), _midnight(following, zone)


@lru_cache(64)
def span(window: str, now: float, zone: ZoneInfo) -> tuple[float, float | None]:
    """Start and end of the window of any name that holds ``now``; total and rolling ones have no end. Raises
    ValueError if no window is called this.
    """
    match window:
        case "hour" | "day" | "week" | "month":
            return window_bounds(window, now, zone)
        case "total":
            return 0.0, None
        case _:
            length = rolling_seconds(window)
            if length is None:
                raise ValueError(f'no window is called "{window}".')
            return rolling_start(now, length), None


def rolling_start(now: float, seconds: int) -> float:
    """Where a rolling window of this length starts: a minute is in it until all of it is older than that."""
    return float((now - seconds) // 60 * 60)


def day_before(starts_at: float, zone: ZoneInfo) -> tuple[float, float]:
    """Bounds of the day that ends where this one starts."""
    return window_bounds("day", starts_at - 1, zone)


def _first_day(kind: Calendar, day: date) -> date:
    if kind == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind == "month" else day


def _next_first(kind: Calendar, first: date) -> date:
    if kind == "month":
        return (first + timedelta(days=32)).replace(day=1)
    return first + timedelta(days=7 if kind == "week" else 1)


def _midnight(day: date, zone: ZoneInfo) -> float:
    """The instant a local date begins: where its midnight is skipped, the instant of the skip."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _hour_bounds(now: float, zone: ZoneInfo) -> tuple[float, float]:
    """An hour of the wall clock. One that the clock repeats whole counts as two, one that it repeats by half
    as one of 90 minutes.
    """
    starts_at = _hour_start(now, zone)
    ends_at = starts_at + _QUARTER
    while _hour_start(ends_at, zone) != ends_at and ends_at < starts_at + 2 * 3600:
        ends_at += _QUARTER
    return starts_at, ends_at


def _hour_start(at: float, zone: ZoneInfo) -> float:
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return local.replace(minute=0, second=0, microsecond=0).timestamp()
