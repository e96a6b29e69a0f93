"""The turns of one WebSocket session: each is admitted, metered and settled like a request of its own."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from budgetd.metering import Api, Meter
from budgetd.metering.live import Live, Turn
from budgetd.proxy.admission import admit, caller
from budgetd.proxy.incoming import Incoming
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Outcome, Ticket, Till, Turned

SWITCHED = 101
"""The status of a turn: that of its session's handshake."""

NOT_REPLACED = "The model of a session cannot be replaced by {}."


class _Open(msgspec.Struct, eq=False):
    """A turn that is let through and not settled."""

    ticket: Ticket
    since: float
    """By the monotonic clock."""


class Turns:
    """What a session asks for, and what comes of it."""

    def __init__(self, till: Till, request: Incoming, route: Route, live: Live, request_id: str) -> None:
        """
        Args:
            till: who admits.
            request: the handshake.
            route: where the session goes.
            live: reads the session's messages.
            request_id: the provider's id of the session, from its handshake.
        """
        self._till = till
        self._request = request
        self._route = route
        self._live = live
        self._request_id = request_id
        self._open: dict[Turn[Any], _Open] = {}
        self.kill: Callable[[], None] | None = None
        """Cuts the session."""

    @property
    def api(self) -> Api | None:
        """What the session speaks."""
        return self._route.api

    def __len__(self) -> int:
        return len(self._open)

    def sent(self, message: bytes) -> Turn[Any] | None:
        """Take a message that the client wants to send; the turn that must be admitted before it is."""
        return self._live.sent(message)

    async def admit(self, turn: Turn[Any]) -> Turned | None:
        """Let a turn through, or say why not."""
        admitted = await admit(self._till, self._candidate(turn))
        if isinstance(admitted, Turned):
            return admitted
        if admitted.model:
            self._till.settle(admitted, "failed")
            return Turned(NOT_REPLACED.format(admitted.model))
        self._take(turn, admitted)
        self._live.let_through(turn)
        return None

    def received(self, message: bytes) -> str:
        """Take a message of the provider's. Why the session must be cut, if it must be."""
        why = ""
        for turn in self._live.received(message):
            opened = self._open.get(turn)
            if opened is None:  # begun by the provider itself
                opened = self._take(turn, self._till.count(self._candidate(turn)))
                why = opened.ticket.refused or why
            ticket = opened.ticket
            ticket.response_bytes += len(message)
            if ticket.ttft_seconds is None and turn.began:
                ticket.ttft_seconds = time.monotonic() - opened.since
                ticket.phase = "answering"
            if turn.ended:
                self._settle(turn, _outcome(turn, ticket))
        return why

    def end(self, outcome: Outcome) -> None:
        """Settle what is open: the session is over. Input that might have been answered, and was not, is
        taken to cost nothing.
        """
        for turn in list(self._open):
            self._settle(turn, outcome if turn.asked or turn.began else "failed")

    def _candidate(self, turn: Turn[Any]) -> Candidate:
        route, request = self._route, self._request
        return Candidate(
            route=route,
            who=caller(request, route, turn.ask),
            ask=turn.ask,
            method=request.method,
            request_bytes=turn.sent_bytes,
        )

    def _take(self, turn: Turn[Any], ticket: Ticket) -> _Open:
        ticket.status = SWITCHED
        ticket.meter = Meter(turn.reader, "")
        ticket.kill = self.kill
        ticket.provider_request_id = self._request_id
        self._open[turn] = opened = _Open(ticket, time.monotonic())
        return opened

    def _settle(self, turn: Turn[Any], outcome: Outcome) -> None:
        opened = self._open.pop(turn)
        opened.ticket.kill = None
        opened.ticket.duration_seconds = time.monotonic() - opened.since
        self._till.settle(opened.ticket, outcome)


def _outcome(turn: Turn[Any], ticket: Ticket) -> Outcome:
    """What became of a turn that is over. One that failed before anything was generated is not billed."""
    if not turn.failed:
        return "ok"
    reading = turn.reader.reading()
    if reading.usage is None and not reading.output_bytes:
        ticket.status = 400
    return "error"
