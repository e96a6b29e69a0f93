"""WebSocket frames out of a byte stream that may be cut anywhere (RFC 6455), and the messages in them,
inflated where that was agreed on (RFC 7692). One `Splitter` for each direction.

Nothing is held back or changed here: what goes in comes out at once, with word of what ends where.
"""

import zlib
from typing import NamedTuple

MAX_MESSAGE = 16 * 1024 * 1024
"""A message of more bytes than this, inflated, is passed over."""
MAX_INFLATED = 8 * MAX_MESSAGE
"""A message that grows beyond this is not inflated on, not even to keep up with what comes after it."""
PIECE = 64 * 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_MAX_CONTROL = 125
_FLUSH = b"\x00\x00\xff\xff"
"""What a compressed message leaves out at its end."""

MAX_REASON = _MAX_CONTROL - 2
"""Bytes of a reason that fit into a close frame."""


class Piece(NamedTuple):
    """Bytes of the stream as they came: a frame, or the part of one that has arrived."""

    raw: bytes
    opcode: int = CONTINUATION
    whole: bool = False
    """Its frame ends with it."""
    between: bool = False
    """After it, neither a frame nor a message is left open."""
    message: bytes | None = None
    """The content of the text or binary message that ends with it; None if none does, or it is not read."""
    unread: bool = False
    """It belongs to a message that is not read, so there is no point in waiting for its end."""


class Deflate(NamedTuple):
    """How messages are compressed: whether each direction goes on with what it has seen before."""

    client_takeover: bool
    server_takeover: bool


def agreed(extensions: str) -> Deflate | None:
    """What the server's `Sec-WebSocket-Extensions` says; None for none. Raises ValueError with the name of an
    extension that is not understood.
    """
    if not extensions.strip():
        return None
    name, *parameters = (part.strip() for part in extensions.split(";"))
    if name != "permessage-deflate" or "," in extensions:
        raise ValueError(extensions.replace("permessage-deflate", "").strip(" ,;")[:100] or name)
    return Deflate(
        "client_no_context_takeover" not in parameters, "server_no_context_takeover" not in parameters
    )


def text_frame(text: bytes) -> bytes:
    """A server's frame with a whole text message."""
    return _head(TEXT, len(text)) + text


def close_frame(code: int, reason: str) -> bytes:
    """A server's close frame; the reason is cut to what fits."""
    payload = code.to_bytes(2, "big") + reason.encode()[:MAX_REASON].decode("utf-8", "ignore").encode()
    return _head(CLOSE, len(payload)) + payload


