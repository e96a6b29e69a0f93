"""A panel of drawn rows, one of which is selected and stays so while others come and go."""

from collections.abc import Hashable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Spacing
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.panel import Panel

K = TypeVar("K", bound=Hashable)

FAR = 10_000


class ListRows(Drawn, Generic[K]):
    """The rows; each line belongs to one of the keys."""

    class Picked(Message):
        """A row was clicked."""

        def __init__(self, key: Hashable) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._view = View()
        self._selected: K | None = None
        self._owners: list[K] = []

    def lines(self, width: int) -> list[tuple[K, list[Row]]]:
        """Return the lines of each key in turn; the view has a state."""
        raise NotImplementedError

    def nothing(self) -> str:
        """Say that there is no row."""
        raise NotImplementedError

    def show(self, view: View, selected: K | None) -> None:
        """Take what is to be shown."""
        self._view, self._selected = view, selected
        self.redraw()

    def region_of(self, key: K) -> Region:
        """Return the lines of a key."""
        count = self._owners.count(key)
        return Region(0, self._owners.index(key) if count else 0, 1, count)

    def on_click(self, event: Click) -> None:
        """Tell which one was clicked."""
        event.stop()
        if event.y < len(self._owners):
            self.post_message(self.Picked(self._owners[event.y]))

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._view.snapshot or not width:
            return [[("…", "faint")]]
        rows: list[Row] = []
        self._owners = []
        for key, lines in self.lines(width):
            rows += lines
            self._owners += [key] * len(lines)
        return rows or [[(line, "faint")] for line in text.wrap(self.nothing(), max(8, width))]


class Listing(Panel, Generic[K]):
    """Base of the panels whose rows can be selected: with the arrows, a page at a time, or by a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Previous row", show=False),
        Binding("down", "select(1)", "Next row", show=False),
        Binding("pageup", "select_page(-1)", "Page up", show=False),
        Binding("pagedown", "select_page(1)", "Page down", show=False),
        Binding("home", f"select({-FAR})", "First row", show=False),
        Binding("end", f"select({FAR})", "Last row", show=False),
    ]

    def __init__(self, rows: ListRows[K], *, id: str) -> None:
        super().__init__(id=id)
        self.rows = rows
        self.view = View()
        self._keys: list[K] = []
        self._selected: K | None = None

    @override
    def compose(self) -> ComposeResult:
        yield self.rows

    @property
    def selected(self) -> K | None:
        """The key of the selected row; None if there is no row."""
        return self._selected

    def take(self, view: View, keys: Sequence[K]) -> None:
        """Show these rows; when the selected one has gone, the one in its place is selected."""
        moved = self._keys != keys
        if self._selected not in keys:
            place = self._keys.index(self._selected) if self._selected in self._keys else 0
            self._selected = keys[min(place, len(keys) - 1)] if keys else None
        self.view, self._keys = view, list(keys)
        self.rows.show(view, self._selected)
        if moved and self._selected is not None and self.has_focus:
            self.call_after_refresh(self.reveal)

    def choose(self, key: K) -> None:
        """Select a row."""
        self._selected = key
        self.show(self.view)
        self.reveal()

    def reveal(self) -> None:
        """Scroll to the selected row."""
        if self._selected is not None:
            above = self.rows.virtual_region.offset  # what is docked there covers as many lines
            region = self.rows.region_of(self._selected).translate(above)
            self.scroll_to_region(region, spacing=Spacing(top=above.y), animate=False)

    def action_select(self, step: int) -> None:
        """Move the selection up or down."""
        if self._selected is not None:
            at = self._keys.index(self._selected) + step
            self.choose(self._keys[max(0, min(at, len(self._keys) - 1))])

    def action_select_page(self, pages: int) -> None:
        """Move the selection up or down by what can be seen."""
        self.action_select(pages * max(1, self.size.height - 1))

    def on_list_rows_picked(self, event: "ListRows.Picked") -> None:
        """Select the row that was clicked."""
        event.stop()
        self.focus()
        if event.key in self._keys:
            self.choose(self._keys[self._keys.index(event.key)])  # pyright: ignore[reportArgumentType]
