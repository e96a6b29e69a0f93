"""Messages out of Amazon's binary event stream, which may be cut anywhere.

A message is its length, the length of its headers and a checksum of both (4 bytes each), the headers, the
payload, and a checksum of all. Only payloads are of interest: what they hold says what they are. Checksums
are passed over: the client checks them, and what was generated is billed even if a byte of it was lost.
"""

MAX_MESSAGE = 32 * 1024 * 1024
"""A message of more bytes than this ends the reading; Amazon sends none above 24 MiB."""

_PRELUDE = 12
_CHECKSUM = 4


class Splitter:
    """Cuts a byte stream into messages, until something comes that can be none."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._ended = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payload of every message that `chunk` ends."""
        if self._ended:
            return []
        self._pending += chunk
        payloads: list[bytes] = []
        start = 0
        while len(self._pending) - start >= _PRELUDE:
            length, payload = self._lengths(start)
            if payload > length - _CHECKSUM or length > self._limit:
                self._ended = True
                self._pending.clear()
                return payloads
            if len(self._pending) - start < length:
                break
            if payload < length - _CHECKSUM:
                payloads.append(bytes(self._pending[start + payload : start + length - _CHECKSUM]))
            start += length
        del self._pending[:start]
        return payloads

    def close(self) -> list[bytes]:
        """Nothing: a message that was cut off cannot be read."""
        return []

    def _lengths(self, start: int) -> tuple[int, int]:
        """How long the message is, and where in it its payload starts."""
        length = int.from_bytes(self._pending[start : start + 4], "big")
        headers = int.from_bytes(self._pending[start + 4 : start + 8], "big")
        return length, _PRELUDE + headers
