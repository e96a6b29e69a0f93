"""The table of requests: one row each, with the columns that there is room for."""

from rich.text import Text
from textual.message import Message
from textual.widgets import DataTable

from budgettop import text
from budgettop.view import View
from budgettop.widgets.columns import Column, fitting
from budgetwire.messages import Request
from budgetwire.money import format_usd

CUT_SHORT = ("killed", "broken", "failed", "refused")
"""Outcomes that nobody asked for an answer to end with, whatever its status was."""


def cost(row: Request) -> str:
    """Write what a request cost; ``~`` marks what nobody stated and was not priced from stated usage."""
    sure = row.basis in ("billed", "reported", "corrected") or not row.cost_nusd
    return f"{'' if sure else '~'}{format_usd(row.cost_nusd)}"


def outcome(row: Request) -> str:
    """Write how a request ended in one word, with its status if it was an error."""
    word = row.outcome or ("running" if row.settled_at is None else "done")
    if row.status >= 400:
        return f"✗ {word} {row.status}"
    return f"✗ {word}" if word in CUT_SHORT else word


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds < 100 else text.age(seconds)


COLUMNS: tuple[Column[Request], ...] = (
    Column("time", 8, 0, None),
    Column("model", 18, 0, lambda row: row.model_billed or row.model or row.path),
    Column("project", 12, 2, lambda row: row.project),
    Column("user", 10, 5, lambda row: row.user),
    Column("session", 12, 7, lambda row: row.session),
    Column("client", 10, 3, lambda row: row.client),
    Column("↑ in", 5, 0, lambda row: text.tokens(row.input_tokens), right=True),
    Column("cached", 6, 4, lambda row: text.tokens(row.cache_read_tokens), right=True),
    Column("↓ out", 5, 0, lambda row: text.tokens(row.output_tokens), right=True),
    Column("cost", 8, 0, cost, right=True),
    Column("basis", 9, 8, lambda row: row.basis),
    Column("first", 6, 9, lambda row: _seconds(row.ttft_seconds), right=True),
    Column("took", 7, 6, lambda row: _seconds(row.duration_seconds), right=True),
    Column("outcome", 13, 1, outcome),
)
_GROW = "model", "project", "session"


class RequestTable(DataTable[Text]):
    """Recent requests; the selected one stays selected while new ones come in above it."""

    class Picked(Message):
        """Another request is selected."""

        def __init__(self, request: Request | None) -> None:
            super().__init__()
            self.request = request

    def __init__(self) -> None:
        super().__init__(id="requests", cursor_type="row", zebra_stripes=False)
        self.border_title = "Requests"
        self._view = View()
        self._requests: list[Request] = []
        self._laid_out: list[tuple[Column[Request], int]] = []

    def show(self, view: View) -> None:
        """Take the zone that times are shown in."""
        self._view = view

    def fill(self, requests: list[Request]) -> None:
        """Show these rows, newest first."""
        if requests == self._requests:
            return
        keep = self._picked_id() if self.cursor_row > 0 else None
        self._requests = requests
        self._fill(keep)

    def on_resize(self) -> None:
        """Draw for the new size."""
        if fitting(COLUMNS, _GROW, self.scrollable_content_region.width) != self._laid_out:
            self._fill(self._picked_id())

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Tell which request is selected."""
        event.stop()
        row = event.cursor_row
        self.post_message(self.Picked(self._requests[row] if row < len(self._requests) else None))

    def _picked_id(self) -> int | None:
        return self._requests[self.cursor_row].id if self.cursor_row < len(self._requests) else None

    def _said(self, column: Column[Request], row: Request) -> str:
        if column.show is None:
            return text.clock(row.admitted_at, self._view.zone, seconds=True)
        return column.show(row)

    def _fill(self, keep: int | None) -> None:
        self._laid_out = fitting(COLUMNS, _GROW, self.scrollable_content_region.width)
        at = self.scroll_y
        self.clear(columns=True)
        for column, width in self._laid_out:
            title = text.fit(column.title, width, right=column.right)
            self.add_column(Text(title), width=width, key=column.title)
        for row in self._requests:
            cells = (
                Text(text.fit(self._said(column, row), width, right=column.right))
                for column, width in self._laid_out
            )
            self.add_row(*cells, key=str(row.id))
        ids = [request.id for request in self._requests]
        if keep in ids:
            self.move_cursor(row=ids.index(keep), animate=False, scroll=False)
            self.call_after_refresh(self.scroll_to, y=at, animate=False)
        self.border_title = f"Requests · newest {len(ids)}" if ids else "Requests"
