"""The guard: admits what fits, refuses what does not, and counts. Synchronous and pure: `now` is passed in.

A reservation holds on to the very windows it was made in, so a request that outlives its day or its month is
counted where it was admitted, and a window that has ended is simply let go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from budgetd.budget.limits import Limit
from budgetd.budget.windows import window_bounds


@dataclass(slots=True, eq=False)
class Window:
    """One limit's tally in one stretch of time. All money in nanodollars."""

    limit: Limit
    starts_at: float
    ends_at: float
    spent_nusd: int = 0
    reserved_nusd: int = 0
    refused: int = 0
    fired: set[int] = field(default_factory=set[int])
    """Thresholds (per cent) that have fired in this window."""


@dataclass(slots=True, eq=False)
class Reservation:
    """What an admitted request holds until it is settled."""

    amount_nusd: int
    admitted_at: float
    windows: list[Window]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request was not admitted."""

    window: Window
    amount_nusd: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that was passed for the first time in its window."""

    window: Window
    threshold_pct: int


Spent = Callable[[float, float], int]
"""What the ledger says was spent (nanodollars) by requests admitted between two instants."""

Fired = Callable[[str, float], set[int]]
"""Which thresholds of a limit's window (by its name and start) have fired already."""


class Guard:
    """Every limit's window in force."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Windows begin and end by the wall clock of the zone. No limits until `configure`."""
        self.zone = zone
        self._windows: dict[str, Window] = {}
        self._open: set[Reservation] = set()

    @property
    def windows(self) -> Sequence[Window]:
        """The present windows, in the order of the configuration."""
        return list(self._windows.values())

    def configure(self, limits: Sequence[Limit], now: float, spent: Spent, fired: Fired) -> None:
        """Put other limits in force. A limit that stays keeps its tally; what is reserved stays reserved."""
        previous, self._windows = self._windows, {}
        for limit in limits:
            window = previous.get(limit.name)
            if window is not None and window.limit.window == limit.window:
                window.limit = limit
            else:
                window = self._count_anew(limit, now, spent, fired)
            self._windows[limit.name] = window

    def admit(self, amount_nusd: int, now: float) -> Reservation | Refused:
        """Reserve the amount in every window, or, if one has no room, in none."""
        self.roll(now)
        windows = list(self._windows.values())
        for window in windows:
            limit = window.limit
            if (
                limit.on_exceed == "refuse"
                and window.spent_nusd + window.reserved_nusd + amount_nusd > limit.limit_nusd
            ):
                window.refused += 1
                return Refused(window, amount_nusd)
        reservation = Reservation(amount_nusd, now, windows)
        for window in windows:
            window.reserved_nusd += amount_nusd
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, cost_nusd: int) -> list[Crossing]:
        """Replace what was reserved by what it cost; the thresholds that this passed. Counts once only."""
        if reservation not in self._open:
            return []
        self._open.discard(reservation)
        for window in reservation.windows:
            window.reserved_nusd -= reservation.amount_nusd
            window.spent_nusd += cost_nusd
        return [crossing for window in reservation.windows for crossing in crossings(window)]

    def roll(self, now: float) -> bool:
        """Open the windows that begin; True if any did. After a clock step backwards the newer one stays."""
        rolled = False
        for name, window in self._windows.items():
            if now >= window.ends_at:
                starts_at, ends_at = window_bounds(window.limit.window, now, self.zone)
                self._windows[name] = Window(window.limit, starts_at, ends_at)
                rolled = True
        return rolled

    def _count_anew(self, limit: Limit, now: float, spent: Spent, fired: Fired) -> Window:
        starts_at, ends_at = window_bounds(limit.window, now, self.zone)
        window = Window(limit, starts_at, ends_at, spent_nusd=spent(starts_at, ends_at))
        window.fired = fired(limit.name, starts_at)
        for reservation in self._open:
            if starts_at <= reservation.admitted_at < ends_at:
                reservation.windows = [*reservation.windows, window]
                window.reserved_nusd += reservation.amount_nusd
        return window


def crossings(window: Window) -> list[Crossing]:
    """The thresholds this window has passed that had not fired in it; they count as fired from now on."""
    limit, spent = window.limit, window.spent_nusd
    if spent == 0:
        return []
    passed = [
        threshold
        for threshold in limit.alerting_pct
        if spent * 100 >= threshold * limit.limit_nusd and threshold not in window.fired
    ]
    window.fired.update(passed)
    return [Crossing(window, threshold) for threshold in passed]
