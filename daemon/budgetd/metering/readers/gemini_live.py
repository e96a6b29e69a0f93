"""A turn of Gemini Live: reports come now and then, at the latest with the message that completes the turn.

They need not grow, so the largest of each count is taken. Thoughts are output, and the results of tools are
input, though neither is in the count of its name.
"""

from math import ceil

import msgspec

from budgetd.metering.decoder import Count, Decoder
from budgetd.metering.readers.gemini import billed_searches
from budgetd.metering.tally import tally
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage

PCM_BYTES = 1_920
"""Bytes of generated 24 kHz PCM to a token: 25 in a second."""


class _Modality(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: Count | None = None


class _Report(msgspec.Struct, rename="camel"):
    prompt_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    response_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    prompt_tokens_details: list[_Modality] | None = None
    tool_use_prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    response_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


class _Blob(msgspec.Struct, rename="camel"):
    mime_type: str | None = None
    data: str | None = None


class _Code(msgspec.Struct):
    code: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    inline_data: _Blob | None = None
    executable_code: _Code | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Transcription(msgspec.Struct):
    text: str | None = None


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[str] | None = None


class _ServerContent(msgspec.Struct, rename="camel"):
    model_turn: _Content | None = None
    output_transcription: _Transcription | None = None
    grounding_metadata: _Grounding | None = None
    turn_complete: bool | None = None
    generation_complete: bool | None = None


class _Call(msgspec.Struct):
    args: msgspec.Raw = msgspec.Raw()


class _ToolCall(msgspec.Struct, rename="camel"):
    function_calls: list[_Call] | None = None


class _Message(msgspec.Struct, rename="camel"):
    server_content: _ServerContent | None = None
    tool_call: _ToolCall | None = None
    usage_metadata: _Report | None = None


_MESSAGES = Decoder(_Message)


class Reader:
    """Gathers what one turn reports."""

    def __init__(self, model: str) -> None:
        """``model``: the session's."""
        self._model = model
        self._counts: dict[str, int] | None = None
        self._searches = 0
        self._complete = False
        self.text = Text()
        self._sound_bytes = 0

    @property
    def reported(self) -> bool:
        """Usage has been seen."""
        return self._counts is not None

    def event(self, document: bytes) -> None:
        """Take one message of the server's."""
        message = _MESSAGES.decode(document)
        if message is None:
            return
        if message.server_content is not None:
            self._generated(message.server_content)
        for call in (message.tool_call and message.tool_call.function_calls) or ():
            self.text.add_json(bytes(call.args))
        if message.usage_metadata is not None:
            counts = _counts(message.usage_metadata)
            before = self._counts or {}
            self._counts = {each: max(count, before.get(each, 0)) for each, count in counts.items()}

    def whole(self, document: bytes) -> None:
        """Take the only message there is."""
        self.event(document)

    def reading(self) -> Reading:
        """All that is known so far. Of a turn that runs, the sound is counted by its length."""
        usage: Usage | None = None
        if self._counts is not None:
            searches = billed_searches(self._model, self._searches)
            usage = tally(**self._counts, cache_write=0, web_searches=searches)
        elif self._sound_bytes:
            sound = ceil(self._sound_bytes / PCM_BYTES)
            usage = Usage(output_tokens=sound + self.text.length // 4, output_audio_tokens=sound)
        return Reading(
            usage=usage,
            complete=self._complete and self._counts is not None,
            output_bytes=self.text.length,
        )

    def _generated(self, content: _ServerContent) -> None:
        self._complete = self._complete or bool(content.turn_complete or content.generation_complete)
        self.text.add(content.output_transcription and content.output_transcription.text)
        queries = content.grounding_metadata and content.grounding_metadata.web_search_queries
        self._searches = max(self._searches, len(queries or ()))
        for part in (content.model_turn and content.model_turn.parts) or ():
            self.text.add(part.text, part.executable_code and part.executable_code.code)
            if part.inline_data is not None:
                self._sound_bytes += len(part.inline_data.data or "") * 3 // 4


def _counts(report: _Report) -> dict[str, int]:
    """A report's counts, by what `tally` calls them."""
    into = [*(report.prompt_tokens_details or ()), *(report.tool_use_prompt_tokens_details or ())]
    out = report.response_tokens_details or report.candidates_tokens_details or []
    read = report.cache_tokens_details or []
    thoughts = report.thoughts_token_count or 0
    generated = report.response_token_count or report.candidates_token_count or 0
    return {
        "input_tokens": (report.prompt_token_count or 0) + (report.tool_use_prompt_token_count or 0),
        "input_audio": _tokens(into, "AUDIO"),
        "input_image": _tokens(into, "IMAGE") + _tokens(into, "VIDEO"),
        "cache_read": report.cached_content_token_count or 0,
        "cache_read_audio": _tokens(read, "AUDIO"),
        "cache_read_image": _tokens(read, "IMAGE") + _tokens(read, "VIDEO"),
        "output_tokens": generated + thoughts,
        "reasoning": thoughts,
        "output_audio": _tokens(out, "AUDIO"),
        "output_image": _tokens(out, "IMAGE"),
    }


def _tokens(details: list[_Modality], modality: str) -> int:
    return sum(each.token_count or 0 for each in details if each.modality == modality)
