"""A WebSocket handshake on its way: to the upstream as it came, and its answer back as it comes."""

import asyncio
from collections.abc import Callable

from budgetd.errors import BudgetdError
from budgetd.metering.frames import agreed
from budgetd.metering.live import live
from budgetd.proxy.incoming import Incoming
from budgetd.proxy.relay import REQUEST_ID_HEADERS
from budgetd.proxy.repair import MalformedError, head_end, repair_head
from budgetd.proxy.response import MAX_HEAD
from budgetd.proxy.routes import Route
from budgetd.proxy.session import Session
from budgetd.proxy.till import Till
from budgetd.proxy.turns import Turns

HANDSHAKE_SECONDS = 30.0
"""How long an upstream may take to answer a handshake."""


class HandshakeError(BudgetdError):
    """A handshake came to nothing; the message says how, of the upstream."""


class Handshake(asyncio.Protocol):
    """Waits for the answer to a handshake and hands the connection on, before another byte is read: to a
    session if the upstream accepts, else to whoever relays its answer.
    """

    def __init__(
        self,
        request: Incoming,
        route: Route,
        till: Till,
        upstream: asyncio.Transport,
        declined: Callable[[], asyncio.Protocol],
    ) -> None:
        """
        Args:
            request: the handshake.
            route: where it goes.
            till: who admits the session's turns.
            upstream: the connection that it is sent on.
            declined: called with any answer but the wanted one; takes the connection, and the answer from it.
        """
        self._request = request
        self._route = route
        self._till = till
        self._upstream = upstream
        self._declined = declined
        self._got = b""
        self._answer: asyncio.Future[Session | None] = asyncio.get_running_loop().create_future()
        upstream.set_protocol(self)

    async def answered(self) -> Session | None:
        """The session, or None if it was declined. Raises HandshakeError."""
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                return await self._answer
        except TimeoutError:
            self._upstream.abort()
            raise HandshakeError(f"it has not answered for {HANDSHAKE_SECONDS:.0f} seconds") from None
        except BaseException:
            self._upstream.abort()
            raise

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._got += data
        end = head_end(self._got)
        if self._answer.done():
            return
        if not end:
            if len(self._got) > MAX_HEAD:
                self._fail(f"the head of its answer is longer than {MAX_HEAD >> 10} KiB")
            return
        session, protocol = None, None
        if self._got.split(b" ", 2)[1:2] == [b"101"]:
            first = self._got[end:]
            try:
                session = self._accept(repair_head(self._got[:end])[0])
            except MalformedError as error:
                self._fail(f"its answer is not valid HTTP ({error})")
                return
            except ValueError as error:
                self._fail(f"it agreed on the WebSocket extension {error}, which budgetd cannot read")
                return
            protocol = Upstream(session, self._upstream)
        else:
            protocol, first = self._declined(), self._got
        self._upstream.set_protocol(protocol)
        if first:
            protocol.data_received(first)
        self._answer.set_result(session)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        del exc
        self._fail("the connection broke off before it answered")

    def _accept(self, head: bytes) -> Session:
        """Tell the client, and go on with both sides' frames. Raises ValueError with an unknown extension."""
        fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        seen = {name.strip().lower(): value.strip().decode("latin-1") for name, _, value in fields}
        extensions = [v for name, _, v in fields if name.strip().lower() == b"sec-websocket-extensions"]
        deflate = agreed(b",".join(extensions).decode("latin-1"))
        request_id = next((seen[name] for name in REQUEST_ID_HEADERS if name in seen), "")[:200]
        request, route = self._request, self._route
        assert route.api is not None
        assert request.tap is not None
        turns = Turns(self._till, request, route, live(route.api, route.target), request_id)
        session = Session(request, self._upstream, turns, deflate)
        request.transport.write(head)
        request.tap(session)
        return session

    def _fail(self, problem: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(HandshakeError(problem))


class Upstream(asyncio.Protocol):
    """The upstream's side of a session."""

    def __init__(self, session: Session, transport: asyncio.Transport) -> None:
        self._session = session
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._session.from_upstream(data)

    def eof_received(self) -> bool:
        """See asyncio. With TLS a connection cannot be half open."""
        half = self._transport.can_write_eof()
        self._session.upstream_ended(half=half)
        return half

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        del exc
        self._session.upstream_ended(half=False)

    def pause_writing(self) -> None:
        """See asyncio."""
        self._session.upstream_full(full=True)

    def resume_writing(self) -> None:
        """See asyncio."""
        self._session.upstream_full(full=False)
