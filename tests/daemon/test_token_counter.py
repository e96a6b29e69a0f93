"""Counting tokens in a process of its own."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from budgetd.metering.text import CAN_COUNT, count_here
from budgetd.token_counter import TokenCounter

pytestmark = pytest.mark.skipif(not CAN_COUNT, reason="the extra `tokens` is not installed")

TEXT = "What a model says, été, 😀.".encode()


@pytest.fixture
def counter() -> Iterator[TokenCounter]:
    counter = TokenCounter()
    yield counter
    counter.close()


def counted(counter: TokenCounter, text: bytes) -> int:
    """The count, once the child is ready."""
    deadline = time.monotonic() + 60
    while (count := counter.count(text)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return count


def test_the_first_text_is_not_waited_for(counter: TokenCounter) -> None:
    assert counter.count(TEXT) is None
    assert counted(counter, TEXT) == count_here(TEXT)


@pytest.mark.parametrize("text", [b"x" * 65_536, b"\xff\xfe not utf-8", b"<|endoftext|>", b"a"])
def test_it_counts_as_the_vocabulary_does(counter: TokenCounter, text: bytes) -> None:
    assert counted(counter, text) == count_here(text)
    assert counted(counter, TEXT) == count_here(TEXT)


def test_the_daemons_own_process_does_not_load_the_vocabulary() -> None:
    code = (
        "import sys, time\nfrom budgetd.token_counter import TokenCounter\ncounter = TokenCounter()\n"
        "while counter.count(b'one two') is None: time.sleep(0.01)\n"
        "print('toktok' in sys.modules); counter.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_answer_that_comes_too_late_is_no_answer_to_the_next_text(
    counter: TokenCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(counter, TEXT)
    monkeypatch.setattr("budgetd.token_counter.LONGEST_WAIT_MS", 0)
    late = counter.count(TEXT * 100)
    monkeypatch.undo()
    assert late in (None, count_here(TEXT * 100))
    assert counted(counter, b"one") == 1


def test_a_child_that_ends_is_told_of_once_and_not_started_again(
    counter: TokenCounter, caplog: pytest.LogCaptureFixture
) -> None:
    counted(counter, TEXT)
    assert counter._child is not None
    counter._child.kill()
    counter._child.wait()
    with caplog.at_level(logging.WARNING):
        assert [counter.count(TEXT) for _ in range(3)] == [None] * 3
    assert "tokens are not counted until budgetd is started again" in caplog.text
    assert len(caplog.records) == 1


def test_the_child_ends_with_its_parent() -> None:
    code = (
        "import os, time\nfrom budgetd.token_counter import TokenCounter\ncounter = TokenCounter()\n"
        "while counter.count(b'one two') is None: time.sleep(0.01)\n"
        "print(counter._child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    child = int(done.stdout)
    deadline = time.monotonic() + 60
    while _runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    except ProcessLookupError:
        return False
    return not state.startswith("Z")  # one that nobody waits for has ended too


def test_after_it_is_closed_nothing_is_counted(counter: TokenCounter) -> None:
    counted(counter, TEXT)
    counter.close()
    assert counter.count(TEXT) is None
    assert counter._child is not None
    assert counter._child.returncode == 0
    TokenCounter().close()
