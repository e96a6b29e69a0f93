"""How long the disk takes: whether it is fast enough for a ledger that every request waits for. Pure."""

from collections import deque
from statistics import median

LAST = 50
"""The median of so many commits counts; with fewer nothing is said."""

SLOW_SECONDS = 0.010
"""Above this a disk is called slow,"""

FAST_SECONDS = 0.005
"""and only below this it is no longer."""


class CommitTimes:
    """The newest of them."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LAST)
        self._slow = False

    def add(self, seconds: float) -> None:
        """One more."""
        self._seconds.append(seconds)

    @property
    def slow_seconds(self) -> float:
        """What half of them take at least, while that is too long; else 0."""
        if len(self._seconds) < LAST:
            return 0.0
        half = median(self._seconds)
        self._slow = half > (FAST_SECONDS if self._slow else SLOW_SECONDS)
        return half if self._slow else 0.0
