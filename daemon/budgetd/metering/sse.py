"""Server-sent events out of a byte stream that may be cut anywhere.

Only the ``data`` of each event is of interest: every dialect says inside it what kind of event it is.
"""

MAX_EVENT = 32 * 1024 * 1024
"""An event of more bytes than this is skipped. (Generated images come as one event.)"""


class Splitter:
    """Cuts a byte stream into events, at blank lines; line ends may be ``\\n``, ``\\r\\n`` or ``\\r``."""

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._after_cr = False
        self._skipping = False
        self._at_line_end = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` ends."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_plain_line_ends(chunk)
        end = chunk.find(b"\n\n")
        if end == len(chunk) - 2 and end >= 0 and not self._pending and not self._skipping:
            # The chunk is one whole event, as most are.
            return [data] if end <= self._limit and (data := _data(chunk[:end])) else []
        if end < 0 and not (self._at_line_end and chunk.startswith(b"\n")):
            self._keep(chunk)
            return []
        if self._pending:
            chunk = bytes(self._pending) + chunk
            self._pending.clear()
        elif self._skipping and self._at_line_end and chunk.startswith(b"\n"):
            chunk = b"\n" + chunk
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        if self._skipping:
            del blocks[0]
            self._skipping = False
        self._at_line_end = False
        self._keep(rest)
        return [data for block in blocks if len(block) <= self._limit and (data := _data(block))]

    def close(self) -> list[bytes]:
        """The data of a last event that no blank line ended."""
        last = bytes(self._pending)
        self._pending.clear()
        data = _data(last.removesuffix(b"\n"))
        return [data] if data and len(last) <= self._limit else []

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._at_line_end = part.endswith(b"\n")
        if self._skipping:
            return
        self._pending += part
        # One byte more than the limit may be the first half of the blank line that ends the event.
        if len(self._pending) > self._limit + 1:
            self._pending.clear()
            self._skipping = True

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(block: bytes) -> bytes:
    """The data of one event, from its lines. Nearly all have one line of it, last."""
    if block.startswith(b"data:"):
        start = 5
    else:
        start = block.find(b"\ndata:") + 6
        if start < 6:
            return b""
    if block.find(b"\n", start) < 0:
        return block[start:].removeprefix(b" ")
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)
