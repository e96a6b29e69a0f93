"""What commands take and how they lay out what they show: amounts, days, columns, moments, names."""

import functools
import unicodedata
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from budgetd.config import load_config
from budgetd.errors import ConfigError
from budgetwire.money import NUSD_PER_CENT, parse_usd
from budgetwire.places import find_places


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


class Day(click.ParamType[str]):
    """A date."""

    name = "DATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As 2026-11-23."""
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date().isoformat()  # noqa: DTZ007
        except ValueError:
            self.fail(f"{value} is not a date like 2026-11-23.", param, ctx)


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
    """A moment, in the time zone of the days that are counted."""
    return f"{datetime.fromtimestamp(at, _zone(find_places().config)):%a %d %b %H:%M}"


@functools.cache
def _zone(config: Path) -> tzinfo | None:
    """The one that is configured; None, which is this machine's, where the configuration cannot be read."""
    try:
        return ZoneInfo(load_config(config).timezone)
    except ConfigError:
        return None


def _width(text: str) -> int:
    """Cells that it takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
