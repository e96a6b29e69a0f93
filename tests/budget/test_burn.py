from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.burn import Burn
from budgetd.budget.counters import Window
from budgetd.budget.limits import Limit

NOON = 1_795_435_200.0


def day(spent: int, cap: int = 1000) -> Window:
    return Window(Limit("daily", "day", cap), "", NOON - 43200, NOON + 43200, spent_nusd=spent)


def test_nothing_is_foretold_from_a_first_request() -> None:
    burn = Burn([(NOON - 60, 500)])
    assert burn.forecast(day(500), NOON) is None
    assert burn.cap_at(day(500), NOON) is None


def test_a_day_goes_on_at_the_present_burn() -> None:
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(30)])
    assert burn.per_hour(NOON) == 15 * 10 * 4 + 40
    forecast = burn.forecast(day(300), NOON)
    assert forecast == 300 + 12 * burn.per_hour(NOON)


def test_the_cap_is_reached_when_what_is_left_has_burnt() -> None:
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(1, 30)])
    at = burn.cap_at(day(400), NOON)
    assert at is not None
    assert abs((at - NOON) * burn.per_hour(NOON) / 3600 - 600) < 1


def test_no_cap_is_announced_that_was_reached_or_will_not_be() -> None:
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(1, 30)])
    assert burn.cap_at(day(1000), NOON) is None
    assert burn.cap_at(day(0, cap=10**9), NOON) is None


@given(costs=st.lists(st.tuples(st.floats(NOON - 3540, NOON), st.integers(0, 10**12)), max_size=50))
def test_the_minutes_of_the_last_hour_add_up_to_what_was_spent_in_it(costs) -> None:
    minutes = Burn(costs).minutes(NOON)
    assert len(minutes) == 60
    assert sum(minutes) == sum(nusd for _, nusd in costs)


def test_minutes_older_than_an_hour_are_forgotten() -> None:
    burn = Burn([(NOON - 7200, 7)])
    burn.add(NOON, 1)
    assert sum(burn.minutes(NOON)) == 1
    assert sum(burn.minutes(NOON + 7200)) == 0


def month(spent: int) -> Window:
    limit = Limit("monthly", "month", 10**6)
    return Window(limit, "", NOON - 20 * 86400, NOON + 10 * 86400, spent_nusd=spent)


def test_a_month_goes_on_at_its_own_mean_since_there_is_a_record() -> None:
    recent = [(NOON - 1800, 10)]
    assert Burn(recent, NOON - 40 * 86400).forecast(month(2000), NOON) == 3000
    assert Burn(recent, NOON - 10 * 86400).forecast(month(2000), NOON) == 4000


def test_a_month_is_not_foretold_from_a_first_day() -> None:
    burn = Burn([(NOON - 1800, 10)], NOON - 3600)
    assert burn.forecast(month(2000), NOON) is None
    assert burn.month_forecast(2000, (NOON - 20 * 86400, NOON + 10 * 86400), NOON) is None


def test_nothing_is_foretold_of_a_window_without_an_end() -> None:
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(1, 30)])
    for window in ("total", "5h"):
        endless = Window(Limit("all", window, 1000), "", NOON - 18000, None, spent_nusd=300)
        assert burn.forecast(endless, NOON) is None
        assert burn.cap_at(endless, NOON) is None


def test_a_limit_on_some_requests_goes_on_at_its_own_mean() -> None:
    burn = Burn([(NOON - 60 * minute, 1000) for minute in range(30)], NOON - 40 * 86400)
    limit = Limit("opus", "day", 10**6, match=(("model", ("claude-opus-*",)),))
    window = Window(limit, "", NOON - 43200, NOON + 43200, spent_nusd=300)
    assert burn.forecast(window, NOON) == 600


def test_a_grant_puts_off_the_cap() -> None:
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(1, 30)])
    window = day(1000)
    assert burn.cap_at(window, NOON) is None
    window.granted_nusd = 100
    assert burn.cap_at(window, NOON) is not None


def hours_to(between: tuple[float, float] | None) -> tuple[float, ...] | None:
    return between and tuple(round((at - NOON) / 3600, 2) for at in between)


def test_the_range_of_a_day_lies_between_the_slowest_and_the_fastest_mean_of_the_last_hour() -> None:
    burn = Burn([(NOON - 60 * minute, 30 if minute <= 15 else 10) for minute in range(1, 61)])
    means = (15 * 30 * 4, 15 * 40 * 2, 15 * 60)
    assert [burn.per_hour(NOON, seconds) for seconds in (900, 1800, 3600)] == list(means)
    assert hours_to(burn.cap_between(day(0, cap=7200), NOON)) == (7200 / means[0], 7200 / means[2])


def test_no_range_is_told_where_the_slowest_does_not_get_there() -> None:
    burn = Burn([(NOON - 60 * minute, 30) for minute in range(1, 16)], NOON - 7200)
    burn.since = NOON - 7200
    assert burn.cap_at(day(0, cap=7200), NOON) is not None
    assert burn.cap_between(day(0, cap=7200), NOON) is None


def test_the_range_of_a_month_narrows_with_the_days_it_is_the_mean_of() -> None:
    recent = [(NOON - 1800, 10)]
    four_days = Burn(recent, NOON - 4 * 86400).cap_between(month(400), NOON)
    assert four_days is None  # at half the pace it takes too long
    burn = Burn(recent, NOON - 16 * 86400)
    limited = month(1600)
    limited.limit = Limit("monthly", "month", 1600 + 300)
    assert hours_to(burn.cap_between(limited, NOON)) == (24 * 3 / 1.25, 24 * 3 / 0.75)


def test_no_range_without_history_an_end_or_room() -> None:
    assert Burn([]).cap_between(day(0), NOON) is None
    burn = Burn([(NOON - 60 * minute, 10) for minute in range(1, 61)])
    assert burn.cap_between(day(1000), NOON) is None
    endless = Window(Limit("all", "5h", 1000), "", NOON - 18000, None, spent_nusd=300)
    assert burn.cap_between(endless, NOON) is None


@given(
    costs=st.lists(st.tuples(st.floats(NOON - 3540, NOON), st.integers(0, 10**6)), min_size=1, max_size=50),
    cap=st.integers(1, 10**7),
)
def test_what_is_likely_lies_in_the_range(costs, cap: int) -> None:
    burn = Burn(costs)
    between, likely = burn.cap_between(day(0, cap), NOON), burn.cap_at(day(0, cap), NOON)
    if between is not None:
        assert likely is not None
        assert between[0] <= likely <= between[1] < NOON + 43200
