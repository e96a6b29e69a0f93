from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.counters import Window
from budgetd.budget.decision import Demand, Refused, Reservation
from budgetd.budget.guard import SHOWN_EACH, Guard
from budgetd.budget.limits import Limit, Subject

UTC = ZoneInfo("UTC")
NOON = 1_795_435_200.0
HOUR = 3600.0
DAY = 86400.0
ANYONE = Subject()
ALICE, BOB = Subject(user="alice"), Subject(user="bob")
OPUS = (("model", ("claude-opus-*",)),)


def guard_with(*limits: Limit, history=()) -> Guard:
    guard = Guard(UTC)
    configure(guard, *limits, history=history)
    return guard


def configure(guard: Guard, *limits: Limit, now: float = NOON, history=(), fired=()) -> None:
    guard.configure(limits, now, history, lambda *_: fired)


def daily(nusd: int, **more: object) -> Limit:
    return Limit("daily", "day", nusd, **more)


def ask(expected: int, worst: int | None = None, subject: Subject = ANYONE) -> Demand:
    return Demand(subject, expected, worst)


def admitted(guard: Guard, demand: Demand | int, now: float = NOON, **more: object) -> Reservation:
    decision = guard.admit(demand if isinstance(demand, Demand) else ask(demand), now, **more)
    assert isinstance(decision, Reservation)
    return decision


def refused(guard: Guard, demand: Demand | int, now: float = NOON, **more: object) -> Refused:
    decision = guard.admit(demand if isinstance(demand, Demand) else ask(demand), now, **more)
    assert isinstance(decision, Refused)
    return decision


def spend(guard: Guard, nusd: int, now: float = NOON, subject: Subject = ANYONE) -> list[int]:
    crossings = guard.settle(admitted(guard, ask(nusd, nusd, subject), now), nusd)
    return [crossing.threshold_pct for crossing in crossings]


def tally(window: Window) -> tuple[int, int]:
    return window.spent_nusd, window.reserved_nusd


# reserving and settling


def test_what_is_reserved_counts_against_the_next_request() -> None:
    guard = guard_with(daily(100))
    admitted(guard, 60)
    assert refused(guard, 60).window.refused == 1
    admitted(guard, 40)


def test_settling_replaces_the_reservation_by_the_cost() -> None:
    guard = guard_with(daily(100))
    guard.settle(admitted(guard, 60), 10)
    assert tally(guard.windows[0]) == (10, 0)


def test_settling_twice_counts_once() -> None:
    guard = guard_with(daily(100))
    reservation = admitted(guard, 10)
    guard.settle(reservation, 10)
    guard.settle(reservation, 10)
    assert tally(guard.windows[0]) == (10, 0)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_request_is_held_against_all_limits_or_none(turn: int) -> None:
    guard = guard_with(*[daily(100), Limit("monthly", "month", 50), Limit("total", "total", 90)][::turn])
    assert refused(guard, 60).window.limit.name == "monthly"
    assert [window.reserved_nusd for window in guard.windows] == [0, 0, 0]


def test_a_limit_that_only_alerts_admits_beyond_its_cap() -> None:
    guard = guard_with(daily(100, on_exceed="alert", guarantee="strict"))
    guard.settle(admitted(guard, 500), 500)
    admitted(guard, ask(5, None))
    assert guard.windows[0].spent_nusd == 500


def test_a_limit_of_zero_refuses_whatever_costs() -> None:
    guard = guard_with(daily(0))
    refused(guard, 1)
    admitted(guard, 0)


def test_headroom_refuses_below_the_cap() -> None:
    guard = guard_with(daily(100, headroom_nusd=25))
    refused(guard, 76)
    admitted(guard, 75)


def test_strict_reserves_the_worst_case_and_expected_the_estimate() -> None:
    guard = guard_with(daily(100, guarantee="strict"), Limit("monthly", "month", 100))
    reservation = admitted(guard, ask(10, 90))
    assert [amount for _, amount in reservation.parts] == [90, 10]
    assert reservation.amount_nusd == 90
    assert refused(guard, ask(1, 11)).window.limit.name == "daily"


def test_strict_refuses_what_has_no_bound() -> None:
    guard = guard_with(daily(100, guarantee="strict"))
    no = refused(guard, ask(10, None))
    assert (no.reason, no.amount_nusd, no.action) == ("unbounded", None, "refuse")


