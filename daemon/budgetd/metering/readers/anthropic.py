"""Anthropic Messages: ``message_start``, then cumulative ``message_delta`` reports; the last one wins, field
by field.

``input_tokens`` on the wire excludes what was read from or written to the cache. Iterations that are no
message (a compaction, an advisor) bill on top of the totals.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import tier, total
from budgetd.metering.text import CITATION, SIGNATURE_FRAME, Text, called
from budgetd.metering.usage import Reading, Usage


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _ServerToolUse(msgspec.Struct):
    web_search_requests: Count | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Count | None = None


class _Iteration(msgspec.Struct):
    type: str | None = None
    model: str | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None


class _Report(_Iteration):
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerToolUse | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    iterations: list[_Iteration] | None = None


class _Block(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citations: list[msgspec.Raw] | None = None
    name: str | None = None
    """Of the tool that is called."""
    input: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    usage: _Report | None = None
    content: list[_Block] | None = None


class _Delta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: msgspec.Raw = msgspec.Raw()
    content: str | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    message: _Message | None = None
    usage: _Report | None = None


_EVENTS = Decoder(_Event)
_MESSAGES = Decoder(_Message)


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._report = _Report()
        self._reported = False
        self._failed = False
        self._complete = False
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        event = _EVENTS.decode(document)
        if event is None:
            return
        if event.type == "content_block_delta":
            if (delta := event.delta) is not None:
                # Each kind of delta has one of them.
                self.text.add(delta.text or delta.partial_json or delta.content)
                self.text.add(CITATION if delta.citation else None)
                self.text.add_reasoning(delta.thinking)
                self.text.add_sealed(delta.signature, SIGNATURE_FRAME)
        elif event.type == "content_block_start":
            self.text.add(event.content_block and called(event.content_block.name))
        elif event.type == "message_start":
            self._begin(event.message or _Message())
        elif event.type == "message_delta":
            self._update(event.usage)
        elif event.type == "message_stop":
            self._complete = True
        elif event.type == "error":
            self._failed = True

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        message = _MESSAGES.decode(document)
        if message is None:
            return
        self._failed = message.type == "error"
        self._begin(message)
        self._complete = self._reported
        for block in message.content or ():
            self.text.add(block.text, called(block.name), *[CITATION] * len(block.citations or ()))
            self.text.add_json(bytes(block.input))
            self.text.add_reasoning(block.thinking)
            self.text.add_sealed(block.signature, SIGNATURE_FRAME)

    def reading(self) -> Reading:
        """All that is known so far."""
        usage, others = self._usage() if self._reported else (None, ())
        return Reading(
            usage=usage,
            others=others,
            complete=self._complete and not self._failed,
            failed=self._failed and not self._reported,
            model=name(self._model),
            service_tier=name(tier(self._report.service_tier, self._report.speed)),
            geo="" if self._report.inference_geo == "not_available" else name(self._report.inference_geo),
            response_id=name(self._id),
            output_bytes=self.text.length,
            sealed_bytes=self.text.sealed,
        )

    def _begin(self, message: _Message) -> None:
        self._id = message.id or self._id
        self._model = message.model or self._model
        self._update(message.usage)

    def _update(self, report: _Report | None) -> None:
        if report is None:
            return
        if not self._reported:
            self._report, self._reported = report, True
            return
        for field in _Report.__struct_fields__:
            value = getattr(report, field)
            if value is not None:
                setattr(self._report, field, value)

    def _usage(self) -> tuple[Usage, tuple[tuple[str, Usage], ...]]:
        report = self._report
        usage = _usage(report)
        others: dict[str, Usage] = {}
        for iteration in report.iterations or ():
            if iteration.type in _IN_THE_TOTALS:
                continue
            model = name(iteration.model)
            if model in ("", self._model):
                usage = total(usage, _usage(iteration))
            else:
                others[model] = total(others.get(model, Usage()), _usage(iteration))
        details, tools = report.output_tokens_details, report.server_tool_use
        if details is not None or tools is not None:
            usage = msgspec.structs.replace(
                usage,
                reasoning_tokens=min((details and details.thinking_tokens) or 0, usage.output_tokens),
                web_searches=(tools and tools.web_search_requests) or 0,
            )
        return usage, tuple(others.items())


_NOTHING_CREATED = _CacheCreation()
_IN_THE_TOTALS = ("message", "fallback_message")
"""A fallback's message stands in the list in place of the message it replaced."""


def _usage(report: _Iteration) -> Usage:
    creation = report.cache_creation or _NOTHING_CREATED
    for_5m, for_1h = creation.ephemeral_5m_input_tokens or 0, creation.ephemeral_1h_input_tokens or 0
    written = max(report.cache_creation_input_tokens or 0, for_5m + for_1h)
    read = report.cache_read_input_tokens or 0
    return Usage(
        input_tokens=(report.input_tokens or 0) + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        # A later total comes without the split: what grew counts as the dearer kind, if there was any of it.
        cache_write_1h_tokens=written - for_5m if for_1h else 0,
        output_tokens=report.output_tokens or 0,
    )
