"""Any course of events over the guard, beside a record that is kept the slow way."""

import fnmatch
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from budgetd.budget.counters import Window
from budgetd.budget.decision import Demand, Refused, Reservation
from budgetd.budget.guard import Guard
from budgetd.budget.limits import Limit, Subject

NOON = 1_795_435_200.0
FAR = float("inf")
SUBJECTS = [
    Subject(user=user, model=model, project=project)
    for user in ("alice", "bob")
    for model in ("claude-opus-4-8", "gpt-5.4")
    for project in ("", "acme")
] + [Subject(user="bob", model="anthropic/claude-opus-4.8", canonical_model="claude-opus-4-8")]
OPUS = (("model", ("claude-opus-*", "o?")),)
SHAPES = [
    Limit("daily", "day", 0),
    Limit("hourly", "hour", 0, match=OPUS),
    Limit("each", "day", 0, per="user"),
    Limit("rolling", "5h", 0),
    Limit("each rolling", "1h", 0, per="project", match=(("user", ("alice",)),)),
    Limit("weekly", "week", 0, per="model"),
    Limit("total", "total", 0, match=(("project", ("acme",)), ("user", ("b*",)))),
]

demands = st.builds(
    lambda subject, expected, more: Demand(subject, expected, None if more is None else expected + more),
    st.sampled_from(SUBJECTS),
    st.integers(0, 40),
    st.integers(0, 40) | st.none(),
)
settled_as = st.tuples(st.integers(0, 99), st.floats(0, 1), st.booleans())
changes = st.fixed_dictionaries(
    {
        "limit_nusd": st.sampled_from([10_000, 300, 100, 30]),
        "guarantee": st.sampled_from(["strict", "expected"]),
        "on_exceed": st.sampled_from(["refuse", "alert", "hold", "downgrade"]),
        "headroom_nusd": st.sampled_from([0, 10]),
        "thresholds_pct": st.sampled_from([(), (50, 80)]),
    }
)


@dataclass
class Cost:
    at: float
    subject: Subject
    nusd: int
    unknown: int = 0
    """What it may have cost beyond that: nobody stated its cost."""


