"""The base of everything drawn line by line: rows of styled pieces in, changed lines repainted."""

from typing import Any, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

Piece = tuple[str, str]
"""Some text and the name of its style (one of `STYLES`, or "" for the widget's own)."""
Row = list[Piece]

WORDS = ("calm", "near", "over")
STYLES = (
    *("strong", "faint", "sign", "bar", "paused", "track", "tick", "mark"),
    *(f"{word}{suffix}" for word in WORDS for suffix in ("", "-track", "-join")),
)
"""``-track`` and ``-join`` are the two grounds on which a gauge's edges are drawn."""
COMPONENTS = {f"drawn--{name}" for name in STYLES}
"""The component classes of a screen with drawn widgets: resolved once a screen, not once a widget."""


def cells(row: Row) -> int:
    """Return the cells a row takes."""
    return sum(cell_len(text) for text, _ in row)


class Drawn(Widget):
    """A widget that draws rows; each is cut or padded to the width, never wrapped."""

    ALLOW_SELECT = False

    _rows: list[Row]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows = []

    def draw(self, width: int, height: int) -> list[Row]:
        """Return the rows as they are to be at this size; widgets of automatic height may exceed it."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew and repaint the lines that changed."""
        rows = self.draw(self.size.width, self.size.height)
        old, self._rows = self._rows, rows
        if len(old) != len(rows):
            self.refresh(layout=True)
            return
        changed = [Region(0, y, self.size.width, 1) for y, row in enumerate(rows) if row != old[y]]
        if changed:
            self.refresh(*changed)

    @property
    def plain(self) -> bool:
        """Whether the terminal's own colours are used, so that nothing may rest on a background."""
        return self.app.native_ansi_color  # pyright: ignore[reportUnknownMemberType]

    @override
    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.draw(width, 0))

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._rows = self.draw(self.size.width, self.size.height)
        self.refresh()

    @override
    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        width = self.size.width
        if y >= len(self._rows):
            return Strip.blank(width, base)
        segments = [Segment(text, base + self._style(name) if name else base) for text, name in self._rows[y]]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        screen = cast("Screen[Any]", self.screen)  # pyright: ignore[reportUnknownMemberType]
        return screen.get_component_rich_style(f"drawn--{name}", partial=True)
