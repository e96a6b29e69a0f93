"""The life of a request (DESIGN 2): route, read, admit, send, relay, settle. The hot path.

Nothing here is ever sent twice, nothing is added to what is forwarded, and an admitted request is settled
whatever becomes of either side.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from budgetd.config import Config, Upstream
from budgetd.metering import peek, peek_beginning
from budgetd.metering.repeats import messages_digest
from budgetd.metering.rewrite import can_replace, replace_in_target, replace_model
from budgetd.proxy import wording
from budgetd.proxy.admission import admit, caller
from budgetd.proxy.body_room import SHORT, BodyRoom
from budgetd.proxy.connection import Connection
from budgetd.proxy.headers import resized, upstream_head
from budgetd.proxy.incoming import Body, Incoming
from budgetd.proxy.pool import ConnectError, Pool
from budgetd.proxy.relay import Relay
from budgetd.proxy.routes import Route, find_route, wants_socket
from budgetd.proxy.session import Session
from budgetd.proxy.till import Candidate, Ticket, Till, Turned
from budgetd.proxy.websocket import Handshake, HandshakeError

CUT_SECONDS = 5.0
"""How long connections that were cut may take to end."""


class Forwarder:
    """Forwards requests to the upstreams of a configuration."""

    def __init__(self, config: Config, till: Till, pool: Pool) -> None:
        """The configuration can be replaced at any time; requests in flight keep what they have."""
        self.config = config
        self._till = till
        self._pool = pool
        self._active: set[Relay] = set()
        self._sessions: set[Session] = set()
        self._hosts: dict[str, bytes] = {}
        self._room = BodyRoom()
        self._handling = 0
        """Requests from their admission to the end of their response, or until their client left."""
        self._stopping = False
        """New requests are refused."""
        self._cut = False
        """Those that run are not waited for any more."""
        self._progress = asyncio.Event()
        """Set when `stop` has to look again: nothing runs any more, or nothing is waited for."""

    async def handle(self, request: Incoming) -> bool:
        """Answer one request; whether its connection can carry another."""
        try:
            return await self._handle(request)
        finally:
            request.place.release()

    async def _handle(self, request: Incoming) -> bool:
        route = find_route(request.method, request.target, request.seen, self.config.upstreams)
        if route is None:
            close = request.body is not None
            request.answer(wording.no_route(request.target, self.config.upstreams, close=close))
            return not close
        if wants_socket(request.seen):
            return await self._upgrade(request, route)
        body, whole = await self._read(request)
        if self._stopping:
            request.answer(wording.stopping(route))
            return False
        self._handling += 1
        try:
            return await self._forward(request, route, body, whole)
        finally:
            self._handling -= 1
            self._check_empty()

    async def _forward(self, request: Incoming, route: Route, body: bytes, whole: bool) -> bool:
        """Admit a request that has been read, send it and relay the response."""
        ticket: Ticket | None = None
        if route.billable:
            admitted = await admit(self._till, self._candidate(request, route, body, whole))
            if isinstance(admitted, Turned):
                request.answer(wording.turned_away(route, admitted, close=not whole))
                return whole
            ticket = admitted
        relay = await self._dispatch(request, route, ticket, body, whole)
        if relay is None:
            return whole
        del body
        await self._accompany(request, relay, whole)
        return self._conclude(request, route, relay) and whole

    def check_silence(self) -> None:
        """Give up on upstreams that have said nothing for too long. To be called now and then."""
        oldest = time.monotonic() - wording.SILENCE_SECONDS
        for relay in list(self._active):
            if relay.active_at < oldest:
                relay.silent = True
                relay.connection.abort()

    async def stop(self, drain_seconds: float) -> None:
        """Refuse new requests and let those that run come to their end, also where the client has left, for
        so long or until `cut` is called; then cut them, which settles them.
        """
        self._stopping = True
        for session in list(self._sessions):
            session.retire()
        self._check_empty()
        await self._wait(lambda: not self._runs or self._cut, drain_seconds)
        self._cut = True
        for relay in list(self._active):
            relay.connection.abort()
        for session in list(self._sessions):
            session.stop()
        await self._wait(lambda: not self._active and not self._sessions, CUT_SECONDS)
        self._pool.close()

    def cut(self) -> None:
        """Wait no longer for what runs, now or once `stop` is called."""
        self._cut = True
        self._progress.set()

    async def _read(self, request: Incoming) -> tuple[bytes, bool]:
        """The body, or as much of it as may be held; whether that is all."""
        stream = request.body
        if stream is None:
            return b"", True
        if b"100-continue" in request.seen.get(b"expect", b"").lower() and not request.http10:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        pieces: list[bytes] = []
        size = 0
        while not stream.at_eof():
            piece = await stream.readany()
            pieces.append(piece)
            size += len(piece)
            if size > SHORT:
                return await self._read_long(request, stream, pieces)
        return b"".join(pieces), True

    async def _read_long(self, request: Incoming, stream: Body, pieces: list[bytes]) -> tuple[bytes, bool]:
        """The same of a body of which these pieces have come, once there is room for it."""
        most = self.config.max_body
        body = bytearray().join(pieces)  # in one place: many small ones would not be given back to the system
        pieces.clear()
        await self._room.give(request.place, min(request.length or most, most))
        while not stream.at_eof() and len(body) <= most:
            body += await stream.readany()
        request.place.keep(len(body))
        return bytes(body), len(body) <= most

    def _candidate(self, request: Incoming, route: Route, body: bytes, whole: bool) -> Candidate:
        size = len(body)
        replaceable = False
        api = route.api or "openai.chat"
        encoding = request.seen.get(b"content-encoding", b"").decode("latin-1")
        if not whole:
            size = max(size, request.length or 0)
            ask = peek_beginning(api, route.read_path, body, encoding, size)
        else:
            ask = peek(api, route.read_path, body, encoding)
            replaceable = can_replace(route.api, route.path, ask, encoding)
        who = caller(request, route, ask)
        return Candidate(
            route=route,
            who=who,
            ask=ask,
            method=request.method,
            request_bytes=size,
            replaceable=replaceable,
            messages=messages_digest(body) if self._till.refuses_repeats and not who.session else "",
        )

    async def _dispatch(
        self, request: Incoming, route: Route, ticket: Ticket | None, body: bytes, whole: bool
    ) -> Relay | None:
        """Send it; None where that could not be, and the client has been told. Whatever keeps it from being
        sent, it is settled.
        """
        relay: Relay | None = None
        try:
            if ticket is not None and ticket.model:
                changed = _downgraded(request, route, body, ticket.model) if whole else None
                if changed is None:
                    ticket.problem = "another model could not be put into it"
                    request.answer(wording.not_replaced(route, ticket.model, close=not whole))
                    return None
                route, body = changed
            connection = await self._connect(request, route, ticket)
            if connection is not None and self._cut:
                connection.abort()
                request.answer(wording.stopping(route))
            elif connection is not None:
                relay = self._send(request, route, connection, ticket, body, whole)
            return relay
        finally:
            if relay is None and ticket is not None:
                self._till.settle(ticket, "failed")

    async def _connect(
        self, request: Incoming, route: Route, ticket: Ticket | None = None
    ) -> Connection | None:
        """A connection to the upstream; None where there is none to be had, and the client has been told."""
        url = route.upstream.url
        connection = self._pool.take(url)
        if connection is not None:
            return connection
        try:
            return await self._pool.open(url)
        except ConnectError as error:
            if ticket is not None:
                ticket.problem = str(error)
            self._till.unanswered(route.upstream.name, f"cannot be reached: {error}", reached=False)
            request.answer(wording.not_reached(route, error))
            return None

    def _send(
        self,
        request: Incoming,
        route: Route,
        connection: Connection,
        ticket: Ticket | None,
        body: bytes,
        whole: bool,
    ) -> Relay:
        """Send the head and what is there of the body, as one."""
        relay = self._relay(request, route, connection, ticket)
        connection.sending = not whole
        host = self._host(route.upstream)
        head = upstream_head(request.method, route.target, host, request.headers, request.seen)
        parts = [head, *_chunked(body, last=whole)] if request.chunked else [head, body]
        connection.write(*parts)
        connection.when_written(request.place.release)
        if ticket is not None:
            ticket.kill = lambda: self._kill(request, route, relay, whole)
            if not ticket.candidate.who.session:  # after the bytes have gone, so that nobody waits for it
                ticket.messages = messages_digest(body)
        return relay

    def _relay(self, request: Incoming, route: Route, connection: Connection, ticket: Ticket | None) -> Relay:
        """Expect the response."""

        def ended(relay: Relay) -> None:
            self._active.discard(relay)
            self._check_empty()
            self._pool.put(route.upstream.url, connection)
            self._tell_how_it_did(route.upstream.name, relay)
            if ticket is not None:
                ticket.problem = relay.fault
                ticket.kill = None
                self._till.settle(ticket, relay.outcome)
            elif relay.meter is not None and relay.problem is None:
                self._till.report(route, relay.meter.finish())

        relay = Relay(
            request.transport, connection, ticket, api=route.api, reframe=request.http10, ended=ended
        )
        self._active.add(relay)
        connection.begin(relay, bodiless=request.method == "HEAD")
        return relay

    def _tell_how_it_did(self, upstream: str, relay: Relay) -> None:
        """What was cut here says nothing of the upstream."""
        if relay.fault:
            self._till.unanswered(upstream, relay.fault, reached=True)
        elif relay.problem is None:
            self._till.answered(upstream)

    async def _upgrade(self, request: Incoming, route: Route) -> bool:
        """Let a WebSocket session through, to its end. Nothing can follow it on its connection."""
        if route.api is None or request.tap is None:
            request.answer(wording.no_websocket(route))
            return False
        if self._stopping:
            request.answer(wording.stopping(route))
            return False
        connection = await self._connect(request, route)
        if connection is None or connection.transport is None:
            return False
        relays: list[Relay] = []

        def declined() -> Connection:
            free = msgspec.structs.replace(route, api=None)
            relays.append(self._relay(request, free, connection, None))
            return connection

        handshake = Handshake(request, route, self._till, connection.transport, declined)
        host = self._host(route.upstream)
        head = upstream_head(request.method, route.target, host, request.headers, request.seen, upgrade=True)
        connection.write(head)
        try:
            session = await handshake.answered()
        except HandshakeError as error:
            what = f"does not accept a WebSocket session: {error}"
            self._till.unanswered(route.upstream.name, what, reached=True)
            request.answer(wording.websocket_declined(route, error))
            return False
        if session is not None:
            self._till.answered(route.upstream.name)
            await self._attend(session)
        for relay in relays:
            await self._accompany(request, relay, True)
            self._conclude(request, route, relay)
        return False

    async def _attend(self, session: Session) -> None:
        """Stay with a session to its end."""
        self._sessions.add(session)
        if self._stopping:
            session.retire()
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self._check_empty()

    def _kill(self, request: Incoming, route: Route, relay: Relay, whole: bool) -> None:
        """Cut both sides: a client that has got nothing yet is told why, any other sees a break."""
        if relay.done or relay.killed:
            return
        relay.kill()
        if request.transport.is_closing():
            return
        if not relay.started:
            request.answer(wording.killed(route, close=not whole))
            return
        if relay.looks_whole:
            _close_with_reset(request.transport)
        request.transport.abort()

    async def _accompany(self, request: Incoming, relay: Relay, whole: bool) -> None:
        """Stay with a request until its response is over, at the pace of the slower side."""
        try:
            if not whole:
                await self._send_rest(request, relay)
            while not relay.done:
                await relay.changed
                if not relay.done:
                    relay.changed = asyncio.get_running_loop().create_future()
                    await request.drain()
                    relay.connection.resume()
        except BaseException:
            if not relay.done:
                relay.leave()
                wait = self.config.drain_seconds if whole else 0
                asyncio.get_running_loop().call_later(wait, relay.give_up)
            raise

    async def _send_rest(self, request: Incoming, relay: Relay) -> None:
        """Stream the part of a long body that was not held."""
        assert request.body is not None
        while not request.body.at_eof():
            piece = await request.body.readany()
            if relay.done:
                return
            relay.connection.write(*(_chunked(piece) if request.chunked else [piece]))
            await relay.connection.drain()
        if relay.done:
            return
        if request.chunked:
            relay.connection.write(b"0\r\n\r\n")
        relay.connection.sending = False

    def _conclude(self, request: Incoming, route: Route, relay: Relay) -> bool:
        """Where the upstream broke off: an error of ours if nothing was relayed yet, else the same break."""
        if relay.killed:
            return not relay.started
        if relay.problem is None:
            return relay.reusable
        if relay.started:
            if relay.looks_whole:
                _close_with_reset(request.transport)
            request.transport.close()
            return False
        if self._cut:
            request.answer(wording.stopped(route))
        else:
            request.answer(wording.not_answered(route, None if relay.silent else relay.problem))
        return True

    @property
    def _runs(self) -> bool:
        return bool(self._handling or self._active or self._sessions)

    def _check_empty(self) -> None:
        if self._stopping and not (self._active or self._sessions):
            self._progress.set()

    async def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is so, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not ready():
                    self._progress.clear()
                    await self._progress.wait()

    def _host(self, upstream: Upstream) -> bytes:
        host = self._hosts.get(upstream.url)
        if host is None:
            host = self._hosts[upstream.url] = urlsplit(upstream.url).netloc.encode()
        return host


def _downgraded(request: Incoming, route: Route, body: bytes, model: str) -> tuple[Route, bytes] | None:
    """Where the request goes and its body, with this model instead; None where it cannot be replaced."""
    if route.api == "gemini.generate":
        target = replace_in_target(route.target, model)
        return None if target is None else (msgspec.structs.replace(route, target=target), body)
    encoding = request.seen.get(b"content-encoding", b"").decode("latin-1")
    changed = replace_model(body, encoding, model)
    if changed is None:
        return None
    request.headers = resized(request.headers, len(changed))
    return route, changed


def _close_with_reset(transport: asyncio.Transport) -> None:
    """Let the connection's end, once it is closed, be an error to the other side."""
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _chunked(data: bytes, *, last: bool = False) -> list[bytes]:
    """A part of a chunked body, and its end after the last one. No data has no chunk: an empty one would be
    the end.
    """
    chunk = [b"%x\r\n" % len(data), data, b"\r\n"] if data else []
    return [*chunk, b"0\r\n\r\n"] if last else chunk
