"""Means that follow what they are fed, and slowly forget what was long ago. Pure."""

RATIO_KEPT = 0.98
"""How much of what it weighs a ratio keeps with each request."""


class Mean:
    """A mean of about the last few values, the first of which may be a guess that weighs as several."""

    __slots__ = ("_last", "count", "value")

    def __init__(self, last: int, prior: float = 0.0, weight: int = 0) -> None:
        self._last = last
        self.count = weight
        self.value = prior

    def add(self, value: float) -> None:
        """Take the next value."""
        self.count = min(self.count + 1, self._last)
        self.value += (value - self.value) / self.count


class Ratio:
    """Tokens per byte: sums that fade, so that long texts weigh more and old ones less."""

    __slots__ = ("_bytes", "_tokens", "value")

    def __init__(self, prior: float, prior_bytes: int) -> None:
        self.value = prior
        self._bytes = float(prior_bytes)
        self._tokens = prior * prior_bytes

    def add(self, tokens: int, length: int) -> None:
        """Take the tokens that a text of so many bytes was."""
        self._tokens = self._tokens * RATIO_KEPT + tokens
        self._bytes = self._bytes * RATIO_KEPT + length
        self.value = self._tokens / self._bytes
