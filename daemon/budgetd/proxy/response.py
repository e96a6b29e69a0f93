"""Reading a response while it passes: httptools tells where its head ends, what is body, and when it is over.

The parser is strict. What it accepts goes on as it came; what it does not is read by `repair`, and goes on
as that writes it. So a client is only ever sent what has one meaning: whole heads, whole lines between
chunks, and nothing that comes after a response's end. No I/O.
"""

import re
from functools import partial
from typing import Protocol

import httptools

from budgetd.proxy.repair import FRAMING, ChunkReader, MalformedError, coded, is_sound, repair_heads

MAX_HEAD = 256 * 1024
"""Bytes of a response head past which an upstream is not believed any more."""

LAST_CHUNK = b"0\r\n\r\n"

_LF = 10

_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LINES = re.compile(rb"(?:.*\n)?", re.DOTALL)
_BEFORE_SIZE = re.compile(rb"(?:.*\n)?(?=[0-9A-Fa-f]+[;\r])", re.DOTALL)
"""All before the last line that states a chunk's size; no trailer looks like one."""


class Receiver(Protocol):
    """Who takes what is read."""

    def head(self, head: "Head") -> None:
        """The final response's head is complete; the bytes that hold it follow in `data`."""
        ...

    def data(self, raw: bytes, body: bytes) -> None:
        """Bytes for an HTTP/1.1 client, and those of the body in them (framing removed)."""
        ...


class _Mark(bytes):
    """Stands among the pieces of a body for what the parser found between them; it adds nothing to them."""


_SIZE_READ, _CHUNK_READ = _Mark(), _Mark()


class Head:
    """A response's head as the upstream sent it."""

    __slots__ = ("_named", "codings", "framed", "headers", "http_version", "reason", "status")

    def __init__(self) -> None:
        """Filled while the parser reads."""
        self.status = 0
        self.reason = b""
        self.http_version = "1.1"
        self.headers: list[tuple[bytes, bytes]] = []
        self.framed = False
        """The body's end is told by a length or by chunks, not by the connection's end."""
        self.codings: list[bytes] = []
        """What Transfer-Encoding names."""
        self._named: dict[bytes, bytes] = {}

    def add(self, name: bytes, value: bytes) -> None:
        """Take the next header."""
        self.headers.append((name, value))
        lower = name.lower()
        self._named[lower] = value
        if lower == b"content-length":
            self.framed = True
        elif lower == b"transfer-encoding":
            self.codings += coded(value)
            self.framed = self.chunked

    def get(self, name: bytes) -> str:
        """A header's value by its lower-case name; the last one wins, empty if there is none."""
        return self._named.get(name, b"").decode("latin-1")

    @property
    def chunked(self) -> bool:
        """The body's end is told by its last chunk."""
        return self.codings[-1:] == [b"chunked"]

    @property
    def sound(self) -> bool:
        """Whether it can pass as it is: the parser accepts more than every client does."""
        printable = self.reason.isalnum() or not _CONTROLS.search(self.reason)  # the first is cheap: OK
        return printable and (not self.codings or is_sound(self.codings))

    @property
    def keeps_alive(self) -> bool:
        """Whether its connection can carry another response after the end of this one."""
        return self.http_version == "1.1" and "close" not in self.get(b"connection").lower()