@given(
    caps=st.lists(st.integers(0, 300), min_size=1, max_size=4),
    calls=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1)), max_size=30),
    order=st.randoms(),
)
def test_strict_never_passes_a_cap_and_refuses_only_what_does_not_fit(caps, calls, order) -> None:
    windows = ["day", "5h", "total", "hour"]
    guard = guard_with(
        *(Limit(window, window, cap, guarantee="strict") for cap, window in zip(caps, windows, strict=False))
    )
    running = []
    for expected, worst, part in calls:
        decision = guard.admit(ask(expected, worst), NOON)
        if isinstance(decision, Reservation):
            running.append((decision, int(worst * part)))
        else:
            assert decision.window.spent_nusd + decision.window.reserved_nusd + worst > min(caps)
        if running and order.random() < 0.5:
            guard.settle(*running.pop(order.randrange(len(running))))
        for window in guard.windows:
            assert sum(tally(window)) <= window.limit.limit_nusd


@given(costs=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20), order=st.randoms())
def test_totals_do_not_depend_on_the_order_of_settling(costs, order) -> None:
    totals = []
    for _ in range(2):
        guard = guard_with(daily(10**6), Limit("users", "5h", 10**6, per="user"))
        held = [
            (admitted(guard, ask(amount, None, ALICE if place % 2 else BOB), NOON + 60 * place), cost)
            for place, (amount, cost) in enumerate(costs)
        ]
        order.shuffle(held)
        for reservation, cost in held:
            guard.settle(reservation, cost)
        totals.append(sorted((window.subject, *tally(window)) for window in guard.windows))
    assert totals[0] == totals[1]
    assert sum(spent for _, spent, _ in totals[0]) == 2 * sum(cost for _, cost in costs)


# match and per


def test_a_limit_counts_what_matches_and_nothing_else() -> None:
    guard = guard_with(Limit("opus", "day", 100, match=OPUS))
    spend(guard, 500)
    spend(guard, 90, subject=Subject(model="claude-opus-4-8"))
    assert guard.windows[0].spent_nusd == 90


def test_per_gives_each_its_own_counter() -> None:
    guard = guard_with(Limit("each", "day", 100, per="user"))
    assert guard.windows == []
    spend(guard, 60, subject=ALICE)
    spend(guard, 90, subject=BOB)
    no = refused(guard, ask(60, 60, ALICE))
    assert no.window.subject == "alice"
    assert [(window.subject, window.spent_nusd) for window in guard.windows] == [("bob", 90), ("alice", 60)]


def test_a_request_that_is_refused_elsewhere_leaves_no_counter() -> None:
    guard = guard_with(daily(10), Limit("each", "day", 100, per="session"))
    for session in "abc":
        refused(guard, ask(50, 50, Subject(session=session)))
    assert [window.subject for window in guard.windows] == [""]


def test_counters_of_windows_that_ended_go_away() -> None:
    guard = guard_with(Limit("each", "day", 100, per="user"), Limit("5h", "5h", 100, per="user"))
    spend(guard, 60, subject=ALICE)
    running = admitted(guard, ask(60, 60, BOB))
    assert guard.roll(NOON + DAY)
    assert [(window.limit.name, window.subject) for window in guard.windows] == [("5h", "bob")]
    guard.settle(running, 60)
    guard.roll(NOON + 2 * DAY)
    assert guard.windows == []


def test_the_windows_shown_are_bounded() -> None:
    guard = guard_with(Limit("each", "day", 10**6, per="session"), daily(10**6))
    for number in range(300):
        spend(guard, number, subject=Subject(session=str(number)))
    assert len(guard.windows) == SHOWN_EACH + 1
    assert guard.windows[0].spent_nusd == 299
    assert guard.windows[-1].limit.name == "daily"


# outcomes and controls


def test_refuse_wins_over_hold_and_hold_over_downgrade() -> None:
    downgrade = Limit("a", "day", 10, on_exceed="downgrade", fallback_model="x")
    hold, refuse = Limit("b", "day", 10, on_exceed="hold"), Limit("c", "day", 10)
    for limits, name in [((downgrade, hold, refuse), "c"), ((downgrade, hold), "b"), ((downgrade,), "a")]:
        for order in (limits, limits[::-1]):
            no = refused(guard_with(*order), 20)
            assert (no.window.limit.name, no.action) == (name, no.window.limit.on_exceed)


def test_what_is_held_or_downgraded_is_not_counted_as_refused() -> None:
    guard = guard_with(daily(10, on_exceed="hold"))
    refused(guard, 20)
    assert guard.windows[0].refused == 0


def test_an_approved_request_passes_its_limit_and_is_counted() -> None:
    guard = guard_with(daily(10, on_exceed="hold", guarantee="strict"), Limit("monthly", "month", 25))
    guard.settle(admitted(guard, ask(20, None), approved=frozenset({"daily"})), 20)
    assert [window.spent_nusd for window in guard.windows] == [20, 20]
    assert refused(guard, 20, approved=frozenset({"daily"})).window.limit.name == "monthly"


