"""What a response generates: how much of it there is, and its tokens, counted if nobody reports them.

Counting needs the extra ``tokens`` (o200k, by `toktok`). Where it is installed, the beginning of each
response is kept while it streams, in memory alone; it is neither logged nor stored, and goes with the
response.
"""

from importlib.util import find_spec

from budgetd.metering.decoder import size

CAN_COUNT = find_spec("toktok") is not None

MOST_KEPT = 64 * 1024
"""Characters kept of a response. The rest of a longer one is taken to be like them."""


class Text:
    """The text, reasoning and tool input of one response."""

    __slots__ = ("_pieces", "_room", "length")

    def __init__(self, most_kept: int = MOST_KEPT if CAN_COUNT else 0) -> None:
        self.length = 0
        """UTF-8 bytes."""
        self._room = most_kept
        self._pieces: list[str] = []

    def add(self, *texts: str | None) -> None:
        """Take what was generated next."""
        for text in texts:
            if not text:
                continue
            self.length += size(text)
            if self._room > 0:
                self._pieces.append(text[: self._room])
                self._room -= len(text)

    def add_json(self, raw: bytes) -> None:
        """Take tool input that came as JSON."""
        self.add(raw.decode("utf-8", "replace"))

    def tokens(self) -> int | None:
        """How many o200k tokens all of it is; None if that cannot be counted.

        The first count of a process takes 0.3 s, in which nothing else runs: the vocabulary is loaded.
        """
        sample = "".join(self._pieces)
        if not sample:
            return None
        from toktok import batch_count

        counted = batch_count([sample], "o200k_base", threads=1)[0]
        return round(counted * self.length / size(sample))
