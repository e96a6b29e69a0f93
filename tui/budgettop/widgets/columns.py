"""Columns of a table: which of them fit, the most urgent first, and how wide they are. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

GAP = 2
"""Cells between columns."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: its title, cells, urgency (0 is always there) and what it shows."""

    title: str
    width: int
    urgency: int
    show: Callable[[T], str] | None
    """None: what needs more than the row to be written."""
    right: bool = False


def fitting(
    columns: Sequence[Column[T]], grow: Collection[str], width: int, most: int = 14
) -> list[tuple[Column[T], int]]:
    """Return the columns that fit, in their order, with their widths.

    Args:
        columns: all there are.
        grow: the titles of those that share the room left over.
        width: in cells.
        most: cells that a column may grow by.
    """
    chosen: set[str] = set()
    room = width
    for column in sorted(columns, key=lambda column: column.urgency):
        if column.width + GAP > room:
            break
        chosen.add(column.title)
        room -= column.width + GAP
    growing = [title for title in grow if title in chosen]
    extra = min(room // len(growing), most) if growing else 0
    return [
        (column, column.width + (extra if column.title in growing else 0))
        for column in columns
        if column.title in chosen
    ]