def test_a_grant_makes_room_until_the_window_ends() -> None:
    guard = guard_with(daily(100))
    spend(guard, 100)
    guard.grant("daily", "", 50, NOON)
    refused(guard, 51)
    spend(guard, 50)
    guard.roll(NOON + DAY)
    refused(guard, 101, NOON + DAY)


def test_a_grant_in_a_rolling_window_lasts_its_length() -> None:
    guard = guard_with(Limit("5h", "5h", 100))
    guard.grant("5h", "", 50, NOON)
    guard.settle(admitted(guard, 150), 0)
    guard.roll(NOON + 4.9 * HOUR)
    assert guard.windows[0].granted_nusd == 50
    guard.roll(NOON + 5.1 * HOUR)
    assert guard.windows[0].granted_nusd == 0


@pytest.mark.parametrize(("name", "subject"), [("weekly", ""), ("daily", "alice"), ("each", "nobody")])
def test_a_grant_needs_its_counter(name: str, subject: str) -> None:
    guard = guard_with(daily(100), Limit("each", "day", 100, per="user"))
    with pytest.raises(KeyError):
        guard.grant(name, subject, 50, NOON)


def test_a_grant_of_nothing_or_less_is_an_error() -> None:
    guard = guard_with(daily(100))
    for nusd in (0, -5):
        with pytest.raises(ValueError, match="more than nothing"):
            guard.grant("daily", "", nusd, NOON)


def test_grants_on_record_are_restored_once_and_only_where_their_window_runs() -> None:
    guard = guard_with(daily(100), Limit("each", "5h", 100, per="user"))
    on_record = [
        ("daily", "", NOON, 7),
        ("daily", "", NOON - DAY, 50),
        ("each", "alice", NOON - HOUR, 5),
        ("gone", "", NOON, 1),
    ]
    for _ in range(2):
        guard.restore_grants(on_record)
        assert [(window.subject, window.granted_nusd) for window in guard.windows] == [("", 7), ("alice", 5)]


def test_a_paused_limit_refuses_what_matches_it_even_if_approved() -> None:
    guard = guard_with(daily(100, on_exceed="alert", match=OPUS))
    guard.pause("daily")
    opus = ask(1, 1, Subject(model="claude-opus-4-8"))
    no = refused(guard, opus, approved=frozenset({"daily"}))
    assert (no.reason, no.action) == ("paused", "refuse")
    admitted(guard, 1)
    guard.resume("daily")
    admitted(guard, opus)


# thresholds


def test_a_threshold_fires_once_in_its_window() -> None:
    guard = guard_with(daily(100, thresholds_pct=(50, 80)))
    assert [spend(guard, 60), spend(guard, 10), spend(guard, 30)] == [[50], [], [80, 100]]
    assert spend(guard, 60, NOON + DAY) == [50]


def test_a_threshold_of_a_rolling_window_fires_again_when_its_length_has_passed() -> None:
    guard = guard_with(Limit("5h", "5h", 100, thresholds_pct=(50,)))
    assert spend(guard, 60) == [50]
    assert spend(guard, 10, NOON + 4 * HOUR) == []
    assert spend(guard, 50, NOON + 6 * HOUR) == [50]


def test_a_threshold_of_a_granted_window_is_of_all_that_may_be_spent() -> None:
    guard = guard_with(daily(100, thresholds_pct=(50,)))
    guard.grant("daily", "", 100, NOON)
    assert [spend(guard, 60), spend(guard, 40), spend(guard, 100)] == [[], [50], [100]]


def test_only_the_counter_that_passed_fires() -> None:
    guard = guard_with(Limit("each", "day", 100, (50,), per="user"))
    spend(guard, 40, subject=BOB)
    crossings = guard.settle(admitted(guard, ask(60, 60, ALICE)), 60)
    assert [crossing.window.subject for crossing in crossings] == ["alice"]


def test_what_fired_before_a_restart_does_not_fire_again() -> None:
    guard = Guard(UTC)
    asked = []

    def fired(*key: object) -> set[int]:
        asked.append(key)
        return {50}

    limits = [
        daily(100, thresholds_pct=(50, 80)),
        Limit("each", "5h", 1000, (50,), per="user"),
        Limit("5h", "5h", 100, (50,)),
    ]
    guard.configure(limits, NOON, [(NOON - HOUR, ALICE, 85)], fired)
    assert [(each.window.limit.name, each.threshold_pct) for each in guard.crossed()] == [
        ("daily", 80),
    ]
    assert asked == [("daily", "", NOON - DAY / 2), ("5h", "", NOON - 10 * HOUR)]
    assert guard.crossed() == []


