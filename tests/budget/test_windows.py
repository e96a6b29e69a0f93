from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.windows import day_before, window_bounds

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


@given(
    now=st.floats(0, 4e9),
    kind=st.sampled_from(["day", "month"]),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_windows_hold_their_moment_and_follow_one_another_without_gap(now, kind, zone) -> None:
    starts_at, ends_at = window_bounds(kind, now, zone)
    assert starts_at <= now < ends_at
    assert window_bounds(kind, ends_at, zone)[0] == ends_at
    assert window_bounds(kind, starts_at, zone) == (starts_at, ends_at)


@given(now=st.floats(86400 * 3, 4e9), zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_yesterday_ends_where_today_begins(now, zone) -> None:
    today = window_bounds("day", now, zone)
    assert day_before(today[0], zone)[1] == today[0]
