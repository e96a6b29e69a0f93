"""OpenAI Realtime, as Azure and xAI speak it too: `response.create` asks, `response.done` ends. With voice
detection the provider begins responses by itself.
"""

from urllib.parse import parse_qs

import msgspec

from budgetd.metering.decoder import Count, Decoder, Strange, name
from budgetd.metering.live.turn import Turn
from budgetd.metering.readers.openai_realtime import G711_BYTES, PCM_BYTES, Reader, Report, usage_of
from budgetd.metering.usage import Ask

_SOUND_BYTES_PER_BYTE = 1_200
"""Bytes of 24 kHz PCM that count as one of text: 100 ms are a token, and so are four bytes of text."""
_TRANSCRIBER = "gpt-4o-transcribe"
"""The model that transcribes where the session names none."""


class _Model(msgspec.Struct):
    model: str | None = None


class _Format(msgspec.Struct):
    type: str | None = None


class _Input(msgspec.Struct):
    transcription: _Model | None = None


class _Output(msgspec.Struct):
    format: _Format | None = None


class _Audio(msgspec.Struct):
    input: _Input | None = None
    output: _Output | None = None


class _Tool(msgspec.Struct):
    type: str | None = None


class _Session(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    max_output_tokens: Count | str | None = None
    max_response_output_tokens: Count | str | None = None
    audio: _Audio | None = None
    input_audio_transcription: _Model | None = None
    output_audio_format: str | None = None
    tools: list[_Tool] | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    max_output_tokens: Count | str | None = None
    max_response_output_tokens: Count | str | None = None
    tools: list[_Tool] | None = None


class _Sent(msgspec.Struct):
    type: str | None = None
    event_id: str | None = None
    session: _Session | None = None
    response: _Response | None = None
    audio: str | None = None


class _Error(msgspec.Struct):
    event_id: str | None = None


class _Received(msgspec.Struct):
    type: str | None = None
    session: _Session | None = None
    response: _Response | None = None
    response_id: str | None = None
    usage: Report | None = None
    error: _Error | None = None


_SENT = Decoder(_Sent)
_RECEIVED = Decoder(_Received)

_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


class Realtime:
    """One session. A `Live`."""

    def __init__(self, target: str) -> None:
        """``target``: path and query of the handshake, which may name the model."""
        query = parse_qs(target.partition("?")[2])
        self._model = name((query.get("model") or query.get("deployment") or [""])[0])
        self._id = ""
        self._cap: int | None = None
        self._configured = False
        """The client has configured the session, so that the provider's defaults no longer count."""
        self._transcriber = _TRANSCRIBER
        self._sound_bytes_per_token = PCM_BYTES
        self._runs_tools = False
        self._text_bytes = 0
        self._sent_bytes = 0
        self._media = False
        self._asked: list[Turn[Reader]] = []
        """Let through, and not begun yet."""
        self._running: dict[str, Turn[Reader]] = {}
        """By the id of the response, in the order they began."""

    def sent(self, message: bytes) -> Turn[Reader] | None:
        """See `Live`."""
        self._sent_bytes += len(message)
        event, strange = _SENT.read(message) or (_Sent(), Strange())
        if event.audio is not None:
            self._text_bytes += len(event.audio) * 3 // 4 // _SOUND_BYTES_PER_BYTE
            self._media = True
            return None
        self._text_bytes += len(message)
        self._media = self._media or b"input_image" in message or b"input_audio" in message
        if event.session is not None:
            self._configure(event.session, strange)
            self._configured = True
        if event.type != "response.create":
            return None
        turn = self._turn(event.response or _Response(), asked=True, event_id=event.event_id or "")
        if strange.within("response.max_output_tokens", "response.max_response_output_tokens"):
            turn.ask = msgspec.structs.replace(turn.ask, output_cap=None)
        if strange.within("response.tools"):
            turn.ask = msgspec.structs.replace(turn.ask, server_tool_uses=None)
        return turn

    def let_through(self, turn: Turn[Reader]) -> None:
        """See `Live`."""
        self._asked.append(turn)

    def received(self, message: bytes) -> list[Turn[Reader]]:
        """See `Live`."""
        turn = self._heard(message)
        return [] if turn is None else [turn]

    def _heard(self, message: bytes) -> Turn[Reader] | None:
        read = _RECEIVED.read(message)
        if read is None or (kind := read[0].type) is None:
            return None
        event, strange = read
        if event.session is not None:
            if self._configured and kind.endswith(".created"):
                event.session = _Session(id=event.session.id, model=event.session.model)
            self._configure(event.session, strange)
            return None
        if kind == _TRANSCRIBED:
            return self._transcribed(event.usage)
        if kind == "error":
            return self._failed((event.error and event.error.event_id) or "")
        if kind.startswith("response."):
            return self._responded(event, message)
        return None

    def _responded(self, event: _Received, message: bytes) -> Turn[Reader] | None:
        """An event of a response."""
        id = (event.response and event.response.id) or event.response_id or ""
        turn = self._running.get(id)
        if turn is None:
            if event.type not in ("response.created", "response.done"):
                return None
            turn = self._running[id] = self._begun(event.response or _Response())
        turn.reader.event(message)
        if event.type == "response.done":
            del self._running[id]
            turn.ended = True
            turn.failed = turn.reader.failed
        return turn

    def _begun(self, response: _Response) -> Turn[Reader]:
        """The turn that the response now begun was asked for by, or one of its own."""
        turn = self._asked.pop(0) if self._asked else self._turn(response, asked=False)
        turn.began = True
        return turn

    def _failed(self, event_id: str) -> Turn[Reader] | None:
        """The turn that an error is about. One without an id is taken to be about the oldest one asked for:
        if it was not, that turn's response counts as one that the provider began.
        """
        for turn in self._asked:
            if not event_id or turn.event_id == event_id:
                self._asked.remove(turn)
                turn.ended = turn.failed = True
                return turn
        return None

    def _transcribed(self, report: Report | None) -> Turn[Reader] | None:
        """Put a transcription down to the turn that is open, whose input it most likely is; with none open,
        to a turn of its own, which is over at once: a session may only transcribe.
        """
        if report is None or (report.input_tokens is None and report.seconds is None):
            return None
        usage = usage_of(report)
        turn = next(reversed(self._running.values()), None) or (self._asked[0] if self._asked else None)
        if turn is not None:
            turn.reader.transcribed(self._transcriber, usage)
            return turn
        ask = Ask(model=self._transcriber, open_input=True, session=self._id)
        turn = Turn(ask, Reader.of(usage), sent_bytes=0, asked=False)
        turn.began = turn.ended = True
        return turn

    def _configure(self, session: _Session, strange: Strange) -> None:
        self._id = name(session.id) or self._id
        self._model = name(session.model) or self._model
        limit = session.max_output_tokens or session.max_response_output_tokens
        if strange.within("session.max_output_tokens", "session.max_response_output_tokens"):
            self._cap = None
        elif limit is not None:
            self._cap = _cap(limit)
        audio = session.audio or _Audio()
        transcription = (audio.input and audio.input.transcription) or session.input_audio_transcription
        self._transcriber = name(transcription and transcription.model) or self._transcriber
        form = audio.output and audio.output.format and audio.output.format.type
        if form := form or session.output_audio_format:
            narrow = "pcmu" in form or "pcma" in form or "g711" in form
            self._sound_bytes_per_token = G711_BYTES if narrow else PCM_BYTES
        if strange.within("session.tools"):
            self._runs_tools = True
        elif session.tools is not None:
            self._runs_tools = _run_by_the_provider(session.tools)

    def _turn(self, response: _Response, *, asked: bool, event_id: str = "") -> Turn[Reader]:
        limit = response.max_output_tokens or response.max_response_output_tokens
        runs_tools = self._runs_tools if response.tools is None else _run_by_the_provider(response.tools)
        ask = Ask(
            model=self._model,
            stream=True,
            output_cap=self._cap if limit is None else _cap(limit),
            open_input=True,  # the conversation lies with the provider
            media=self._media,
            server_tool_uses=None if runs_tools else 0,
            body_bytes=self._text_bytes,
            session=self._id,
        )
        reader = Reader(self._sound_bytes_per_token)
        turn = Turn(ask, reader, sent_bytes=self._sent_bytes, asked=asked, event_id=event_id)
        self._text_bytes = self._sent_bytes = 0
        return turn


def _cap(limit: int | str) -> int | None:
    """A limit of output tokens; "inf" is none."""
    return limit if isinstance(limit, int) else None


def _run_by_the_provider(tools: list[_Tool]) -> bool:
    return any(tool.type not in (None, "function") for tool in tools)
