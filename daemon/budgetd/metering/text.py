"""What a response generates: how much of it there is, and its tokens, counted if nobody reports them.

Counting needs the extra ``tokens`` (o200k, by `toktok`). Where it is installed, the beginning of each
response is kept while it streams, in memory alone; it is neither logged nor stored, and goes with the
response.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeAlias

from budgetd.metering.decoder import size

Count: TypeAlias = Callable[[bytes], int | None]
"""Tells how many o200k tokens a text is; None if it cannot now."""

CAN_COUNT = find_spec("toktok") is not None

MOST_KEPT = 64 * 1024
"""Bytes kept of a response. The rest of a longer one is taken to be like them."""

_BLOCK = 1024
"""Bytes that are counted together, so that a response that grows is not counted anew each time."""

_CALL = '<function_calls>\n<invoke name="">\n<parameter name=""></parameter>\n</invoke>\n</function_calls>\n'
"""What stands for all that a model writes to call a tool beside its name and input, which does not stream:
21 o200k tokens. Recorded calls had from 14 (OpenAI, Writer) to 47 (Anthropic), with the name."""

CITATION = '<cite index="1-12,1-13"></cite>'
"""What stands for all that Claude writes to cite a source: 14 o200k tokens, as recorded citations had."""

SIGNATURE_FRAME = 200
"""Bytes of a signature of Anthropic's beside the thinking that it holds; recorded ones had 157 to 226."""


def count_here(text: bytes) -> int:
    """The o200k tokens of a text, counted in this process. The first time takes 0.7 s, in which nothing else
    runs: the vocabulary is loaded.
    """
    from toktok import batch_count

    return batch_count([text.decode("utf-8", "ignore")], "o200k_base", threads=1)[0]


_count: Count = count_here


def count_with(count: Count) -> None:
    """Let this count from now on."""
    global _count
    _count = count


def called(name: str | None) -> str | None:
    """What a model wrote to call the tool of this name, but for the input."""
    return name and name + _CALL


class Text:
    """The text, reasoning and tool calls of one response."""

    __slots__ = ("_blocks_end", "_blocks_tokens", "_kept", "_room", "_shown", "length", "sealed")

    def __init__(self, most_kept: int = MOST_KEPT if CAN_COUNT else 0) -> None:
        self.length = 0
        """UTF-8 bytes."""
        self.sealed = 0
        """Bytes of reasoning that came encrypted and in no other form; ``length`` does not count them."""
        self._shown = 0
        self._room = most_kept
        self._kept = bytearray()  # of its pieces as such, each would take fifty bytes more
        self._blocks_end = 0
        self._blocks_tokens = 0

    def add(self, *texts: str | None) -> None:
        """Take what was generated next."""
        for text in texts:
            if not text:
                continue
            length = size(text)
            self.length += length
            if self._room > 0:
                self._kept += text.encode()[: self._room]
                self._room -= length

    def add_json(self, raw: bytes) -> None:
        """Take tool input that came as JSON."""
        self.add(raw.decode("utf-8", "replace"))

    def add_reasoning(self, text: str | None) -> None:
        """Take reasoning, which may come encrypted as well."""
        if text:
            self.add(text)
            self._shown += size(text)

    def add_sealed(self, encrypted: str | None, frame: int) -> None:
        """Take reasoning that came encrypted, after what of it came in the clear.

        It is base64 of as many bytes as its plain text has, and of a frame of about ``frame`` bytes.
        """
        if encrypted:
            self.sealed += max(0, len(encrypted) * 3 // 4 - frame - self._shown)
            self._shown = 0

    def tokens(self) -> int | None:
        """How many o200k tokens all of it is so far, however often it was asked before; None if that cannot
        be counted now.
        """
        if not self._kept:
            return None
        kept = self._kept
        while self._blocks_end + _BLOCK <= len(kept):
            end = _block_end(kept, self._blocks_end)
            counted = _count(bytes(kept[self._blocks_end : end]))
            if counted is None:
                return None
            self._blocks_tokens += counted
            self._blocks_end = end
        rest = _count(bytes(kept[self._blocks_end :]))
        return None if rest is None else round((self._blocks_tokens + rest) * self.length / len(kept))


def _block_end(kept: bytearray, start: int) -> int:
    """Where the block that begins at ``start`` ends: before its last space, where tokens part too, else
    between two characters.
    """
    limit = start + _BLOCK
    space = kept.rfind(b" ", start + 1, limit)
    if space > 0:
        return space
    end = limit
    while end > start + 1 and end < len(kept) and kept[end] & 0xC0 == 0x80:
        end -= 1
    return end
