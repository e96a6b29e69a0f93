"""The panel that says where today's money went: by project, model, user or session."""

from typing import Literal

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.gauge import solid
from budgettop.widgets.panel import Panel
from budgetwire.messages import Spend, Spending
from budgetwire.money import format_usd

Cut = Literal["project", "model", "user", "session"]
CUTS: tuple[Cut, ...] = ("project", "model", "user", "session")

ALL_CUTS_WIDTH = 140
"""From this many cells on all four stand side by side."""
TITLE_WIDTH = 64
"""From this many cells on the title names all four."""


class SpendingPanel(Panel):
    """Who and what cost most today, dearest first."""

    def __init__(self) -> None:
        super().__init__(id="spending")
        self.cut: Cut = "project"
        self._view = View()

    @override
    def compose(self) -> ComposeResult:
        yield SpendingRows()

    @override
    def show(self, view: View) -> None:
        self._view = view
        choices = "  ".join(f"● {cut}" if cut == self.cut else cut for cut in CUTS)
        if self.all_cuts:
            self.border_title = "Where it goes today"
        elif self.size.width < TITLE_WIDTH:
            self.border_title = f"Today by {self.cut}"
        else:
            self.border_title = f"Where it goes today by  {choices}"
        self.border_subtitle = "" if self.all_cuts else "p next"
        self.query_one(SpendingRows).show(view, CUTS if self.all_cuts else (self.cut,))

    @property
    def all_cuts(self) -> bool:
        """Whether there is room for all four, so that there is nothing to switch."""
        return self.size.width >= ALL_CUTS_WIDTH

    def next_cut(self) -> None:
        """Show the next way of cutting it up."""
        self.cut = CUTS[(CUTS.index(self.cut) + 1) % len(CUTS)]
        self.show(self._view)

    def on_resize(self) -> None:
        """Draw for the new size, at which the key for the next cut may come or go."""
        self.show(self._view)
        self.screen.refresh_bindings()


class SpendingRows(Drawn):
    """Bars, in one column a cut, or in as many as fit for a single cut."""

    def __init__(self) -> None:
        super().__init__()
        self._spending: Spending | None = None
        self._cuts: tuple[Cut, ...] = ("project",)

    def show(self, view: View, cuts: tuple[Cut, ...]) -> None:
        """Take what is to be shown."""
        self._spending = view.snapshot.spending if view.snapshot else None
        self._cuts = cuts
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if self._spending is None:
            return [[("…", "faint")]]
        lists: dict[Cut, list[Spend]] = {
            "project": self._spending.project,
            "model": self._spending.model,
            "user": self._spending.user,
            "session": self._spending.session,
        }
        if len(self._cuts) == 1:
            spends = lists[self._cuts[0]]
            if not spends:
                return [[("Nothing spent today.", "faint")]]
            count = max(1, min(width // 52, -(-len(spends) // 4)))
            cell = _cell(width, count)
            tall = -(-len(spends) // count)
            columns = [_column(spends[at : at + tall], spends, cell) for at in range(0, len(spends), tall)]
            return _beside(columns, cell)
        cell = _cell(width, len(self._cuts))
        columns = [
            [[(text.fit(f"by {cut}", cell), "faint")], *_column(lists[cut], lists[cut], cell)]
            for cut in self._cuts
        ]
        return _beside(columns, cell)


def _cell(width: int, count: int) -> int:
    return (width - 3 * (count - 1)) // count


def _column(spends: list[Spend], all_spends: list[Spend], width: int) -> list[Row]:
    """Name, amount, bar and share; the bars of one cut share their scale, whatever column they stand in."""
    most = max(spend.cost_nusd for spend in all_spends) if all_spends else 0
    whole = sum(spend.cost_nusd for spend in all_spends)
    name = text.widest([spend.subject or "(none)" for spend in all_spends], max(8, min(width - 20, 30)))
    rows: list[Row] = []
    for spend in spends:
        room = width - name - 1 - 8 - 1 - 6
        bar = solid(spend.cost_nusd, most, room)
        rows.append(
            [
                (text.fit(spend.subject or "(none)", name), "strong"),
                (" " + text.fit(format_usd(spend.cost_nusd), 8, right=True) + " ", ""),
                (text.fit(bar, room), "bar"),
                (text.fit(text.share(spend.cost_nusd, whole), 6, right=True), "faint"),
            ]
        )
    return rows


def _beside(columns: list[list[Row]], width: int) -> list[Row]:
    tall = max(len(column) for column in columns)
    rows: list[Row] = []
    for y in range(tall):
        row: Row = []
        for column in columns:
            row += column[y] if y < len(column) else [(" " * width, "")]
            row.append(("   ", ""))
        rows.append(row)
    return rows
