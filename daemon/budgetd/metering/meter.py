"""The meter of one response: compression, framing and dialect put together.

The first byte of a body says how it is framed, for content types are wrong or missing now and then: an object
is one document (or, of some APIs, one of many), an array is a stream of documents, a zero is the length of a
binary message; anything else may be server-sent events.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from budgetd.metering import document, eventstream, json_array, ndjson, sse
from budgetd.metering.apis import Api
from budgetd.metering.decompress import Inflater
from budgetd.metering.readers import (
    anthropic,
    anthropic_batches,
    bedrock,
    bedrock_invoke,
    cohere,
    gemini,
    gemini_embed,
    ollama,
    openai_chat,
    openai_embeddings,
    openai_images,
    openai_responses,
    openai_speech,
    openai_transcriptions,
)
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading

_BLANK = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and white space may stand in front."""
_SSE_STARTS = b"deir:"
"""How lines of server-sent events begin: data, event, id, retry, and comments."""


class Reader(Protocol):
    """Gathers what one response reports, from its JSON documents in the order they come."""

    def event(self, document: bytes) -> None:
        """Take one event of a streamed response."""
        ...

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        ...

    def reading(self) -> Reading:
        """All that is known so far."""
        ...


class BodyReader(Reader, Protocol):
    """Reads the body of a response, of which tokens can be counted for want of a report."""

    @property
    def text(self) -> Text | None:
        """What is generated; None where it is no text."""
        ...


_READERS: dict[Api, Callable[[], BodyReader]] = {
    "anthropic.messages": anthropic.Reader,
    "anthropic.batches": anthropic_batches.Reader,
    "openai.chat": openai_chat.Reader,
    "openai.completions": openai_chat.Reader,
    "openai.responses": openai_responses.Reader,
    "openai.embeddings": openai_embeddings.Reader,
    "openai.images": openai_images.Reader,
    "openai.speech": openai_speech.Reader,
    "openai.transcriptions": openai_transcriptions.Reader,
    "gemini.generate": gemini.Reader,
    "gemini.embed": gemini_embed.Reader,
    "cohere.chat": cohere.Reader,
    "cohere.embed": cohere.Reader,
    "cohere.rerank": cohere.Reader,
    "bedrock.converse": bedrock.Reader,
    "bedrock.invoke": bedrock_invoke.Reader,
    "ollama.generate": ollama.Reader,
}

_BY_LINE: frozenset[Api] = frozenset({"anthropic.batches", "cohere.chat", "ollama.generate"})
"""Streams of these may be documents, one a line. Their readers tell a whole body from a part by what it
holds.
"""


class _Framing(Protocol):
    def feed(self, chunk: bytes) -> list[bytes]: ...
    def close(self) -> list[bytes]: ...


class Meter:
    """Reads a copy of one response while it passes. No bytes make it raise."""

    def __init__(
        self, reader: BodyReader, content_type: str, content_encoding: str = "", *, by_line: bool = False
    ) -> None:
        self._reader = reader
        self._by_line = by_line
        self._declared_sse = "event-stream" in content_type.lower()
        self._declared_sound = content_type.lower().startswith("audio/")
        self._framing: _Framing | None = None
        self._take: Callable[[bytes], None] = reader.whole
        self._finished = False
        self._inflater = Inflater(content_encoding, self._read) if content_encoding else None
        self._undo = self._inflater.feed if self._inflater else self._read

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body, as they came."""
        if not self._finished:
            self._undo(chunk)

    def progress(self) -> Reading:
        """What is known so far, by the same count as at the end; cheap."""
        return self._reading()

    def finish(self) -> Reading:
        """What is known at the end of the body, wherever it ended."""
        if not self._finished and self._framing is not None:
            for each in self._framing.close():
                self._take(each)
        self._finished = True
        return self._reading()

    def _reading(self) -> Reading:
        """With the tokens of what was generated, where no final report says how many there are."""
        reading, text = self._reader.reading(), self._reader.text
        if self._inflater is not None and self._inflater.broken:
            reading = msgspec.structs.replace(reading, complete=False)
        if text is None or (reading.usage is not None and reading.complete):
            return reading
        return msgspec.structs.replace(reading, text_tokens=text.tokens())

    def _read(self, plain: bytes) -> None:
        if self._framing is None:
            plain = plain.lstrip(_BLANK)
            if not plain:
                return
            self._framing = self._frame(plain[0])
        for each in self._framing.feed(plain):
            self._take(each)

    def _frame(self, first: int) -> _Framing:
        if self._declared_sound:
            return document.Unread()
        if first == ord("{"):
            return ndjson.Splitter() if self._by_line else document.Collector()
        self._take = self._reader.event
        if first == ord("["):
            return json_array.Splitter()
        if first == 0:
            return eventstream.Splitter()
        if self._declared_sse or first in _SSE_STARTS:
            return sse.Splitter()
        self._take = self._reader.whole
        return document.Unread()


def meter(
    api: Api,
    content_type: str,
    content_encoding: str = "",
    header: Callable[[bytes], str] | None = None,
) -> Meter:
    """A meter for one response of `api`, by its Content-Type and Content-Encoding.

    ``header`` gives any other of its headers by its lower-case name: Bedrock counts some responses there
    alone.
    """
    reader = bedrock_invoke.Reader(header) if api == "bedrock.invoke" else _READERS[api]()
    return Meter(reader, content_type, content_encoding, by_line=api in _BY_LINE)