class GuardMachine(RuleBasedStateMachine):
    """Costs never exceed the worst case, which is what a strict limit relies on."""

    @initialize(
        zone=st.sampled_from(["UTC", "America/New_York"]),
        settings=st.lists(changes, min_size=len(SHAPES), max_size=len(SHAPES)),
    )
    def begin(self, zone: str, settings: list[dict]) -> None:
        self.zone = ZoneInfo(zone)
        self.now = self.latest = NOON
        self.record: list[Cost] = []
        self.open: list[Reservation] = []
        self.grants: list[tuple[str, str, float, int]] = []
        self.limits = {
            shape.name: replaced(shape, change) for shape, change in zip(SHAPES, settings, strict=True)
        }
        self.over: dict[str, int] = {}
        self.guard = Guard(self.zone)
        self.configure()

    def configure(self) -> None:
        limits = list(self.limits.values())
        since = self.guard.history_since(limits, self.now)
        history = [(cost.at, cost.subject, cost.nusd) for cost in self.record if cost.at >= since]
        unknown = [
            (cost.at, cost.subject, cost.unknown) for cost in self.record if cost.at >= since and cost.unknown
        ]
        self.guard.configure(limits, self.now, history[::-1], lambda *_: (), unknown[::-1])
        self.guard.restore_grants(self.grants)
        self.forget_overruns()

    def forget_overruns(self) -> None:
        """A counter may stand beyond its cap since an edit or an approval: from here it may only sink."""
        self.over = {key(window): committed(window) for window in self.guard.windows}

    # events

    @rule(asked=st.lists(demands, min_size=1, max_size=4))
    def admit(self, asked: list[Demand]) -> None:
        for demand in asked:
            self.ask(demand, frozenset())

    @rule(
        subject=st.sampled_from(SUBJECTS),
        expected=st.integers(0, 40),
        names=st.frozensets(st.sampled_from([shape.name for shape in SHAPES]), min_size=1),
    )
    def admit_approved(self, subject: Subject, expected: int, names: frozenset[str]) -> None:
        self.ask(Demand(subject, expected, None), names)
        self.forget_overruns()

    def ask(self, demand: Demand, approved: frozenset[str]) -> None:
        before = {key(window): window.reserved_nusd for window in self.guard.windows}
        paused = {name for name in self.guard.paused if matches(self.limits.get(name), demand.subject)}
        decision = self.guard.admit(demand, self.now, approved=approved)
        if isinstance(decision, Reservation):
            assert not paused
            assert [window.limit.name for window, _ in decision.parts] == [
                limit.name for limit in self.limits.values() if matches(limit, demand.subject)
            ]
            assert decision.admitted_at == self.latest
            for window, amount in decision.parts:
                assert amount == due(demand, window.limit)
                if window.limit.on_exceed != "alert" and window.limit.name not in approved:
                    assert committed(window) <= allowed(window)
            self.open.append(decision)
            return
        self.check_refusal(decision, demand, approved, paused)
        for window in self.guard.windows:
            assert window.reserved_nusd == before.get(key(window), 0) or window.starts_at > NOON

    def check_refusal(self, no: Refused, demand: Demand, approved: frozenset[str], paused: set[str]) -> None:
        limit = no.window.limit
        assert matches(limit, demand.subject)
        if no.reason == "paused":
            assert limit.name in paused
            return
        assert limit.name not in approved
        assert limit.on_exceed == no.action != "alert"
        if no.reason == "unbounded":
            assert demand.worst_nusd is None
            assert limit.guarantee == "strict"
        else:
            assert committed(no.window) + due(demand, limit) > allowed(no.window)

    @precondition(lambda self: self.open)
    @rule(how=st.lists(settled_as, min_size=1, max_size=4))
    def settle(self, how: list[tuple[int, float, bool]]) -> None:
        """Some ends are unknown: what is counted is less than it may have cost."""
        for which, part, stated in how[: len(self.open)]:
            reservation = self.open.pop(which % len(self.open))
            demand = reservation.demand
            most = demand.expected_nusd if demand.worst_nusd is None else demand.worst_nusd
            cost = int(part * most)
            unknown = 0 if stated else most - cost
            self.guard.settle(reservation, cost, unknown)
            self.guard.settle(reservation, cost, unknown)
            self.record.append(Cost(reservation.admitted_at, demand.subject, cost, unknown))

    @precondition(lambda self: any(cost.unknown for cost in self.record))
    @rule(which=st.integers(0, 99), part=st.floats(0, 1))
    def learn(self, which: int, part: float) -> None:
        """What an end that was unknown cost is told late. No strict cap is passed by that."""
        ends = [cost for cost in self.record if cost.unknown]
        cost = ends[which % len(ends)]
        more = int(part * cost.unknown)
        self.guard.adjust(cost.subject, more, cost.at, -cost.unknown)
        cost.nusd, cost.unknown = cost.nusd + more, 0

    @precondition(lambda self: any(window.unknown_nusd for window in self.guard.windows))
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        """A person lets go of what a counter keeps; others that keep room for the same requests do so too."""
        keeping = [window for window in self.guard.windows if window.unknown_nusd]
        window = keeping[which % len(keeping)]
        limit = window.limit
        for cost in self.record:
            counts = self.guard.counts_on(limit.name, window.subject, cost.subject, cost.at)
            inside = window.starts_at <= cost.at < (window.ends_at or FAR)
            assert counts == (inside and falls(cost.subject, window))
            if counts:
                self.guard.adjust(cost.subject, 0, cost.at, -cost.unknown)
                cost.unknown = 0
        assert window.unknown_nusd == window.withheld_nusd == 0

    @precondition(lambda self: self.record)
    @rule(which=st.integers(0, 99), part=st.floats(0, 2))
    def adjust(self, which: int, part: float) -> None:
        """What was settled turns out to have cost less, or more."""
        cost = self.record[which % len(self.record)]
        turned_out = int(part * cost.nusd)
        self.guard.adjust(cost.subject, turned_out - cost.nusd, cost.at)
        cost.nusd = turned_out
        self.forget_overruns()

    @rule(minutes=st.sampled_from([0, 1, 7, 40, 61, 200, 600, 1500, 5000]))
    def wait(self, minutes: int) -> None:
        self.move(self.now + 60 * minutes + 1)

    @rule(minutes=st.integers(1, 180))
    def step_back(self, minutes: int) -> None:
        self.move(max(self.now - 60 * minutes, self.latest - 80_000))

    def move(self, now: float) -> None:
        self.now = now
        self.latest = max(self.latest, now)
        self.guard.roll(now)

    @rule(shape=st.sampled_from(SHAPES), change=changes)
    def edit(self, shape: Limit, change: dict) -> None:
        self.limits[shape.name] = replaced(shape, change)
        self.configure()

    @rule(shape=st.sampled_from(SHAPES))
    def remove(self, shape: Limit) -> None:
        self.limits.pop(shape.name, None)
        self.grants = [grant for grant in self.grants if grant[0] != shape.name]
        self.configure()

    @rule()
    def restart(self) -> None:
        """A daemon killed and started again: what was open is counted at its worst."""
        for reservation in self.open:
            demand = reservation.demand
            worst = demand.expected_nusd if demand.worst_nusd is None else demand.worst_nusd
            self.record.append(Cost(reservation.admitted_at, demand.subject, worst))
        self.open = []
        self.latest = max([self.now, *(cost.at for cost in self.record)])
        self.guard = Guard(self.zone)
        self.configure()

    @precondition(lambda self: self.guard.windows)
    @rule(which=st.integers(0, 99), nusd=st.integers(1, 100))
    def grant(self, which: int, nusd: int) -> None:
        window = self.guard.windows[which % len(self.guard.windows)]
        self.guard.grant(window.limit.name, window.subject, nusd, self.now)
        self.grants.append((window.limit.name, window.subject, max(self.now, window.starts_at), nusd))

    @rule(shape=st.sampled_from(SHAPES), on=st.booleans())
    def pause(self, shape: Limit, on: bool) -> None:
        (self.guard.pause if on else self.guard.resume)(shape.name)

    # what always holds

    @invariant()
    def nothing_is_lost_or_counted_twice(self) -> None:
        for window in self.guard.windows:
            inside = self.inside(window.limit, window.starts_at, window.ends_at)
            assert window.spent_nusd == sum(cost.nusd for cost in inside if falls(cost.subject, window))
            assert window.unknown_nusd == sum(cost.unknown for cost in inside if falls(cost.subject, window))
            assert window.withheld_nusd == (window.unknown_nusd if window.limit.guarantee == "strict" else 0)

    @invariant()
    def what_is_granted_is_what_was_granted_in_the_window(self) -> None:
        for window in self.guard.windows:
            assert window.granted_nusd == sum(
                nusd
                for name, subject, at, nusd in self.grants
                if (name, subject) == (window.limit.name, window.subject)
                and window.starts_at <= at < (window.ends_at or FAR)
            )

    @invariant()
    def no_counter_is_missing(self) -> None:
        for limit in self.limits.values():
            windows = [window for window in self.guard.windows if window.limit.name == limit.name]
            if limit.per is None:
                assert len(windows) == 1
            elif windows:
                inside = self.inside(limit, max(window.starts_at for window in windows), windows[0].ends_at)
                assert sum(window.spent_nusd for window in windows) >= sum(cost.nusd for cost in inside)

    @invariant()
    def what_is_reserved_is_what_is_open(self) -> None:
        held: dict[int, int] = {}
        for reservation in self.open:
            for window, amount in reservation.parts:
                assert amount == due(reservation.demand, window.limit)
                held[id(window)] = held.get(id(window), 0) + amount
        for window in self.guard.windows:
            assert window.reserved_nusd == held.get(id(window), 0) >= 0
            if window.ends_at is not None:
                assert window.reserved_nusd == sum(
                    due(reservation.demand, window.limit)
                    for reservation in self.open
                    if window.starts_at <= reservation.admitted_at < window.ends_at
                    and falls(reservation.demand.subject, window)
                )

    @invariant()
    def no_strict_cap_is_passed(self) -> None:
        for window in self.guard.windows:
            limit = window.limit
            if limit.guarantee == "strict" and limit.on_exceed != "alert":
                assert committed(window) <= max(allowed(window), self.over.get(key(window), 0))
                self.over[key(window)] = committed(window)

    def inside(self, limit: Limit, since: float, until: float | None) -> list[Cost]:
        return [
            cost for cost in self.record if since <= cost.at < (until or FAR) and matches(limit, cost.subject)
        ]


def committed(window: Window) -> int:
    return window.spent_nusd + window.reserved_nusd + window.withheld_nusd


def allowed(window: Window) -> int:
    return window.limit.limit_nusd + window.granted_nusd - window.limit.headroom_nusd


def due(demand: Demand, limit: Limit) -> int:
    if limit.guarantee == "expected" or demand.worst_nusd is None:
        return demand.expected_nusd
    return demand.worst_nusd


def key(window: Window) -> str:
    return f"{window.limit.name}/{window.subject}/{window.ends_at}"


def falls(subject: Subject, window: Window) -> bool:
    per = window.limit.per
    value = (per == "model" and subject.canonical_model) or (per and getattr(subject, per))
    return matches(window.limit, subject) and (per is None or value == window.subject)


def matches(limit: Limit | None, subject: Subject) -> bool:
    return limit is not None and all(
        any(fnmatch.fnmatchcase(value, glob) for glob in globs for value in subject.names(dimension))
        for dimension, globs in limit.match
    )


def replaced(shape: Limit, change: dict) -> Limit:
    return Limit(shape.name, shape.window, match=shape.match, per=shape.per, **change)


GuardMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestGuard = GuardMachine.TestCase
