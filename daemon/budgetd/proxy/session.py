"""A WebSocket session between its client and its upstream: the bytes of both directions pass as they are, and
a client's message that asks for a response waits until that is admitted.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

import msgspec

from budgetd.metering.frames import CLOSE, PING, PONG, Deflate, Piece, Splitter, close_frame, text_frame
from budgetd.metering.live import Turn
from budgetd.proxy.events import refusal_event
from budgetd.proxy.incoming import Incoming
from budgetd.proxy.till import Outcome, Turned
from budgetd.proxy.turns import Turns

SLOW = 262_144
"""Bytes that a client has not taken, past which its upstream is read no further."""

MOST_WAITING = 4 * 1024 * 1024
"""Bytes that wait for an admission, past which the client is read no further."""

FAREWELL_SECONDS = 2.0
"""How long the other side may take to end a session that is over on one side."""

GOING_AWAY, POLICY = 1001, 1008
"""Why a session is closed: the daemon stops; it may not go on."""

UNREADABLE = "budgetd can no longer read what the provider sends, so it could not be metered."
STOPPED = "budgetd was stopped."
KILLED = "This session was killed by its owner. What it used until then is counted."


class Sent(msgspec.Struct):
    """What is judged as one: a message with all that stands between its parts, or a control frame."""

    raw: list[bytes]
    message: bytes | None = None
    urgent: bool = False
    """A ping or a pong, which keeps the connection alive while others wait."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(map(len, self.raw))


