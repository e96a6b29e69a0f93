"""The provider's prompt cache: how much of a request's beginning it has seen before."""

from collections import deque

from budgettop.demo.prose import BYTES_PER_TOKEN

_BLOCK = 128 * BYTES_PER_TOKEN
_LEAST_TOKENS = 1024
_KEPT = 32


class PromptCache:
    """Remembers the newest few bodies, whole, and compares beginnings with them."""

    def __init__(self) -> None:
        self._bodies: deque[bytes] = deque(maxlen=_KEPT)

    def seen_tokens(self, body: bytes) -> int:
        """Return how many tokens of this body are cached, in steps of 128, and remember it."""
        best = max((_shared_blocks(body, other) for other in self._bodies), default=0)
        self._bodies.append(body)
        tokens = best * _BLOCK // BYTES_PER_TOKEN
        return tokens if tokens >= _LEAST_TOKENS else 0


def _shared_blocks(one: bytes, other: bytes) -> int:
    whole = min(len(one), len(other)) // _BLOCK
    for index in range(whole):
        start = index * _BLOCK
        if one[start : start + _BLOCK] != other[start : start + _BLOCK]:
            return index
    return whole
