"""Frames: whatever comes, and however it is cut, comes out as it was; and messages are read."""

import random
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.frames import MAX_REASON, Deflate, Piece, Splitter, agreed, close_frame, text_frame
from support.frames import Compressor, closing, frame

chunks = st.lists(st.binary(max_size=200), max_size=20)


def cut(stream: bytes, lengths: Iterable[int]) -> list[bytes]:
    """A stream in parts of these lengths, and the rest."""
    parts: list[bytes] = []
    for length in lengths:
        parts.append(stream[:length])
        stream = stream[length:]
    return [*parts, stream]


def feed(splitter: Splitter, parts: Iterable[bytes]) -> list[Piece]:
    return [piece for part in parts for piece in splitter.feed(part)]


def messages(pieces: Iterable[Piece]) -> list[bytes]:
    return [piece.message for piece in pieces if piece.message is not None]


@given(chunks, st.booleans(), st.booleans(), st.integers(0, 300))
def test_any_bytes_come_out_as_they_went_in(
    parts: list[bytes], deflate: bool, takeover: bool, limit: int
) -> None:
    splitter = Splitter(deflate=deflate, takeover=takeover, limit=limit)
    for part in parts:
        assert b"".join(piece.raw for piece in splitter.feed(part)) == part


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[bytes], bool, bool]:
    """A valid stream of frames with the messages in it; whether it may be compressed, and with takeover."""
    deflate, takeover, masked = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    compress = Compressor(takeover=takeover)
    stream, sent = b"", list[bytes]()
    for content in draw(st.lists(st.binary(max_size=400), max_size=8)):
        compressed = deflate and draw(st.booleans())
        payload = compress(content) if compressed else content
        pieces = cut(payload, draw(st.lists(st.integers(0, 150), max_size=3)))
        for at, piece in enumerate(pieces):
            if draw(st.booleans()):
                stream += frame(draw(st.binary(max_size=125)), draw(st.sampled_from((9, 10))), masked=masked)
            stream += frame(
                piece,
                0 if at else draw(st.sampled_from((1, 2))),
                final=at == len(pieces) - 1,
                masked=masked,
                compressed=compressed and not at,
            )
        sent.append(content)
    return stream, sent, deflate, takeover


@given(conversations(), st.lists(st.integers(0, 70), max_size=60))
def test_every_message_is_read_however_the_stream_is_cut(
    conversation: tuple[bytes, list[bytes], bool, bool], lengths: list[int]
) -> None:
    stream, sent, deflate, takeover = conversation
    splitter = Splitter(deflate=deflate, takeover=takeover)
    pieces = feed(splitter, cut(stream, lengths))
    assert b"".join(piece.raw for piece in pieces) == stream
    assert messages(pieces) == sent
    assert not splitter.blind
    assert not pieces or (pieces[-1].whole and pieces[-1].between)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 5 << 20])
@pytest.mark.parametrize("masked", [False, True])
def test_every_form_of_length_is_read(length: int, masked: bool) -> None:
    content = random.Random(length).randbytes(length)
    stream = frame(content, 2, masked=masked)
    pieces = feed(Splitter(), (stream[at : at + 65536] for at in range(0, len(stream), 65536)))
    assert messages(pieces) == [content]


def test_control_frames_between_fragments_leave_the_message_open() -> None:
    stream = [
        frame(b"one ", final=False),
        frame(b"ping", 9),
        frame(b"two", 0),
        frame(b"pong", 10),
    ]
    pieces = feed(Splitter(), stream)
    assert [piece.raw for piece in pieces] == stream
    assert [piece.between for piece in pieces] == [False, False, True, True]
    assert messages(pieces) == [b"one two"]


def test_a_message_that_is_too_long_is_known_as_such_at_once_and_the_next_one_is_read() -> None:
    splitter = Splitter(limit=1000)
    stream = frame(bytes(1001), 2)
    (first,) = splitter.feed(stream[:20])
    assert (first.unread, first.whole) == (True, False)
    pieces = splitter.feed(stream[20:] + frame(b"next"))
    assert [piece.unread for piece in pieces] == [True, False]
    assert messages(pieces) == [b"next"]


