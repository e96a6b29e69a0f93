"""How commands lay out what they show: columns, moments, names."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

import click

from budgetwire.money import NUSD_PER_CENT, parse_usd


class Dollars(click.ParamType[int]):
    """An amount in dollars, as whole cents."""

    name = "DOLLARS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Cents."""
        try:
            nusd = parse_usd(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if nusd % NUSD_PER_CENT:
            self.fail(f"{value} is not whole cents.", param, ctx)
        return nusd // NUSD_PER_CENT


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads; heads that begin with `>` are of columns that stand to the right."""
    right = [head.startswith(">") for head in heads]
    lines = [[head.removeprefix(">") for head in heads], *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            " " * (width - _width(cell)) + cell if at_right else cell + " " * (width - _width(cell))
            for cell, width, at_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def plain(text: str) -> str:
    """A name from outside, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def clock(at: float) -> str:
    """A moment, in the time of this machine."""
    return f"{datetime.fromtimestamp(at).astimezone():%a %d %b %H:%M}"


def _width(text: str) -> int:
    """Cells that it takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
