"""The meter of one response: compression, framing and dialect put together.

The first byte of a body says how it is framed, for content types are wrong or missing now and then: an object
is one document, an array is a stream of documents; anything else may be server-sent events.
"""

from collections.abc import Callable
from typing import Protocol

from budgetd.metering import document, json_array, sse
from budgetd.metering.apis import Api
from budgetd.metering.decompress import Inflater
from budgetd.metering.readers import anthropic, gemini, openai_chat, openai_responses
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


_READERS: dict[Api, Callable[[], Reader]] = {
    "anthropic.messages": anthropic.Reader,
    "openai.chat": openai_chat.Reader,
    "openai.responses": openai_responses.Reader,
    "gemini.generate": gemini.Reader,
}


class _Framing(Protocol):
    def feed(self, chunk: bytes) -> list[bytes]: ...
    def close(self) -> list[bytes]: ...


class Meter:
    """Reads a copy of one response while it passes. No bytes make it raise."""

    def __init__(self, reader: Reader, content_type: str, content_encoding: str = "") -> None:
        self._reader = reader
        self._declared_sse = "event-stream" in content_type.lower()
        self._framing: _Framing | None = None
        self._take: Callable[[bytes], None] = reader.whole
        self._finished = False
        self._undo = Inflater(content_encoding, self._read).feed if content_encoding else self._read

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body, as they came."""
        if not self._finished:
            self._undo(chunk)

    def progress(self) -> Reading:
        """What is known so far; cheap."""
        return self._reader.reading()

    def finish(self) -> Reading:
        """What is known at the end of the body, wherever it ended."""
        if not self._finished and self._framing is not None:
            for each in self._framing.close():
                self._take(each)
        self._finished = True
        return self._reader.reading()

    def _read(self, plain: bytes) -> None:
        if self._framing is None:
            plain = plain.lstrip(_BLANK)
            if not plain:
                return
            self._framing = self._frame(plain[0])
        for each in self._framing.feed(plain):
            self._take(each)

    def _frame(self, first: int) -> _Framing:
        if first == ord("{"):
            return document.Collector()
        self._take = self._reader.event
        if first == ord("["):
            return json_array.Splitter()
        if self._declared_sse or first in _SSE_STARTS:
            return sse.Splitter()
        return document.Nothing()


def meter(api: Api, content_type: str, content_encoding: str = "") -> Meter:
    """A meter for one response of `api`, by its Content-Type and Content-Encoding."""
    return Meter(_READERS[api](), content_type, content_encoding)
