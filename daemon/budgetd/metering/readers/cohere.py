"""Cohere's chat, embed and rerank, in both versions of its API.

What is billed is ``billed_units``, not ``tokens``, which count Cohere's own prompts too. Streams come as
server-sent events, or (version 1) as a JSON document a line; events tell what they are, so that one reader
does for them and for whole bodies. No response names its model. Others that rank documents (OpenRouter,
Together, Voyage) count search units or tokens without a word about billing.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.readers.openai_usage import Stated, stated_nusd
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage


class _Billed(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    image_tokens: Count | None = None
    search_units: Count | None = None


class _Report(Stated):
    billed_units: _Billed | None = None
    search_units: Count | None = None
    total_tokens: Count | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function | None = None
    parameters: msgspec.Raw = msgspec.Raw()


class _CallDelta(msgspec.Struct):
    parameters: str | None = None


class _Message(msgspec.Struct):
    """A list of parts and calls when it is whole, one of them while it streams."""

    content: list[_Part] | _Part | None = None
    tool_calls: list[_Call] | _Call | None = None
    tool_plan: str | None = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    usage: _Report | None = None


class _Whole(msgspec.Struct):
    id: str | None = None
    response_id: str | None = None
    generation_id: str | None = None
    message: _Message | None = None
    usage: _Report | None = None
    text: str | None = None
    tool_calls: list[_Call] | None = None
    meta: _Report | None = None


class _Document(_Whole):
    """A whole response, or an event of either version."""

    type: str | None = None
    delta: _Delta | None = None
    event_type: str | None = None
    tool_call_delta: _CallDelta | None = None
    response: _Whole | None = None


_DOCUMENTS = Decoder(_Document)


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._id = ""
        self._billed: _Billed | None = None
        self._cost_nusd: int | None = None
        self._complete = False
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response, or the body of one that is not streamed."""
        part = _DOCUMENTS.decode(document)
        if part is None:
            return
        self._name(part)
        if part.event_type is not None:
            self._take_first_version(part)
        elif part.delta is not None:
            self._take_message(part.delta.message)
            self._report(part.delta.usage)
        else:
            self.text.add(part.text)
            self._take_message(part.message)
            self._take_calls(part.tool_calls)
            self._report(part.usage or part.meta)

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        self.event(document)

    def reading(self) -> Reading:
        """All that is known so far."""
        return Reading(
            usage=None if self._billed is None else _usage(self._billed),
            complete=self._complete,
            cost_nusd=self._cost_nusd,
            response_id=name(self._id),
            output_bytes=self.text.length,
        )

    def _take_first_version(self, part: _Document) -> None:
        if part.response is not None:  # the last event, which holds all the text once more
            self._name(part.response)
            self._report(part.response.meta)
        elif part.tool_call_delta is not None:
            self.text.add(part.tool_call_delta.parameters)
        elif part.event_type == "text-generation":
            self.text.add(part.text)

    def _take_message(self, message: _Message | None) -> None:
        if message is None:
            return
        content, calls = message.content, message.tool_calls
        for part in content if isinstance(content, list) else [content or _Part()]:
            self.text.add(part.text, part.thinking)
        self.text.add(message.tool_plan)
        self._take_calls(calls if isinstance(calls, list) else [calls or _Call()])

    def _take_calls(self, calls: list[_Call] | None) -> None:
        for call in calls or ():
            self.text.add(call.function and call.function.arguments)
            self.text.add_json(bytes(call.parameters))

    def _name(self, part: _Whole) -> None:
        self._id = part.id or part.response_id or part.generation_id or self._id

    def _report(self, report: _Report | None) -> None:
        """Take what is billed, which is said once, at the end."""
        billed = report and (report.billed_units or _units(report))
        if report is not None and billed is not None:
            self._billed, self._cost_nusd = billed, stated_nusd(report)
            self._complete = True


def _units(report: _Report) -> _Billed | None:
    """What others than Cohere count; None if they count nothing."""
    if report.search_units is not None:
        return _Billed(search_units=report.search_units)
    return None if report.total_tokens is None else _Billed(input_tokens=report.total_tokens)


def _usage(billed: _Billed) -> Usage:
    images = billed.image_tokens or 0
    return Usage(
        input_tokens=(billed.input_tokens or 0) + images,
        input_image_tokens=images,
        output_tokens=billed.output_tokens or 0,
        search_units=billed.search_units or 0,
    )
