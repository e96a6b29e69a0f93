"""What a response generates: its length always, its tokens only for want of a report."""

import itertools
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import meter
from budgetd.metering.text import CAN_COUNT, Text
from metering.exchanges import STREAMS, chat_stream, read, responses_stream

counting = pytest.mark.skipif(not CAN_COUNT, reason="the extra `tokens` is not installed")
USAGE = {"prompt_tokens": 14, "completion_tokens": 8, "total_tokens": 22}


def test_bytes_are_counted_whatever_is_kept() -> None:
    text = Text(most_kept=0)
    text.add("né", None, "", "e")
    text.add_json(b'{"a": "\xff"}')
    assert text.length == len('née{"a": "\ufffd"}'.encode())
    assert text.tokens() is None
    assert Text().tokens() is None


def test_what_is_kept_takes_the_memory_of_its_bytes_however_small_its_pieces() -> None:
    pieces = [f"{number:04d}" for number in range(10_000)]
    tracemalloc.start()
    try:
        text = Text(most_kept=32_768)
        for piece in pieces:
            text.add("é" + piece[1:])
        assert tracemalloc.get_traced_memory()[0] < 2 * 32_768
    finally:
        tracemalloc.stop()
    assert text.length == 50_000


def test_reasoning_that_came_encrypted_counts_as_far_as_it_was_not_shown() -> None:
    text = Text()
    text.add_reasoning("x" * 100)
    text.add_sealed("A" * 400, frame=50)
    text.add_sealed("A" * 400, frame=50)
    text.add_sealed("A" * 40, frame=50)
    text.add_sealed(None, frame=50)
    assert (text.length, text.sealed) == (100, 150 + 250)


@counting
def test_tokens_are_those_of_all_pieces_together() -> None:
    text = Text()
    for piece in "internationalization":
        text.add(piece)
    assert (text.tokens(), text.length) == (2, 20)


@counting
@given(
    st.lists(st.text(alphabet="ab é研 \n", max_size=700), max_size=12), st.lists(st.booleans(), max_size=12)
)
def test_a_count_is_the_same_however_often_it_was_asked_for(pieces: list[str], asks: list[bool]) -> None:
    watched, alone = Text(), Text()
    for piece, asked in itertools.zip_longest(pieces, asks, fillvalue=""):
        watched.add(piece or None)
        alone.add(piece or None)
        if asked:
            watched.tokens()
    assert watched.tokens() == alone.tokens()


@counting
def test_a_count_in_blocks_is_that_of_the_whole_but_for_a_token_a_block() -> None:
    from toktok import batch_count

    words = " ".join(f"word{number} is longer," for number in range(2_000))
    text = Text()
    text.add(words)
    whole = batch_count([words], "o200k_base", threads=1)[0]
    assert abs((text.tokens() or 0) - whole) <= len(words) // 1024 + 1


@counting
def test_of_a_long_text_the_beginning_stands_for_the_rest() -> None:
    text = Text(most_kept=1_000)
    for _ in range(1_000):
        text.add("twelve words ")
    assert text.tokens() == pytest.approx(2_000, rel=0.02)
    assert len(text._kept) == 1_000


@counting
@pytest.mark.parametrize("odd", ["<|endoftext|>", "\x00\x01", "é" * 9, "😀\u200d😀", " " * 5_000, "\ufffd"])
def test_no_text_is_too_odd_to_count(odd: str) -> None:
    text = Text()
    text.add(odd)
    tokens = text.tokens()
    assert tokens is not None
    assert 0 < tokens <= text.length


@counting
def test_a_stream_without_a_report_is_counted_while_it_runs_as_at_its_end() -> None:
    running = meter("openai.chat", "text/event-stream")
    running.feed(chat_stream(usage=None, text=("Hello", " wor", "ld")))
    assert running.progress().text_tokens == 2
    assert running.finish().text_tokens == 2
    assert read("openai.responses", responses_stream()[:-200]).text_tokens is not None


@pytest.mark.parametrize(("api", "content_type", "body"), STREAMS, ids=lambda each: str(each)[:20])
def test_a_stream_that_reports_is_not_counted(api, content_type: str, body: bytes) -> None:
    reading = read(api, body, content_type)
    assert reading.complete
    assert reading.text_tokens is None


def test_the_vocabulary_is_loaded_by_the_first_count_alone() -> None:
    code = (
        "import sys; from budgetd.metering import meter\n"
        "reader = meter('openai.chat', 'text/event-stream')\n"
        "reader.feed(sys.stdin.buffer.read()); reader.finish(); print('toktok' in sys.modules)"
    )
    for usage, loaded in ((USAGE, "False"), (None, str(CAN_COUNT))):
        done = subprocess.run(
            [sys.executable, "-c", code], input=chat_stream(usage=usage), capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == loaded
