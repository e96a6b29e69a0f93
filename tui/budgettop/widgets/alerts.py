"""The Alerts panel: newest first, those not acknowledged marked, one of them selected."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row
from budgettop.widgets.panel import Panel
from budgetwire.messages import Alert

_SIGNS: dict[str, Piece] = {"info": ("●", "calm"), "warning": ("▲", "near"), "critical": ("■", "over")}


class AlertsPanel(Panel):
    """Alerts of the present windows, and older ones that still wait to be acknowledged."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Newer alert", show=False),
        Binding("down", "select(1)", "Older alert", show=False),
        Binding("enter", "screen.acknowledge", "Acknowledge the alert", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="alerts")
        self.border_title = "Alerts"
        self._alerts: list[Alert] = []
        self._selected_id: int | None = None
        self._view = View()

    @override
    def compose(self) -> ComposeResult:
        yield AlertRows()

    @override
    def show(self, view: View) -> None:
        self._view = view
        self._alerts = sorted(
            view.snapshot.alerts if view.snapshot else [], key=lambda alert: (-alert.fired_at, -alert.id)
        )
        if all(alert.id != self._selected_id for alert in self._alerts):
            self._selected_id = self._alerts[0].id if self._alerts else None
        new = sum(alert.acknowledged_at is None for alert in self._alerts)
        self.border_title = f"Alerts {new} new" if new else "Alerts"
        self.border_subtitle = "a ack · A all" if new else ""
        self.set_class(bool(new), "-new")
        self.query_one(AlertRows).show(self._alerts, self._selected_id, view)

    def to_acknowledge(self) -> int | None:
        """Return the selected alert if it waits, else the newest that does; None if none does."""
        waiting = [alert.id for alert in self._alerts if alert.acknowledged_at is None]
        if self._selected_id in waiting:
            return self._selected_id
        return waiting[0] if waiting else None

    def action_select(self, step: int) -> None:
        """Move the selection up or down."""
        ids = [alert.id for alert in self._alerts]
        if self._selected_id in ids:
            self._choose(ids[max(0, min(ids.index(self._selected_id) + step, len(ids) - 1))])

    def on_alert_rows_picked(self, event: "AlertRows.Picked") -> None:
        """Select the alert that was clicked."""
        event.stop()
        self.focus()
        self._choose(event.alert_id)

    def _choose(self, alert_id: int) -> None:
        self._selected_id = alert_id
        self.show(self._view)
        rows = self.query_one(AlertRows)
        first, count = rows.lines_of(alert_id)
        self.scroll_to_region(Region(0, first, 1, count), animate=False)


class AlertRows(Drawn):
    """The rows; the selected alert is written out, the others take one line each."""

    class Picked(Message):
        """An alert was clicked."""

        def __init__(self, alert_id: int) -> None:
            super().__init__()
            self.alert_id = alert_id

    def __init__(self) -> None:
        super().__init__()
        self._alerts: list[Alert] = []
        self._selected_id: int | None = None
        self._view = View()
        self._owners: list[int] = []

    def show(self, alerts: list[Alert], selected_id: int | None, view: View) -> None:
        """Take what is to be shown."""
        self._alerts, self._selected_id, self._view = alerts, selected_id, view
        self.redraw()

    def lines_of(self, alert_id: int) -> tuple[int, int]:
        """Return the first line of an alert and how many it takes."""
        count = self._owners.count(alert_id)
        return (self._owners.index(alert_id) if count else 0), count

    def on_click(self, event: Click) -> None:
        """Tell which one was clicked."""
        event.stop()
        if event.y < len(self._owners):
            self.post_message(self.Picked(self._owners[event.y]))

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._view.snapshot:
            return [[("…", "faint")]]
        if not self._alerts:
            return [[("None.", "faint")]]
        rows: list[Row] = []
        self._owners = []
        for alert in self._alerts:
            lines = self._lines(alert, width)
            rows += lines
            self._owners += [alert.id] * len(lines)
        return rows

    def _lines(self, alert: Alert, width: int) -> list[Row]:
        waits = alert.acknowledged_at is None
        selected = alert.id == self._selected_id
        sign: Piece = _SIGNS[alert.severity] if waits else ("✓", "faint")
        head: Row = [("› " if selected else "  ", "sign"), sign, (" ", "")]
        at = text.when(alert.fired_at, self._view.now, self._view.zone)
        room = width - 4 - len(at) - 1
        style = "strong" if waits else "faint"
        if not selected:
            return [[*head, (text.fit(alert.message, room), style), (f" {at}", "faint")]]
        first, *rest = text.wrap(alert.message, room)
        lines: list[Row] = [[*head, (text.fit(first, room), style), (f" {at}", "faint")]]
        lines += [[("    ", ""), (line, style)] for line in rest]
        if not waits:
            by = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
            lines.append([("    ", ""), (text.fit(f"acknowledged{by}", width - 4), "faint")])
        return lines
