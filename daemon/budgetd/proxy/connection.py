"""A connection to an upstream: bytes out, bytes in, with httptools reading along.

Whatever comes in is handed on as it came; the parser only tells where the response's head ends, what is body,
and when it is over (FACTS 14). One exchange at a time; nothing is ever sent twice.
"""

import asyncio
import select
import time
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from budgetd.proxy.read_queue import LEFT_PAUSE_SECONDS, TURN_SECONDS, ReadQueue

SLICE = 16 * 1024
"""Bytes that are handed on at once."""

MOST_JOINED = 64 * 1024
"""Bytes that are put together to be written as one."""

MAX_HEAD = 256 * 1024
"""Bytes of a response head past which an upstream is not believed any more."""


class Head:
    """A response's head as the upstream sent it."""

    __slots__ = ("_named", "framed", "headers", "http_version", "reason", "status")

    def __init__(self) -> None:
        """Filled while the parser reads."""
        self.status = 0
        self.reason = b""
        self.http_version = "1.1"
        self.headers: list[tuple[bytes, bytes]] = []
        self.framed = False
        """The body's end is told by a length or by chunks, not by the connection's end."""
        self._named: dict[bytes, bytes] = {}

    def add(self, name: bytes, value: bytes) -> None:
        """Take the next header."""
        self.headers.append((name, value))
        lower = name.lower()
        self._named[lower] = value
        if lower == b"content-length" or (lower == b"transfer-encoding" and b"chunked" in value.lower()):
            self.framed = True

    def get(self, name: bytes) -> str:
        """A header's value by its lower-case name; the last one wins, empty if there is none."""
        return self._named.get(name, b"").decode("latin-1")


class Receiver(Protocol):
    """Who takes a response."""

    def head(self, head: Head) -> None:
        """The final response's head is complete; the bytes that hold it follow in `data`."""
        ...

    def data(self, raw: bytes, body: list[bytes]) -> None:
        """Bytes as they came, and the pieces of body in them (framing removed)."""
        ...

    def ended(self, problem: str | None, *, reusable: bool) -> None:
        """The response is over. ``problem`` says how, where it broke off; ``reusable`` tells whether the
        client can know its end from what it got. Called once.
        """
        ...


