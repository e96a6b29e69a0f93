"""Bedrock's Converse: one shape for the models of all makers. A stream's usage is in its last event.

``inputTokens`` on the wire excludes what was read from or written to the cache. The model is in the path of
the request alone, and so is what decides its price: the region or the profile it is called by.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.text import Text
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


class _ReasoningText(msgspec.Struct):
    text: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    text: str | None = None
    reasoning_text: _ReasoningText | None = None


class _ToolUse(msgspec.Struct):
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


class _Message(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Document(msgspec.Struct, rename="camel"):
    """The payload of an event, or a whole response."""

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
        if (delta := part.delta) is not None:
            self.text.add(
                delta.text, *_reasoning(delta.reasoning_content), delta.tool_use and delta.tool_use.input
            )
        message = part.output and part.output.message
        for block in (message and message.content) or ():
            self.text.add(block.text, *_reasoning(block.reasoning_content))
            self.text.add_json(bytes(block.tool_use.input) if block.tool_use else b"")

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
        )


def _reasoning(reasoning: _Reasoning | None) -> tuple[str | None, ...]:
    if reasoning is None:
        return ()
    return reasoning.text, reasoning.reasoning_text and reasoning.reasoning_text.text


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
