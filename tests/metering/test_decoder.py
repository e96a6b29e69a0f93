"""Decoding, strictly and leniently."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.decoder import MOST, Count, Decoder, size


class Inner(msgspec.Struct):
    tokens: Count | None = None


class Outer(msgspec.Struct):
    count: Count | None = None
    text: str | None = None
    flag: bool | None = None
    cost: Decimal | None = None
    inner: Inner | None = None
    many: list[Inner] | None = None
    anything: object = None
    raw: msgspec.Raw = msgspec.Raw()
    keyed: list[dict[str, object]] | None = None


DECODER = Decoder(Outer)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("7", 7), ("7.0", 7), ("7.2", 8), ('"7"', 7), ("null", None), ("-1", None), ("-0.5", None),
        ("true", None), ('"seven"', None), ("[7]", None), ("{}", None), ("NaN", None),
        ("Infinity", MOST), ("1e400", MOST),
        ("9" * 30, MOST), ("9" * 5000, None), ('"-7"', None), ('"nan"', None), ('"inf"', None),
    ],
)  # fmt: skip
def test_a_count_is_read_in_every_way_it_makes_sense(written: str, count: int | None) -> None:
    decoded = DECODER.decode(f'{{"count": {written}, "inner": {{"tokens": 5}}}}'.encode())
    if len(written) > 4000:  # Python itself refuses integers of so many digits.
        assert decoded is None
        return
    assert decoded is not None
    assert decoded.count == count
    assert decoded.inner == Inner(5)


def test_strange_fields_fall_back_alone() -> None:
    document = (
        b'{"count": "x", "text": 5, "flag": "yes", "cost": "0.25", "many": [{"tokens": "3"}, 4], "inner": 1}'
    )
    assert DECODER.decode(document) == Outer(cost=Decimal("0.25"), many=[Inner(3)])


@pytest.mark.parametrize(
    ("document", "strange"),
    [
        (b'{"count": "7", "text": null, "flag": true, "other": {"x": []}}', []),
        (b'{"count": []}', ["count"]),
        (b'{"inner": 5}', ["inner", "inner.tokens"]),
        (b'{"inner": {"tokens": {}}}', ["inner", "inner.tokens"]),
        (b'{"many": [{"tokens": 1}, 4]}', ["many", "many.tokens"]),
        (b'{"many": [{"tokens": {}}]}', ["many", "many.tokens"]),
        (b'{"keyed": {"a": {}}}', ["keyed"]),
        (b'{"count": [], "text": "\\ud83d", "x": NaN}', ["count"]),
    ],
)
def test_it_is_told_which_fields_make_no_sense(document: bytes, strange: list[str]) -> None:
    read = DECODER.read(document)
    assert read is not None
    fields = ["count", "text", "flag", "inner", "inner.tokens", "many", "many.tokens", "keyed"]
    assert [field for field in fields if read[1].within(field)] == strange
    assert read[1].within(*fields) == bool(strange)
    assert DECODER.decode(document) == read[0]


def test_what_is_not_wanted_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = json.loads
    monkeypatch.setattr("budgetd.metering.decoder.json.loads", lambda text: read.append(text) or load(text))
    assert DECODER.decode(b'{"count": "7", "long": "' + b"x" * 1_000_000 + b'"}') == Outer(count=7)
    assert read == ['"7"']


def test_a_strange_field_does_not_lose_those_that_are_not_looked_into() -> None:
    document = b'{"count": "7", "anything": [1], "raw": {"a": [2.5]}, "keyed": [{"b": {}}, 3]}'
    decoded = DECODER.decode(document)
    assert decoded is not None
    assert (decoded.count, decoded.anything, decoded.keyed) == (7, [1], [{"b": {}}])
    assert json.loads(bytes(decoded.raw)) == {"a": [2.5]}


def test_text_that_is_not_unicode_is_kept_as_far_as_it_is() -> None:
    assert DECODER.decode(b'{"text": "a\xffb", "count": 1}') == Outer(text="a�b", count=1)
    decoded = DECODER.decode(b'{"text": "a\\ud800", "count": 1}')
    assert decoded is not None
    assert decoded.count == 1
    assert size(decoded.text) > 0


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"7", b"{", b'{"a":1} x', b"{" * 100_000, b'{"a":' + b"[" * 100_000]
)
def test_what_is_no_object_is_none(document: bytes) -> None:
    assert DECODER.decode(document) is None


def test_a_byte_order_mark_is_no_matter() -> None:
    assert DECODER.decode(b'\xef\xbb\xbf{"count": 1}') == Outer(count=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(Outer.__struct_fields__), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(Outer.__struct_fields__), JSON))
def test_any_object_decodes_to_sound_counts(value: dict[str, object]) -> None:
    decoded = DECODER.decode(json.dumps(value).encode())
    assert decoded is not None
    assert decoded.count is None or 0 <= decoded.count <= MOST
