from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from budgetd.alerts.backoff import ATTEMPTS, DELAYS, LONGEST, delay_after, retry_after

NOW = 1_795_435_200.0
chances = st.floats(0, 1, exclude_max=True)


def test_the_schedule_is_as_documented() -> None:
    assert DELAYS == (0, 5, 300, 1_800, 7_200, 18_000, 36_000)


@given(st.integers(1, ATTEMPTS - 1), chances)
def test_a_delay_is_anything_up_to_that_of_its_attempt(attempts: int, chance: float) -> None:
    delay = delay_after(attempts, chance)
    assert delay is not None
    assert 0 <= delay < DELAYS[attempts]
    assert delay == DELAYS[attempts] * chance


def test_after_the_last_attempt_there_is_none() -> None:
    assert delay_after(ATTEMPTS - 1, 0.5) is not None
    assert delay_after(ATTEMPTS, 0.5) is None
    assert delay_after(ATTEMPTS, 0.5, 60) is None


def test_a_second_round_goes_as_the_first() -> None:
    first, second = (
        [delay_after(done + attempt, 0.5) for attempt in range(1, ATTEMPTS + 1)] for done in (0, ATTEMPTS)
    )
    assert first == second


@given(st.integers(1, ATTEMPTS - 1), chances, st.floats(0, 10**9))
def test_a_receiver_that_asks_for_time_gets_it_up_to_twelve_hours(
    attempts: int, chance: float, asked: float
) -> None:
    delay = delay_after(attempts, chance, asked)
    assert delay is not None
    assert delay >= min(asked, LONGEST)
    assert delay <= LONGEST


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after("120", NOW) == 120
    assert retry_after(" 0 ", NOW) == 0
    assert retry_after(format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), NOW) == 90
    assert retry_after(format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), NOW) == 0
    assert retry_after("9" * 5000, NOW) == LONGEST
    assert retry_after(format_datetime(datetime(9999, 1, 1, tzinfo=UTC), usegmt=True), NOW) == LONGEST


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,9} \d{1,3}:\d{1,3}:\d{1,3} GMT"))
def test_retry_after_may_be_nonsense(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST
