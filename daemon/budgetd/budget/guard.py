"""The guard: admits what fits, refuses what does not, and counts. Synchronous and pure: `now` is passed in.

A reservation holds on to the very windows it was made in, so a request that outlives its day or its month is
counted where it was admitted, and a window that has ended is simply let go.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from zoneinfo import ZoneInfo

from budgetd.budget.clock import BELIEVED_SECONDS, Seen
from budgetd.budget.counters import NEVER, Rule, Window
from budgetd.budget.decision import Action, Crossing, Demand, Refused, Reservation
from budgetd.budget.limits import Limit, Subject
from budgetd.budget.matching import Index

SHOWN = 200
"""At most so many windows are shown, and of one limit `SHOWN_EACH`."""

SHOWN_EACH = 50

Fired = Callable[[str, str, float], Iterable[int]]
"""Which thresholds of a counter (its limit's name, its subject) have fired in windows that started then or
later.
"""

Spent = tuple[float, Subject, int]
"""What was spent: when that was admitted, by whom, nanodollars."""

Granted = tuple[str, str, float, int]
"""A grant on record: the limit's name, the subject, when, nanodollars."""

_WEIGHT: dict[Action, int] = {"downgrade": 1, "hold": 2, "refuse": 3}
"""Where several limits object, the weightiest decides."""


class Guard:
    """Every limit in force, with its counters."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Windows begin and end by the wall clock of the zone. No limits until `configure`."""
        self.zone = zone
        self.paused: set[str] = set()
        """Names of the limits that refuse all that matches."""
        self._rules: dict[str, Rule] = {}
        self._index: Index[Rule] = Index([])
        self._open: set[Reservation] = set()
        self._now = 0.0
        self.seen: Seen | None = None
        """Of the clock; None until it is first told the time."""
        self._next_end = NEVER

    def anew(self) -> "Guard":
        """One that knows no limits and no time yet, for the same requests in flight. Once it is configured it
        can take the place of this one, and has counted everything as after a restart.
        """
        guard = Guard(self.zone)
        guard.paused = self.paused
        guard._open = self._open
        return guard

    def is_ahead(self, now: float) -> bool:
        """Whether its time, which does not go back, is so far ahead of the clock that either is wrong."""
        return self._now - now > BELIEVED_SECONDS

    @property
    def windows(self) -> Sequence[Window]:
        """What is shown: the present windows in the order of the limits, those of one by what was spent."""
        shown: list[Window] = []
        for rule in self._rules.values():
            if len(shown) >= SHOWN:
                break
            if rule.limit.per is None:
                shown.extend(rule.windows.values())
            else:
                shown += heapq.nlargest(SHOWN_EACH, rule.windows.values(), key=attrgetter("spent_nusd"))
        return shown[:SHOWN]

    def time(self, now: float) -> float:
        """The guard's own time, by which windows begin: it does not go back when the clock does."""
        return max(now, self._now)

    # deciding

    def admit(
        self, demand: Demand, now: float, *, approved: frozenset[str] = frozenset()
    ) -> Reservation | Refused:
        """Reserve in every counter the request falls under or, if one objects, in none.

        Args:
            demand: the request.
            now: UTC epoch seconds.
            approved: names of limits that a person overrode for this request. It is counted on them all the
                same. A paused limit refuses nevertheless.
        """
        now = self._advance(now)
        refusal: tuple[Rule, Refused] | None = None
        parts: list[tuple[Rule, Window, int]] = []
        for rule in self._index.matching(demand.subject):
            window = rule.window(demand.subject, now)
            amount = demand.amount(rule.limit)
            parts.append((rule, window, amount))
            if amount > window.room_nusd or rule.limit.guarantee == "strict" or self.paused:
                refused = self._objection(demand, window, amount, approved)
                if refused and (not refusal or _WEIGHT[refused.action] > _WEIGHT[refusal[1].action]):
                    refusal = rule, refused
        if refusal is not None:
            rule, refused = refusal
            rule.keep(refused.window)
            if refused.action == "refuse":
                refused.window.refuse(now)
            return refused
        return self._reserve(demand, parts, now)

    def count(self, demand: Demand, now: float) -> Reservation:
        """Reserve for what runs already, whether there is room or not."""
        now = self._advance(now)
        parts = [
            (rule, rule.window(demand.subject, now), demand.amount(rule.limit))
            for rule in self._index.matching(demand.subject)
        ]
        return self._reserve(demand, parts, now)

    def _reserve(self, demand: Demand, parts: list[tuple[Rule, Window, int]], now: float) -> Reservation:
        for rule, window, amount in parts:
            rule.keep(window)
            window.reserve(amount, now)
        reservation = Reservation(demand, now, [(window, amount) for _, window, amount in parts])
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, cost_nusd: int, unknown_nusd: int = 0) -> list[Crossing]:
        """Replace what was reserved by what it cost; the thresholds that this passed. Counts once only.
        ``unknown_nusd``: what it may have cost beyond that, where nobody stated its cost.
        """
        if reservation not in self._open:
            return []
        self._open.discard(reservation)
        for window, amount in reservation.parts:
            window.reserved_nusd -= amount
            window.advance(self._now)
            window.spend(cost_nusd, reservation.admitted_at)
            window.add_unknown(unknown_nusd, reservation.admitted_at)
        return [crossing for window, _ in reservation.parts for crossing in self._crossings(window)]

    def adjust(self, subject: Subject, nusd: int, at: float, unknown_nusd: int = 0) -> list[Crossing]:
        """Count what turned out later of something that is settled, more or less than was counted then; the
        thresholds that this passed. ``at``: when it was admitted. Windows that are over stay as they were.
        ``unknown_nusd``: by how much more, or less, it may have cost beyond that.
        """
        crossings: list[Crossing] = []
        for rule in self._index.matching(subject):
            if rule.holds(at):
                window = rule.window(subject, self._now)
                window.spend(nusd, at)
                window.add_unknown(unknown_nusd, at)
                rule.keep(window)
                crossings += self._crossings(window)
        return crossings

    def limits_of(self, subject: Subject) -> list[str]:
        """The names of the limits that a request falls under."""
        return [rule.limit.name for rule in self._index.matching(subject)]

    def counts_on(self, name: str, counter: str, subject: Subject, at: float) -> bool:
        """Whether a request admitted then counts on this counter, in its present window."""
        rule = self._rules.get(name)
        return (
            rule is not None
            and rule in self._index.matching(subject)
            and rule.holds(at)
            and rule.counter_of(subject) == counter
        )

    def roll(self, now: float) -> bool:
        """Open the windows that begin and let rolling ones move on; True if what is shown changed. After a
        clock step backwards the newer windows stay.
        """
        before = self._next_end
        now = self._advance(now)
        changed = [rule.advance(now) for rule in self._rules.values()]
        return self._next_end != before or any(changed)

    def _objection(
        self, demand: Demand, window: Window, amount: int, approved: frozenset[str]
    ) -> Refused | None:
        limit = window.limit
        if limit.name in self.paused:
            return Refused(window, amount, "paused", "refuse")
        if limit.on_exceed == "alert" or limit.name in approved:
            return None
        if limit.guarantee == "strict" and demand.worst_nusd is None:
            return Refused(window, None, "unbounded", limit.on_exceed)
        return Refused(window, amount, "room", limit.on_exceed) if amount > window.room_nusd else None

    def _advance(self, now: float) -> float:
        """Open the calendar windows that begin; the guard's own time."""
        if now - self._now > BELIEVED_SECONDS:
            self.seen = self.seen.jumps(self._now, now) if self.seen else Seen(now, now, now)
        self._now = now = self.time(now)
        if now >= self._next_end:
            for rule in self._rules.values():
                if rule.ends_at is not None and now >= rule.ends_at:
                    rule.open(now, self.zone)
            self._next_end = self._find_next_end()
        return now

    def _find_next_end(self) -> float:
        return min((rule.ends_at for rule in self._rules.values() if rule.ends_at is not None), default=NEVER)

    # steering

    def find(self, name: str, subject: str, now: float) -> Window:
        """The present window of a counter. Raises KeyError if there is no such counter."""
        now = self._advance(now)
        window = self._rules[name].windows[subject]
        window.advance(now)
        return window

    def grant(self, name: str, subject: str, nusd: int, now: float) -> None:
        """Let a counter go so much beyond its cap until its window ends; in a rolling window, for its length.
        Raises KeyError if there is no such counter, ValueError if the sum is not positive.
        """
        if nusd <= 0:
            raise ValueError("a grant is more than nothing.")
        window = self.find(name, subject, now)
        window.grant(nusd, self._now)
        window.rearm()

    def restore_grants(self, grants: Iterable[Granted]) -> None:
        """Put in force the grants on record, in place of those that are. What was granted in a window that
        has ended, or under a limit that is gone, is passed over.
        """
        for rule in self._rules.values():
            for window in rule.windows.values():
                window.clear_grants()
        for name, subject, at, nusd in sorted(grants, key=lambda granted: granted[2]):
            rule = self._rules.get(name)
            if rule is not None and rule.holds(at):
                window = rule.window_of(subject, self._now)
                window.grant(nusd, at)
                rule.keep(window)

    def pause(self, name: str) -> None:
        """Refuse whatever matches the limit of this name, also one that is put in force later."""
        self.paused.add(name)

    def resume(self, name: str) -> None:
        """Go by the limit again."""
        self.paused.discard(name)

    def crossed(self) -> list[Crossing]:
        """The thresholds that any counter has passed and that had not fired; they count as fired from now on,
        and those that are not passed can fire again. To be asked for after `configure` and `restore_grants`.
        """
        windows = [window for rule in self._rules.values() for window in rule.windows.values()]
        for window in windows:
            window.rearm()
        return [crossing for window in windows for crossing in self._crossings(window)]

    # putting limits in force

    def history_since(self, limits: Sequence[Limit], now: float) -> float:
        """How far back `configure` needs history: to where the windows of the limits that are new begin."""
        return min(self.history_starts(limits, now), default=self.time(now))

    def history_starts(self, limits: Sequence[Limit], now: float) -> list[float]:
        """Where the windows of the limits that are new begin: history must not be summed across these."""
        now = self.time(now)
        return [Rule(limit, now, self.zone).starts_at for limit in limits if not self._stays(limit)]

    def configure(
        self,
        limits: Sequence[Limit],
        now: float,
        history: Iterable[Spent],
        fired: Fired,
        unknown: Iterable[Spent] = (),
    ) -> None:
        """Put other limits in force. One that stays (its name, window, match and per are the same) keeps its
        counters; a new one counts what was spent in its window and what is reserved by its requests.

        Args:
            limits: no two of one name, in the order in which they are shown.
            now: UTC epoch seconds.
            history: what was spent since `history_since`. The sums of an hour may come as one, at its last
                instant or, in the hour that runs, now: they then leave a rolling window up to an hour late.
            fired: asked for the counters that are beyond a threshold.
            unknown: what requests of unknown end may have cost beyond that, since then.
        """
        known = sorted(history, key=lambda each: each[0])
        ahead = max((at for at, _, _ in known if at <= now + BELIEVED_SECONDS), default=now)
        now = self._advance(max(now, ahead))
        staying = {limit.name: self._rules[limit.name] for limit in limits if self._stays(limit)}
        fresh = {limit.name: Rule(limit, now, self.zone) for limit in limits if limit.name not in staying}
        both = staying | fresh
        self._rules = {limit.name: both[limit.name] for limit in limits}
        for limit in limits:
            self._rules[limit.name].change(limit)
        self._index = _index(self._rules.values())
        self._next_end = self._find_next_end()
        for window, at, nusd in self._windows_of(fresh.values(), known):
            window.spend(nusd, at)
        for window, at, nusd in self._windows_of(fresh.values(), unknown):
            window.add_unknown(nusd, at)
        self._reserve_anew(fresh.values(), staying)
        for name, rule in fresh.items():
            for window in rule.windows.values():
                if window.passed_pct:
                    since = window.starts_at - (rule.length or 0)
                    window.fire(frozenset(fired(name, window.subject, since)), now)

    def _stays(self, limit: Limit) -> bool:
        rule = self._rules.get(limit.name)
        return rule is not None and _identity(rule.limit) == _identity(limit)

    def _windows_of(
        self, fresh: Iterable[Rule], history: Iterable[Spent]
    ) -> Iterator[tuple[Window, float, int]]:
        """Each window that something on record counts in, with when and how much."""
        index = _index(fresh)
        for at, subject, nusd in history:
            for rule in index.matching(subject):
                if rule.holds(at):
                    window = rule.window(subject, self._now)
                    rule.keep(window)
                    yield window, at, nusd

    def _reserve_anew(self, fresh: Iterable[Rule], staying: Mapping[str, Rule]) -> None:
        """Give the running requests their place in limits that are new, or guarantee something else now."""
        index = _index(fresh)
        for reservation in self._open:
            demand, at = reservation.demand, reservation.admitted_at
            parts: list[tuple[Window, int]] = []
            for window, amount in reservation.parts:
                if window.limit.name not in staying:
                    continue
                window.limit = staying[window.limit.name].limit
                due = demand.amount(window.limit)
                window.reserved_nusd += due - amount
                parts.append((window, due))
            for rule in index.matching(demand.subject):
                if rule.holds(at):
                    window = rule.window(demand.subject, self._now)
                    rule.keep(window)
                    amount = demand.amount(rule.limit)
                    window.reserve(amount, at)
                    parts.append((window, amount))
            reservation.parts = parts

    def _crossings(self, window: Window) -> list[Crossing]:
        crossed = [threshold for threshold in window.passed_pct if threshold not in window.fired]
        if crossed:
            window.fire(frozenset(crossed), self._now)
        return [Crossing(window, threshold) for threshold in crossed]


def _index(rules: Iterable[Rule]) -> Index[Rule]:
    return Index([(rule.limit, rule) for rule in rules])


def _identity(limit: Limit) -> tuple[object, ...]:
    """What makes a limit count something else if it is changed."""
    return limit.name, limit.window, limit.match, limit.per
