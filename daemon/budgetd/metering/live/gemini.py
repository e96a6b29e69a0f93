"""Gemini Live: content asks for a turn, and so may sound or pictures that stream in; `turnComplete` ends it.
Keys may be written in camel case or with underscores.
"""

import re

import msgspec

from budgetd.metering.asks.gemini import runs_tools
from budgetd.metering.decoder import Count, Decoder, Strange, name
from budgetd.metering.live.turn import Turn
from budgetd.metering.readers.gemini_live import Reader
from budgetd.metering.usage import Ask

_SOUND = re.compile(rb'"data"\s*:\s*"([^"]*)"')
_SOUND_BYTES_PER_BYTE = 320
"""Bytes of 16 kHz PCM that count as one of text: 25 tokens in a second, and four bytes of text to a token."""


class _Generation(msgspec.Struct):
    max_output_tokens: Count | None = None
    camel_max_output_tokens: Count | None = msgspec.field(default=None, name="maxOutputTokens")


class _Setup(msgspec.Struct):
    model: str | None = None
    generation_config: _Generation | None = None
    camel_generation_config: _Generation | None = msgspec.field(default=None, name="generationConfig")
    tools: list[dict[str, object]] | dict[str, object] | None = None


class _Content(msgspec.Struct):
    turn_complete: bool | None = None
    camel_turn_complete: bool | None = msgspec.field(default=None, name="turnComplete")


class _Input(msgspec.Struct):
    text: str | None = None


class _Sent(msgspec.Struct):
    setup: _Setup | None = None
    client_content: _Content | None = None
    camel_client_content: _Content | None = msgspec.field(default=None, name="clientContent")
    realtime_input: _Input | None = None
    camel_realtime_input: _Input | None = msgspec.field(default=None, name="realtimeInput")
    tool_response: object = None
    camel_tool_response: object = msgspec.field(default=None, name="toolResponse")


class _ServerContent(msgspec.Struct, rename="camel"):
    model_turn: object = None
    output_transcription: object = None
    turn_complete: bool | None = None


class _Received(msgspec.Struct, rename="camel"):
    server_content: _ServerContent | None = None
    tool_call: object = None
    usage_metadata: object = None


_SENT = Decoder(_Sent)
_RECEIVED = Decoder(_Received)


class GeminiLive:
    """One session. A `Live`."""

    def __init__(self) -> None:
        """The setup message is still to come."""
        self._model = ""
        self._cap: int | None = None
        self._runs_tools = False
        self._text_bytes = 0
        self._sent_bytes = 0
        self._media = False
        self._open: list[Turn[Reader]] = []
        """Let through and not over, the first of them being answered."""
        self._completed = False
        """The first of them is complete, but has not reported."""

    def sent(self, message: bytes) -> Turn[Reader] | None:
        """See `Live`."""
        self._sent_bytes += len(message)
        event, strange = _SENT.read(message) or (_Sent(), Strange())
        streamed = event.camel_realtime_input or event.realtime_input
        if streamed is None:
            self._text_bytes += len(message)
            self._media = self._media or b"nline" in message
        else:
            sound = sum(len(each) for each in _SOUND.findall(message))
            self._text_bytes += sound * 3 // 4 // _SOUND_BYTES_PER_BYTE if sound else len(message)
            self._media = self._media or sound > 0
        if event.setup is not None:
            self._set_up(event.setup, strange)
        content = event.camel_client_content or event.client_content
        if strange.within("camel_client_content", "client_content"):
            return self._turn(asked=True)
        if content is not None:
            return self._turn(asked=True) if content.camel_turn_complete or content.turn_complete else None
        if self._open:
            return None  # it belongs to the turn that runs
        if streamed is not None:
            return self._turn(asked=streamed.text is not None)
        answers = event.camel_tool_response is not None or event.tool_response is not None
        return self._turn(asked=True) if answers else None

    def let_through(self, turn: Turn[Reader]) -> None:
        """See `Live`."""
        self._open.append(turn)

    def received(self, message: bytes) -> list[Turn[Reader]]:
        """See `Live`. A turn that is complete waits for its usage until something else is generated. Usage
        that comes while no turn is open is a turn of its own.
        """
        event = _RECEIVED.decode(message)
        if event is None:
            return []
        content = event.server_content or _ServerContent()
        parts = (content.model_turn, content.output_transcription, event.tool_call)
        generates = any(part is not None for part in parts)
        touched: list[Turn[Reader]] = []
        if generates and self._completed:
            touched.append(self._end())
        if not self._open:
            if not generates and event.usage_metadata is None:
                return touched
            self._open.append(self._turn(asked=False))
            self._completed = not generates
        turn = self._open[0]
        turn.began = turn.began or generates
        turn.reader.event(message)
        self._completed = self._completed or bool(content.turn_complete)
        if self._completed and turn.reader.reported:
            turn.began = True
            self._end()
        return [*touched, turn]

    def _end(self) -> Turn[Reader]:
        self._completed = False
        turn = self._open.pop(0)
        turn.ended = True
        return turn

    def _set_up(self, setup: _Setup, strange: Strange) -> None:
        self._model = name((setup.model or "").rpartition("/")[2])
        config = setup.camel_generation_config or setup.generation_config or _Generation()
        self._cap = config.camel_max_output_tokens or config.max_output_tokens
        if strange.within("setup.generation_config", "setup.camel_generation_config"):
            self._cap = None
        self._runs_tools = runs_tools(setup.tools) or strange.within("setup.tools")

    def _turn(self, *, asked: bool) -> Turn[Reader]:
        ask = Ask(
            model=self._model,
            stream=True,
            output_cap=self._cap,
            open_input=True,  # the conversation lies with the provider
            media=self._media,
            server_tool_uses=None if self._runs_tools else 0,
            body_bytes=self._text_bytes,
        )
        turn = Turn(ask, Reader(self._model), sent_bytes=self._sent_bytes, asked=asked)
        self._text_bytes = self._sent_bytes = 0
        return turn
