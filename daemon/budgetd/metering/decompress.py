"""Undoing Content-Encoding, in bounded memory and bounded work, so that a decompression bomb stays small.

Output is pushed on in pieces of at most 64 KiB, through as many codings as were stacked. What comes out of
all of them counts together.
"""

import zlib
from collections.abc import Callable
from typing import IO, Protocol, TypeAlias, cast

import brotli
import zstandard

PIECE = 64 * 1024
MAX_OUTPUT = 128 * 1024 * 1024
"""One body is not read beyond this many decompressed bytes, those between stacked codings included."""
MAX_CODINGS = 3
MEMBER_BYTES = 4 * 1024
"""A member of gzip counts as at least so many bytes: to begin one is work too, even if it is empty."""
MAX_ZSTD_WINDOW = 8 * 1024 * 1024
"""The most that the zstd content coding may ask for (RFC 9659)."""

Sink: TypeAlias = Callable[[bytes], None]


class _TooMuch(Exception):  # noqa: N818 - it ends the work, it is no error
    """More came out than is read."""


_BrotliError = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]
_ENDINGS = (zlib.error, _BrotliError, zstandard.ZstdError, _TooMuch)


class Inflater:
    """Undoes the codings of one body and pushes what comes out to `sink`.

    ``broken`` turns true, for good, when a coding is unknown, the bytes are not what was declared, or more
    than `limit` bytes came out. What was pushed before stays true.
    """

    def __init__(self, content_encoding: str, sink: Sink, limit: int = MAX_OUTPUT) -> None:
        self.broken = False
        codings = [each.strip() for each in content_encoding.lower().split(",")]
        codings = [each for each in codings if each not in ("", "identity")]
        if len(codings) > MAX_CODINGS or not all(each in _STAGES for each in codings):
            self.broken = True
            codings = []
        budget = _Budget(limit)
        # They are listed as they were applied: the last is undone first and pushes to the one before it.
        for coding in codings:
            sink = _STAGES[coding](_Bounded(sink, budget)).feed
        self._feed = sink

    def feed(self, chunk: bytes) -> None:
        """Take the next compressed bytes."""
        if self.broken or not chunk:
            return
        try:
            self._feed(chunk)
        except _ENDINGS:
            self.broken = True


def inflate(body: bytes, content_encoding: str, limit: int) -> bytes | None:
    """A whole body with its codings undone, or None if that cannot be done within `limit` bytes."""
    if len(body) > limit:
        return None
    if not content_encoding:
        return body
    plain = bytearray()
    inflater = Inflater(content_encoding, plain.extend, limit)
    inflater.feed(body)
    return None if inflater.broken else bytes(plain)


def inflate_beginning(body: bytes, content_encoding: str, limit: int) -> bytes:
    """As much of a body that may be cut, damaged or too long as its codings give, up to `limit` bytes."""
    if not content_encoding:
        return body[:limit]
    plain = bytearray()
    Inflater(content_encoding, plain.extend, limit).feed(body)
    return bytes(plain[:limit])


class _Budget:
    """How many bytes may still come out of a body's codings."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _TooMuch


class _Bounded:
    """Passes pieces on as far as the budget goes."""

    def __init__(self, sink: Sink, budget: _Budget) -> None:
        self._sink = sink
        self.budget = budget

    def write(self, piece: bytes) -> int:
        self._sink(piece[: self.budget.left])
        self.budget.spend(len(piece))
        return len(piece)


class _Stage(Protocol):
    def feed(self, data: bytes) -> None: ...


class _Zlib:
    """gzip (also several members in a row) and zlib, by zlib's window bits."""

    def __init__(self, out: _Bounded, window_bits: int) -> None:
        self._out = out
        self._window_bits = window_bits
        self._codec = zlib.decompressobj(window_bits)

    def feed(self, data: bytes) -> None:
        # In slices, for zlib copies what is left of its input at each piece of output.
        for start in range(0, len(data), PIECE):
            self._feed(data[start : start + PIECE])

    def _feed(self, data: bytes) -> None:
        while data:
            if self._codec.eof:
                self._out.budget.spend(MEMBER_BYTES)
                self._codec = zlib.decompressobj(self._window_bits)
            self._drain(data)
            data = self._codec.unused_data

    def _drain(self, data: bytes) -> None:
        while True:
            piece = self._codec.decompress(data, PIECE)
            if piece:
                self._out.write(piece)
            data = self._codec.unconsumed_tail
            if self._codec.eof or (not data and len(piece) < PIECE):
                return


class _Deflate:
    """ "deflate" is zlib's format by the standard and bare deflate by habit: the first two bytes tell."""

    def __init__(self, out: _Bounded) -> None:
        self._out = out
        self._head = b""
        self._stage: _Zlib | None = None

    def feed(self, data: bytes) -> None:
        if self._stage is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            has_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
            self._stage = _Zlib(self._out, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        self._stage.feed(data)


class _BrotliCodec(Protocol):
    def is_finished(self) -> bool: ...
    def can_accept_more_data(self) -> bool: ...
    def process(self, data: bytes, *, output_buffer_limit: int) -> bytes: ...


class _Brotli:
    def __init__(self, out: _Bounded) -> None:
        self._out = out
        self._codec = cast("_BrotliCodec", brotli.Decompressor())  # pyright: ignore[reportUnknownMemberType]

    def feed(self, data: bytes) -> None:
        while not self._codec.is_finished():
            piece = self._codec.process(data, output_buffer_limit=PIECE)
            if piece:
                self._out.write(piece)
            if len(piece) < PIECE and self._codec.can_accept_more_data():
                return
            data = b""


class _Zstd:
    def __init__(self, out: _Bounded) -> None:
        codec = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
        self._writer = codec.stream_writer(cast("IO[bytes]", out), write_size=PIECE, closefd=False)

    def feed(self, data: bytes) -> None:
        self._writer.write(data)


def _gzip(out: _Bounded) -> _Stage:
    return _Zlib(out, 16 + zlib.MAX_WBITS)


_STAGES: dict[str, Callable[[_Bounded], _Stage]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
