"""A request as the listener hands it to the forwarder: nothing of aiohttp's but what is needed of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from budgetd.proxy.body_room import Place
from budgetd.proxy.headers import RawHeaders
from budgetd.proxy.refusal import fit


class Body(Protocol):
    """A body on its way in, framing removed."""

    def at_eof(self) -> bool:
        """Whether all of it has been read."""
        ...

    async def readany(self) -> bytes:
        """What is there, or what comes next; empty at the end."""
        ...


class Tap(Protocol):
    """Who takes what a client sends after a change of protocol."""

    def data(self, data: bytes) -> None:
        """Take bytes as they came."""
        ...

    def ended(self) -> bool:
        """The client sends no more; whether its connection stays open for what it is sent."""
        ...


class Incoming(msgspec.Struct, eq=False):
    """A request as the listener took it."""

    method: str
    target: str
    http10: bool
    headers: RawHeaders
    seen: dict[bytes, bytes]
    """The headers by lower-case name."""
    chunked: bool
    body: Body | None
    """None where there is none."""
    transport: asyncio.Transport
    drain: Callable[[], Awaitable[None]]
    """Waits until the client has taken most of what was written."""
    tap: Callable[[Tap], None] | None = None
    """Gives away all that the client sends after this request; None where it asks for no other protocol."""
    place: Place = msgspec.field(default_factory=Place)
    """What a long body has of the room for such."""

    @property
    def length(self) -> int | None:
        """How long its body is, by what it declares; None if it does not say."""
        declared = self.seen.get(b"content-length", b"")
        return int(declared) if declared.isdigit() else None

    def answer(self, response: bytes) -> None:
        """Answer in our own name."""
        self.transport.write(fit(response, self.method))
