"""A gauge as runs of characters: what is spent, reserved, free, forecast and over the cap. Pure.

The scale ends at the cap. When more than the cap is spent or reserved, it ends at that amount instead, the
cap is marked inside the gauge and everything beyond the mark is overrun. The last cell of what is spent is
filled to an eighth: an edge where nothing follows, a join where something reserved does.
"""

from typing import Literal

Part = Literal["spent", "edge", "join", "reserved", "free", "tick", "cap", "overrun"]
Run = tuple[str, Part]

EIGHTHS = "▏▎▍▌▋▊▉"
SPENT = "█"
RESERVED = "▒"
OVERRUN = "▚"
TICK = "┃"
CAP = "│"
BEYOND = "›"


def gauge(
    width: int, limit: int, spent: int, reserved: int, forecast: int | None = None, *, free: str = " "
) -> list[Run]:
    """Return the runs of a gauge; their characters are one cell each and add up to ``width``.

    Args:
        width: in cells.
        limit: the cap; the other amounts are in its unit.
        spent: drawn solid, to an eighth of a cell.
        reserved: drawn hatched behind it, at least one cell if it is not zero and there is room.
        forecast: spending expected at the window's end, drawn as a tick; an arrow if it is beyond the scale.
        free: what the rest is filled with; a space where the style has a background.
    """
    if width <= 0:
        return []
    spent, reserved, limit = max(spent, 0), max(reserved, 0), max(limit, 0)
    total = spent + reserved
    if total > limit:
        return _runs(_overrun(width, limit, spent, reserved))
    return _runs(_within(width, limit, spent, reserved, forecast, free))


def solid(part: int, whole: int, width: int) -> str:
    """Return a plain bar, to an eighth of a cell; at least one eighth if the part is not zero."""
    if whole <= 0 or width <= 0:
        return ""
    full, rest = divmod(max(part * width * 8 // whole, 1 if part else 0), 8)
    return SPENT * full + (EIGHTHS[rest - 1] if rest else "")


def style_of(part: Part, word: str) -> str:
    """Return the style of a part of a gauge that stands calm, near or over."""
    match part:
        case "spent" | "overrun":
            return word
        case "edge" | "reserved":
            return f"{word}-track"
        case "join":
            return f"{word}-join"
        case "free":
            return "track"
        case "tick":
            return "tick"
        case "cap":
            return "mark"


def _within(width: int, limit: int, spent: int, reserved: int, forecast: int | None, free: str) -> list[Run]:
    if limit == 0:
        return _cells(free, "free", width)
    bar = solid(spent, limit, width)
    parts: dict[str, Part] = {SPENT: "spent"}
    edge: Part = "join" if reserved else "edge"
    cells: list[Run] = [(block, parts.get(block, edge)) for block in bar]
    end = len(bar)
    if reserved:
        end = min(max(_cell(spent + reserved, limit, width), end + 1), width)
    cells += _cells(RESERVED, "reserved", end - len(bar))
    cells += _cells(free, "free", width - end)
    if forecast is not None and forecast > limit:
        cells[-1] = (BEYOND, "tick")
    elif forecast is not None and (tick := min(forecast * width // limit, width - 1)) >= len(bar):
        cells[tick] = (TICK, "tick")
    return cells


def _overrun(width: int, limit: int, spent: int, reserved: int) -> list[Run]:
    total = spent + reserved
    # The mark and at least one cell behind it are always there, however slight the overrun.
    mark = min(limit * width // total, width - 2)
    end = _cell(spent, total, width)
    end = max(end, mark + 2) if spent > limit else min(end, mark)
    cells: list[Run] = []
    for cell in range(width):
        if cell == mark:
            cells.append((CAP, "cap"))
        elif cell < end:
            cells.append((OVERRUN, "overrun") if cell > mark and spent > limit else (SPENT, "spent"))
        else:
            cells.append((RESERVED, "reserved"))
    return cells


def _cells(text: str, part: Part, count: int) -> list[Run]:
    return [(text, part)] * count


def _cell(part: int, whole: int, width: int) -> int:
    return (part * width + whole // 2) // whole


def _runs(cells: list[Run]) -> list[Run]:
    runs: list[Run] = []
    for text, part in cells:
        if runs and runs[-1][1] == part:
            runs[-1] = (runs[-1][0] + text, part)
        else:
            runs.append((text, part))
    return runs
