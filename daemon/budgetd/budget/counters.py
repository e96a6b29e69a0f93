"""Counters: the tally of one limit for one subject in one window, and the counters of a limit. Pure.

What is admitted, refused or counted is decided in `guard`.
"""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from budgetd.budget.limits import Limit, Subject
from budgetd.budget.windows import rolling_seconds, rolling_start, span

NEVER = float("inf")


@dataclass(slots=True, eq=False)
class Window:
    """One counter in one stretch of time. All money in nanodollars."""

    limit: Limit
    subject: str
    """The value of what the limit counts ``per``; empty where it counts all that match."""
    starts_at: float
    ends_at: float | None
    """None: total and rolling windows have no end."""
    spent_nusd: int = 0
    reserved_nusd: int = 0
    unknown_nusd: int = 0
    """What requests of unknown end may have cost beyond what they are counted at: those that were sent, and
    nobody stated what they cost.
    """
    granted_nusd: int = 0
    """What a person allowed beyond the cap, until the window ends."""
    refused: int = 0
    fired: frozenset[int] = frozenset()
    """Thresholds (per cent) that have fired in this window."""

    @property
    def cap_nusd(self) -> int:
        """What may be spent: the limit and what was granted."""
        return self.limit.limit_nusd + self.granted_nusd

    @property
    def room_nusd(self) -> int:
        """What a request may cost at most to be admitted; negative beyond the cap."""
        committed = self.spent_nusd + self.reserved_nusd + self.withheld_nusd
        return self.cap_nusd - self.limit.headroom_nusd - committed

    @property
    def withheld_nusd(self) -> int:
        """What unknown ends take of the room: all that they may have cost if the limit is strict, else
        nothing.
        """
        return self.unknown_nusd if self.limit.guarantee == "strict" else 0

    @property
    def passed_pct(self) -> list[int]:
        """The thresholds that spending has reached."""
        spent, cap = self.spent_nusd, self.cap_nusd
        return [pct for pct in self.limit.alerting_pct if spent and spent * 100 >= pct * cap]

    def reserve(self, nusd: int, at: float) -> None:  # noqa: ARG002
        """Hold the amount for a request admitted then."""
        self.reserved_nusd += nusd

    def spend(self, nusd: int, at: float) -> None:  # noqa: ARG002
        """Count the cost of a request admitted then."""
        self.spent_nusd += nusd

    def add_unknown(self, nusd: int, at: float) -> None:  # noqa: ARG002
        """Count what a request admitted then may have cost beyond its cost; less than zero takes it back."""
        self.unknown_nusd += nusd

    def grant(self, nusd: int, at: float) -> None:  # noqa: ARG002
        """Allow so much more, from then on."""
        self.granted_nusd += nusd

    def clear_grants(self) -> None:
        """Take back all that was granted."""
        self.granted_nusd = 0

    def refuse(self, at: float) -> None:  # noqa: ARG002
        """Count a refusal."""
        self.refused += 1

    def fire(self, thresholds: frozenset[int], at: float) -> None:  # noqa: ARG002
        """Remember what has fired."""
        self.fired |= thresholds

    def rearm(self) -> None:
        """Let thresholds fire again that a raised cap has put out of reach."""
        self.fired &= frozenset(self.passed_pct)

    def advance(self, now: float) -> bool:  # noqa: ARG002
        """Let go of what is too old to count; True if there was any."""
        return False


