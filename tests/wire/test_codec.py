"""Messages on a byte stream: any cut gives the same messages, any bytes give messages or Malformed."""

from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetwire import codec
from budgetwire.codec import Decoder, Unfit, encode
from budgetwire.errors import Malformed
from budgetwire.messages import FromClient, Hello, Pause, SetLimit, Update
from control.raw import packed
from wire.strategies import answers, calls

PAUSE = packed({"type": "pause", "id": 1})


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def read(decoder: Decoder, pieces: list[bytes]) -> list[object]:
    """What comes out, with the error as the last of it."""
    found: list[object] = []
    try:
        for piece in pieces:
            found.extend(one for one in decoder.feed(piece))
    except Malformed as error:
        found.append(str(error))
    return found


def small() -> Decoder:
    return Decoder(FromClient, 200, 8)


@given(st.lists(calls, max_size=4), st.lists(st.integers(0), max_size=8))
def test_calls_arrive_as_they_were_sent_however_the_stream_is_cut(messages, cuts):
    pieces = cut(b"".join(map(encode, messages)), cuts)
    assert read(codec.for_daemon(), pieces) == messages


@given(st.lists(answers, max_size=3), st.lists(st.integers(0), max_size=8))
def test_answers_arrive_as_they_were_sent_however_the_stream_is_cut(messages, cuts):
    pieces = cut(b"".join(map(encode, messages)), cuts)
    assert read(codec.for_client(), pieces) == messages


noise = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8) | st.binary(max_size=8), inner),
        max_leaves=20,
    ).map(packed),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["hello", "pause", "set_limit", "acknowledge", "query_requests", "fly"])},
        optional={
            key: st.none() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3) | st.floats()
            for key in ("id", "version", "name", "limit", "limit_cents", "alert_ids", "count")
        },
    ).map(packed),
)


@given(st.lists(noise, max_size=5).map(b"".join), st.lists(st.integers(0), max_size=8))
def test_any_bytes_give_messages_or_malformed_and_the_same_however_they_are_cut(data, cuts):
    for make in (codec.for_daemon, codec.for_client, small):
        # The texts of errors may differ: which bound is seen first depends on how much has arrived.
        whole, parts = read(make(), [data]), read(make(), cut(data, cuts))
        assert [one for one in whole if not isinstance(one, str)] == [
            one for one in parts if not isinstance(one, str)
        ]
        assert [isinstance(one, str) for one in whole] == [isinstance(one, str) for one in parts]


def nested(depth: int) -> bytes:
    """A message in which maps and arrays lie so deep."""
    return b"\x83\xa4type\xa5pause\xa2id\x01\xa1x" + b"\x91" * (depth - 1) + b"\xc0"


def test_depth_is_bounded():
    assert read(codec.for_daemon(), [nested(codec.MAX_DEPTH)]) == [Pause(id=1)]
    (error,) = read(codec.for_daemon(), [nested(codec.MAX_DEPTH + 1)])
    assert error == "A message nests deeper than 32 maps and arrays."
    assert read(codec.for_daemon(), [nested(100_000)]) == [error]


def sized(size: int) -> bytes:
    """A pause of exactly so many bytes."""
    bare = len(packed({"type": "pause", "id": 1, "x": "y" * 70_000})) - 70_000
    return packed({"type": "pause", "id": 1, "x": "y" * (size - bare)})


@pytest.mark.parametrize("step", [4096, 10_000_000])
def test_length_is_bounded_for_each_message_and_not_for_the_stream(step):
    longest = sized(codec.MAX_CALL_BYTES)
    stream = longest * 3
    assert len(longest) == codec.MAX_CALL_BYTES
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert read(codec.for_daemon(), pieces) == [Pause(id=1)] * 3
    longer = PAUSE + sized(codec.MAX_CALL_BYTES + 1)
    pieces = [longer[at : at + step] for at in range(0, len(longer), step)]
    assert read(codec.for_daemon(), pieces) == [Pause(id=1), "A message is longer than 1,048,576 bytes."]


def test_a_message_of_many_small_parts_is_bounded_too():
    endless = b"\x83\xa4type\xa5pause\xa2id\x01\xa1x\xdc\x04\x00" + (b"\xdc\x04\x00" + b"\xc0" * 1024) * 1024
    assert read(codec.for_daemon(), [endless[:-1]])[-1] == "A message is longer than 1,048,576 bytes."


@pytest.mark.parametrize(
    "data",
    [
        b"\xdc\x04\x01",  # an array of 1,025
        b"\xdd\xff\xff\xff\xff",
        b"\xde\x01\x01",  # a map of 257
        b"\xdf\xff\xff\xff\xff",
        packed(msgpack.ExtType(1, b"")),
        b"\x81\x01\x02",  # a number as a key
        b"\x81\x91\x01\x02",  # an array as a key
        b"\xa2\xff\xfe",  # not UTF-8
        b"\xc1",  # not msgpack
        b"\x01",
        b"\x90",
        b"\x80",
        packed({"type": 1, "id": 1}),
        packed({b"type": "pause", "id": 1}),
        packed({"type": "pause"}),
        packed({"type": "pause", "id": True}),
        packed({"type": "hello", "name": 5, "version": "1.0"}),
    ],
    ids=lambda data: data[:8].hex(),
)
def test_what_is_not_a_message_is_malformed_with_a_sentence(data):
    good, error = read(codec.for_daemon(), [PAUSE + data + PAUSE])
    assert good == Pause(id=1)
    assert isinstance(error, str)
    assert error[0].isupper()
    assert error.endswith(".")


def test_a_call_that_does_not_fit_is_told_by_id_and_field_and_the_stream_goes_on():
    wrong = packed({"type": "set_limit", "id": 3, "limit": "daily", "limit_cents": 1.5})
    missing = packed({"type": "set_limit", "id": 4, "limit_cents": 1})
    unknown = packed({"type": "fly" * 100, "id": 5})
    one, two, three, last = read(codec.for_daemon(), [wrong + missing + unknown + PAUSE])
    assert isinstance(one, Unfit)
    assert (one.id, one.field) == (3, "limit_cents")
    assert isinstance(two, Unfit)
    assert (two.id, two.field) == (4, "limit")
    assert isinstance(three, Unfit)
    assert (three.id, three.field) == (5, "type")
    assert len(three.message) < 120
    assert last == Pause(id=1)


def test_unknown_fields_are_left_out():
    data = packed({"type": "hello", "version": "1.7", "name": "n", "colour": {"deep": [1]}})
    assert read(codec.for_daemon(), [data]) == [Hello(version="1.7", name="n")]


def test_fields_that_did_not_change_are_not_sent():
    assert set(msgpack.unpackb(encode(Update(seq=1, at=2.0, limits=[])))) == {"type", "seq", "at", "limits"}
    assert msgpack.unpackb(encode(SetLimit(id=1, limit="daily", limit_cents=None)))["limit_cents"] is None
