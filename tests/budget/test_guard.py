from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from budgetd.budget.guard import Guard, Refused, Reservation
from budgetd.budget.limits import Limit

UTC = ZoneInfo("UTC")
NOON = 1_795_435_200.0
DAY = 86400.0


def nothing(*_: object) -> int:
    return 0


def guard_with(*limits: Limit, spent: int = 0) -> Guard:
    guard = Guard(UTC)
    guard.configure(limits, NOON, lambda *_: spent, lambda *_: set())
    return guard


def daily(nusd: int, **more: object) -> Limit:
    return Limit("daily", "day", nusd, **more)


def admitted(decision: Reservation | Refused) -> Reservation:
    assert isinstance(decision, Reservation)
    return decision


def test_what_is_reserved_counts_against_the_next_request() -> None:
    guard = guard_with(daily(100))
    admitted(guard.admit(60, NOON))
    refused = guard.admit(60, NOON)
    assert isinstance(refused, Refused)
    assert refused.window.refused == 1
    admitted(guard.admit(40, NOON))


def test_settling_replaces_the_reservation_by_the_cost() -> None:
    guard = guard_with(daily(100))
    guard.settle(admitted(guard.admit(60, NOON)), 10)
    (window,) = guard.windows
    assert (window.spent_nusd, window.reserved_nusd) == (10, 0)


def test_a_request_is_held_against_all_limits_or_none() -> None:
    guard = guard_with(daily(100), Limit("monthly", "month", 50))
    assert isinstance(guard.admit(60, NOON), Refused)
    assert [window.reserved_nusd for window in guard.windows] == [0, 0]


def test_a_limit_that_only_alerts_admits_beyond_its_cap() -> None:
    guard = guard_with(daily(100, on_exceed="alert"))
    guard.settle(admitted(guard.admit(500, NOON)), 500)
    assert guard.windows[0].spent_nusd == 500


def test_a_limit_of_zero_refuses_whatever_costs() -> None:
    guard = guard_with(daily(0))
    assert isinstance(guard.admit(1, NOON), Refused)
    admitted(guard.admit(0, NOON))


def test_a_threshold_fires_once_in_its_window() -> None:
    guard = guard_with(daily(100, thresholds_pct=(50, 80)))
    first = guard.settle(admitted(guard.admit(60, NOON)), 60)
    second = guard.settle(admitted(guard.admit(10, NOON)), 10)
    third = guard.settle(admitted(guard.admit(30, NOON)), 30)
    assert [crossing.threshold_pct for crossing in first] == [50]
    assert second == []
    assert [crossing.threshold_pct for crossing in third] == [80, 100]


def test_thresholds_fire_again_in_the_next_window() -> None:
    guard = guard_with(daily(100, thresholds_pct=(50,)))
    guard.settle(admitted(guard.admit(60, NOON)), 60)
    crossed = guard.settle(admitted(guard.admit(60, NOON + DAY)), 60)
    assert [crossing.threshold_pct for crossing in crossed] == [50]


def test_a_request_that_outlives_its_day_counts_in_the_day_it_was_admitted() -> None:
    guard = guard_with(daily(100))
    old = admitted(guard.admit(60, NOON))
    yesterday = guard.windows[0]
    guard.roll(NOON + DAY)
    guard.settle(old, 70)
    assert yesterday.spent_nusd == 70
    assert (guard.windows[0].spent_nusd, guard.windows[0].reserved_nusd) == (0, 0)


def test_a_clock_that_steps_back_does_not_reopen_an_older_window() -> None:
    guard = guard_with(daily(100))
    guard.roll(NOON + DAY)
    newer = guard.windows[0]
    admitted(guard.admit(60, NOON))
    assert guard.windows[0] is newer
    assert newer.reserved_nusd == 60


def test_a_lowered_cap_binds_at_once_and_lets_running_requests_end() -> None:
    guard = guard_with(daily(100))
    running = admitted(guard.admit(80, NOON))
    guard.configure([daily(50)], NOON, nothing, lambda *_: set())
    assert isinstance(guard.admit(1, NOON), Refused)
    guard.settle(running, 80)
    assert guard.windows[0].spent_nusd == 80


