"""No record of the log passes for another, whatever it holds."""

import logging
import sys

import pytest

from budgetd.log_format import LineFormatter


def formatted(message: str, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (message,), info)
    return LineFormatter().format(record)


def test_a_record_is_its_time_its_level_and_its_message() -> None:
    when, clock, level, message = formatted("daily has no room").split(" ", 3)
    assert (level, message) == ("WARNING", "daily has no room")
    assert when.count("-") == 2
    assert clock.count(":") == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"])
def test_what_follows_on_further_lines_is_indented(end: str) -> None:
    first, second = formatted(f"one{end}2026-11-29 12:00:00,000 INFO two").split("\n")
    assert first.endswith("one")
    assert second == "    2026-11-29 12:00:00,000 INFO two"


def test_what_would_steer_a_terminal_is_written_out() -> None:
    assert formatted("a\x1b[31mb\x00\u202ec").endswith(r"a\x1b[31mb\x00\u202ec")
    assert formatted("grüße, 世界").endswith("grüße, 世界")


def test_a_traceback_is_indented_whatever_the_error_says() -> None:
    try:
        raise ValueError("bad\n2026-11-29 12:00:00,000 INFO all is well\x1b[2J")
    except ValueError:
        error = sys.exception()
    lines = formatted("something failed", error).split("\n")
    assert lines[0].endswith("something failed")
    assert all(line.startswith("    ") and line.isprintable() for line in lines[1:])