class Splitter:
    """Cuts one direction of a connection into pieces. No bytes make it raise."""

    def __init__(self, *, deflate: bool = False, takeover: bool = True, limit: int = MAX_MESSAGE) -> None:
        """
        Args:
            deflate: messages may be compressed.
            takeover: and go on with what was compressed before.
            limit: the most bytes of a message that are read.
        """
        self.blind = False
        """From here on nothing can be read: the bytes break the protocol, or cannot be inflated."""
        self._limit = limit
        self._inflater = _Inflater(takeover) if deflate else None
        self._head = bytearray()
        self._left = 0
        """Bytes of the frame's payload that are still to come."""
        self._mask = b""
        self._opcode = CONTINUATION
        self._final = False
        self._open = False
        """A message has begun and not ended."""
        self._compressed = False
        self._message = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[Piece]:
        """The bytes again, cut where frames end."""
        pieces: list[Piece] = []
        at = 0
        while at < len(data):
            if self.blind:
                pieces.append(Piece(data[at:], unread=True))
                break
            end = self._feed_frame(data, at)
            ended = self._head_is_whole() and not self._left and not self.blind
            pieces.append(self._piece(data[at:end] if at or end < len(data) else data, ended))
            at = end
        return pieces

    def _feed_frame(self, data: bytes, at: int) -> int:
        """Take bytes up to the end of a frame, or all there are; where that is."""
        if not self._head_is_whole():
            while (needed := _needed(self._head)) and at < len(data):
                self._head += data[at : at + needed]
                at += needed
            if needed:
                return len(data)
            if not self._begin():
                self.blind = True
                return len(data)
        payload = data[at : at + self._left]
        if self._opcode < CLOSE and not self._skipping:
            self._collect(_unmasked(payload, self._mask))
        if self._mask:
            turn = len(payload) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
        self._left -= len(payload)
        return at + len(payload)

    def _head_is_whole(self) -> bool:
        return len(self._head) >= 2 and not _needed(self._head)

    def _begin(self) -> bool:
        """Read a frame's head; False if it breaks the protocol."""
        head = self._head
        self._opcode, self._final = head[0] & 0x0F, head[0] >= 0x80
        masked, length = head[1] >= 0x80, head[1] & 0x7F
        self._mask = bytes(head[-4:]) if masked else b""
        if length > _MAX_CONTROL:
            length = int.from_bytes(head[2 : 4 if length == 126 else 10], "big")
        self._left = length
        reserved = head[0] & 0x70
        if self._opcode not in _OPCODES or length >= 1 << 63:
            return False
        if self._opcode >= CLOSE:
            return self._final and length <= _MAX_CONTROL and not reserved
        if self._open != (self._opcode == CONTINUATION):
            return False
        if self._opcode != CONTINUATION:
            self._compressed = reserved == 0x40 and self._inflater is not None
            if self._compressed:
                reserved = 0
            self._open = True
        if not self._compressed and len(self._message) + length > self._limit:
            self._skip()
        return not reserved

    def _collect(self, payload: bytes) -> None:
        """Add to the message, as much as is held of one."""
        if not self._compressed or self._inflater is None:
            self._message += payload
            return
        self._inflater.feed(payload, self._message, self._limit)
        if self._inflater.lost:
            self._skip()

    def _skip(self) -> None:
        self._skipping = True
        self._message.clear()

    def _piece(self, raw: bytes, ended: bool) -> Piece:
        if not ended:
            unread = self.blind or (self._skipping and self._opcode < CLOSE)
            return Piece(raw, self._opcode, unread=unread)
        self._head.clear()
        if self._opcode >= CLOSE:
            return Piece(raw, self._opcode, True, not self._open, unread=self._skipping)
        if not self._final:
            return Piece(raw, self._opcode, True, unread=self._skipping)
        return self._ended(raw)

    def _ended(self, raw: bytes) -> Piece:
        """The piece a message ends with."""
        if self._compressed and self._inflater is not None:
            if not self._skipping:
                self._inflater.feed(_FLUSH, self._message, self._limit)
            self._inflater.end()
            self.blind = self._inflater.lost
        unread = self._skipping or self.blind or len(self._message) > self._limit
        message = None if unread else bytes(self._message)
        self._message.clear()
        self._open = self._skipping = False
        return Piece(raw, self._opcode, True, True, message, unread)


class _Inflater:
    """Undoes permessage-deflate for one direction, message by message."""

    def __init__(self, takeover: bool) -> None:
        self.lost = False
        """What follows cannot be inflated."""
        self._takeover = takeover
        self._codec = zlib.decompressobj(-zlib.MAX_WBITS)
        self._came = 0

    def feed(self, data: bytes, into: bytearray, limit: int) -> None:
        """Inflate into a buffer; one byte beyond the limit tells that there was more."""
        try:
            while not self.lost:
                plain = self._codec.decompress(data, PIECE)
                data = self._codec.unconsumed_tail
                into += plain[: max(0, limit + 1 - len(into))]
                self._came += len(plain)
                # A last block may end the compressed data; nobody sends one, and nothing can follow it.
                self.lost = self._came > MAX_INFLATED or self._codec.eof
                if not data and len(plain) < PIECE:
                    return
        except zlib.error:
            self.lost = True

    def end(self) -> None:
        """A message is over."""
        self._came = 0
        if not self._takeover:
            self._codec = zlib.decompressobj(-zlib.MAX_WBITS)
            self.lost = False


def _needed(head: bytearray) -> int:
    """How many bytes a frame's head still lacks, as far as it tells."""
    if len(head) < 2:
        return 2 - len(head)
    length = head[1] & 0x7F
    longer = 8 if length == 127 else 2 if length == 126 else 0
    return 2 + longer + (4 if head[1] >= 0x80 else 0) - len(head)


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    if not mask or not length:
        return payload
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def _head(opcode: int, length: int) -> bytes:
    first = bytes((0x80 | opcode,))
    if length <= _MAX_CONTROL:
        return first + bytes((length,))
    if length < 1 << 16:
        return first + b"\x7e" + length.to_bytes(2, "big")
    return first + b"\x7f" + length.to_bytes(8, "big")
