"""A connection to an upstream: bytes out, bytes in. What comes in is handed on as it came, unless it is
malformed.

One exchange at a time; nothing is ever sent twice.
"""

import asyncio
import select
import time
from collections.abc import Callable
from typing import Protocol, cast

from budgetd.proxy.read_queue import LEFT_PAUSE_SECONDS, TURN_SECONDS, ReadQueue
from budgetd.proxy.repair import MalformedError
from budgetd.proxy.response import Receiver as ResponseReceiver
from budgetd.proxy.response import ResponseReader

SLICE = 16 * 1024
"""Bytes that are handed on at once."""

MOST_JOINED = 64 * 1024
"""Bytes that are put together to be written as one."""


class Receiver(ResponseReceiver, Protocol):
    """Who takes a response."""

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
        self._reader = ResponseReader()
        self._poll: select.poll | None = None
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
        self._reader.begin(bodiless=bodiless)
        self.keep = False
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
        """Read, hand on, and end the exchange where the response does."""
        receiver = self._receiver
        if receiver is None:
            self.abort()  # an upstream that speaks unasked cannot be trusted with the next request
            return
        try:
            over = self._reader.feed(data, receiver)
        except MalformedError as error:
            self._break_off(str(error))
            return
        if over:
            self._finish()

    def _tell_lost(self, exc: Exception | None) -> None:
        """A response that runs to the connection's end is over; any other has broken off, unless nothing is
        missing but the blank line behind its last chunk.
        """
        if self._receiver is None:
            return
        rest = self._reader.end() if exc is None else None
        if rest is not None:
            if rest:
                self._receiver.data(rest, b"")
            self._end(None, reusable=self._reader.keeps_alive)
        elif self._reader.in_body:
            self._end("the connection broke off in the middle of its response", reusable=False)
        else:
            self._end("the connection broke off before it answered", reusable=False)

    # inside

    def _finish(self) -> None:
        """The response is complete, or cannot be read to its end."""
        reader = self._reader
        if reader.problem:
            self._break_off(reader.problem)
            return
        closing = self.transport is None or self.transport.is_closing()
        exact = reader.exact and not self._untaken
        self.keep = reader.keeps_alive and exact and not self.sending and not closing
        self._end(None, reusable=reader.keeps_alive)

    def _break_off(self, why: str) -> None:
        """The response cannot be read to its end."""
        self._end(f"its response is not valid HTTP ({why})", reusable=False)
        self.abort()

    def _end(self, problem: str | None, *, reusable: bool) -> None:
        receiver, self._receiver = self._receiver, None
        self._untaken = b""
        if receiver is not None:
            receiver.ended(problem, reusable=reusable)
