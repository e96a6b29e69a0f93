"""Bedrock's Converse: one shape for the models of all makers. A stream's usage is in its last event.

``inputTokens`` on the wire excludes what was read from or written to the cache. The model is in the path of
the request alone, and so is what decides its price: the region or the profile it is called by.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.text import SIGNATURE_FRAME, Text, called
from budgetd.metering.usage import Reading, Usage


class _CacheDetail(msgspec.Struct, rename="camel"):
    input_tokens: Count | None = None
    ttl: str | None = None


class _Report(msgspec.Struct, rename="camel"):
    """Bedrock says some of it twice, models that are invoked say it one way or the other."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_read_input_token_count: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_write_input_token_count: Count | None = None
    cache_details: list[_CacheDetail] | None = None


class _Tier(msgspec.Struct):
    type: str | None = None


class _Thought(msgspec.Struct):
    text: str | None = None
    signature: str | None = None


class _Reasoning(_Thought, rename="camel"):
    """A part of it while it streams, in one when it is whole."""

    reasoning_text: _Thought | None = None


class _ToolUse(msgspec.Struct):
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _ToolDelta(msgspec.Struct):
    input: str | None = None


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    reasoning_content: _Reasoning | None = None
    tool_use: _ToolUse | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    reasoning_content: _Reasoning | None = None
    tool_use: _ToolDelta | None = None


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolUse | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Document(msgspec.Struct, rename="camel"):
    """The payload of an event, or a whole response."""

    start: _Start | None = None
    delta: _Delta | None = None
    output: _Output | None = None
    usage: _Report | None = None
    service_tier: _Tier | None = None


_DOCUMENTS = Decoder(_Document)


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._tier = ""
        self._report: _Report | None = None
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take the payload of one event of a streamed response."""
        part = _DOCUMENTS.decode(document)
        if part is None:
            return
        self._report = part.usage or self._report
        self._tier = (part.service_tier and part.service_tier.type) or self._tier
        if part.start is not None and part.start.tool_use is not None:
            self.text.add(called(part.start.tool_use.name))
        if (delta := part.delta) is not None:
            self.text.add(delta.text, delta.tool_use and delta.tool_use.input)
            self._take_reasoning(delta.reasoning_content)
        message = part.output and part.output.message
        for block in (message and message.content) or ():
            self.text.add(block.text)
            self._take_reasoning(block.reasoning_content)
            if block.tool_use is not None:
                self.text.add(called(block.tool_use.name))
                self.text.add_json(bytes(block.tool_use.input))

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        self.event(document)

    def reading(self) -> Reading:
        """All that is known so far. Usage comes last, so that with it all is known."""
        return Reading(
            usage=None if self._report is None else _usage(self._report),
            complete=self._report is not None,
            service_tier=name(self._tier),
            output_bytes=self.text.length,
            sealed_bytes=self.text.sealed,
        )

    def _take_reasoning(self, reasoning: _Reasoning | None) -> None:
        for thought in (reasoning, reasoning and reasoning.reasoning_text):
            if thought is not None:
                self.text.add_reasoning(thought.text)
                self.text.add_sealed(thought.signature, SIGNATURE_FRAME)


def _usage(report: _Report) -> Usage:
    read = max(report.cache_read_input_tokens or 0, report.cache_read_input_token_count or 0)
    written = max(report.cache_write_input_tokens or 0, report.cache_write_input_token_count or 0)
    for_1h = sum(each.input_tokens or 0 for each in report.cache_details or () if each.ttl == "1h")
    return Usage(
        input_tokens=(report.input_tokens or 0) + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(for_1h, written),
        output_tokens=report.output_tokens or 0,
    )
