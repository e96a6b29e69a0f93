"""One JSON document, collected whole, up to a bound."""

MAX_DOCUMENT = 32 * 1024 * 1024
"""A body of more bytes than this is not read."""


class Collector:
    """Holds a body that is not streamed until its end."""

    def __init__(self, limit: int = MAX_DOCUMENT) -> None:
        self._limit = limit
        self._body: bytearray | None = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Nothing: the document is not complete before the end."""
        if self._body is not None:
            self._body += chunk
            if len(self._body) > self._limit:
                self._body = None
        return []

    def close(self) -> list[bytes]:
        """The document, unless it was too long."""
        body, self._body = self._body, None
        return [bytes(body)] if body else []


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
