"""A connection to the daemon: handshake, calls, the live state; and `Link`, which connects again when lost.

Reading and writing of single messages is in `codec`, opening the socket in `reach`.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from budgetwire.codec import Unfit, encode, for_client
from budgetwire.errors import CallError, Malformed, Unreachable, VersionMismatch, WireError
from budgetwire.messages import (
    VERSION,
    Call,
    Error,
    FromDaemon,
    Hello,
    Message,
    Reply,
    SendTest,
    Snapshot,
    Subscribe,
    Update,
    Welcome,
    merge,
)
from budgetwire.reach import reach
from budgetwire.versions import disagreement

ANSWER_SECONDS = 10.0
"""How long the daemon has for the handshake, and for most calls."""
SLOW_SECONDS = 150.0
"""How long it has for a call that waits for somebody else: a channel may take two minutes."""
MAX_RETRY_SECONDS = 2.0
"""The longest pause between two attempts of a `Link`."""

_READ_BYTES = 64 * 1024


class Client:
    """One connection to the daemon; made by `connect`, and of no use any more once it is lost."""

    welcome: Welcome
    """What the daemon said of itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._state: Snapshot | None = None
        self._news = asyncio.Event()
        self._lost: Callable[[], WireError] | None = None
        self._welcomed: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(reader), name="budgetwire: read")

    @classmethod
    async def connect(cls, path: Path, name: str) -> "Client":
        """Connect to the daemon at a socket; ``name`` (at most 100 characters) says who, for its audit log.

        Raises:
            Unreachable: there is no daemon of this user.
            VersionMismatch: it speaks another major version.
        """
        client = cls(*await reach(path))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await client._send(Hello(version=VERSION, name=name))
                client.welcome = await asyncio.shield(client._welcomed)
        except TimeoutError:
            await client.close()
            raise Unreachable(f"budgetd at {path} does not answer.") from None
        except BaseException:
            await client.close()
            raise
        return client

    async def call(self, make: Callable[[int], Call]) -> dict[str, Any]:
        """Make a call of the id that is passed in, and return its result.

        Raises:
            CallError: the daemon refused it.
            Unreachable: the connection is lost, or no answer comes in time. The call may have been done.
        """
        if self._lost:
            raise self._lost()
        self._last_id += 1
        call_id = self._last_id
        answer = self._calls[call_id] = asyncio.get_running_loop().create_future()
        call = make(call_id)
        patience = SLOW_SECONDS if isinstance(call, SendTest) else ANSWER_SECONDS
        try:
            async with asyncio.timeout(patience):
                await self._send(call)
                return await answer
        except TimeoutError:
            raise Unreachable(f"budgetd did not answer within {patience:.0f} seconds.") from None
        finally:
            del self._calls[call_id]

    async def subscribe(self) -> AsyncGenerator[Snapshot]:
        """Return the whole state as it goes: now, and after each change. Once for a connection.

        Who reads slowly skips states, never the last. Reading raises Unreachable when the connection is lost.
        """
        await self.call(lambda call_id: Subscribe(id=call_id))
        return self._states()

    async def close(self) -> None:
        """Close the connection; calls that wait for an answer raise Unreachable."""
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._lose(Unreachable, "The connection to budgetd was closed.")
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _states(self) -> AsyncGenerator[Snapshot]:
        while True:
            await self._news.wait()
            if self._lost:
                raise self._lost()
            self._news.clear()
            if self._state:
                yield self._state

    async def _send(self, message: Message) -> None:
        try:
            if self._writer.is_closing():  # event loops differ in what a write does then
                raise ConnectionResetError
            self._writer.write(encode(message))
            await self._writer.drain()
        except OSError:
            # The reader sees the end too, and knows more: the daemon may have said why.
            await asyncio.wait([self._reading])
            raise (self._lost or partial(Unreachable, "budgetd closed the connection."))() from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = for_client()
        try:
            while data := await reader.read(_READ_BYTES):
                for message in decoder.feed(data):
                    self._take(message)
            reason = "budgetd closed the connection."
        except Malformed as error:
            reason = f"budgetd sent what this program does not understand. {error}"
        except OSError as error:
            reason = f"The connection to budgetd broke: {error.strerror or error}."
        self._lose(Unreachable, reason)

    def _take(self, message: FromDaemon | Unfit) -> None:
        match message:
            case Welcome():
                self._greet(message)
            case Reply():
                if (answer := self._calls.get(message.id)) and not answer.done():
                    answer.set_result(message.result)
            case Error():
                self._refuse(message)
            case Snapshot():
                self._show(message)
            case Update():
                if self._state:
                    self._show(merge(self._state, message))
            case Unfit():
                raise Malformed(message.message)

    def _greet(self, welcome: Welcome) -> None:
        if reason := disagreement(daemon=welcome.version, client=VERSION):
            self._lose(VersionMismatch, reason)
        elif not self._welcomed.done():
            self._welcomed.set_result(welcome)

    def _refuse(self, error: Error) -> None:
        if error.id is None:
            self._lose(VersionMismatch if error.code == "version" else Unreachable, error.message)
        elif (answer := self._calls.get(error.id)) and not answer.done():
            answer.set_exception(CallError(error.code, error.message, error.field))

    def _show(self, state: Snapshot) -> None:
        self._state = state
        self._news.set()

    def _lose(self, kind: type[WireError], reason: str) -> None:
        """Keep the first reason why the connection is of no use any more, and tell it to all who wait."""
        if self._lost:
            return
        self._lost = partial(kind, reason)
        self._writer.transport.abort()
        self._news.set()
        for answer in (self._welcomed, *self._calls.values()):
            if not answer.done():
                answer.set_exception(self._lost())
                answer.exception()  # marks it as seen, for whom it was meant may have failed in sending


@dataclass(frozen=True, slots=True)
class Connected:
    """The daemon is there; a `State` follows."""

    welcome: Welcome


@dataclass(frozen=True, slots=True)
class State:
    """The whole state as it is now."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no daemon, for this reason; the next attempt is made in so many seconds."""

    reason: str
    retry_in: float


Event: TypeAlias = Connected | State | Lost


class Link:
    """The daemon as a dashboard sees it: there, gone, and back again."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._client: Client | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """Connect, tell what happens, and connect again when it was lost; without end.

        Raises:
            VersionMismatch: trying again would not help.
        """
        failures = 0
        while True:
            try:
                async with contextlib.aclosing(self._connection()) as connection:
                    async for event in connection:
                        failures = 0 if isinstance(event, State) else failures
                        yield event
            except (Unreachable, CallError) as error:
                retry_in = _pause(failures)
                failures += 1
                yield Lost(str(error), retry_in)
                await asyncio.sleep(retry_in)

    async def call(self, make: Callable[[int], Call]) -> dict[str, Any]:
        """Make a call on the present connection; as `Client.call`. Raises Unreachable while there is none."""
        if not self._client:
            raise Unreachable("There is no connection to budgetd at the moment.")
        return await self._client.call(make)

    async def _connection(self) -> AsyncGenerator[Event]:
        client = self._client = await Client.connect(self._path, self._name)
        try:
            yield Connected(client.welcome)
            async for snapshot in await client.subscribe():
                yield State(snapshot)
        finally:
            self._client = None
            await client.close()


def _pause(failures: int) -> float:
    longest = min(MAX_RETRY_SECONDS, 0.1 * 2 ** min(failures, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients, guards nothing
