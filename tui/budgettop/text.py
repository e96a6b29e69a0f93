"""Words and numbers as the screen shows them: widths in cells, ages, clocks, token counts, shares.

Money is written by `budgetwire.money`. Nothing here knows a widget or reads a clock.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size

from budgetwire.money import format_usd

MINUTE = 60
HOUR = 3600
DAY = 86400


def printable(text: str) -> str:
    """Replace what a terminal would act upon; names come from headers that anybody may write."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return the text in exactly ``width`` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    text = printable(text)
    spare = width - cell_len(text)
    if spare < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * spare + text if right else text + " " * spare


def widest(texts: Sequence[str], most: int) -> int:
    """Return the cells that the widest text takes, at most ``most``."""
    return min(max((cell_len(printable(text)) for text in texts), default=0), most)


def wrap(text: str, width: int) -> list[str]:
    """Break a sentence into lines of at most ``width`` cells; a longer word is broken too."""
    lines: list[str] = []
    line = ""
    # A number stays with its per cent sign.
    for word in printable(text).replace(" %", "\xa0%").split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _chop(word, width)
        lines += full
    lines += [line] if line or not lines else []
    return [line.replace("\xa0", " ") for line in lines]


def _chop(word: str, width: int) -> list[str]:
    pieces = [""]
    for character in word:
        if cell_len(pieces[-1] + character) > width and pieces[-1]:
            pieces.append("")
        pieces[-1] += character
    return pieces


def tokens(count: int) -> str:
    """Write a token count in at most five cells: ``210``, ``1.2k``, ``41k``, ``2.5M``."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            amount = count / unit
            return f"{amount:.1f}{name}" if amount < 9.95 else f"{amount:.0f}{name}"
    return str(count)


def age(seconds: float) -> str:
    """Write how long something has run: ``0:12``, ``12:04``, ``1h02``, ``3d04``."""
    whole = max(0, int(seconds))
    if whole < HOUR:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}"
    return f"{whole // DAY}d{whole % DAY // HOUR:02}"


def span(seconds: float) -> str:
    """Write a span of time for a sentence: ``8 s``, ``12 min``, ``5 h``."""
    whole = max(0, round(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    return f"{whole // MINUTE} min" if whole < 2 * HOUR else f"{whole // HOUR} h"


def amount(nusd: int) -> str:
    """Write dollars without their sign, where the sign stands before a neighbour."""
    return format_usd(nusd).replace("$", "", 1)


def share(part: int, whole: int) -> str:
    """Write a share in per cent, never rounded up to a hundred: ``64 %``, ``99 %``, ``112 %``."""
    return f"{part * 100 // whole} %" if whole > 0 else "–"


@lru_cache(8)
def zone(name: str) -> tzinfo | None:
    """Return the daemon's time zone; None, which is this machine's, if it has no usable name."""
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError beside an OSError on some systems
        return None
    except KeyError:
        return None


def local(at: float, where: tzinfo | None) -> datetime:
    """Return an instant as that zone's wall clock shows it."""
    return datetime.fromtimestamp(at, UTC).astimezone(where)


def clock(at: float, where: tzinfo | None, *, seconds: bool = False) -> str:
    """Write an instant as a time of day."""
    return local(at, where).strftime("%H:%M:%S" if seconds else "%H:%M")


def when(at: float, now: float, where: tzinfo | None) -> str:
    """Write an instant as a time of day if that is clear within a day of now, else as a date."""
    if abs(at - now) <= DAY:
        return clock(at, where)
    then = local(at, where)
    return f"{then:%a} {then.day} {then:%b}"


def date_and_time(at: float, where: tzinfo | None, *, seconds: bool = False) -> str:
    """Write an instant in full, but for the year: ``Mon 23 Nov 15:04``."""
    then = local(at, where)
    return f"{then:%a} {then.day} {then:%b} {clock(at, where, seconds=seconds)}"


def wall_clock() -> float:
    """Return the present in UTC epoch seconds; tests and screenshots replace it."""
    return time.time()
