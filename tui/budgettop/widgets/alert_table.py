"""The table of alerts on record: one row for each, with the columns that there is room for."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.alerting import about, last_at, sign, stage, stage_of, times, waits
from budgettop.view import View
from budgettop.widgets.columns import GAP, Column, fitting
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.listing import Listing, ListRows
from budgetwire.messages import Alert

COLUMNS: tuple[Column[Alert], ...] = (
    Column("", 1, 0, lambda alert: sign(alert)[0]),
    Column("last", 10, 0, None),
    Column("rule", 13, 6, lambda alert: alert.rule.replace("_", " ")),
    Column("about", 13, 4, about),
    Column("message", 22, 1, lambda alert: alert.message),
    Column("×", 6, 3, times, right=True),
    Column("state", 10, 2, None),
)
SELECTOR = 2
ALL_ROOM = 1000
"""The message takes whatever is left over."""


def _columns(width: int) -> list[tuple[Column[Alert], int]]:
    return fitting(COLUMNS, ("message",), width - SELECTOR, ALL_ROOM)


class AlertTable(Listing[int]):
    """Alerts, the newest first; the selected one stays selected while others come in above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.allow", "Allow the held request once", id="allow", show=False),
    ]

    class Chosen(Message):
        """Another alert is selected."""

    def __init__(self) -> None:
        self._lines = AlertLines()
        super().__init__(self._lines, id="alert-table")
        self.border_title = "Alerts"
        self._alerts: dict[int, Alert] = {}

    @override
    def compose(self) -> ComposeResult:
        yield AlertHead()
        yield from super().compose()

    def fill(self, alerts: list[Alert]) -> None:
        """Take the rows, to be shown with the next view."""
        self._alerts = {alert.id: alert for alert in alerts}
        self._lines.fill(alerts)

    @override
    def show(self, view: View) -> None:
        firing = sum(map(waits, self._alerts.values()))
        count = [f"newest {len(self._alerts)}"] if self._alerts else []
        self.border_title = " · ".join(["Alerts", *count, *([f"▲ {firing} firing"] if firing else [])])
        self.set_class(bool(firing), "-new")
        self.take(view, list(self._alerts))

    @property
    def chosen(self) -> Alert | None:
        """The selected alert; None if there is none."""
        return None if self.selected is None else self._alerts.get(self.selected)

    @override
    def choose(self, key: int) -> None:
        super().choose(key)
        self.post_message(self.Chosen())


class AlertHead(Drawn):
    """The titles of the columns, which stay while the rows scroll."""

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        row: Row = [(" " * SELECTOR, "")]
        for column, cells in _columns(width):
            row += [(text.fit(column.title, cells, right=column.right), "faint"), (" " * GAP, "")]
        return [row]


class AlertLines(ListRows[int]):
    """One line for each alert."""

    def __init__(self) -> None:
        super().__init__()
        self._alerts: list[Alert] = []

    def fill(self, alerts: list[Alert]) -> None:
        """Take the rows."""
        self._alerts = alerts

    @override
    def nothing(self) -> str:
        return "Nothing fired. When a limit nears its cap, or a model has no price, it is told here."

    @override
    def lines(self, width: int) -> list[tuple[int, list[Row]]]:
        columns = _columns(width)
        return [(alert.id, [self._line(alert, columns)]) for alert in self._alerts]

    def _line(self, alert: Alert, columns: list[tuple[Column[Alert], int]]) -> Row:
        row: Row = [("› " if alert.id == self._selected else "  ", "sign")]
        for column, cells in columns:
            said = self._said(column.title, alert) if column.show is None else column.show(alert)
            style = _style(column.title, alert)
            row += [(text.fit(said, cells, right=column.right), style), (" " * GAP, "")]
        return row

    def _said(self, title: str, alert: Alert) -> str:
        if title == "state":
            return stage(alert, self._view)
        return text.when(last_at(alert), self._view.now, self._view.zone)


def _style(title: str, alert: Alert) -> str:
    if title == "" or (title == "state" and waits(alert)):
        return sign(alert)[1]
    if stage_of(alert) != "firing":
        return "faint"
    return "strong" if title == "message" else ""
