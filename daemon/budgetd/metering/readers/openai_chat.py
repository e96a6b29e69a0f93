"""OpenAI Chat Completions, and the Completions before them: usage comes in the last chunk of a stream, and
only if it was asked for.

Many other providers speak this dialect, with counts of their own beside it; some state what they charge.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import reduce

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
from budgetd.metering.tally import total
from budgetd.metering.text import Text, called
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
    cached_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    prompt_audio_seconds: Decimal | None = None
    server_tool_use_details: _ServerToolUse | None = None


class _Model(msgspec.Struct):
    model: str | None = None
    usage: _Report | None = None


class _Breakdown(msgspec.Struct):
    """What each model used of a system of several, at Groq."""

    models: list[_Model] | None = None


class _Groq(msgspec.Struct):
    usage: _Report | None = None
    usage_breakdown: _Breakdown | None = None


class _Function(msgspec.Struct):
    name: str | None = None
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
    usage: _Report | None = None
    """Moonshot's place for it."""


class _Completion(msgspec.Struct):
    """A chunk of a stream, or a whole completion."""

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[_Choice] | None = None
    usage: _Report | None = None
    usage_breakdown: _Breakdown | None = None
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
        self._breakdown: _Breakdown | None = None
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
        usage = None if report is None else _usage(report)
        model, others = name(self._model), ()
        if usage is not None and (used := _by_model(self._breakdown, usage)):
            (model, usage), *others = used.items()
        return Reading(
            usage=usage,
            others=tuple(others),
            complete=self._complete and not self._failed,
            failed=self._failed and report is None and not self.text.length,
            model=model,
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
        groq = part.x_groq or _Groq()
        self._breakdown = part.usage_breakdown or groq.usage_breakdown or self._breakdown
        in_choices = (choice.usage for choice in part.choices or () if choice.usage is not None)
        if report := part.usage or groq.usage or next(in_choices, None):
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
        if (function := call.function or call.custom) is not None:
            yield called(function.name)
            yield function.arguments


def _usage(report: _Report) -> Usage:
    tools = report.server_tool_use_details
    return usage_of(
        report.prompt_tokens,
        report.completion_tokens,
        # Mistral's total holds the tokens of sound, which is billed by its time.
        0 if report.prompt_audio_seconds else report.total_tokens,
        report.prompt_tokens_details,
        report.completion_tokens_details,
        cached=report.prompt_cache_hit_tokens or report.num_cached_tokens or report.cached_tokens or 0,
        written=report.cache_creation_input_tokens or 0,
        web_searches=(tools and tools.web_search_requests) or 0,
        input_audio_ms=milliseconds(report.prompt_audio_seconds),
    )


def _by_model(breakdown: _Breakdown | None, whole: Usage) -> dict[str, Usage]:
    """What each model used; empty where that is less than they are said to have used together."""
    used: dict[str, Usage] = {}
    for each in (breakdown and breakdown.models) or ():
        if each.model and each.usage is not None:
            model = name(each.model)
            used[model] = total(used.get(model, Usage()), _usage(each.usage))
    together = reduce(total, used.values(), Usage())
    if together.input_tokens < whole.input_tokens or together.output_tokens < whole.output_tokens:
        return {}
    return used
