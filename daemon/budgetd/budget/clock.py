"""Which is wrong where records are dated far ahead of the clock: the clock now, or the clock then. Pure.

A clock that is set back by less than a day may be right or wrong; the newer windows stay, so that what was
spent stays spent. Beyond that, what tells is whether time led up to the later date. A clock that is set wrong
and then right leaves a gap before it; one that is right and then set wrong does not.
"""

from typing import NamedTuple

BELIEVED_SECONDS = 86400.0
"""How far ahead of the clock a record may be dated without anything being done about it."""

_HOUR = 3600


class Seen(NamedTuple):
    """What a process has seen of the clock, UTC epoch seconds."""

    began_at: float
    before_jump: float
    """What it said before it last went ahead by more than a day at once."""
    steady_since: float
    """What it said after that."""

    def jumps(self, before: float, to: float) -> "Seen":
        """The same, after one more jump."""
        return Seen(self.began_at, before, to)


class Ahead(NamedTuple):
    """When the requests on record were admitted that are dated ahead of the clock, UTC epoch seconds."""

    first: float
    last: float
    before: float | None
    """The newest that was recorded before them and is not ahead; None if there is none."""


def believed_until(now: float) -> float:
    """From when on a date is ahead of the clock: a whole hour, so that the sums of an hour are or are not."""
    return (int((now + BELIEVED_SECONDS) // _HOUR) + 1) * float(_HOUR)


def was_ahead(ahead: Ahead, now: float, seen: Seen | None) -> bool:
    """Whether the clock was ahead when these were recorded, and is right now. Where nothing tells what was
    before, a process that has seen the clock go back does not believe it; at a start they are taken to be of
    such a moment if they are of one day.
    """
    times = [ahead.before] if ahead.before is not None else []
    if seen is not None:
        if ahead.first - seen.steady_since > BELIEVED_SECONDS:
            return False
        times += [at for at in (seen.began_at, seen.before_jump) if at < believed_until(now)]
    if not times:
        return seen is None and ahead.last - ahead.first <= BELIEVED_SECONDS
    return ahead.first - max(times) > BELIEVED_SECONDS
