"""A bar chart of spending over time in blocks of eighths, on a scale that starts at zero. Pure."""

from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"


def spark(values: Sequence[int], width: int, height: int) -> list[str]:
    """Return ``height`` lines of ``width`` cells, the oldest value first, the top line first.

    More values than cells are averaged, fewer are widened. Anything above zero is at least one eighth high.
    """
    if width <= 0 or height <= 0:
        return []
    if not values:
        return [" " * width] * height
    bars = [_mean(values, cell, width) for cell in range(width)]
    top = max(bars)
    levels = [0 if bar <= 0 else max(1, round(bar / top * height * 8)) for bar in bars]
    return [
        "".join(BARS[min(max(level - row * 8, 0), 8)] for level in levels)
        for row in range(height - 1, -1, -1)
    ]


def _mean(values: Sequence[int], cell: int, width: int) -> float:
    first = cell * len(values) // width
    last = max((cell + 1) * len(values) // width, first + 1)
    return sum(values[first:last]) / (last - first)
