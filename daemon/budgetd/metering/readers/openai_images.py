"""OpenAI images: generations, edits and variations. GPT Image models report tokens; others (DALL·E) nothing,
and bill by the picture.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.readers.openai_usage import PictureReport, pictures_usage, stated_nusd
from budgetd.metering.tally import total
from budgetd.metering.usage import Reading, Usage


class _SvgReport(msgspec.Struct):
    model: str | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Images(msgspec.Struct):
    """A whole response, or an event of a stream."""

    type: str | None = None
    model: str | None = None
    data: list[msgspec.Raw] | None = None
    usage: PictureReport | None = None
    svg_usage: _SvgReport | None = None
    error: object = None


_IMAGES = Decoder(_Images)


class Reader:
    """Gathers what one response reports."""

    text = None

    def __init__(self) -> None:
        self._model = ""
        self._usage: Usage | None = None
        self._others: tuple[tuple[str, Usage], ...] = ()
        self._cost_nusd: int | None = None
        self._complete = False

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response: a picture on its way, or one that is done."""
        event = _IMAGES.decode(document)
        if event is not None and (event.type or "").endswith(".completed"):
            self._take(event, pictures=1)
            self._complete = True

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        images = _IMAGES.decode(document)
        if images is None or images.error is not None:
            return
        if images.data is not None or images.usage is not None:
            self._take(images, pictures=len(images.data or ()))
            self._complete = True

    def reading(self) -> Reading:
        """All that is known so far."""
        return Reading(
            usage=self._usage,
            others=self._others,
            complete=self._complete,
            model=name(self._model),
            cost_nusd=self._cost_nusd,
        )

    def _take(self, images: _Images, *, pictures: int) -> None:
        self._model = images.model or self._model
        report = images.usage
        if report is None or (report.input_tokens is None and report.output_tokens is None):
            used = Usage(images=pictures)
        else:
            used = pictures_usage(report)
        self._usage = total(self._usage or Usage(), used)
        if report is not None and (cost := stated_nusd(report)) is not None:
            self._cost_nusd = cost + (self._cost_nusd or 0)
        if images.svg_usage is not None:
            self._others = ((name(images.svg_usage.model), _drawn(images.svg_usage)),)


def _drawn(report: _SvgReport) -> Usage:
    """What the model used that wrote the vector graphics."""
    output = report.output_tokens or 0
    return Usage(
        input_tokens=report.input_tokens or 0,
        output_tokens=output,
        reasoning_tokens=min(report.reasoning_tokens or 0, output),
    )
