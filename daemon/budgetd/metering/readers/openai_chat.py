"""OpenAI Chat Completions, and the Completions before them: usage comes in the last chunk of a stream, and
only if it was asked for.

Many other providers speak this dialect, with counts of their own beside it; some state what they charge.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.readers.openai_usage import (
    InputDetails,
    OutputDetails,
    Stated,
    milliseconds,
    stated_nusd,
    usage_of,
)
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage


class _ServerToolUse(msgspec.Struct):
    web_search_requests: Count | None = None


class _Report(Stated):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: Count | None = None
    num_cached_tokens: Count | None = None
    prompt_audio_seconds: Decimal | None = None
    server_tool_use_details: _ServerToolUse | None = None


class _Groq(msgspec.Struct):
    usage: _Report | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None
    custom: _Function | None = None


class _Thought(msgspec.Struct):
    text: str | None = None


class _Piece(msgspec.Struct):
    text: str | None = None
    thinking: list[_Thought] | None = None


class _Text(msgspec.Struct):
    content: str | list[_Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None
    text: str | None = None


class _Completion(msgspec.Struct):
    """A chunk of a stream, or a whole completion."""

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[_Choice] | None = None
    usage: _Report | None = None
    x_groq: _Groq | None = None
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
        self.text = Text()

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
            cost_nusd=None if report is None else stated_nusd(report),
            response_id=name(self._id),
            output_bytes=self.text.length,
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
        report = part.usage or (part.x_groq and part.x_groq.usage)
        if report:
            # Also one that comes with an error is final.
            self._report, self._failed = report, False
        for choice in part.choices or ():
            text = choice.delta or choice.message
            if text is not None:
                self.text.add(*_texts(text))
            elif choice.text is not None:
                self.text.add(choice.text)
        return part


def _texts(text: _Text) -> Iterator[str | None]:
    if isinstance(text.content, list):
        # Mistral's content where it thinks: a list of texts and of thoughts, which are lists of texts.
        for piece in text.content:
            yield piece.text
            yield from (thought.text for thought in piece.thinking or ())
    else:
        yield text.content
    yield text.reasoning_content or text.reasoning
    yield text.refusal
    for call in text.tool_calls or ():
        function = call.function or call.custom
        yield function and function.arguments


def _usage(report: _Report) -> Usage:
    tools = report.server_tool_use_details
    return usage_of(
        report.prompt_tokens,
        report.completion_tokens,
        report.total_tokens,
        report.prompt_tokens_details,
        report.completion_tokens_details,
        cached=report.prompt_cache_hit_tokens or report.num_cached_tokens or 0,
        web_searches=(tools and tools.web_search_requests) or 0,
        input_audio_ms=milliseconds(report.prompt_audio_seconds),
    )
