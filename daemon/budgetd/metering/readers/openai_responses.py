"""OpenAI Responses: usage comes with the event that ends the response, and tools report theirs apart.

A response that runs in the background reports nothing until it is fetched. What fetches it, compacts a
conversation or comes over a WebSocket reads alike.
"""

from collections.abc import Iterator

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.readers.openai_usage import (
    InputDetails,
    OutputDetails,
    PictureReport,
    Stated,
    pictures_usage,
    stated_nusd,
    usage_of,
)
from budgetd.metering.text import Text, called
from budgetd.metering.usage import Reading, Usage


class _Report(Stated):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class _WebSearch(msgspec.Struct):
    num_requests: Count | None = None


class _ToolUsage(msgspec.Struct):
    web_search: _WebSearch | None = None
    image_gen: PictureReport | None = None


class _Action(msgspec.Struct):
    type: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    action: _Action | None = None
    content: list[_Part] | None = None
    name: str | None = None
    """Of the tool that is called."""
    encrypted_content: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    model: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    background: bool | None = None
    service_tier: str | None = None
    usage: _Report | None = None
    tool_usage: _ToolUsage | None = None
    output: list[_Item] | None = None
    tools: list[_Tool] | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    delta: str | None = None
    response: _Response | None = None
    item: _Item | None = None


_EVENTS = Decoder(_Event)
_RESPONSES = Decoder(_Response)

_RUNNING = ("queued", "in_progress")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_FILE_SEARCH = "file_search_call"
_SEALED_FRAME = 680
"""Bytes of encrypted content beside what it holds. Recorded ones had 714 and 729 for reasoning of 9 and 10
tokens; with this, longer ones had 4 to 5 bytes a token."""
_NOT_TEXT = (
    "response.audio.delta",
    "response.reasoning_summary_text.delta",
    "response.shell_call_output_content.delta",
)
"""Deltas of what is no text, or is not billed: a summary stands for reasoning that is."""
_IMAGE_MODEL = "gpt-image-1"
"""The model that makes images where the tool names none."""


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._response = _Response()
        self._searches = 0
        self._file_searches = 0
        self._failed = False
        self._complete = False
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        event = _EVENTS.decode(document)
        if event is None or event.type is None:
            return
        kind = event.type
        if kind.endswith(".delta"):
            if kind not in _NOT_TEXT:
                self.text.add(event.delta)
        elif event.response is not None:
            self._update(event.response)
            self._complete = self._complete or kind in _ENDS
        elif kind == "response.output_item.added":
            self.text.add(event.item and called(event.item.name))
        elif kind == "response.output_item.done":
            if event.item is not None:
                self._searches += _is_search(event.item)
                self._file_searches += event.item.type == _FILE_SEARCH
                self.text.add_sealed(event.item.encrypted_content, _SEALED_FRAME)
        elif kind == "error":
            self._failed = True

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        response = _RESPONSES.decode(document)
        if response is None:
            return
        self._update(response)
        self._complete = response.usage is not None and response.status not in _RUNNING
        for item in response.output or ():
            self.text.add(*_texts(item))
            self.text.add_sealed(item.encrypted_content, _SEALED_FRAME)

    def reading(self) -> Reading:
        """All that is known so far."""
        response, report = self._response, self._response.usage
        failed = self._failed or response.status == "failed"
        return Reading(
            usage=None if report is None else _usage(report, self._searches, self._file_searches),
            others=_others(response),
            complete=self._complete and not self._failed,
            failed=failed and report is None and not (self.text.length or self.text.sealed),
            pending=bool(response.background) and response.status in _RUNNING,
            model=name(response.model),
            service_tier=name(response.service_tier),
            cost_nusd=None if report is None else stated_nusd(report),
            response_id=name(response.id),
            output_bytes=self.text.length,
            sealed_bytes=self.text.sealed,
        )

    def _update(self, response: _Response) -> None:
        for field in _Response.__struct_fields__:
            value = getattr(response, field)
            if value is not None:
                setattr(self._response, field, value)
        if response.output:
            self._searches = max(self._searches, sum(map(_is_search, response.output)))
            file_searches = sum(item.type == _FILE_SEARCH for item in response.output)
            self._file_searches = max(self._file_searches, file_searches)
            self._response.output = None
        billed = response.tool_usage and response.tool_usage.web_search
        if billed and billed.num_requests is not None and response.usage is not None:
            self._searches = billed.num_requests


def _is_search(item: _Item) -> bool:
    """Opening a page and finding text in it are no searches."""
    return item.type == "web_search_call" and (item.action is None or item.action.type in (None, "search"))


def _texts(item: _Item) -> Iterator[str | None]:
    for part in item.content or ():
        yield part.text
        yield part.refusal
    yield from (called(item.name), item.arguments, item.input, item.code)


def _usage(report: _Report, searches: int, file_searches: int) -> Usage:
    return usage_of(
        report.input_tokens,
        report.output_tokens,
        report.total_tokens,
        report.input_tokens_details,
        report.output_tokens_details,
        web_searches=searches,
        file_searches=file_searches,
    )


def _others(response: _Response) -> tuple[tuple[str, Usage], ...]:
    """Images are made by a model of their own, and billed at its price."""
    images = response.tool_usage and response.tool_usage.image_gen
    if not images or not (images.input_tokens or images.output_tokens):
        return ()
    makers = [tool.model for tool in response.tools or () if tool.type == "image_generation" and tool.model]
    return ((name(makers[0] if makers else _IMAGE_MODEL), pictures_usage(images)),)
