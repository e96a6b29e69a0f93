"""Gemini generateContent and streamGenerateContent, also as Vertex AI serves them.

Every chunk of a stream carries a report; they do not only grow, so the largest of each count is taken.
Thoughts are output, and the results of tools are input, though neither is in the count of its name. Video and
documents are billed as text.
"""

import re
from collections.abc import Iterable

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import tally
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage


class Modality(msgspec.Struct, rename="camel"):
    """How many of some tokens are text, pictures, sound, …"""

    modality: str | None = None
    token_count: Count | None = None


class _Report(msgspec.Struct, rename="camel"):
    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    prompt_tokens_details: list[Modality] | None = None
    tool_use_prompt_tokens_details: list[Modality] | None = None
    cache_tokens_details: list[Modality] | None = None
    candidates_tokens_details: list[Modality] | None = None
    service_tier: str | None = None


class _Code(msgspec.Struct):
    code: str | None = None


class _Call(msgspec.Struct):
    args: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    function_call: _Call | None = None
    executable_code: _Code | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[str] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    grounding_metadata: _Grounding | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Response(msgspec.Struct, rename="camel"):
    """A chunk of a stream, or a whole response."""

    candidates: list[_Candidate] | None = None
    usage_metadata: _Report | None = None
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: object = None


_RESPONSES = Decoder(_Response)

_ONE_SEARCH_FEE = re.compile(r"gemini-(?:live-)?[12]\.")
"""Models before Gemini 3, which bill a prompt that was searched for, however often that was."""


class _Counts:
    """The largest of each count so far."""

    __slots__ = (
        "cached",
        "cached_image",
        "cached_sound",
        "candidates",
        "drawn",
        "image",
        "prompt",
        "sound",
        "spoken",
        "thoughts",
        "tools",
    )

    def __init__(self) -> None:
        self.prompt = self.tools = self.cached = self.candidates = self.thoughts = 0
        self.sound = self.cached_sound = self.spoken = 0
        self.image = self.cached_image = self.drawn = 0

    def raise_to(self, report: _Report) -> None:
        """Take the counts of `report` that are larger."""
        self.prompt = max(self.prompt, report.prompt_token_count or 0)
        self.tools = max(self.tools, report.tool_use_prompt_token_count or 0)
        self.cached = max(self.cached, report.cached_content_token_count or 0)
        self.candidates = max(self.candidates, report.candidates_token_count or 0)
        self.thoughts = max(self.thoughts, report.thoughts_token_count or 0)
        into = (*(report.prompt_tokens_details or ()), *(report.tool_use_prompt_tokens_details or ()))
        self.sound = max(self.sound, tokens_of("AUDIO", into))
        self.image = max(self.image, tokens_of("IMAGE", into))
        if cached := report.cache_tokens_details:
            self.cached_sound = max(self.cached_sound, tokens_of("AUDIO", cached))
            self.cached_image = max(self.cached_image, tokens_of("IMAGE", cached))
        if out := report.candidates_tokens_details:
            self.spoken = max(self.spoken, tokens_of("AUDIO", out))
            self.drawn = max(self.drawn, tokens_of("IMAGE", out))

    def usage(self, searches: int) -> Usage:
        """What they come to."""
        return tally(
            input_tokens=self.prompt + self.tools,
            cache_read=self.cached,
            cache_write=0,
            input_audio=self.sound,
            cache_read_audio=self.cached_sound,
            output_tokens=self.candidates + self.thoughts,
            reasoning=self.thoughts,
            output_audio=self.spoken,
            web_searches=searches,
            input_image=self.image,
            cache_read_image=self.cached_image,
            output_image=self.drawn,
        )


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._tier = ""
        self._counts: _Counts | None = None
        self._searches = 0
        self._failed = False
        self._complete = False
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take one chunk of a streamed response."""
        part = _RESPONSES.decode(document)
        if part is None:
            return
        if part.error is not None:
            self._failed = True
        self._id = part.response_id or self._id
        self._model = part.model_version or self._model
        if part.candidates:
            self._complete = any(each.finish_reason for each in part.candidates)
            self._generated(part.candidates)
        elif part.prompt_feedback is not None and part.prompt_feedback.block_reason:
            self._complete = True
        if part.usage_metadata is not None:
            self._reported(part.usage_metadata)

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        self.event(document)
        self._complete = self._counts is not None

    def reading(self) -> Reading:
        """All that is known so far."""
        return Reading(
            usage=None
            if self._counts is None
            else self._counts.usage(billed_searches(self._model, self._searches)),
            complete=self._complete and not self._failed,
            failed=self._failed and self._counts is None and not self.text.length,
            model=name(self._model),
            service_tier=name(self._tier),
            response_id=name(self._id),
            output_bytes=self.text.length,
        )

    def _generated(self, candidates: list[_Candidate]) -> None:
        searches = 0
        for candidate in candidates:
            for part in (candidate.content and candidate.content.parts) or ():
                self._take(part)
            grounding = candidate.grounding_metadata
            searches += len((grounding and grounding.web_search_queries) or ())
        self._searches = max(self._searches, searches)

    def _take(self, part: _Part) -> None:
        self.text.add(part.text, part.executable_code and part.executable_code.code)
        if part.function_call is not None:
            self.text.add_json(bytes(part.function_call.args))

    def _reported(self, report: _Report) -> None:
        self._tier = report.service_tier or self._tier
        if self._counts is None:
            self._counts = _Counts()
        self._counts.raise_to(report)


def billed_searches(model: str, queries: int) -> int:
    """How many searches are billed where a model of this name has made so many queries."""
    return min(queries, 1) if _ONE_SEARCH_FEE.match(model) else queries


def tokens_of(modality: str, details: Iterable[Modality]) -> int:
    """The tokens of one modality."""
    return sum(each.token_count or 0 for each in details if each.modality == modality)
