"""Facts with their names, one a line, in two columns where they fit."""

from itertools import zip_longest

from typing_extensions import override

from budgettop import text
from budgettop.widgets.drawn import Drawn, Row

GAP = "   "
NAME = 11
"""The cells of a name."""
TWO_COLUMNS = 70
"""From this many cells on facts stand in two columns."""

Fact = tuple[str, str]


class FactRows(Drawn):
    """Draws the facts it is given; a sentence where there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._facts: list[Fact] = []
        self._nothing = "…"

    def tell(self, facts: list[Fact], nothing: str) -> None:
        """Show these; facts without a value are left out."""
        self._facts, self._nothing = [fact for fact in facts if fact[1]], nothing
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._facts:
            return [[(self._nothing, "faint")]]
        if width < TWO_COLUMNS:
            return [row for fact in self._facts for row in _lines(*fact, width)]
        blocks = [_lines(*fact, (width - len(GAP)) // 2) for fact in self._facts]
        left: list[Row] = []
        while blocks and len(left) < sum(map(len, blocks)):
            left += blocks.pop(0)
        nothing: Row = []
        right = [row for block in blocks for row in block]
        return [[*row, (GAP, ""), *beside] for row, beside in zip_longest(left, right, fillvalue=nothing)]


def _lines(name: str, value: str, width: int) -> list[Row]:
    first, *rest = text.wrap(value, width - NAME)
    rows: list[Row] = [[(text.fit(name, NAME), "faint"), (text.fit(first, width - NAME), "")]]
    rows += [[(" " * NAME, ""), (text.fit(line, width - NAME), "")] for line in rest]
    return rows
