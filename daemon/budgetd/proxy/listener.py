"""HTTP in: aiohttp's parser on the loopback, and who may speak to us at all.

aiohttp faces the untrusted bytes; its request and response objects are left out, for they cost more than the
rest of the proxy and change what they touch (FACTS 14). The names used here that aiohttp calls private are
watched by a test; its minor version is pinned.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from budgetd.errors import StartError
from budgetd.proxy.forward import Forwarder, Incoming
from budgetd.proxy.headers import index
from budgetd.proxy.refusal import failure

log = logging.getLogger(__name__)

MAX_LINE = 65536
"""Bytes of a request line or a header."""

HEALTH = b'{"status":"ok"}'


class Listener:
    """The proxy's door."""

    def __init__(self, forwarder: Forwarder) -> None:
        """Nothing is opened until `start`."""
        self._forwarder = forwarder
        self._servers: list[asyncio.Server] = []
        self._web: web.Server | None = None
        self._hosts: frozenset[bytes] = frozenset()
        self.address = ""
        """``host:port`` as it is listened on."""

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any that is free. Raises StartError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._web = web.Server(
            self._handle,  # pyright: ignore[reportArgumentType]
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=512,
        )
        try:
            server = await loop.create_server(self._web, host, port, backlog=1024)
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port}: {error.strerror or error}."
                " If another program uses the port, set [proxy] listen in config.toml to another."
            ) from None
        self._servers = [server]
        bound: int = server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{bound}"
        self._hosts = frozenset(
            name + suffix
            for name in (b"127.0.0.1", b"localhost", b"[::1]", shown.lower().encode())
            for suffix in ((b":%d" % bound,) if bound != 80 else (b":80", b""))
        )

    async def stop(self, grace_seconds: float) -> None:
        """Take no more requests, let those in flight end (for so long), close."""
        for server in self._servers:
            server.close()
        if self._web is not None:
            self._web.pre_shutdown()
        await self._forwarder.stop(grace_seconds)
        if self._web is not None:
            await self._web.shutdown(1.0)

    async def _handle(self, request: web.BaseRequest) -> "_Done":
        message: RawRequestMessage = request._message  # pyright: ignore[reportPrivateUsage]
        protocol = request.protocol
        transport = protocol.transport
        if transport is None:
            return _Done(keep=False)
        payload: StreamReader = request.content
        seen = index(message.raw_headers)
        if problem := self._stranger(message.path, seen):
            transport.write(failure(403, None, problem, retry=False, close=True))
            return _Done(keep=False)
        if message.path.startswith("/-/"):
            return _Done(keep=_own(message.path, transport) and payload is EMPTY_PAYLOAD)
        incoming = Incoming(
            method=message.method,
            target=message.path,
            http10=message.version < (1, 1),
            headers=message.raw_headers,
            seen=seen,
            chunked=message.chunked,
            body=None if payload is EMPTY_PAYLOAD else _pieces(payload),
            transport=transport,
            drain=protocol._drain_helper,  # pyright: ignore[reportPrivateUsage]
        )
        keep = await self._forwarder.handle(incoming)
        return _Done(keep=keep and not message.should_close)

    def _stranger(self, target: str, seen: dict[bytes, bytes]) -> str | None:
        """Why a request is not from a program of this machine's user; None if it may be (FACTS 10)."""
        if seen.get(b"host", b"").lower() not in self._hosts:
            return f"The Host header must name {self.address}: budgetd serves programs on this machine only."
        if b"origin" in seen or seen.get(b"sec-fetch-site") == b"cross-site":
            return "budgetd does not serve web pages (the request has an Origin header)."
        if not target.startswith("/"):
            return "budgetd is not a general proxy: set it as a base URL, not as HTTP_PROXY."
        return None


class _Done:
    """Stands where aiohttp expects a response: it has been written already."""

    __slots__ = ("keep_alive",)

    def __init__(self, *, keep: bool) -> None:
        self.keep_alive = keep

    async def prepare(self, request: Any) -> None:
        """Nothing is left to do."""

    async def write_eof(self) -> None:
        """Nothing is left to do."""


async def _pieces(payload: StreamReader) -> AsyncIterator[bytes]:
    while not payload.at_eof():
        piece = await payload.readany()
        if piece:
            yield piece


def _own(path: str, transport: asyncio.Transport) -> bool:
    """The daemon's own few paths."""
    if path != "/-/health":
        transport.write(failure(404, None, "budgetd has only /-/health here.", retry=False))
        return True
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(HEALTH)
    transport.write(head + HEALTH)
    return True
