"""The Budgets panel: a row for each limit, one of them selected, and the editor in its place."""

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.limit_editor import LimitEditor
from budgettop.widgets.limit_row import Columns, LimitRow, numbers
from budgettop.widgets.panel import Panel
from budgetwire.messages import Limit

SHORT_FORM = ("daily", "monthly")
"""The limits that can be set here before they exist."""


class Budgets(Panel):
    """All limits, in the daemon's order, then those that can still be set."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Previous limit", show=False),
        Binding("down", "select(1)", "Next limit", show=False),
        Binding("enter", "screen.edit", "Edit the limit", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="budgets")
        self.border_title = "Budgets"
        self._rows: dict[str, LimitRow] = {}
        self._view = View()
        self._selected = SHORT_FORM[0]

    @override
    def show(self, view: View) -> None:
        self._view = view
        limits = {limit.name: limit for limit in view.snapshot.limits} if view.snapshot else {}
        names = [*limits, *(name for name in SHORT_FORM if name not in limits)]
        if list(self._rows) != names:
            self._set_rows(names)
        if self._selected not in self._rows:
            self._selected = names[0]
        columns = _columns(list(limits.values()), names, self.size.width)
        for name, row in self._rows.items():
            row.show(limits.get(name), columns, view, selected=name == self._selected)

    @property
    def selected(self) -> LimitRow | None:
        """The row that keys act upon."""
        return self._rows.get(self._selected)

    async def edit(self) -> None:
        """Open the editor at the selected row, unless one is open; keys that follow are typed into it."""
        if not self.query(LimitEditor) and (row := self.selected):
            await self.mount(LimitEditor(row.limit_name, row.limit), after=row)
        for editor in self.query(LimitEditor):
            editor.focus_amount()
            self.call_after_refresh(editor.scroll_visible, animate=False)

    def action_select(self, step: int) -> None:
        """Move the selection up or down."""
        names = list(self._rows)
        if names:
            at = names.index(self._selected) + step
            self._choose(names[max(0, min(at, len(names) - 1))])

    def on_limit_row_picked(self, event: LimitRow.Picked) -> None:
        """Select the row that was clicked."""
        event.stop()
        self.focus()
        self._choose(event.row.limit_name)

    def on_limit_editor_closed(self, event: LimitEditor.Closed) -> None:
        """Take the editor away."""
        event.stop()
        event.editor.remove()
        self.focus()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.show(self._view)

    def _choose(self, name: str) -> None:
        self._selected = name
        self.show(self._view)
        self._rows[name].scroll_visible(animate=False)

    def _set_rows(self, names: list[str]) -> None:
        """Bring the rows in line; one that stays keeps its widget, and so an editor below it."""
        for name in [name for name in self._rows if name not in names]:
            self._rows.pop(name).remove()
        rows = {name: self._rows.get(name) or LimitRow(name) for name in names}
        before: LimitRow | None = None
        for row in rows.values():
            if row.parent is None:
                self.mount(row, before=0 if before is None else None, after=before)
            elif before is not None:
                self.move_child(row, after=before)
            before = row
        self._rows = rows


def _columns(limits: list[Limit], names: list[str], width: int) -> Columns:
    return Columns(
        name=text.widest(names, 28 if width > 100 else 18 if width > 70 else 12),
        numbers=max((cell_len(numbers(limit)) for limit in limits), default=0),
    )
