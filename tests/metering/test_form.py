"""Multipart forms."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.form import MAX_PARTS, fields
from metering.forms import form


def test_fields_are_found_and_files_are_not() -> None:
    body = form({"file": b"RIFF\r\n--\r\n\r\nname=x", "model": "whisper-1", "empty": "", "name": "naïve"})
    assert fields(body) == {"model": "whisper-1", "empty": "", "name": "naïve"}


def test_heads_may_be_written_in_other_ways() -> None:
    body = (
        b"--B \r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: form-data;name=model\r\n\r\nm\r\n"
        b"--B\r\nContent-Disposition: form-data; filename*=UTF-8''a; name=\"file\"\r\n\r\nx\r\n"
        b'--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n--B--'
    )
    assert fields(body) == {"model": "m", "n": "2"}


def test_the_first_of_two_counts_and_long_values_are_cut() -> None:
    body = form({"a": "x" * 1000}) + b""
    assert fields(body) == {"a": "x" * 200}
    twice = form({"a": "1"})[: -len(b"------WebKitFormBoundary7MA4--\r\n")] + form({"a": "2"})
    assert fields(twice) == {"a": "1"}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"--", b"--\r\n", b"-B\r\n", b"--" + b"B" * 100 + b"\r\n", b"--B"]
)
def test_what_is_no_form_is_none(body: bytes) -> None:
    assert fields(body) is None


def test_a_form_that_was_cut_keeps_what_came() -> None:
    whole = form({"model": "m", "file": b"x" * 100, "n": "2"})
    for at in range(len(whole)):
        found = fields(whole[:at])
        assert found is None or set(found) <= {"model", "n"}
    assert fields(whole[: whole.index(b"xxx")]) == {"model": "m"}


def test_parts_without_end_are_not_all_read() -> None:
    found = fields(form({f"f{number}": "x" for number in range(3 * MAX_PARTS)}))
    assert found is not None
    assert len(found) == MAX_PARTS


def test_a_large_file_is_not_copied() -> None:
    body = form({"file": b"\r\n--" * 2_000_000, "model": "m"})
    tracemalloc.start()
    try:
        assert fields(body) == {"model": "m"}
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


WORDS = st.sampled_from([b"--B", b"\r\n", b'; name="a"', b"x"])


@given(st.binary(max_size=300) | st.lists(WORDS).map(b"".join))
def test_any_bytes_are_survived(body: bytes) -> None:
    fields(body)
    fields(b"--B\r\n" + body)
