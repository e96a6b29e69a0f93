"""JSON documents out of a byte stream that may be cut anywhere, one a line.

A body that is one document, on however many lines, is taken whole: content types do not always tell it from
a stream.
"""

MAX_DOCUMENT = 32 * 1024 * 1024
"""A document of more bytes than this ends the reading."""


class Splitter:
    """Cuts a byte stream into its lines that hold a JSON object; others are passed over."""

    def __init__(self, limit: int = MAX_DOCUMENT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._begun = False
        self._by_line = True
        self._ended = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Every document that `chunk` ends."""
        if self._ended:
            return []
        documents: list[bytes] = []
        if self._by_line and b"\n" in chunk:
            *lines, chunk = (bytes(self._pending) + chunk).split(b"\n")
            self._pending.clear()
            for at, line in enumerate(lines):
                if self._take(line.strip(), documents):
                    continue
                chunk = b"\n".join((*lines[at:], chunk))
                break
        if not self._ended:
            self._pending += chunk
        if len(self._pending) > self._limit:
            self._end()
        return documents

    def close(self) -> list[bytes]:
        """A last document that no line end followed."""
        last = bytes(self._pending).strip()
        self._end()
        return [last] if last else []

    def _take(self, line: bytes, documents: list[bytes]) -> bool:
        """Take a line; False if the body turns out to be one document of many lines, or too long to read."""
        if len(line) > self._limit:
            self._end()
            return False
        whole = line.startswith(b"{") and line.endswith(b"}")
        if whole:
            documents.append(line)
        elif line and not self._begun:
            self._by_line = False
            return False
        self._begun = self._begun or whole
        return True

    def _end(self) -> None:
        self._ended = True
        self._pending.clear()
