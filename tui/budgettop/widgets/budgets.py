"""The Budgets panel: a row for each counter, one of them selected, and the editor in its place."""

from collections import Counter
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.widget import Widget
from typing_extensions import override

from budgettop import text
from budgettop.counter import Key, held_by, label, listed, numbers, state, subject
from budgettop.view import View
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.limit_row import SHARE, Columns, LimitRow
from budgettop.widgets.panel import Panel
from budgetwire.messages import Limit

GAUGE = 16
"""The fewest cells of a gauge for which numbers may be long."""
PAGE = 5


class Budgets(Panel):
    """All counters, in the daemon's order, then the limits that can still be set."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Previous limit", show=False),
        Binding("down", "select(1)", "Next limit", show=False),
        Binding("pageup", f"select({-PAGE})", "Some limits up", show=False),
        Binding("pagedown", f"select({PAGE})", "Some limits down", show=False),
        Binding("home", "select(-10_000)", "First limit", show=False),
        Binding("end", "select(10_000)", "Last limit", show=False),
        Binding("enter", "screen.edit", "Edit the limit", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="budgets")
        self.border_title = "Budgets"
        self._counters: dict[Key, Limit | None] = {}
        self._rows: dict[Key, LimitRow] = {}
        self._view = View()
        self._selected: Key = ("", "")

    @override
    def show(self, view: View) -> None:
        self._view = view
        self._counters = listed(view.snapshot)
        keys = list(self._counters)
        limits = [limit for limit in self._counters.values() if limit]
        self.border_title = f"Budgets {len(limits)}" if len(limits) > PAGE else "Budgets"
        if list(self._rows) != keys:
            self._set_rows(keys)
        if self._selected not in self._rows:
            self._selected = keys[0]
        lines = self._lines_a_row()
        self.set_class(lines == 3, "-airy")
        held = held_by(view.snapshot.in_flight if view.snapshot else [])
        columns = self._columns(limits, held, dense=lines == 1)
        for key, row in self._rows.items():
            row.show(self._counters[key], held[key], columns, view, selected=key == self._selected)
        chosen = self._counters[self._selected]
        self.offer(chosen is None, chosen is not None and chosen.paused)

    @property
    def chosen(self) -> tuple[str, Limit | None]:
        """The limit that keys act upon: its name, and its selected counter."""
        return self._selected[0], self._counters.get(self._selected)

    async def open(self, editor: AmountEditor) -> None:
        """Put an editor below the selected row, unless one is open; keys that follow are typed into it."""
        if not self.query(AmountEditor):
            await self.mount(editor, after=self._rows[self._selected])
        for each in self.query(AmountEditor):
            each.focus_amount()
            self.call_after_refresh(each.scroll_visible, animate=False)

    def action_select(self, step: int) -> None:
        """Move the selection up or down."""
        keys = list(self._rows)
        at = keys.index(self._selected) + step
        self._choose(keys[max(0, min(at, len(keys) - 1))])

    def on_limit_row_picked(self, event: LimitRow.Picked) -> None:
        """Select the row that was clicked."""
        event.stop()
        self.focus()
        self._choose(event.row.key)

    def on_amount_editor_closed(self, event: AmountEditor.Closed) -> None:
        """Take the editor away."""
        event.stop()
        event.editor.remove()
        self.focus()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.show(self._view)

    def _choose(self, key: Key) -> None:
        self._selected = key
        self.show(self._view)
        self.call_after_refresh(self._reveal)

    def _reveal(self) -> None:
        if row := self._rows.get(self._selected):
            self.scroll_to_widget(row, animate=False)

    def _set_rows(self, keys: list[Key]) -> None:
        """Bring the rows in line; one that stays keeps its widget, and so an editor below it."""
        first = not self._rows
        wanted = set(keys)
        for key in [key for key in self._rows if key not in wanted]:
            self._rows.pop(key).remove()
        new = [LimitRow(key) for key in keys if key not in self._rows]
        rows = self._rows | {row.key: row for row in new}
        self._rows = {key: rows[key] for key in keys}
        if new:
            self.mount(*new)
        place = {id(row): at for at, row in enumerate(self._rows.values())}
        above = 0

        def order(child: Widget) -> int:
            nonlocal above
            above = place.get(id(child), above)  # an editor stays behind its row
            return above

        self.sort_children(key=order)
        if not first and not self.query(AmountEditor):
            self.call_after_refresh(self._reveal)

    def _lines_a_row(self) -> int:
        """Two lines for each counter and a free one between them, where all can be seen at once; else one."""
        most = self.styles.max_height
        room = int(most.value) - 2 if most is not None else 1_000
        count = len(self._rows)
        high = self.screen.has_class("-tall") or self.screen.has_class("-high")
        if high and count * 3 - 1 <= room:
            return 3
        return 2 if count * 2 <= room else 1

    def _columns(self, limits: list[Limit], held: Counter[Key], *, dense: bool) -> Columns:
        width = self.size.width
        labels = [label(limit.name, subject(limit)) for limit in limits]
        name = text.widest(
            [*labels, *(name for name, _ in self._rows)], 30 if width > 100 else 20 if width > 70 else 14
        )
        words = max((cell_len(state(limit, held[limit.name, limit.subject])) for limit in limits), default=0)

        def widest(*, brief: bool) -> int:
            return max((cell_len(numbers(limit, brief=brief)) for limit in limits), default=0)

        fixed = 2 + name + 2 + 2 + SHARE * dense + (2 + words if words else 0) + 1
        brief = width - fixed - widest(brief=False) < GAUGE
        return Columns(name, widest(brief=brief), words, brief, dense)
