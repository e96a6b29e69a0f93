"""Windows: the stretches of time that limits count in, as UTC instants computed from a time zone.

Calendar days have 23 to 25 hours, some zones skip a midnight or a whole day (FACTS 8), so a bound is always
found by asking the zone for the instant of a local midnight, never by adding hours.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from budgetd.budget.limits import WindowKind


def window_bounds(kind: WindowKind, now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Start and end, in UTC epoch seconds, of the window of this kind that holds ``now``."""
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    if kind == "day":
        return _midnight(today, zone), _midnight(today + timedelta(days=1), zone)
    first = today.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return _midnight(first, zone), _midnight(following, zone)


def day_before(starts_at: float, zone: ZoneInfo) -> tuple[float, float]:
    """Bounds of the day that ends where this one starts."""
    return window_bounds("day", starts_at - 1, zone)


def _midnight(day: date, zone: ZoneInfo) -> float:
    """The instant a local date begins: where its midnight is skipped, the instant of the skip."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
