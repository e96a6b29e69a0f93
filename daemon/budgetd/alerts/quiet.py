"""Quiet hours: when word of what is not critical waits. Pure."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

_TIME = r"([01]\d|2[0-3]):([0-5]\d)"
_HOURS = re.compile(f"{_TIME}-{_TIME}", re.ASCII)


class QuietHours(msgspec.Struct, frozen=True):
    """From a minute of the day to another, by the clock on the wall; over midnight if the first is later."""

    begins: int
    ends: int

    def hold(self, now: float, zone: ZoneInfo) -> bool:
        """Whether it is quiet at an instant."""
        local = datetime.fromtimestamp(now, UTC).astimezone(zone)
        minute = local.hour * 60 + local.minute
        if self.begins < self.ends:
            return self.begins <= minute < self.ends
        return minute >= self.begins or minute < self.ends


def parse_quiet_hours(text: str) -> QuietHours:
    """Read hours like ``22:00-07:00``; both ends alike is the whole day.

    Raises:
        ValueError: with a sentence for the person who wrote them.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} are no hours of a day; write them like 22:00-07:00.")
    begins, begins_minute, ends, ends_minute = map(int, found.groups())
    return QuietHours(begins * 60 + begins_minute, ends * 60 + ends_minute)
