"""Burn: how fast money goes, and where that leads. Pure."""

from collections import deque
from math import sqrt

from budgetd.budget.counters import Window

MINUTES = 60
"""How much history is kept and shown."""

RATE_SECONDS = 900.0
"""The present burn is the mean of so much time: long enough to bridge an agent's pauses."""

SPREAD_SECONDS = (RATE_SECONDS, 1800.0, 3600.0)
"""The means of these tell how far the burn sways."""

LEAST_SECONDS = 300.0
"""With less history than this nothing is foretold."""


class Burn:
    """Spending in each of the last 60 minutes."""

    def __init__(self, costs: list[tuple[float, int]], first_at: float | None = None) -> None:
        """Begin with what is known of the last hour: (when, nanodollars). ``first_at`` is when the first
        request of all was admitted.
        """
        self._minutes: deque[tuple[int, int]] = deque()
        self._first_at = first_at
        self.since: float | None = None
        """When the first spending that is known of happened."""
        for at, nusd in sorted(costs):
            self.add(at, nusd)

    def add(self, at: float, nusd: int) -> None:
        """Count spending."""
        if self.since is None:
            self.since = at
        if self._first_at is None:
            self._first_at = at
        minute = int(at // 60)
        if self._minutes and self._minutes[-1][0] >= minute:
            last, sum_nusd = self._minutes[-1]
            self._minutes[-1] = (last, sum_nusd + nusd)
        else:
            self._minutes.append((minute, nusd))
            while self._minutes[0][0] <= minute - MINUTES:
                self._minutes.popleft()

    def minutes(self, now: float) -> list[int]:
        """Nanodollars of each of the last 60 minutes, oldest first; the last is the minute that runs."""
        last = int(now // 60)
        found = dict(self._minutes)
        return [found.get(minute, 0) for minute in range(last - MINUTES + 1, last + 1)]

    def per_hour(self, now: float, seconds: float = RATE_SECONDS) -> int:
        """The burn of the last so many seconds, which is the present burn, in nanodollars an hour."""
        if self.since is None:
            return 0
        seconds = min(seconds, max(LEAST_SECONDS, now - self.since))
        oldest = now - seconds
        recent = sum(nusd for minute, nusd in self._minutes if minute * 60 + 60 > oldest)
        return int(recent * 3600 / seconds)

    def forecast(self, window: Window, now: float) -> int | None:
        """What will have been spent when a window ends; None while there is too little history, or if it does
        not end.

        A day goes on at the present burn. A month goes on at its own mean, since nobody burns for a month as
        in the last quarter of an hour; so does what counts only some of the requests.
        """
        rate = self._rate(window, now)
        if rate is None or window.ends_at is None:
            return None
        return window.spent_nusd + int(rate * max(0.0, window.ends_at - now))

    def cap_at(self, window: Window, now: float) -> float | None:
        """When a window's cap will be reached; None if it has been, or will not be before the window ends."""
        rate = self._rate(window, now)
        left = window.cap_nusd - window.spent_nusd
        if not rate or left <= 0 or window.ends_at is None:
            return None
        at = now + left / rate
        return at if at < window.ends_at else None

    def cap_between(self, window: Window, now: float) -> tuple[float, float] | None:
        """The earliest and the latest that a window's cap will be reached; None if it has been, or at the
        slowest will not be before the window ends.

        The present burn is as unsure as the means of the last quarter, half and whole hour differ. A mean of
        its own window is unsure by its n-th root, where it is the mean of n days, or of n hours of a day.
        """
        spread = self._spread(window, now)
        left = window.cap_nusd - window.spent_nusd
        if spread is None or spread[0] <= 0 or left <= 0 or window.ends_at is None:
            return None
        slow, fast = spread
        return (now + left / fast, now + left / slow) if now + left / slow < window.ends_at else None

    def month_forecast(self, spent_nusd: int, month: tuple[float, float], now: float) -> int | None:
        """Where a month's spending leads at its own mean; None in the first day of it, or of all."""
        mean = self._mean(spent_nusd, month[0], now)
        return None if mean is None else spent_nusd + int(mean * max(0.0, month[1] - now))

    def _rate(self, window: Window, now: float) -> float | None:
        """Nanodollars a second that a window goes on at."""
        if self.since is None or now - self.since < LEAST_SECONDS:
            return None
        if _follows_burn(window):
            return self.per_hour(now) / 3600
        return self._mean(window.spent_nusd, window.starts_at, now, _unit(window))

    def _spread(self, window: Window, now: float) -> tuple[float, float] | None:
        """The slowest and the fastest that a window may go on at, in nanodollars a second."""
        rate = self._rate(window, now)
        if rate is None or self._first_at is None:
            return None
        if _follows_burn(window):
            rates = [self.per_hour(now, seconds) / 3600 for seconds in SPREAD_SECONDS]
            return min(rates), max(rates)
        count = (now - max(window.starts_at, self._first_at)) / _unit(window)
        unsure = rate / sqrt(count)
        return rate - unsure, rate + unsure

    def _mean(self, spent_nusd: int, since: float, now: float, least: float = 86400) -> float | None:
        """Nanodollars a second since then, or since there is a record; None for less than so many seconds."""
        if self._first_at is None:
            return None
        elapsed = now - max(since, self._first_at)
        return spent_nusd / elapsed if elapsed >= least else None


def _follows_burn(window: Window) -> bool:
    """Whether it goes on at the present burn: it counts everything, and is short."""
    limit = window.limit
    return limit.window in {"hour", "day"} and not limit.match and limit.per is None


def _unit(window: Window) -> float:
    """Seconds of what the mean of a window is taken over, which is the least it is taken of."""
    return 3600.0 if window.limit.window in {"hour", "day"} else 86400.0
