"""One response on its way to the client: bytes first, then a copy to the meter.

The response goes out as it was read. Only a client that speaks HTTP/1.0 gets it re-framed, since it could not
read a chunked body; the body's bytes are the same.
"""

import asyncio
import time
from collections.abc import Callable

from budgetd.metering import Api, Meter, meter
from budgetd.metering.gateway import GAVE_UP, error_meter
from budgetd.metering.overage import read_overage
from budgetd.proxy.connection import Connection
from budgetd.proxy.response import Head
from budgetd.proxy.till import Outcome, Ticket

CODED_SLICE = 1024
"""Bytes of a compressed response that are taken at once: what they are when they are not may be much more."""

REQUEST_ID_HEADERS = (b"request-id", b"x-request-id", b"x-goog-request-id", b"cf-ray")
"""Where providers write their own id of an exchange."""

SLOW = 262_144
"""Bytes that a client has not taken, past which its upstream is read no further."""


class Relay:
    """Takes a response from a connection and gives it to a client's transport. A `Receiver`."""

    def __init__(
        self,
        client: asyncio.Transport | None,
        connection: Connection,
        ticket: Ticket | None,
        *,
        api: Api | None,
        reframe: bool,
        ended: Callable[["Relay"], None],
    ) -> None:
        """
        Args:
            client: where the response goes.
            connection: where it comes from.
            ticket: what is settled; None for what costs nothing.
            api: what is metered; None where nothing is.
            reframe: the client speaks HTTP/1.0.
            ended: called once, when the response is over, whatever became of the client.
        """
        self.connection = connection
        self.ticket = ticket
        self.meter: Meter | None = None
        self.problem: str | None = None
        self.started = False
        """Bytes have gone to the client."""
        self.reusable = False
        """The client's connection can carry another exchange."""
        self.done = False
        self.client_left = False
        self.silent = False
        """The upstream was given up on."""
        self.killed = False
        self.changed = asyncio.get_running_loop().create_future()
        """Done when the response is over, or when the client is slow and must be waited for."""
        self._client = client
        self._api: Api | None = api
        self._reframe = reframe
        self._ended = ended
        self._sent_at = self.active_at = time.monotonic()
        self._head: Head | None = None
        self._http10_head = b""

    def wake(self) -> None:
        """Let the handler look at how things stand."""
        if not self.changed.done():
            self.changed.set_result(None)

    def leave(self) -> None:
        """The client has gone; what still comes is only metered."""
        self.client_left = True
        self._client = None
        if self.ticket is not None:
            self.ticket.phase = "draining"
        self.connection.left = True
        self.connection.resume()

    def give_up(self) -> None:
        """Wait no longer for the rest of a response whose client has gone."""
        if not self.done:
            self.connection.abort()

    def kill(self) -> None:
        """Cut the upstream, which ends the response; nothing more goes to the client."""
        self.killed = True
        self._client = None
        self.connection.abort()

    # Receiver

    def head(self, head: Head) -> None:
        """See `Receiver`."""
        self._head = head
        ticket = self.ticket
        kind, coding = head.get(b"content-type"), head.get(b"content-encoding")
        if self._api is not None and head.status < 400:
            if coding:
                self.connection.slice = CODED_SLICE
            self.meter = meter(self._api, kind, coding, head.get)
        elif ticket is not None and head.status in GAVE_UP:
            route = ticket.candidate.route
            self.meter = error_meter(route.api, route.upstream.dialect, kind, coding, head.get)
        if ticket is not None:
            ticket.status = head.status
            ticket.phase = "draining" if self.client_left else "answering"
            ticket.provider_request_id = _request_id(head)
            ticket.meter = self.meter
            if ticket.candidate.on_plan:
                ticket.overage = read_overage(head.status, head.get, head.headers)
        if self._reframe:
            self._http10_head = _http10_head(head)

    def data(self, raw: bytes, body: bytes) -> None:
        """See `Receiver`."""
        client = self._client
        if self._reframe:
            raw = self._reframed(body)
        if raw and client is not None and not client.is_closing():
            self.started = True
            client.write(raw)
            if client.get_write_buffer_size() > SLOW:
                self.connection.pause()
                self.wake()
        self.active_at = time.monotonic()
        if not body:
            return
        if self.meter is not None:
            self.meter.feed(body)
        ticket = self.ticket
        if ticket is None:
            return
        if ticket.ttft_seconds is None:
            ticket.ttft_seconds = self.active_at - self._sent_at
        ticket.response_bytes += len(body)

    def ended(self, problem: str | None, *, reusable: bool) -> None:
        """See `Receiver`."""
        self.problem = problem
        self.reusable = reusable and not self._reframe
        self.done = True
        if self.ticket is not None:
            self.ticket.duration_seconds = time.monotonic() - self._sent_at
        self._ended(self)
        self.wake()

    @property
    def outcome(self) -> Outcome:
        """What became of the request."""
        if self.killed:
            return "killed"
        if self.client_left:
            return "aborted"
        if self.problem is not None:
            return "broken"
        return "ok" if self._head is not None and self._head.status < 400 else "error"

    @property
    def fault(self) -> str:
        """What the upstream did wrong, like "answers 503"; empty where it was cut from here, or did well."""
        if self.killed or (self.client_left and self.problem is not None):
            return ""
        if self.silent:
            return "falls silent"
        if self.problem is not None:
            return f"does not answer properly: {self.problem}"
        status = 0 if self._head is None else self._head.status
        return f"answers {status}" if status >= 500 else ""

    @property
    def looks_whole(self) -> bool:
        """The client cannot tell a response that broke off from a complete one by its framing."""
        return self._head is not None and (self._reframe or not self._head.framed)

    def _reframed(self, body: bytes) -> bytes:
        """The same for a client of HTTP/1.0."""
        head, self._http10_head = self._http10_head, b""
        return head + body


def _request_id(head: Head) -> str:
    for name in REQUEST_ID_HEADERS:
        if value := head.get(name):
            return value[:200]
    return ""


def _http10_head(head: Head) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (head.status, head.reason)]
    for name, value in head.headers:
        if name.lower() not in {b"transfer-encoding", b"connection", b"keep-alive"}:
            lines.append(name + b": " + value)
    lines.append(b"Connection: close\r\n\r\n")
    return b"\r\n".join(lines)
