"""OpenAI Responses over WebSocket: one response after the other, each asked for by `response.create` with the
body that a POST would have.
"""

import msgspec

from budgetd.metering.decoder import Decoder
from budgetd.metering.live.turn import Turn
from budgetd.metering.readers.openai_responses import Reader
from budgetd.metering.request import peek


class _Message(msgspec.Struct):
    type: str | None = None
    event_id: str | None = None
    status: str | None = None


_MESSAGES = Decoder(_Message)

_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_BILLED = ("response.created", "response.completed", "response.incomplete")
"""What shows a response while no turn is open: one begun unasked, or one whose turn was ended by an error
that was not about it.
"""


class Responses:
    """One session. A `Live`."""

    def __init__(self) -> None:
        """Nothing is asked for yet."""
        self._sent_bytes = 0
        self._model = ""
        self._open: list[Turn[Reader]] = []
        """Let through and not over, the first of them being answered."""

    def sent(self, message: bytes) -> Turn[Reader] | None:
        """See `Live`."""
        self._sent_bytes += len(message)
        event = _MESSAGES.decode(message)
        if event is None or event.type not in ("response.create", "response.append"):
            return None
        return self._turn(message, asked=True, event_id=event.event_id or "")

    def let_through(self, turn: Turn[Reader]) -> None:
        """See `Live`."""
        self._open.append(turn)

    def received(self, message: bytes) -> list[Turn[Reader]]:
        """See `Live`."""
        event = _MESSAGES.decode(message)
        kind = (event and event.type) or ""
        if not self._open:
            if kind not in _BILLED:
                return []
            self._open.append(self._turn(b"{}", asked=False))
        if kind != "error" and not kind.startswith("response."):
            return []
        turn = self._open[0]
        turn.began = True
        turn.reader.event(message)
        if kind == "error" or kind in _ENDS:
            del self._open[0]
            turn.ended = True
            turn.failed = kind in ("error", "response.failed")
        return [turn]

    def _turn(self, body: bytes, *, asked: bool, event_id: str = "") -> Turn[Reader]:
        ask = peek("openai.responses", "", body)
        self._model = ask.model or self._model
        ask = msgspec.structs.replace(
            ask, model=self._model, stream=True, open_input=ask.open_input or not ask.model
        )
        turn = Turn(ask, Reader(), sent_bytes=self._sent_bytes, asked=asked, event_id=event_id)
        self._sent_bytes = 0
        return turn
