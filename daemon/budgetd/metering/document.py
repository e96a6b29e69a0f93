"""One JSON document, collected whole, up to a bound."""

import re

MAX_DOCUMENT = 32 * 1024 * 1024
"""Of a body of more bytes than this only the end is read."""
END = 64 * 1024
"""Bytes of that end."""

_REPORT = re.compile(rb'.*("(?:usage|usageMetadata|meta)"\s*:.*)', re.DOTALL)
"""The last report, which most providers write behind what is long: embeddings or pictures."""


class Collector:
    """Holds a body that is not streamed until its end."""

    def __init__(self, limit: int = MAX_DOCUMENT) -> None:
        self._limit = limit
        self._body = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Nothing: the document is not complete before the end."""
        self._body += chunk
        if len(self._body) > (2 * END if self._too_long else self._limit):
            self._too_long = True
            del self._body[:-END]
        return []

    def close(self) -> list[bytes]:
        """The document; of one that was too long, its last fields from the report on. Should that not be
        where fields of the document stand, it is no JSON.
        """
        body, self._body = bytes(self._body), bytearray()
        if self._too_long:
            report = _REPORT.fullmatch(body)
            return [b"{" + report[1]] if report else []
        return [body] if body else []


class Unread:
    """Passes over a body that is neither JSON nor a stream of events, such as sound or an error page. All
    that is known of it is that it came: an empty document at its end.
    """

    def __init__(self) -> None:
        self._came = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Nothing, whatever comes."""
        self._came = self._came or bool(chunk)
        return []

    def close(self) -> list[bytes]:
        """An empty document."""
        return [b""] if self._came else []
