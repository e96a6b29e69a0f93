"""OpenAI transcriptions and translations: billed by tokens or by the time the sound takes. Where there is no
usage, a verbose answer still tells the time; a plain text tells nothing.
"""

from decimal import Decimal

import msgspec

from budgetd.metering.decoder import Count, Decoder, name, size
from budgetd.metering.readers.openai_usage import InputDetails, Stated, milliseconds, stated_nusd, usage_of
from budgetd.metering.usage import Reading, Usage


class _Report(Stated):
    """OpenAI's names, and Mistral's."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_token_details: InputDetails | None = None
    seconds: Decimal | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_audio_seconds: Decimal | None = None


class _Transcript(msgspec.Struct):
    """A whole response, or an event of a stream."""

    type: str | None = None
    model: str | None = None
    text: str | None = None
    delta: str | None = None
    duration: Decimal | None = None
    usage: _Report | None = None


_TRANSCRIPTS = Decoder(_Transcript)


class Reader:
    """Gathers what one response reports."""

    text = None

    def __init__(self) -> None:
        self._model = ""
        self._usage: Usage | None = None
        self._cost_nusd: int | None = None
        self._complete = False
        self._output_bytes = 0

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        event = _TRANSCRIPTS.decode(document)
        if event is None:
            return
        self._output_bytes += size(event.delta)
        self._take(event)
        self._complete = self._complete or (event.type or "").endswith(".done")

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        transcript = _TRANSCRIPTS.decode(document)
        if transcript is None:
            return
        self._output_bytes = size(transcript.text)
        self._take(transcript)
        self._complete = self._usage is not None

    def reading(self) -> Reading:
        """All that is known so far."""
        return Reading(
            usage=self._usage,
            complete=self._complete,
            model=name(self._model),
            cost_nusd=self._cost_nusd,
            output_bytes=self._output_bytes,
        )

    def _take(self, transcript: _Transcript) -> None:
        self._model = transcript.model or self._model
        if transcript.usage is not None:
            self._usage = _usage(transcript.usage)
            self._cost_nusd = stated_nusd(transcript.usage)
        elif self._usage is None and (lasted := milliseconds(transcript.duration)):
            self._usage = Usage(input_audio_ms=lasted)


def _usage(report: _Report) -> Usage:
    seconds = report.prompt_audio_seconds if report.seconds is None else report.seconds
    return usage_of(
        report.prompt_tokens if report.input_tokens is None else report.input_tokens,
        report.completion_tokens if report.output_tokens is None else report.output_tokens,
        0,
        report.input_token_details,
        None,
        input_audio_ms=milliseconds(seconds),
    )