class ResponseReader:
    """Reads the responses of one connection, one after another."""

    def __init__(self) -> None:
        """Nothing is expected until `begin`."""
        self.in_body = False
        """The head was read."""
        self.complete = False
        self.problem = ""
        """Why no more can be read, where that shows behind what could be."""
        self.exact = True
        """The upstream has sent this response and nothing else, and it was well-formed."""
        self.keeps_alive = False
        """A complete response says that its connection can carry another."""
        self._parser: httptools.HttpResponseParser | None = None
        self._head = Head()
        self._head_bytes = 0
        self._bodiless = False
        self._interim = False
        """The parser has read an interim response."""
        self._repairing = False
        """Heads are no longer read by the parser first."""
        self._chunks: ChunkReader | None = None
        """Reads on where chunks are malformed."""
        self._held = b""
        """What has come and waits for more: part of a head, or of a line between chunks."""
        self._passing = False
        """Within a body that the parser reads, and nothing is held."""
        self._pieces: list[bytes] = []
        """Of the body, in what has just come, with marks."""
        self._last: bytes = _CHUNK_READ
        """The last of them before that."""
        self._body = b""
        """Of the body, in what the response ended with."""
        # The parser calls these for every chunk, so they run no Python.
        self.on_body = self._pieces.append
        self.on_chunk_header = partial(self._pieces.append, _SIZE_READ)
        self.on_chunk_complete = partial(self._pieces.append, _CHUNK_READ)

    def begin(self, *, bodiless: bool) -> None:
        """Expect a response. ``bodiless``: it answers a HEAD and so ends with its head."""
        self._bodiless = bodiless
        self._head_bytes = 0
        self._held = b""
        self._repairing = False
        self._chunks = None
        self.problem = ""
        self.exact = True
        self._expect_head()

    def feed(self, data: bytes, receiver: Receiver) -> bool:
        """Read on, and give the receiver what can be sent on; whether that was all. Raises MalformedError."""
        if self._passing:
            fault = self._parse(data)
            pieces = self._pieces
            last = pieces[-1] if pieces else self._last
            if not (fault or self.complete) and (last or (last is _CHUNK_READ and data[-1] == _LF)):
                # Nearly all of a stream comes by here, most of it as one whole chunk at a time.
                self._last = last
                body = pieces[1] if last is _CHUNK_READ and len(pieces) == 3 else b"".join(pieces)
                pieces.clear()
                receiver.data(data, body)
                return False
            raw, body = self._take(data, 0, fault)
        elif not self.in_body:
            raw, body = self._read_heads(receiver, data)
        elif self._chunks is not None:
            raw, body = self._read_chunks(self._chunks, data)
        else:
            fault = self._parse(data)
            data, self._held = self._held + data, b""
            raw, body = self._take(data, 0, fault)
        if raw:
            receiver.data(raw, body)
        return self.complete or self.problem != ""

    def end(self) -> bytes | None:
        """The connection has closed. What is still to be sent for the response to be whole; None if it is
        not. After its last chunk it lacks only a blank line, or trailers that nobody needs.
        """
        if not self.in_body or self.complete:
            return None
        if not self._head.framed:
            return b""
        chunks = self._chunks
        if chunks is None:
            chunks = ChunkReader()
            chunks.feed(self._held)
        if not chunks.end():
            return None
        self.keeps_alive = self._head.keeps_alive
        return LAST_CHUNK

    # httptools

    def on_message_begin(self) -> None:
        """Bytes after the end of a response belong to nobody."""
        if self.complete:
            self.exact = False

    def on_status(self, status: bytes) -> None:
        """The reason phrase."""
        if not self.complete:
            self._head.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or a trailer, which must not look like another end of the body."""
        if self.complete:
            return
        if not self.in_body:
            self._head.add(name, value)
        elif name.lower() in FRAMING:
            raise MalformedError("its trailers state a length")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.complete or self._parser is None:
            return
        head = self._head
        head.status = self._parser.get_status_code()
        head.http_version = self._parser.get_http_version()
        if head.status < 200:
            return
        if head.status in {204, 304}:
            head.framed = True
        self.in_body = True
        if self._bodiless:
            self._complete(keeps_alive=head.keeps_alive)

    def on_message_complete(self) -> None:
        """The end of the response, or of an interim one."""
        if self.complete or self._parser is None:
            return
        if not self.in_body:
            self._interim = True
            return
        # Only here does the parser still know: it forgets the head as it goes on to the next message.
        self._complete(keeps_alive=self._parser.should_keep_alive())

    # inside

    def _expect_head(self) -> None:
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._head = Head()
        self.in_body = self.complete = self.keeps_alive = self._interim = self._passing = False
        self._pieces.clear()
        self._last = _CHUNK_READ

    def _complete(self, *, keeps_alive: bool) -> None:
        """The response has ended, perhaps in the middle of what has come."""
        self.complete = True
        self.keeps_alive = keeps_alive
        self._body = b"".join(self._pieces)
        if self._bodiless:
            self._parser = None  # it waits for the body that the head announced

    def _parse(self, data: bytes) -> str:
        """Let the parser read on; why it cannot. Behind the response's end that is no fault."""
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._parser = None
            if not self.complete:
                return str(error)
            self.exact = False
        return ""

    def _read_heads(self, receiver: Receiver, data: bytes) -> tuple[bytes, bytes]:
        """Read the interim heads and the final one; they go on whole."""
        self._head_bytes += len(data)
        held, self._held = self._held + data, b""
        fault = "" if self._repairing else self._parse(data)
        if self.in_body and not self._interim and self._head.sound and held.startswith(b"HTTP/1."):
            receiver.head(self._head)
            return self._take(held, held.index(b"\r\n\r\n") + 4, fault)
        if not (self._repairing or fault or self._interim or self.in_body):
            self._hold(held)
            return b"", b""
        return self._repair_heads(receiver, held)

    def _repair_heads(self, receiver: Receiver, held: bytes) -> tuple[bytes, bytes]:
        """Read heads in another way than by the parser, which is asked again with the final one."""
        self._repairing = True
        interim, final, rest = repair_heads(held)
        self.exact = self.exact and interim + final + rest == held
        if not final:
            self._hold(rest)
            return interim, b""
        self._parser = None
        self._expect_head()
        fault = self._parse(final + rest)
        if not self.in_body:
            raise MalformedError(fault)
        receiver.head(self._head)
        raw, body = self._take(final + rest, len(final), fault)
        return interim + raw, body

    def _hold(self, data: bytes) -> None:
        if self._head_bytes > MAX_HEAD:
            raise MalformedError(f"its head is longer than {MAX_HEAD >> 10} KiB")
        self._held = data

    def _take(self, data: bytes, start: int, fault: str) -> tuple[bytes, bytes]:
        """What the parser has read of a body, from ``start`` on."""
        if self.complete:
            return data[: self._end_in(data, start)], self._body
        if fault:
            return self._repair_chunks(data, start, fault)
        pieces = self._pieces
        last = pieces[-1] if pieces else self._last
        if not last and not (last is _CHUNK_READ and data.endswith(b"\n")):
            data = self._hold_line(data, last)
        self._last = last
        self._passing = not self._held
        body = b"".join(pieces)
        pieces.clear()
        return data, body

    def _hold_line(self, data: bytes, last: bytes) -> bytes:
        """Keep back what has begun between two chunks, so that a client never has half of it."""
        begun = _LINES.match(data) if last is _CHUNK_READ else _BEFORE_SIZE.match(data)
        at = begun.end() if begun else 0
        if len(data) - at > MAX_HEAD:
            raise MalformedError(f"what stands between its chunks is longer than {MAX_HEAD >> 10} KiB")
        self._held = data[at:]
        return data[:at]

    def _end_in(self, data: bytes, start: int) -> int:
        """Where a complete response ends in what has come."""
        head = self._head
        if not head.codings or self._bodiless or head.status in {204, 304} or not head.chunked:
            end = start + len(self._body)
        elif self.exact and data.endswith(LAST_CHUNK):
            end = len(data)
        else:
            chunks = ChunkReader()
            chunks.feed(self._at_boundary(data, start)[2])
            end = len(data) - len(chunks.rest)
        self.exact = self.exact and end == len(data)
        return end

    def _repair_chunks(self, data: bytes, start: int, fault: str) -> tuple[bytes, bytes]:
        """The chunks are malformed from somewhere in this on."""
        if not self._head.chunked:
            raise MalformedError(fault)
        before, body, rest = self._at_boundary(data, start)
        self.exact = self._passing = False
        self._chunks = ChunkReader()
        raw, more = self._read_chunks(self._chunks, rest)
        if self.problem and not body + more:
            raise MalformedError(self.problem)
        return before + raw, body + more

    def _at_boundary(self, data: bytes, start: int) -> tuple[bytes, bytes, bytes]:
        """What comes before the next boundary between chunks, well-formed; the body in it; what follows."""
        if not self._last:  # between chunks already, for what had begun there was held back
            return data[:start], b"", data[start:]
        # Within one: what the parser read first is the rest of its data, if any is left, then its line's end.
        body = self._pieces[0] if self._pieces else b""
        size = len(body)
        if len(self._pieces) > (1 if size else 0):
            end = data.index(b"\n", size) + 1
            return data[:end], body, data[end:]
        if data.startswith(b"\n", size):
            return body + b"\r\n", body, data[size + 1 :]
        self.problem = "a chunk is longer than its size"
        return body, body, b""

    def _read_chunks(self, chunks: ChunkReader, data: bytes) -> tuple[bytes, bytes]:
        """Read on in malformed chunks; one well-formed chunk for all that was in them."""
        body = chunks.feed(data)
        raw = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if chunks.ended:
            raw += LAST_CHUNK
            self.complete = True
            self.keeps_alive = self._head.keeps_alive
        self.problem = self.problem or chunks.problem
        return raw, body
