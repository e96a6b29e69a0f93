"""One client of the daemon: its handshake, its calls, and the state it subscribed to.

Calls begin in their order, and most are done at once. One that has to wait, for a channel or for the disk,
goes on beside those that come after it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from budgetd.control.errors import CommandError
from budgetd.control.needs import PARTS, Handle, Part, Peer, Views
from budgetwire import codec
from budgetwire.codec import Unfit
from budgetwire.errors import Malformed
from budgetwire.messages import (
    Call,
    Error,
    FromClient,
    Hello,
    Message,
    Reply,
    Snapshot,
    Subscribe,
    Update,
    Welcome,
)
from budgetwire.peer import Credentials
from budgetwire.versions import disagreement

HELLO_SECONDS = 5.0
"""How long a client has to say hello."""
FAREWELL_SECONDS = 1.0
"""How long a client has to take the last message when the connection is closed."""
UPDATE_SECONDS = 0.05
"""The least time between two updates of one client."""
MAX_NAME = 100
"""Longest name of a client."""
MAX_WAITING = 8
"""Calls of one client that wait at once."""

_READ_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class _Unwelcome(Exception):  # noqa: N818
    """The client broke a rule; it is told and the connection ends."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.error = Error(code=code, message=message, field=field)


class Connection:
    """A connected client, from its first byte to its last."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        credentials: Credentials,
        *,
        welcome: Welcome,
        views: Views,
        handle: Handle,
        clock: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._credentials = credentials
        self._welcome = welcome
        self._views = views
        self._handle = handle
        self._clock = clock
        self._changed: set[Part] = set()
        self._news = asyncio.Event()
        self._seq = 0
        self._pushing: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        """Calls that wait, each until it is answered."""
        # Who does not read is sent nothing more: every send waits until the one before has left our memory.
        writer.transport.set_write_buffer_limits(high=0)

    def changed(self, parts: Iterable[Part]) -> None:
        """Note that parts changed, and send them soon if the client subscribed."""
        if self._pushing:
            self._changed.update(parts)
            self._news.set()

    async def run(self) -> None:
        """Serve the client until it leaves or has to, and close the connection. What it called for and still
        waits is done to its end: a client that has said all may read on.
        """
        try:
            await self._converse()
            if self._waiting:
                await asyncio.wait(self._waiting)
        except _Unwelcome as end:
            await self.dismiss(end.error)
        except Malformed as error:
            await self.dismiss(Error(code="bad_message", message=str(error)))
        except OSError:
            log.debug("a client went away in the middle of a message")
        finally:
            if self._pushing:
                self._pushing.cancel()
            for waiting in self._waiting:
                waiting.cancel()
            await self._close()

    async def turn_away(self, error: Error) -> None:
        """Tell a client that is not served why. It is given the time to say hello: closing a connection with
        bytes unread would cut it, and the client would not see the error.
        """
        self._writer.write(codec.encode(error))
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._reader.read(_READ_BYTES)
        await self._close()

    async def dismiss(self, error: Error) -> None:
        """Tell the client why the connection ends, and close it whether that is read or not."""
        if not self._writer.is_closing():
            self._writer.write(codec.encode(error))
        await self._close()

    async def _close(self) -> None:
        """Close the connection when the client has taken the last message, or a moment later."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _converse(self) -> None:
        async with contextlib.aclosing(self._messages()) as messages:
            peer = await self._greet(messages)
            if peer is None:
                return
            async for message in messages:
                match message:
                    case Hello():
                        raise _Unwelcome("bad_message", "hello is said once, as the first message.")
                    case Unfit():
                        await self._send(_misfit(message))
                    case Subscribe():
                        await self._subscribe(message)
                    case _:
                        await self._do(message, peer)

    async def _messages(self) -> AsyncGenerator[FromClient | Unfit, None]:
        decoder = codec.for_daemon()
        while data := await self._reader.read(_READ_BYTES):
            for message in decoder.feed(data):
                yield message

    async def _greet(self, messages: AsyncGenerator[FromClient | Unfit, None]) -> Peer | None:
        """Return who the client is, None if it left without a word."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await anext(messages, None)
        except TimeoutError:
            raise _Unwelcome("bad_message", f"No hello within {HELLO_SECONDS:.0f} seconds.") from None
        if hello is None:
            return None
        if not isinstance(hello, Hello):
            raise _Unwelcome("bad_message", "The first message is hello, with version and name.")
        if reason := disagreement(daemon=self._welcome.version, client=hello.version):
            raise _Unwelcome("version", reason)
        if not hello.name.isprintable() or not 0 < len(hello.name) <= MAX_NAME:
            raise _Unwelcome("bad_message", f"A name has 1 to {MAX_NAME} printable characters.", "name")
        await self._send(self._welcome)
        return Peer(self._credentials.pid, self._credentials.uid, hello.name)

    async def _do(self, call: Call, peer: Peer) -> None:
        """Answer a call, before the next one is begun unless it has to wait."""
        answering = asyncio.create_task(self._answer(call, peer), name="control: call")
        await asyncio.sleep(0)  # a turn of the event loop, in which it is done, or begins to wait
        if answering.done():
            await self._write(answering.result())
        elif len(self._waiting) >= MAX_WAITING:
            answering.cancel()
            message = f"{MAX_WAITING} calls of this connection wait already; call again when one is answered."
            await self._send(Error(id=call.id, code="conflict", message=message))
        else:
            waiting = asyncio.create_task(self._answer_later(answering), name="control: waiting call")
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)

    async def _answer_later(self, answering: asyncio.Task[bytes]) -> None:
        try:
            await self._write(await answering)
        except OSError:
            log.debug("a client went away before its call was answered")

    async def _answer(self, call: Call, peer: Peer) -> bytes:
        try:
            return codec.encode(Reply(id=call.id, result=await self._handle(call, peer)))
        except CommandError as error:
            return codec.encode(Error(id=call.id, code=error.code, message=error.message, field=error.field))
        except Exception:
            log.exception("the call %s failed", type(call).__name__)
            message = "budgetd could not do this because of a fault of its own; its log says more."
            return codec.encode(Error(id=call.id, code="failed", message=message))

    async def _subscribe(self, call: Subscribe) -> None:
        if self._pushing:
            message = "This connection is subscribed already."
            await self._send(Error(id=call.id, code="conflict", message=message))
            return
        await self._send(Reply(id=call.id))
        self._pushing = asyncio.create_task(self._push(), name="control: push")

    async def _push(self) -> None:
        try:
            await self._send(Snapshot(**self._next(PARTS)))
            while True:
                await asyncio.sleep(UPDATE_SECONDS)
                await self._news.wait()
                self._news.clear()
                changed = tuple(self._changed)
                self._changed.clear()
                await self._send(Update(**self._next(changed)))
        except OSError:
            log.debug("a subscriber went away")
        except Exception:
            log.exception("the state could not be shown")
            message = "budgetd could not show its state because of a fault of its own; its log says more."
            await self.dismiss(Error(code="failed", message=message))

    def _next(self, parts: Iterable[Part]) -> dict[str, Any]:
        """Return the fields of the next snapshot or update: these parts as they are now."""
        shown = {part: getattr(self._views, part)() for part in parts}
        self._seq += 1
        return {"seq": self._seq, "at": self._clock(), **shown}

    async def _send(self, message: Message) -> None:
        await self._write(codec.encode(message))

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():  # event loops differ in what a write does then
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()


def _misfit(call: Unfit) -> Error:
    return Error(id=call.id, code="bad_message", message=call.message, field=call.field)