class Minutes:
    """Sums by the minute, oldest first."""

    def __init__(self) -> None:
        self.sums: dict[int, int] = {}

    def add(self, at: float, count: int) -> None:
        """Count in the minute of an instant."""
        minute = int(at // 60)
        if minute in self.sums:
            self.sums[minute] += count
            return
        late = bool(self.sums) and minute < next(reversed(self.sums))
        self.sums[minute] = count
        if late:
            self.sums = dict(sorted(self.sums.items()))

    def drop(self, before: float) -> int:
        """Forget the minutes that began before an instant; their sum."""
        dropped = 0
        while self.sums and (oldest := next(iter(self.sums))) * 60 < before:
            dropped += self.sums.pop(oldest)
        return dropped


@dataclass(slots=True, eq=False)
class RollingWindow(Window):
    """The last hours or days up to now: a minute leaves when all of it is older than the length, and with it
    what was spent by the requests admitted in it and is unknown of them, granted or refused in it, and what
    fired.
    """

    length: int = 0
    spent: Minutes = field(default_factory=Minutes)
    unknown: Minutes = field(default_factory=Minutes)
    granted: Minutes = field(default_factory=Minutes)
    refusals: Minutes = field(default_factory=Minutes)
    firings: dict[int, float] = field(default_factory=dict[int, float])

    def reserve(self, nusd: int, at: float) -> None:
        """See `Window`. Its minute takes its place in the order now, while it is the newest."""
        self.reserved_nusd += nusd
        if at >= self.starts_at:
            self.spent.add(at, 0)

    def spend(self, nusd: int, at: float) -> None:
        """See `Window`. What was admitted before the present window does not count in it."""
        if at >= self.starts_at:
            self.spent.add(at, nusd)
            self.spent_nusd += nusd

    def add_unknown(self, nusd: int, at: float) -> None:
        """See `Window`."""
        if at >= self.starts_at:
            self.unknown.add(at, nusd)
            self.unknown_nusd += nusd

    def grant(self, nusd: int, at: float) -> None:
        """See `Window`."""
        if at >= self.starts_at:
            self.granted.add(at, nusd)
            self.granted_nusd += nusd

    def clear_grants(self) -> None:
        """See `Window`."""
        self.granted_nusd = 0
        self.granted = Minutes()

    def refuse(self, at: float) -> None:
        """See `Window`."""
        self.refusals.add(at, 1)
        self.refused += 1

    def fire(self, thresholds: frozenset[int], at: float) -> None:
        """See `Window`."""
        self.firings |= dict.fromkeys(thresholds, at)
        self.fired = frozenset(self.firings)

    def rearm(self) -> None:
        """See `Window`."""
        passed = self.passed_pct
        self.firings = {threshold: at for threshold, at in self.firings.items() if threshold in passed}
        self.fired = frozenset(self.firings)

    def advance(self, now: float) -> bool:
        """See `Window`."""
        starts_at = rolling_start(now, self.length)
        if starts_at <= self.starts_at:
            return False
        self.starts_at = starts_at
        before = self._sums
        self.spent_nusd -= self.spent.drop(starts_at)
        self.unknown_nusd -= self.unknown.drop(starts_at)
        self.granted_nusd -= self.granted.drop(starts_at)
        self.refused -= self.refusals.drop(starts_at)
        if any(at < starts_at for at in self.firings.values()):
            self.firings = {threshold: at for threshold, at in self.firings.items() if at >= starts_at}
            self.fired = frozenset(self.firings)
        return self._sums != before

    @property
    def idle(self) -> bool:
        """Nothing is left that a new one would not say too."""
        return not (self.reserved_nusd or self.spent.sums or any(self._sums) or self.fired)

    @property
    def _sums(self) -> tuple[int, int, int, int]:
        """What a minute takes along as it leaves."""
        return self.spent_nusd, self.unknown_nusd, self.granted_nusd, self.refused


class Rule:
    """A limit in force, with its present window for each subject."""

    def __init__(self, limit: Limit, now: float, zone: ZoneInfo) -> None:
        """One that counts all that match has its window from the beginning."""
        self.limit = limit
        self.windows: dict[str, Window] = {}
        self.length = rolling_seconds(limit.window)
        """Seconds of a rolling window; None for the others."""
        self.open(now, zone)

    def open(self, now: float, zone: ZoneInfo) -> None:
        """Begin the windows that hold ``now``. Those before live on only in what is reserved in them."""
        self.starts_at, ends_at = span(self.limit.window, now, zone)
        self.ends_at = ends_at
        self.windows = {}
        if self.limit.per is None:
            self.keep(self._fresh(""))

    def change(self, limit: Limit) -> None:
        """Go by other settings of the same limit."""
        self.limit = limit
        for window in self.windows.values():
            window.limit = limit

    def window(self, subject: Subject, now: float) -> Window:
        """The present window of the counter that a subject falls under; not kept if it is new."""
        return self.window_of(self.counter_of(subject), now)

    def counter_of(self, subject: Subject) -> str:
        """Which counter a subject falls under: the value of what the limit counts ``per``."""
        return subject.counted_as(self.limit.per) if self.limit.per else ""

    def window_of(self, value: str, now: float) -> Window:
        """The present window of the counter of this value; not kept if it is new."""
        window = self.windows.get(value)
        if window is None:
            window = self._fresh(value)
        if self.length is not None:
            window.advance(now)
        return window

    def keep(self, window: Window) -> None:
        """Keep a window that has something to tell."""
        self.windows[window.subject] = window

    def holds(self, at: float) -> bool:
        """Whether a request admitted then counts in the present window."""
        return self.starts_at <= at < (NEVER if self.ends_at is None else self.ends_at)

    def advance(self, now: float) -> bool:
        """Let rolling windows move on, and forget those in which nothing is left; True if any changed."""
        if self.length is None:
            return False
        starts_at = rolling_start(now, self.length)
        if starts_at <= self.starts_at:
            return False
        self.starts_at = starts_at
        changed = [window.advance(now) for window in self.windows.values()]
        if self.limit.per is not None:
            self.windows = {
                subject: window
                for subject, window in self.windows.items()
                if not (isinstance(window, RollingWindow) and window.idle)
            }
        return any(changed)

    def _fresh(self, value: str) -> Window:
        if self.length is None:
            return Window(self.limit, value, self.starts_at, self.ends_at)
        return RollingWindow(self.limit, value, self.starts_at, None, length=self.length)
