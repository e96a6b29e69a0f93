"""OpenAI speech. Sound says nothing of its cost: what bills by characters bills those of the request. A
stream of events ends with a report.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder
from budgetd.metering.readers.openai_usage import Stated, stated_nusd
from budgetd.metering.usage import Reading, Usage


class _Report(Stated):
    input_tokens: Count | None = None
    output_tokens: Count | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    usage: _Report | None = None


_EVENTS = Decoder(_Event)


class Reader:
    """Gathers what one response reports."""

    text = None

    def __init__(self) -> None:
        self._report: _Report | None = None
        self._complete = False

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        event = _EVENTS.decode(document)
        if event is not None:
            self._report = event.usage or self._report
            self._complete = self._complete or event.type == "speech.audio.done"

    def whole(self, document: bytes) -> None:
        """Take a body that is not streamed: sound, of which nothing is shown here, or a document."""
        self.event(document)
        self._complete = self._report is not None or not document

    def reading(self) -> Reading:
        """All that is known so far. Complete without a usage: the request decides what it costs."""
        report = self._report
        return Reading(
            usage=None if report is None else _usage(report),
            complete=self._complete,
            cost_nusd=None if report is None else stated_nusd(report),
        )


def _usage(report: _Report) -> Usage:
    spoken = report.output_tokens or 0
    return Usage(input_tokens=report.input_tokens or 0, output_tokens=spoken, output_audio_tokens=spoken)