# time


def test_a_request_that_outlives_its_day_counts_in_the_day_it_was_admitted() -> None:
    guard = guard_with(daily(100))
    old = admitted(guard, 60)
    yesterday = guard.windows[0]
    guard.roll(NOON + DAY)
    guard.settle(old, 70)
    assert yesterday.spent_nusd == 70
    assert tally(guard.windows[0]) == (0, 0)


def test_a_clock_that_steps_back_does_not_reopen_an_older_window() -> None:
    guard = guard_with(daily(100), Limit("1h", "1h", 100))
    guard.roll(NOON + DAY)
    newer = guard.windows[0]
    spend(guard, 60, NOON)
    assert guard.windows[0] is newer
    assert [window.spent_nusd for window in guard.windows] == [60, 60]
    refused(guard, 60, NOON)


def test_a_restart_after_a_clock_stepped_back_stays_in_the_newer_window() -> None:
    midnight = NOON + DAY / 2
    guard = Guard(UTC)
    configure(guard, daily(100), now=midnight - 60, history=[(midnight + 60, ANYONE, 70)])
    assert guard.windows[0].starts_at == midnight
    refused(guard, 60, midnight - 30)
    refused(guard, 60, midnight + 30)


def test_history_from_a_clock_that_was_far_ahead_holds_nothing_up() -> None:
    guard = guard_with(daily(100), history=[(NOON + 10 * 365 * DAY, ANYONE, 70)])
    assert guard.windows[0].ends_at == NOON + DAY / 2
    assert guard.windows[0].spent_nusd == 0


def test_a_rolling_window_lets_go_by_the_minute() -> None:
    guard = guard_with(Limit("1h", "1h", 100))
    spend(guard, 60, NOON + 30)
    spend(guard, 40, NOON + 90)
    refused(guard, 1, NOON + HOUR + 59)
    assert guard.roll(NOON + HOUR + 60)
    assert guard.windows[0].spent_nusd == 40
    assert guard.windows[0].starts_at == NOON + 60
    assert not guard.roll(NOON + HOUR + 61)


def test_a_long_request_counts_in_the_minute_it_was_admitted() -> None:
    guard = guard_with(Limit("1h", "1h", 100))
    running = [admitted(guard, 10), admitted(guard, 10, NOON + 600)]
    spend(guard, 5, NOON + 1200)
    guard.settle(running[1], 20)
    guard.roll(NOON + HOUR + 120)
    assert tally(guard.windows[0]) == (25, 10)
    guard.settle(running[0], 30)
    assert tally(guard.windows[0]) == (25, 0)
    guard.roll(NOON + HOUR + 660)
    assert tally(guard.windows[0]) == (5, 0)


# other limits put in force


def test_a_lowered_cap_binds_at_once_and_lets_running_requests_end() -> None:
    guard = guard_with(daily(100))
    running = admitted(guard, 80)
    configure(guard, daily(50))
    refused(guard, 1)
    guard.settle(running, 80)
    assert guard.windows[0].spent_nusd == 80


def test_a_new_limit_counts_what_was_spent_and_what_is_reserved() -> None:
    guard = guard_with(daily(100))
    admitted(guard, ask(30, 30, ALICE))
    monthly = Limit("monthly", "month", 100, (50,), match=(("user", ("alice",)),))
    history = [(NOON - DAY, ALICE, 60), (NOON - DAY, BOB, 5), (NOON - 40 * DAY, ALICE, 7)]
    assert guard.history_since([daily(90), monthly], NOON) == NOON - 22.5 * DAY
    configure(guard, daily(90), monthly, history=history, fired={50})
    assert tally(guard.windows[1]) == (60, 30)
    assert guard.windows[1].fired == {50}
    refused(guard, ask(20, 20, ALICE))
    admitted(guard, ask(20, 20, BOB))


def test_a_limit_that_stays_needs_no_history() -> None:
    guard = guard_with(daily(100), Limit("all", "total", 5))
    assert guard.history_since([daily(7)], NOON) == NOON
    assert guard.history_since([daily(7, match=OPUS)], NOON) == NOON - DAY / 2
    assert guard.history_since([Limit("total", "total", 1)], NOON) == 0


def test_a_limit_that_counts_something_else_starts_anew() -> None:
    guard = guard_with(daily(100))
    spend(guard, 60)
    running = admitted(guard, ask(5, 5, Subject(model="claude-opus-4-8")))
    configure(guard, daily(100, match=OPUS), history=[(NOON, ANYONE, 60)])
    assert tally(guard.windows[0]) == (0, 5)
    configure(guard)
    assert guard.settle(running, 500) == []


