"""Splitting a JSON array into its elements."""

import json

from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.json_array import Splitter


def split(*chunks: bytes, limit: int = 10_000) -> list[bytes]:
    splitter = Splitter(limit)
    return [element for chunk in chunks for element in splitter.feed(chunk)]


def bytewise(body: bytes, limit: int = 10_000) -> list[bytes]:
    return split(*(body[i : i + 1] for i in range(len(body))), limit=limit)


OBJECTS = st.dictionaries(
    st.text(max_size=5), st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner, max_size=3))
)


@given(st.lists(OBJECTS, max_size=4), st.sampled_from([None, 2]), st.booleans(), st.integers(1, 50))
def test_elements_come_out_whole_however_they_are_cut(
    objects: list[dict[str, object]], indent: int | None, ascii_only: bool, width: int
) -> None:
    body = json.dumps(objects, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    elements = split(*(body[i : i + width] for i in range(0, len(body), width)))
    assert [json.loads(each.decode(errors="surrogatepass")) for each in elements] == objects


def test_brackets_and_quotes_inside_strings_do_not_count() -> None:
    body = rb'[{"a":"}],{\"\\"},{"b":"\\\\"}]'
    assert bytewise(body) == split(body) == [rb'{"a":"}],{\"\\"}', rb'{"b":"\\\\"}']


def test_what_is_no_object_and_what_follows_the_array_is_passed_over() -> None:
    assert split(b'[1, "x", [{"a":1}], {"b":2}, null] {"c":3}') == [b'{"b":2}']


def test_a_cut_element_is_left_out() -> None:
    assert split(b'[{"a":1},{"b":') == [b'{"a":1}']


def test_an_element_beyond_the_limit_ends_the_reading() -> None:
    body = b'[{"a":1},{"long":"' + b"x" * 100 + b'"},{"b":2}]'
    assert split(body, limit=50) == bytewise(body, limit=50) == [b'{"a":1}']


@given(st.binary(), st.integers(1, 5), st.integers(1, 20))
def test_any_bytes_split_the_same_however_they_are_cut(tail: bytes, width: int, limit: int) -> None:
    body = b'[{"a":"' + tail
    assert split(*(body[i : i + width] for i in range(0, len(body), width)), limit=limit) == split(
        body, limit=limit
    )
