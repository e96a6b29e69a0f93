"""OpenAI Chat Completions: usage comes in the last chunk of a stream, and only if it was asked for.

Many other providers speak this dialect; some state what they charge (``usage.cost``).
"""

from decimal import Decimal

import msgspec

from budgetd.metering.decoder import Count, Decoder, name, size
from budgetd.metering.readers.openai_usage import InputDetails, OutputDetails, usage_of
from budgetd.metering.usage import Reading, Usage

NUSD_PER_USD = 1_000_000_000
MOST_USD = 1_000_000_000
"""A larger cost is not believed."""


class _Report(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    cost: Decimal | None = None
    is_byok: bool | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None
    custom: _Function | None = None


class _Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None


class _Completion(msgspec.Struct):
    """A chunk of a stream, or a whole completion."""

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[_Choice] | None = None
    usage: _Report | None = None
    error: object = None


_COMPLETIONS = Decoder(_Completion)


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._tier = ""
        self._report: _Report | None = None
        self._failed = False
        self._complete = False
        self._output_bytes = 0

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        if document.strip() == b"[DONE]":
            self._complete = True
            return
        chunk = self._take(document)
        # The chunk that bears the usage and no choice is the last one.
        if chunk is not None and chunk.usage is not None and not chunk.choices:
            self._complete = True

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        completion = self._take(document)
        self._complete = completion is not None and completion.choices is not None

    def reading(self) -> Reading:
        """All that is known so far."""
        report = self._report
        return Reading(
            usage=None if report is None else _usage(report),
            complete=self._complete and not self._failed,
            model=name(self._model),
            service_tier=name(self._tier),
            cost_nusd=None if report is None else _cost_nusd(report),
            response_id=name(self._id),
            output_bytes=self._output_bytes,
        )

    def _take(self, document: bytes) -> _Completion | None:
        part = _COMPLETIONS.decode(document)
        if part is None:
            return None
        if part.error is not None:
            self._failed = True
        self._id = part.id or self._id
        self._model = part.model or self._model
        self._tier = part.service_tier or self._tier
        self._report = part.usage or self._report
        for choice in part.choices or ():
            text = choice.delta or choice.message
            if text is not None:
                self._output_bytes += _size(text)
        return part


def _size(text: _Text) -> int:
    length = size(text.content) + size(text.reasoning_content or text.reasoning) + size(text.refusal)
    for call in text.tool_calls or ():
        function = call.function or call.custom
        length += size(function and function.arguments)
    return length


def _usage(report: _Report) -> Usage:
    return usage_of(
        report.prompt_tokens,
        report.completion_tokens,
        report.total_tokens,
        report.prompt_tokens_details,
        report.completion_tokens_details,
        web_searches=0,
    )


def _cost_nusd(report: _Report) -> int | None:
    """The stated cost; with a key of one's own at the provider behind, it is not the whole cost."""
    cost = report.cost
    if cost is None or report.is_byok or not cost.is_finite() or not 0 <= cost <= MOST_USD:
        return None
    return round(cost * NUSD_PER_USD)