class Session:
    """One session, from the end of its handshake. A `Tap`."""

    def __init__(
        self, request: Incoming, upstream: asyncio.Transport, turns: Turns, deflate: Deflate | None
    ) -> None:
        """
        Args:
            request: the handshake.
            upstream: where it was accepted.
            turns: what becomes of the session's turns.
            deflate: how messages are compressed, if they are.
        """
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when both sides can be let go of."""
        self._request = request
        self._client = request.transport
        self._upstream = upstream
        self._turns = turns
        turns.kill = self._kill
        compressed = deflate is not None
        self._from_client = Splitter(deflate=compressed, takeover=compressed and deflate.client_takeover)
        self._from_upstream = Splitter(deflate=compressed, takeover=compressed and deflate.server_takeover)
        self._incoming = Sent([])
        """What has come of a message that is not whole yet."""
        self._queue: deque[Sent] = deque()
        """What waits behind a message that asks for a turn."""
        self._waiting_bytes = 0
        self._admitting = False
        self._upstream_full = False
        self._held_back = False
        """The client is read no further."""
        self._notices: list[bytes] = []
        """Frames of ours that wait for the end of a message of the upstream's."""
        self._whole = self._between = True
        """What went to the client ends with a frame; and with a message that is not the last."""
        self._client_closing = False
        self._client_ended = False
        self._upstream_ended = False
        self._parted = False
        """Nothing passes any more."""
        self._retiring = False
        self._tasks: set[asyncio.Task[None]] = set()

    # the client's side

    def data(self, data: bytes) -> None:
        """Take bytes from the client."""
        out: list[bytes] = []
        for piece in self._from_client.feed(data):
            if self._parted:
                if piece.opcode == CLOSE and piece.whole:
                    self._client.close()
                continue
            sent = self._collect(piece)
            if sent is None:
                continue
            if self._admitting and not sent.urgent:
                self._queue.append(sent)
                self._waiting_bytes += sent.size
            else:
                out += self._judge(sent)
        self._send(out)

    def ended(self) -> bool:
        """The client sends no more; whether its connection stays open for what it is sent."""
        self._client_ended = self._client_closing = True
        if self._parted or self._upstream_ended or self._admitting or not self._upstream.can_write_eof():
            return False
        self._upstream.write_eof()
        self._later(FAREWELL_SECONDS)
        return True

    def _collect(self, piece: Piece) -> Sent | None:
        """Add to what comes in; what can be judged, once it is whole or known not to be read."""
        incoming = self._incoming
        incoming.raw.append(piece.raw)
        if not piece.between and not piece.unread:
            return None
        incoming.message = piece.message
        incoming.urgent = piece.opcode in (PING, PONG)
        self._client_closing = self._client_closing or piece.opcode == CLOSE
        self._incoming = Sent([])
        return incoming

    def _judge(self, sent: Sent) -> list[bytes]:
        """What may be sent on at once: all, unless it asks for a turn."""
        if sent.message is None or self._upstream_ended:
            return sent.raw
        turn = self._turns.sent(sent.message)
        if turn is None:
            return sent.raw
        self._admitting = True
        self._spawn(self._admit(turn, sent))
        return []

    async def _admit(self, turn: Turn[Any], sent: Sent) -> None:
        """Let a turn through or tell the client why not, then go on with what waits behind it."""
        refused = Turned(STOPPED, "stopping") if self._retiring else await self._turns.admit(turn)
        self._admitting = False
        out = sent.raw
        if refused is not None:
            out = []
            self._refuse(turn, refused)
        while self._queue and not self._admitting and not self._parted:
            following = self._queue.popleft()
            self._waiting_bytes -= following.size
            out += self._judge(following)
        self._send(out)

    def _refuse(self, turn: Turn[Any], refused: Turned) -> None:
        event = refusal_event(self._turns.api, refused, turn.event_id)
        if event is None:
            self.part(POLICY, refused.message, "killed")
        elif self._between:
            self._write([text_frame(event)])
        else:
            self._notices.append(text_frame(event))

    def _send(self, out: list[bytes]) -> None:
        if self._parted:
            return
        if out:
            self._upstream.write(b"".join(out))
        self._pace_client()

    def _pace_client(self) -> None:
        """Read the client as fast as the upstream takes it, and as far as may wait here."""
        hold_back = self._upstream_full or self._waiting_bytes > MOST_WAITING
        if hold_back != self._held_back and not self._client.is_closing():
            self._held_back = hold_back
            self._client.pause_reading() if hold_back else self._client.resume_reading()

    # the upstream's side

    def from_upstream(self, data: bytes) -> None:
        """Take bytes from the upstream: on to the client, and a look at what they say."""
        out: list[bytes] = []
        why = ""
        outcome: Outcome = "killed"
        for piece in () if self._parted else self._from_upstream.feed(data):
            out.append(piece.raw)
            self._whole = piece.whole
            self._between = piece.between and piece.opcode != CLOSE
            if piece.message is not None:
                why = self._turns.received(piece.message)
            elif piece.unread and self._from_upstream.blind:
                why, outcome = UNREADABLE, "broken"
            if why:
                break
            if self._between and self._notices:
                out += self._notices
                self._notices.clear()
        self._write(out)
        if why:
            self.part(POLICY, why, outcome)
        elif self._retiring and not self._turns:
            self.part(GOING_AWAY, STOPPED, "broken")

    def upstream_ended(self, *, half: bool) -> None:
        """The upstream sends no more. ``half``: it still takes what the client sends."""
        if self._upstream_ended or self._parted:
            return
        self._upstream_ended = True
        self._cancel_tasks()
        self._turns.end("aborted" if self._client_closing else "broken")
        if half and not self._client_ended and not self._client.is_closing():
            self._client.write_eof()
            self._later(FAREWELL_SECONDS)
        else:
            self._let_go()

    def upstream_full(self, *, full: bool) -> None:
        """The upstream takes no more for now, or does again."""
        self._upstream_full = full
        self._pace_client()

    def _write(self, out: list[bytes]) -> None:
        client = self._client
        if not out or client.is_closing():
            return
        client.write(b"".join(out))
        if client.get_write_buffer_size() > SLOW and not self._upstream.is_closing():
            self._upstream.pause_reading()
            self._spawn(self._pace_upstream())

    async def _pace_upstream(self) -> None:
        await self._request.drain()
        if not self._upstream.is_closing():
            self._upstream.resume_reading()

    # the end

    def retire(self) -> None:
        """Let no more turns through, and end with the last that runs."""
        self._retiring = True
        if not self._turns:
            self.part(GOING_AWAY, STOPPED, "broken")

    def stop(self) -> None:
        """End now."""
        self.part(GOING_AWAY, STOPPED, "broken")

    def part(self, code: int, reason: str, outcome: Outcome) -> None:
        """End the session from here: the upstream is cut, the client told to close."""
        if self._parted:
            return
        self._parted = True
        self._cancel_tasks()
        self._turns.end(outcome)
        self._upstream.abort()
        if self._upstream_ended or self._client.is_closing():
            self._let_go()
            return
        if not self._whole:
            self._client.abort()
            return
        self._client.write(close_frame(code, reason))
        if self._retiring:
            self._let_go()
            return
        # Closing while the client still sends would cut the connection before it has read why.
        self._client.resume_reading()
        self._later(FAREWELL_SECONDS)

    async def run(self) -> None:
        """Stay with the session to its end. Cancelled when the client has gone."""
        try:
            await self.over
        finally:
            self._parted = True
            self._cancel_tasks()
            self._turns.end("aborted")
            self._upstream.close()

    def _kill(self) -> None:
        self.part(POLICY, KILLED, "killed")

    def _let_go(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _later(self, seconds: float) -> None:
        """Let go of both sides, should neither end it before."""
        asyncio.get_running_loop().call_later(seconds, self._let_go)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that waits. What goes wrong with it goes wrong with the session."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectionError) and not self.over.done():
            self.over.set_exception(error)

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
