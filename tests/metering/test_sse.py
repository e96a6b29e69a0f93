"""Splitting server-sent events."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.sse import Splitter


def split(*chunks: bytes, limit: int = 1000) -> list[bytes]:
    splitter = Splitter(limit)
    return [event for chunk in chunks for event in splitter.feed(chunk)] + splitter.close()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_counts(line_end: bytes) -> None:
    body = b"event: x\ndata: one\n\n: a comment\n\ndata:two\nid: 7\n\ndata: a\ndata: b\n\n".replace(
        b"\n", line_end
    )
    assert split(body) == [b"one", b"two", b"a\nb"]
    assert split(*(body[i : i + 1] for i in range(len(body)))) == [b"one", b"two", b"a\nb"]


def test_one_space_after_the_colon_is_not_data() -> None:
    assert split(b"data:  two spaces\n\n") == [b" two spaces"]


def test_a_data_line_is_found_behind_other_fields() -> None:
    assert split(b"id: 1\ndata: x\nretry: 5\n\n", b"data:a\ndata: b\n\n") == [b"x", b"a\nb"]


def test_a_last_event_without_its_blank_line_is_read() -> None:
    assert split(b"data: one\n\ndata: [DONE]") == [b"one", b"[DONE]"]
    assert split(b"data: one\n\ndata: [DONE]\n") == [b"one", b"[DONE]"]


def test_an_event_beyond_the_limit_is_skipped_and_the_next_is_read() -> None:
    long = b"data: " + b"x" * 50 + b"\n\n"
    assert split(b"data: a\n\n" + long + b"data: b\n\n", limit=20) == [b"a", b"b"]


def test_memory_stays_bounded_while_an_event_never_ends() -> None:
    splitter = Splitter(limit=100)
    for _ in range(1000):
        assert splitter.feed(b"x" * 50) == []
        assert len(splitter._pending) <= 200
    assert splitter.feed(b"\n\ndata: a\n\n") == [b"a"]


LINES = st.sampled_from([b"data: ab", b"data:", b": c", b"event: e", b"x", b"", b"data: 0123456789"])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS)), st.lists(st.integers(0, 200)), st.integers(5, 30))
def test_the_events_do_not_depend_on_the_chunks(
    lines: list[tuple[bytes, bytes]], cuts: list[int], limit: int
) -> None:
    body = b"".join(line + end for line, end in lines)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[start:end] for start, end in itertools.pairwise(places)]
    assert split(*chunks, limit=limit) == split(body, limit=limit)