class Connection(asyncio.Protocol):
    """One connection of a pool.

    Most of what comes in is handed on at once. What is long, and all of a response whose client has left, is
    handed on in slices, and nothing more is read meanwhile.
    """

    def __init__(self, queue: ReadQueue | None = None, left_queue: ReadQueue | None = None) -> None:
        """Not connected yet; an event loop's `create_connection` does that.

        Args:
            queue: where it waits for its turn to hand on the next slice.
            left_queue: the same for responses whose client has left.
        """
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.keep = False
        """After an exchange: the connection can carry another."""
        self.sending = False
        """The end of the request's body is still to be written; set by who writes it."""
        self._receiver: Receiver | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._poll: select.poll | None = None
        self._head = Head()
        self._head_bytes = 0
        self._in_body = False
        self._complete = False
        self._surplus = False
        self._bodiless = False
        self._keeps_alive = False
        self._body: list[bytes] = []
        self._writable: asyncio.Future[None] | None = None
        self.slice = SLICE
        """Bytes that are handed on at once; to be set for each exchange, from its head on."""
        self.left = False
        """The client has left."""
        self._queue = queue or ReadQueue()
        self._left_queue = left_queue or ReadQueue(LEFT_PAUSE_SECONDS)
        self._queued = False
        self._untaken = b""
        """What has come in, of which this is to be handed on:"""
        self._taken = 0
        """the bytes from here on."""
        self._held_back = False
        """The receiver wants no more for now."""
        self._lost: tuple[Exception | None] | None = None
        """How the connection ended, which is told once all that came is handed on."""

    # the exchange

    def begin(self, receiver: Receiver, *, bodiless: bool) -> None:
        """Expect a response. ``bodiless``: it answers a HEAD and so ends with its head."""
        self._receiver = receiver
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._head = Head()
        self._head_bytes = 0
        self._in_body = self._complete = self._surplus = self._keeps_alive = self.keep = False
        self._bodiless = bodiless
        self.slice, self.left = SLICE, False

    def write(self, *parts: bytes) -> None:
        """Send bytes of the request. Long ones are not copied to be sent as one."""
        if self.transport is None:
            return
        if sum(map(len, parts)) <= MOST_JOINED:
            self.transport.write(b"".join(parts))
        else:
            self.transport.writelines(parts)

    def when_written(self, call: Callable[[], None]) -> None:
        """Call once the upstream has taken most of what was written, or the connection is lost."""
        if self._writable is None:
            call()
        else:
            self._writable.add_done_callback(lambda _: call())

    async def drain(self) -> None:
        """Wait until the upstream has taken most of what was written."""
        if self._writable is not None:
            await self._writable

    def pause(self) -> None:
        """Take no more bytes from the upstream for now."""
        self._held_back = True
        self._pause_reading()

    def resume(self) -> None:
        """Take bytes again."""
        self._held_back = False
        self._go_on()

    def abort(self) -> None:
        """Cut the connection; an exchange on it ends as broken."""
        if self.transport is not None:
            self.transport.abort()

    def usable(self) -> bool:
        """Whether an idle connection is still open and silent. The kernel is asked, because the event loop
        may not have seen yet that the upstream closed.
        """
        transport = self.transport
        if transport is None or transport.is_closing() or self._receiver is not None:
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLHUP)
        return not self._poll.poll(0)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not of its class

    def data_received(self, data: bytes) -> None:
        """Hand it on, in slices if it is long."""
        if len(data) <= self.slice and not self._untaken and not self.left:
            self._take(data)
            return
        self._untaken, self._taken = self._untaken[self._taken :] + data, 0
        if self.left:
            self._await_turn()
        elif not self._queued:
            self.take(time.perf_counter() + TURN_SECONDS)
        if self._untaken:
            self._pause_reading()

    def eof_received(self) -> None:
        """Leave the rest to `connection_lost`."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the response, once all that came of it is handed on."""
        self.transport = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._lost = (exc,)
        self._held_back = False
        self._go_on()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """See asyncio."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # httptools

    def on_message_begin(self) -> None:
        """Bytes after the end of a response belong to nobody."""
        if self._complete:
            self._surplus = True

    def on_status(self, status: bytes) -> None:
        """The reason phrase."""
        if not self._complete:
            self._head.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if not self._complete and not self._in_body:
            self._head.add(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole. Interim responses (1xx) are handed on and forgotten."""
        if self._complete or self._parser is None or self._receiver is None:
            return
        head = self._head
        head.status = self._parser.get_status_code()
        head.http_version = self._parser.get_http_version()
        if head.status < 200:
            return
        if head.status in {204, 304}:
            head.framed = True
        self._in_body = True
        self._receiver.head(head)
        if self._bodiless:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self._complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """The end of the response, or of an interim one."""
        if self._complete:
            return
        if self._head.status < 200:
            self._head = Head()
            return
        # Only here does the parser still know: it forgets the head as it goes on to the next message.
        self._keeps_alive = self._parser is not None and self._parser.should_keep_alive()
        self._complete = True

    # in slices

    def take(self, until: float) -> None:
        """See `Reading`."""
        self._queued = False
        while self._untaken and not self._held_back:
            start, self._taken = self._taken, self._taken + self.slice
            piece = self._untaken[start : self._taken]
            if self._taken >= len(self._untaken):
                self._untaken = b""
            self._take(piece)
            if time.perf_counter() >= until:
                break
        self._go_on()

    def _go_on(self) -> None:
        """See to what comes next: another turn, the end, or more from the upstream."""
        if self._held_back:
            return
        if self._untaken:
            self._await_turn()
        elif self._lost is not None:
            self._tell_lost(self._lost[0])
        elif self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _await_turn(self) -> None:
        if not self._queued:
            self._queued = True
            (self._left_queue if self.left else self._queue).add(self)

    def _pause_reading(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def _take(self, data: bytes) -> None:
        """Parse, hand on, and end the exchange where the response does."""
        receiver, parser = self._receiver, self._parser
        if receiver is None or parser is None:
            self.abort()  # an upstream that speaks unasked cannot be trusted with the next request
            return
        body = self._body = []
        try:
            if self._bodiless:
                data = self._feed_head(parser, data)
            else:
                parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                upgrade = isinstance(error, httptools.HttpParserUpgrade)
                reason = "it changes the protocol unasked" if upgrade else str(error)
                self._end(f"its response is not valid HTTP ({reason})", reusable=False)
                self.abort()
                return
            self._surplus = True
        if not self._in_body and not self._complete:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._end(f"the head of its response is longer than {MAX_HEAD >> 10} KiB", reusable=False)
                self.abort()
                return
        receiver.data(data, body)
        if self._complete:
            self._finish()

    def _tell_lost(self, exc: Exception | None) -> None:
        """A response that runs to the connection's end is over; any other has broken off."""
        if self._receiver is None:
            return
        if self._in_body and not self._head.framed and exc is None:
            self._end(None, reusable=False)
        elif self._in_body:
            self._end("the connection broke off in the middle of its response", reusable=False)
        else:
            self._end("the connection broke off before it answered", reusable=False)

    # inside

    def _feed_head(self, parser: httptools.HttpResponseParser, data: bytes) -> bytes:
        """Parse a response that ends with its head; the bytes up to there. What follows is not passed on."""
        end = 0
        while end < len(data) and not self._complete:
            start, end = end, data.find(b"\n", end) + 1 or len(data)
            parser.feed_data(data[start:end])
        self._surplus = end < len(data)
        return data[:end]

    def _finish(self) -> None:
        """The response is complete."""
        transport = self.transport
        self._surplus = self._surplus or bool(self._untaken)
        if self._bodiless:
            self._parser = None  # it still waits for the body that the head announced
            http11 = self._head.http_version == "1.1"
            self._keeps_alive = http11 and "close" not in self._head.get(b"connection").lower()
        reusable = self._keeps_alive and not self._surplus
        closing = transport is None or transport.is_closing()
        self.keep = reusable and not self.sending and not closing
        self._end(None, reusable=reusable)

    def _end(self, problem: str | None, *, reusable: bool) -> None:
        receiver, self._receiver = self._receiver, None
        self._body = []
        self._untaken = b""
        if receiver is not None:
            receiver.ended(problem, reusable=reusable)