def test_a_new_limit_counts_what_was_spent_and_what_is_reserved() -> None:
    guard = guard_with(daily(100))
    admitted(guard.admit(30, NOON))
    guard.configure([daily(100), Limit("monthly", "month", 100)], NOON, lambda *_: 60, lambda *_: {50})
    monthly = guard.windows[1]
    assert (monthly.spent_nusd, monthly.reserved_nusd, monthly.fired) == (60, 30, {50})
    assert isinstance(guard.admit(20, NOON), Refused)


def test_settling_twice_counts_once() -> None:
    guard = guard_with(daily(100))
    reservation = admitted(guard.admit(10, NOON))
    guard.settle(reservation, 10)
    guard.settle(reservation, 10)
    assert (guard.windows[0].spent_nusd, guard.windows[0].reserved_nusd) == (10, 0)


@given(costs=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20), order=st.randoms())
def test_totals_do_not_depend_on_the_order_of_settling(costs, order) -> None:
    totals = []
    for _ in range(2):
        guard = guard_with(daily(10**6))
        held = [(admitted(guard.admit(amount, NOON)), cost) for amount, cost in costs]
        order.shuffle(held)
        for reservation, cost in held:
            guard.settle(reservation, cost)
        totals.append((guard.windows[0].spent_nusd, guard.windows[0].reserved_nusd))
    assert totals[0] == totals[1] == (sum(cost for _, cost in costs), 0)


class GuardMachine(RuleBasedStateMachine):
    """Any course of events, with costs that never exceed what was reserved for them."""

    @initialize(cap=st.integers(0, 200), monthly=st.integers(0, 400))
    def begin(self, cap: int, monthly: int) -> None:
        self.now = NOON
        self.cap, self.monthly = cap, monthly
        self.highest = {"daily": cap, "monthly": monthly}
        self.ledger: list[tuple[float, int]] = []
        self.open: list[tuple[Reservation, float]] = []
        self.guard = Guard(UTC)
        self.configure()

    def configure(self) -> None:
        limits = [daily(self.cap), Limit("monthly", "month", self.monthly)]
        self.guard.configure(limits, self.now, self.spent, lambda *_: set())

    def spent(self, since: float, until: float) -> int:
        return sum(cost for at, cost in self.ledger if since <= at < until)

    @rule(amount=st.integers(0, 60))
    def admit(self, amount: int) -> None:
        decision = self.guard.admit(amount, self.now)
        if isinstance(decision, Reservation):
            self.open.append((decision, self.now))
        else:
            window = decision.window
            assert window.spent_nusd + window.reserved_nusd + amount > window.limit.limit_nusd

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 99), part=st.floats(0, 1))
    def settle(self, which: int, part: float) -> None:
        reservation, at = self.open.pop(which % len(self.open))
        cost = int(reservation.amount_nusd * part)
        self.guard.settle(reservation, cost)
        self.ledger.append((at, cost))

    @rule(hours=st.integers(0, 40))
    def wait(self, hours: int) -> None:
        self.now += hours * 3600
        if self.guard.roll(self.now):
            self.highest = {"daily": self.cap, "monthly": self.monthly}

    @rule(cap=st.integers(0, 200))
    def edit(self, cap: int) -> None:
        self.cap = cap
        self.highest["daily"] = max(self.highest["daily"], cap)
        self.configure()

    @rule()
    def restart(self) -> None:
        """A daemon killed and started again: what was open is counted at what was reserved."""
        self.ledger += [(at, reservation.amount_nusd) for reservation, at in self.open]
        self.open = []
        self.guard = Guard(UTC)
        self.configure()

    @invariant()
    def no_cap_is_passed_and_nothing_is_lost_or_counted_twice(self) -> None:
        for window in self.guard.windows:
            inside = [r.amount_nusd for r, at in self.open if window.starts_at <= at < window.ends_at]
            assert window.reserved_nusd == sum(inside) >= 0
            assert window.spent_nusd == self.spent(window.starts_at, window.ends_at)
            assert window.spent_nusd + window.reserved_nusd <= max(
                self.highest[window.limit.name], window.limit.limit_nusd
            )


GuardMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestGuard = GuardMachine.TestCase
