"""Lines of the log about requests that did not simply pass."""

import logging

import pytest

from budgetd.budget.limits import Subject
from budgetd.request_log import MOST_LINES, SPAN_SECONDS, RequestLog

WHO = Subject(model="claude-opus-4-8", upstream="anthropic", project="acme", user="maria")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def requests(clock: Clock, caplog: pytest.LogCaptureFixture) -> RequestLog:
    caplog.set_level(logging.INFO)
    return RequestLog(clock)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_a_line_tells_which_request_whose_and_why(
    requests: RequestLog, caplog: pytest.LogCaptureFixture
) -> None:
    requests.note(7, WHO, "refused", "daily has no room")
    requests.note(8, Subject(upstream="openai"), "killed", level=logging.WARNING)
    assert lines(caplog) == [
        "request 7 (claude-opus-4-8 at anthropic, project acme, user maria) refused: daily has no room",
        "request 8 (no model at openai) killed",
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_of_a_storm_some_lines_are_written_and_the_others_counted(
    requests: RequestLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10_000):
        requests.note(number, WHO, "held" if number % 4 == 3 else "refused")
    assert len(lines(caplog)) == MOST_LINES
    requests.tick()
    assert len(lines(caplog)) == MOST_LINES
    clock.now += SPAN_SECONDS
    requests.tick()
    refused = 7_500 - sum("refused" in line for line in lines(caplog)[:MOST_LINES])
    held = 2_500 - sum("held" in line for line in lines(caplog)[:MOST_LINES])
    assert lines(caplog)[MOST_LINES:] == [
        f"and {refused + held:,} more requests: {refused:,} refused, {held:,} held"
    ]
    requests.note(1, WHO, "refused")
    assert lines(caplog)[-1].startswith("request 1 ")
    requests.flush()
    assert len(lines(caplog)) == MOST_LINES + 2


def test_what_was_left_out_is_told_before_the_next_line_and_at_the_end(
    requests: RequestLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MOST_LINES + 2):
        requests.note(number, WHO, "refused")
    clock.now += SPAN_SECONDS
    requests.note(500, WHO, "refused")
    assert [line.split(" (")[0] for line in lines(caplog)[-2:]] == [
        "and 2 more requests: 2 refused",
        "request 500",
    ]
    for number in range(MOST_LINES):
        requests.note(number, WHO, "refused")
    requests.flush()
    assert lines(caplog)[-1] == "and 1 more request: 1 refused"


@pytest.mark.parametrize("name", ["a\nINFO b", "a\r\x1b[2Jb", "a\u2028b", "\u202etxt", "x" * 5000])
def test_no_name_makes_a_second_line_or_a_long_one(
    requests: RequestLog, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    requests.note(1, Subject(model=name, upstream="anthropic", project=name, user=name), "refused", name)
    (line,) = lines(caplog)
    assert line.isprintable()
    assert len(line) < 700
