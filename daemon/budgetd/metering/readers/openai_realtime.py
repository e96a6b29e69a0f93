"""A response of OpenAI Realtime, as Azure and xAI speak it too: usage comes with `response.done`.

The transcription of what the user said is the work of another model, and reports apart.
"""

from decimal import Decimal
from math import ceil

import msgspec

from budgetd.metering.decoder import MOST, Count, Decoder, name
from budgetd.metering.tally import tally
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage

TOKEN_MS = 50
"""Milliseconds of generated sound to a token."""
PCM_BYTES = 2_400
"""Bytes of generated 24 kHz PCM to a token."""
G711_BYTES = 400
"""Bytes of generated G.711 to a token."""


class _Parts(msgspec.Struct):
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_tokens_details: _Parts | None = None


class _OutputDetails(msgspec.Struct):
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Report(msgspec.Struct):
    """A usage as it is reported, of a response or of a transcription."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_token_details: _InputDetails | None = None
    output_token_details: _OutputDetails | None = None
    seconds: Decimal | None = None
    """Of a transcription that is billed by time."""
    billable_audio_seconds: Decimal | None = None
    """xAI bills by time."""


class _Response(msgspec.Struct):
    id: str | None = None
    status: str | None = None
    usage: Report | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    delta: str | None = None
    response: _Response | None = None
    usage: Report | None = None
    """xAI's place for it."""


_EVENTS = Decoder(_Event)
_SOUND = ("response.output_audio.delta", "response.audio.delta")


class Reader:
    """Gathers what one response reports."""

    def __init__(self, bytes_per_token: int = PCM_BYTES) -> None:
        """``bytes_per_token``: how much of the sound it generates makes a token."""
        self.failed = False
        """It ended with an error of the provider's."""
        self._bytes_per_token = bytes_per_token
        self._id = ""
        self._usage: Usage | None = None
        self._others: list[tuple[str, Usage]] = []
        self.text = Text()
        self._sound_bytes = 0

    @classmethod
    def of(cls, usage: Usage) -> "Reader":
        """A reader of what is known already."""
        reader = cls()
        reader._usage = usage
        return reader

    def event(self, document: bytes) -> None:
        """Take one event of the response."""
        event = _EVENTS.decode(document)
        if event is None or event.type is None:
            return
        if event.type.endswith(".delta"):
            if event.type in _SOUND:
                self._sound_bytes += len(event.delta or "") * 3 // 4
            else:
                self.text.add(event.delta)
        elif event.type in ("response.created", "response.done") and event.response is not None:
            self._id = event.response.id or self._id
            if event.type == "response.done":
                self._done(event.response, event.usage)

    def whole(self, document: bytes) -> None:
        """Take the only event there is."""
        self.event(document)

    def transcribed(self, model: str, usage: Usage) -> None:
        """Add a transcription of what the response answers."""
        self._others.append((model, usage))

    def reading(self) -> Reading:
        """All that is known so far. Of a response that runs, the sound is counted by its length."""
        usage = self._usage
        if usage is None and self._sound_bytes:
            sound = ceil(self._sound_bytes / self._bytes_per_token)
            usage = Usage(
                output_tokens=sound + self.text.length // 4,
                output_audio_tokens=sound,
                input_audio_ms=sound * TOKEN_MS,
            )
        return Reading(
            usage=usage,
            others=tuple(self._others),
            complete=self._usage is not None,
            response_id=name(self._id),
            output_bytes=self.text.length,
        )

    def _done(self, response: _Response, beside: Report | None) -> None:
        self.failed = response.status == "failed"
        for report in (response.usage, beside):
            if report is not None and report.input_tokens is not None:
                self._usage = usage_of(report)
                return


def usage_of(report: Report) -> Usage:
    """What a report comes to."""
    if report.seconds is not None and report.input_tokens is None:
        return Usage(input_audio_ms=_milliseconds(report.seconds))
    into = report.input_token_details or _InputDetails()
    out = report.output_token_details or _OutputDetails()
    cached = into.cached_tokens_details or _Parts()
    usage = tally(
        input_tokens=report.input_tokens or 0,
        cache_read=into.cached_tokens or 0,
        cache_write=0,
        input_audio=into.audio_tokens or 0,
        cache_read_audio=cached.audio_tokens or 0,
        input_image=into.image_tokens or 0,
        cache_read_image=cached.image_tokens or 0,
        output_tokens=report.output_tokens or 0,
        reasoning=out.reasoning_tokens or 0,
        output_audio=out.audio_tokens or 0,
        output_image=out.image_tokens or 0,
        web_searches=0,
    )
    if report.billable_audio_seconds is None:
        return usage
    return msgspec.structs.replace(usage, input_audio_ms=_milliseconds(report.billable_audio_seconds))


def _milliseconds(seconds: Decimal) -> int:
    """A started millisecond counts."""
    return ceil(min(max(seconds, 0), MOST) * 1000) if seconds.is_finite() else 0