def test_becoming_strict_holds_the_worst_case_of_what_runs() -> None:
    guard = guard_with(daily(100))
    running = admitted(guard, ask(10, 70))
    configure(guard, daily(100, guarantee="strict"))
    assert guard.windows[0].reserved_nusd == 70
    configure(guard, daily(100))
    assert guard.windows[0].reserved_nusd == 10
    guard.settle(running, 20)
    assert tally(guard.windows[0]) == (20, 0)


# unknown ends


def strict(nusd: int, window: str = "day", **more: object) -> Limit:
    return Limit("strict", window, nusd, guarantee="strict", **more)


def test_a_strict_limit_keeps_what_a_request_of_unknown_end_may_have_cost() -> None:
    guard = guard_with(strict(100))
    guard.settle(admitted(guard, ask(10, 60)), 5, 55)
    (window,) = guard.windows
    assert (window.spent_nusd, window.reserved_nusd, window.withheld_nusd) == (5, 0, 55)
    assert window.room_nusd == 40
    refused(guard, ask(1, 41))
    admitted(guard, ask(1, 40))


def test_an_expected_limit_counts_what_is_on_record_alone() -> None:
    guard = guard_with(daily(100))
    guard.settle(admitted(guard, ask(10, 60)), 5, 55)
    (window,) = guard.windows
    assert (window.withheld_nusd, window.room_nusd) == (0, 95)
    configure(guard, daily(100, guarantee="strict"))
    assert (window.withheld_nusd, window.room_nusd) == (55, 40)


def test_what_is_told_late_replaces_what_was_kept() -> None:
    guard = guard_with(strict(100))
    guard.settle(admitted(guard, ask(10, 60)), 5, 55)
    guard.adjust(ANYONE, 20, NOON, -55)
    (window,) = guard.windows
    assert (window.spent_nusd, window.withheld_nusd, window.room_nusd) == (25, 0, 75)


def test_it_is_kept_until_the_window_ends() -> None:
    guard = guard_with(strict(100), Limit("rolling", "2h", 100, guarantee="strict"))
    guard.settle(admitted(guard, ask(10, 60)), 5, 55)
    guard.roll(NOON + 2 * HOUR)
    assert [window.withheld_nusd for window in guard.windows] == [55, 55]
    guard.roll(NOON + 2 * HOUR + 60)
    assert [window.withheld_nusd for window in guard.windows] == [55, 0]
    guard.roll(NOON + DAY)
    assert [window.withheld_nusd for window in guard.windows] == [0, 0]


def test_unknown_ends_on_record_are_kept_after_a_restart() -> None:
    guard = Guard(UTC)
    ends = [(NOON - HOUR, ALICE, 30), (NOON - DAY, ALICE, 9), (NOON, BOB, 7)]
    guard.configure([strict(100, per="user")], NOON, [], lambda *_: (), ends)
    kept = {window.subject: window.withheld_nusd for window in guard.windows}
    assert kept == {"alice": 30, "bob": 7}
    assert guard.counts_on("strict", "alice", ALICE, NOON)
    assert not guard.counts_on("strict", "bob", ALICE, NOON)
    assert not guard.counts_on("strict", "alice", ALICE, NOON - DAY)
    assert not guard.counts_on("nowhere", "alice", ALICE, NOON)


# names


OPENROUTERS = Subject(model="anthropic/claude-opus-4.8", canonical_model="claude-opus-4-8")
ANTHROPICS = Subject(model="claude-opus-4-8")


def test_a_cap_on_a_model_counts_every_spelling_of_it() -> None:
    guard = guard_with(daily(100, match=OPUS))
    spend(guard, 60, subject=ANTHROPICS)
    refused(guard, ask(50, 50, OPENROUTERS))
    assert tally(guard.windows[0]) == (60, 0)


def test_per_model_is_a_counter_for_each_model_and_per_key_for_each_account() -> None:
    guard = guard_with(Limit("model", "day", 100, per="model"), Limit("key", "day", 100, per="key"))
    spend(guard, 1, subject=ANTHROPICS)
    spend(guard, 2, subject=OPENROUTERS)
    spend(guard, 4, subject=Subject(key="a_1", token="k_1"))
    spend(guard, 8, subject=Subject(key="a_1", token="k_2"))
    counted = {(window.limit.name, window.subject): window.spent_nusd for window in guard.windows}
    assert counted == {
        ("model", "claude-opus-4-8"): 3,
        ("model", ""): 12,
        ("key", ""): 3,
        ("key", "a_1"): 12,
    }
