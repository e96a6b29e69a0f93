"""HTTP in: aiohttp's server protocol on the loopback, and who may speak to us at all.

aiohttp reads, checks and queues the requests, for it faces the untrusted bytes. Its request and response
objects, and its task a request, are left out: they cost more than the rest of the proxy and change what they
touch (FACTS 14). A test watches the names used here that aiohttp calls private; its minor version is pinned.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from budgetd.errors import LedgerError, StartError
from budgetd.proxy.forward import Forwarder
from budgetd.proxy.headers import index
from budgetd.proxy.incoming import Incoming, Tap
from budgetd.proxy.refusal import failure, fit

# pyright: reportPrivateUsage=false

log = logging.getLogger(__name__)

MAX_LINE = 65536
"""Bytes of a request line or a header."""

MOST_LENGTH = 1 << 40
"""Bytes of a body past which its Content-Length is not believed."""
MOST_LENGTH_DIGITS = 64
"""Leading zeros are allowed; past so many digits the number is not even read."""

LINGER_SECONDS = 10.0
"""How long a client may go on sending a body that is not wanted."""

NOT_FORWARDED = frozenset(("CONNECT", "TRACE"))
"""Methods that no provider needs: one asks for a tunnel, the other for its own request back, key and all."""

Receipt: TypeAlias = Callable[[str], bytes | None]
"""What the request of an id cost, as JSON; None if there is none. Raises LedgerError."""

HEALTH = b'{"status":"ok"}'


class Listener:
    """The proxy's door."""

    def __init__(self, forwarder: Forwarder, receipt: Receipt) -> None:
        """Nothing is opened until `start`. ``receipt`` finds what a request cost, for `/-/cost/ID`."""
        self._forwarder = forwarder
        self._receipt = receipt
        self._server: asyncio.Server | None = None
        self._clients: web.Server | None = None
        self._names: frozenset[bytes] = frozenset()
        """What a request may call this machine."""
        self.address = ""
        """``host:port`` as it is listened on."""

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any that is free. Raises StartError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._clients = web.Server(_unused, handler_cancellation=True)
        try:
            self._server = await loop.create_server(self._client, host, port, backlog=1024)
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port}: {error.strerror or error}."
                " If another program uses the port, set [proxy] listen in config.toml to another."
            ) from None
        bound: int = self._server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{bound}"
        self._names = frozenset((b"127.0.0.1", b"localhost", b"[::1]", shown.lower().encode()))

    async def stop(self, drain_seconds: float) -> None:
        """Take no more connections, let requests in flight end as `Forwarder.stop` does, close."""
        if self._server is None or self._clients is None:
            return
        self._server.close()
        self._clients.pre_shutdown()
        try:
            await self._forwarder.stop(drain_seconds)
        finally:
            await self._clients.shutdown(1.0)

    async def serve(self, client: "_Client", message: RawRequestMessage, payload: StreamReader) -> bool:
        """Answer one request; whether the connection can carry another."""
        transport = client.transport
        if transport is None:
            return False
        seen = index(message.raw_headers)
        if problem := self._stranger(message.path, seen):
            transport.write(fit(failure(403, None, problem, retry=False, close=True), message.method))
            return False
        if rejected := _bad_length(seen.get(b"content-length", b"0")):
            transport.write(fit(rejected, message.method))
            return False
        if message.method in NOT_FORWARDED:
            problem = f"budgetd does not forward {message.method} requests."
            transport.write(failure(405, None, problem, retry=False, close=True))
            return False
        if message.path.startswith("/-/"):
            transport.write(fit(self._own(message.path), message.method))
            return payload is EMPTY_PAYLOAD and not message.should_close
        incoming = Incoming(
            method=message.method,
            target=message.path,
            http10=message.version < (1, 1),
            headers=message.raw_headers,
            seen=seen,
            chunked=message.chunked,
            body=None if payload is EMPTY_PAYLOAD else payload,
            transport=transport,
            drain=client._drain_helper,
            tap=client.tap if client._upgraded else None,  # pyright: ignore[reportUnknownMemberType]
        )
        return await self._forwarder.handle(incoming) and not message.should_close

    def _own(self, target: str) -> bytes:
        """The daemon's own few paths."""
        path = unquote(target.partition("?")[0])
        if path == "/-/health":
            return _json(b"200 OK", HEALTH)
        id = path.removeprefix("/-/cost/")
        if id == path or not id:
            return failure(404, None, "budgetd has only /-/health and /-/cost/ID here.", retry=False)
        try:
            receipt = self._receipt(id)
        except LedgerError as error:
            return failure(503, None, f"What it cost cannot be told: {error}", retry=True)
        if receipt is None:
            return failure(404, None, f"No request of the id {id[:80]!r} is on record.", retry=False)
        return _json(b"200 OK", receipt)

    def _client(self) -> "_Client":
        assert self._clients is not None
        return _Client(
            self,
            self._clients,
            loop=asyncio.get_running_loop(),
            # A client of this machine that is gone has closed its socket: none needs to be timed out.
            keepalive_timeout=0,
            tcp_keepalive=False,
            auto_decompress=False,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=512,
            access_log=None,  # pyright: ignore[reportArgumentType]
        )

    def _stranger(self, target: str, seen: dict[bytes, bytes]) -> str | None:
        """Why a request is not from a program of this machine's user; None if it may be.

        A web page reaches this machine by a name of its own that leads here, so the name in Host is checked.
        Its port says nothing: a tunnel or a container has another than ours.
        """
        if _without_port(seen.get(b"host", b"").lower()) not in self._names:
            return (
                "The Host header must name this machine, as 127.0.0.1 or localhost with any port:"
                " budgetd serves programs on this machine only."
            )
        # Browsers say with every request where it comes from; programs that use fetch say its mode alone.
        if b"origin" in seen or seen.get(b"sec-fetch-site", b"none") != b"none":
            return "budgetd does not serve web pages (the request has an Origin or a Sec-Fetch-Site header)."
        if not target.startswith("/"):
            return "budgetd is not a general proxy: set it as a base URL, not as HTTP_PROXY."
        return None