def test_fragments_that_are_too_long_together_are_not_read() -> None:
    pieces = feed(Splitter(limit=10), [frame(b"12345678", final=False), frame(b"9012", 0), frame(b"next")])
    assert [piece.unread for piece in pieces] == [False, True, False]
    assert messages(pieces) == [b"next"]


@pytest.mark.parametrize("takeover", [True, False])
def test_after_a_compressed_message_that_is_too_long_the_next_one_is_read(takeover: bool) -> None:
    compress = Compressor(takeover=takeover)
    stream = [frame(compress(each), compressed=True) for each in (b"a" * 100_000, b"aaaa", b"b")]
    splitter = Splitter(deflate=True, takeover=takeover, limit=1000)
    pieces = feed(splitter, stream)
    assert messages(pieces) == [b"aaaa", b"b"]
    assert pieces[0].unread


def test_a_bomb_is_not_inflated_to_its_end() -> None:
    codec = zlib.compressobj(wbits=-15)
    bomb = b"".join(codec.compress(bytes(1 << 20)) for _ in range(200)) + codec.flush(zlib.Z_SYNC_FLUSH)
    splitter = Splitter(deflate=True, limit=1000)
    pieces = splitter.feed(frame(bomb, compressed=True))
    assert b"".join(piece.raw for piece in pieces) == frame(bomb, compressed=True)
    assert messages(pieces) == []
    assert splitter.blind


@pytest.mark.parametrize(
    "stream",
    [
        frame(b"", 3),
        frame(b"", 11),
        frame(b"x", 0),
        frame(b"x", final=False) + frame(b"y"),
        frame(b"x", 9, final=False),
        frame(bytes(126), 9),
        frame(b"x", compressed=True),
        b"\xff\xff" + bytes(12),
        b"\x82\x7f" + b"\xff" * 8,
    ],
)
def test_what_breaks_the_protocol_passes_and_is_not_read(stream: bytes) -> None:
    splitter = Splitter()
    pieces = splitter.feed(stream + frame(b"lost"))
    assert b"".join(piece.raw for piece in pieces) == stream + frame(b"lost")
    assert splitter.blind
    assert pieces[-1].unread
    assert b"lost" not in messages(pieces)


def test_what_cannot_be_inflated_blinds_it_unless_each_message_stands_alone() -> None:
    stream = [frame(b"\xff\xff\xff", compressed=True), frame(Compressor()(b"next"), compressed=True)]
    splitter = Splitter(deflate=True)
    assert messages(feed(splitter, stream)) == []
    assert splitter.blind
    splitter = Splitter(deflate=True, takeover=False)
    assert messages(feed(splitter, stream)) == [b"next"]
    assert not splitter.blind


def test_what_was_agreed_on_is_read_from_the_servers_header() -> None:
    assert agreed("") is None
    assert agreed("permessage-deflate") == Deflate(True, True)
    both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert agreed(both) == Deflate(False, False)
    window = "permessage-deflate; client_max_window_bits=12; server_no_context_takeover"
    assert agreed(window) == Deflate(True, False)


@pytest.mark.parametrize("header", ["x-unknown", "x-unknown; a=b", "permessage-deflate, x-unknown"])
def test_an_extension_that_is_not_known_is_named(header: str) -> None:
    with pytest.raises(ValueError, match="x-unknown"):
        agreed(header)


@given(st.integers(0, 70_000))
def test_a_text_frame_of_ours_is_read_again(length: int) -> None:
    assert messages(Splitter().feed(text_frame(b"x" * length))) == [b"x" * length]


@given(st.text(max_size=200))
def test_a_reason_is_cut_to_what_fits_and_stays_text(reason: str) -> None:
    (piece,) = Splitter().feed(close_frame(1008, reason))
    assert piece.opcode == 8
    assert piece.raw[2:4] == b"\x03\xf0"
    kept = piece.raw[4:].decode()
    assert len(kept.encode()) <= MAX_REASON
    assert reason.startswith(kept)
    assert kept == reason or len(kept.encode()) > MAX_REASON - 4


def test_a_close_frame_without_a_reason_is_as_a_test_makes_it() -> None:
    assert close_frame(1001, "") == closing(1001)
