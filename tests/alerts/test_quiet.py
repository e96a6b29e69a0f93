from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.alerts.quiet import QuietHours, parse_quiet_hours

UTC = ZoneInfo("UTC")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_hours_over_midnight() -> None:
    quiet = parse_quiet_hours("22:00-07:00")
    seen = [
        quiet.hold(at(f"2026-11-23T{time}Z"), UTC) for time in ("21:59", "22:00", "00:00", "06:59", "07:00")
    ]
    assert seen == [False, True, True, True, False]


def test_hours_within_a_day() -> None:
    quiet = parse_quiet_hours("12:30-13:15")
    seen = [
        quiet.hold(at(f"2026-11-23T{time}Z"), UTC) for time in ("12:29", "12:30", "13:14", "13:15", "00:00")
    ]
    assert seen == [False, True, True, False, False]


def test_both_ends_alike_is_the_whole_day() -> None:
    quiet = parse_quiet_hours("08:00-08:00")
    assert all(quiet.hold(at(f"2026-11-23T{hour:02}:00Z"), UTC) for hour in range(24))


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("Europe/Berlin", "2026-03-29T05:00Z"),  # spring forward at 02:00 local: 07:00 is one hour earlier
        ("Europe/Berlin", "2026-10-25T06:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T20:30Z"),
        ("Asia/Kolkata", "2026-11-24T01:30Z"),
    ],
)
def test_they_end_by_the_clock_on_the_wall_when_the_clocks_change(zone: str, ends: str) -> None:
    quiet = parse_quiet_hours("22:00-07:00")
    assert quiet.hold(at(ends) - 1, ZoneInfo(zone))
    assert not quiet.hold(at(ends), ZoneInfo(zone))


@pytest.mark.parametrize(
    "text", ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "22:00 - 07:00", "9:00-10:00", "٢٢:00-07:00"]
)
def test_what_is_no_hours_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="write them like 22:00-07:00"):
        parse_quiet_hours(text)


@given(begins=st.integers(0, 1439), ends=st.integers(0, 1439), now=st.floats(0, 4e9))
def test_it_is_quiet_either_in_hours_or_in_those_that_are_left(begins: int, ends: int, now: float) -> None:
    if begins != ends:
        assert QuietHours(begins, ends).hold(now, UTC) != QuietHours(ends, begins).hold(now, UTC)