class _Client(RequestHandler):
    """One client's connection. Its requests are answered one after another by one task."""

    __slots__ = ("_ending", "_listener", "_tap")

    def __init__(self, listener: Listener, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._listener = listener
        self._ending = False
        self._tap: Tap | None = None

    def tap(self, tap: Tap) -> None:
        """Give away what comes from here on, and first what has come already."""
        self._tap = tap
        self.set_parser(cast(Any, _Feed(tap)))

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """See asyncio."""
        return self._tap is not None and self._tap.ended()

    def close(self) -> None:
        """End once nothing more has been asked. aiohttp's own would also drop what still comes of a body, or
        of a session.
        """
        self._ending = True
        if self._waiter is not None:
            self._waiter.cancel()

    async def start(self) -> None:
        """Take requests from aiohttp's queue until the connection is to be closed."""
        try:
            while not self._force_close and await self._serve_next():
                pass
        except Exception:
            log.exception("a request could not be handled; its connection is closed")
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _serve_next(self) -> bool:
        if not self._messages:
            if self._ending:
                return False
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if not isinstance(message, RawRequestMessage):
            if self.transport is not None:
                problem = f"This is not a valid HTTP request: {message.message}"
                self.transport.write(failure(400, None, problem, retry=False, close=True))
            return False
        self._request_in_progress = True
        try:
            keep = await self._listener.serve(self, message, payload)
        finally:
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        if not payload.is_eof():
            await self._linger(payload)
            return False
        return keep and not self._upgraded  # pyright: ignore[reportUnknownMemberType]

    async def _linger(self, payload: StreamReader) -> None:
        """Take what still comes of a body. Closing a connection with bytes unread would cut it, and a client
        that is busy sending would not see its answer.
        """
        if self.transport is None or self.transport.is_closing():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not payload.at_eof():
                    await payload.readany()


class _Feed:
    """Stands where aiohttp's own WebSocket parser would."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes; there is no end that aiohttp needs to know of."""
        self._tap.data(data)
        return False, b""

    def feed_eof(self) -> None:
        """The connection is gone, which the handler's cancellation tells."""


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    """Never called: `_Client` answers in its stead."""
    raise AssertionError(request)


def _bad_length(declared: bytes) -> bytes | None:
    """The answer to a request whose Content-Length nobody can mean; None if it may be true. It is a number
    from outside that goes into sums and into the ledger.
    """
    if not declared.isdigit():  # which of bytes are only the ASCII ones
        return failure(400, None, "The Content-Length is not a number.", retry=False, close=True)
    if len(declared) > MOST_LENGTH_DIGITS or int(declared) > MOST_LENGTH:
        problem = f"The Content-Length is more than {MOST_LENGTH >> 40} TiB."
        return failure(413, None, problem, retry=False, close=True)
    return None


def _without_port(host: bytes) -> bytes:
    name, _, port = host.rpartition(b":")
    return name if port.isdigit() else host


def _json(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body
