import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.windows import check_window, day_before, span, window_bounds

ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Africa/Cairo"]


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", "2026-11-23", 24),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("America/Santiago", "2026-09-06", 23),
        ("Africa/Cairo", "2026-04-24", 23),
        ("Pacific/Apia", "2011-12-29", 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, day: str, hours: float) -> None:
    starts_at, ends_at = window_bounds("day", at(f"{day}T12:00", zone), ZoneInfo(zone))
    assert ends_at - starts_at == hours * 3600


def test_a_day_whose_midnight_is_skipped_begins_when_the_clock_jumps() -> None:
    zone = ZoneInfo("America/Santiago")
    starts_at, _ = window_bounds("day", at("2026-09-06T12:00", zone.key), zone)
    assert datetime.fromtimestamp(starts_at, UTC).astimezone(zone).isoformat() == "2026-09-06T01:00:00-03:00"


def test_a_month_runs_from_its_first_midnight_to_the_next_ones() -> None:
    zone = ZoneInfo("America/New_York")
    starts_at, ends_at = window_bounds("month", at("2026-12-31T23:59", zone.key), zone)
    assert (starts_at, ends_at) == (at("2026-12-01T00:00", zone.key), at("2027-01-01T00:00", zone.key))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", "2026-11-23", 168),
        ("America/New_York", "2026-03-08", 167),
        ("America/New_York", "2026-11-01", 169),
        ("Australia/Lord_Howe", "2026-10-04", 167.5),
        ("Australia/Lord_Howe", "2026-04-05", 168.5),
        ("Pacific/Apia", "2011-12-29", 144),
        ("America/Santiago", "2026-09-06", 167),
        ("Africa/Cairo", "2026-04-24", 167),
    ],
)
def test_a_week_begins_on_monday_and_is_as_long_as_its_zone_makes_it(zone, day, hours) -> None:
    starts_at, ends_at = window_bounds("week", at(f"{day}T12:00", zone), ZoneInfo(zone))
    assert ends_at - starts_at == hours * 3600
    assert datetime.fromtimestamp(starts_at, UTC).astimezone(ZoneInfo(zone)).isoweekday() == 1


def test_an_hour_that_the_clock_repeats_counts_as_two() -> None:
    zone = ZoneInfo("America/New_York")
    before = at("2026-11-01T01:30", zone.key)
    assert window_bounds("hour", before, zone) == (before - 1800, before + 1800)
    assert window_bounds("hour", before + 3600, zone) == (before + 1800, before + 5400)


def test_an_hour_that_the_clock_repeats_by_half_lasts_ninety_minutes() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    starts_at = at("2026-04-05T01:00", zone.key)
    for minutes in (10, 50, 80):
        assert window_bounds("hour", starts_at + 60 * minutes, zone) == (starts_at, starts_at + 5400)


def test_an_hour_begins_by_the_wall_clock() -> None:
    now = at("2026-11-23T15:10", "Asia/Kolkata")
    assert window_bounds("hour", now, ZoneInfo("Asia/Kolkata")) == (now - 600, now + 3000)


@given(
    now=st.floats(0, 4e9),
    kind=st.sampled_from(["hour", "day", "week", "month"]),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_windows_hold_their_moment_and_follow_one_another_without_gap(now, kind, zone) -> None:
    starts_at, ends_at = window_bounds(kind, now, zone)
    assert starts_at <= now < ends_at
    assert window_bounds(kind, ends_at, zone)[0] == ends_at
    assert window_bounds(kind, starts_at, zone) == (starts_at, ends_at)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    kind=st.sampled_from(["hour", "day", "week", "month"]),
    day=st.sampled_from(
        ["2026-03-08", "2026-11-01", "2026-10-04", "2026-04-05", "2011-12-30", "2026-09-06", "2026-04-24"]
    ),
    minutes=st.integers(-2 * 1440, 2 * 1440),
)
def test_windows_follow_one_another_where_the_clocks_change(zone, kind, day, minutes) -> None:
    now = at(f"{day}T00:00", "UTC") + 60 * minutes
    starts_at, ends_at = window_bounds(kind, now, zone)
    assert starts_at <= now < ends_at
    assert window_bounds(kind, ends_at - 1, zone) == (starts_at, ends_at)
    assert window_bounds(kind, starts_at - 1, zone)[1] == starts_at


def test_a_day_that_ended_stays_ended_where_the_clock_goes_back_over_midnight() -> None:
    zone = ZoneInfo("America/St_Johns")  # on 7 Nov 2010 at 00:01 the clock went back to 23:01
    first_midnight = at("2010-11-07T00:00", zone.key)
    assert window_bounds("day", first_midnight - 1, zone)[1] == first_midnight
    assert window_bounds("day", first_midnight + 1800, zone)[0] == first_midnight


@pytest.mark.parametrize(
    ("window", "starts_at", "ends_at"),
    [
        ("total", 0, None),
        ("1h", 996400 // 60 * 60, None),
        ("2d", 827200 // 60 * 60, None),
        ("day", 950400, 1036800),
    ],
)
def test_total_and_rolling_windows_have_no_end(window, starts_at, ends_at) -> None:
    assert span(window, 1_000_000.0, ZoneInfo("UTC")) == (starts_at, ends_at)


@pytest.mark.parametrize("window", ["hour", "day", "week", "month", "total", "1h", "5h", "7d", "366d"])
def test_a_window_may_be_called(window: str) -> None:
    check_window(window)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("0h", "a rolling window of zero"),
        ("00d", "a rolling window of zero"),
        ("90m", "whole hours or days"),
        ("-1h", "whole hours or days"),
        ("1.5h", "whole hours or days"),
        ("５h", "whole hours or days"),
        ("", "no window is called"),
        ("weeks", 'did you mean "week"?'),
        ("daily", 'did you mean "day"?'),
        ("367d", "at most 366d"),
        ("9999999999h", "whole hours or days"),
    ],
)
def test_a_window_may_not_be_called(window: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_window(window)


@given(now=st.floats(86400 * 3, 4e9), zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_yesterday_ends_where_today_begins(now, zone) -> None:
    today = window_bounds("day", now, zone)
    assert day_before(today[0], zone)[1] == today[0]
