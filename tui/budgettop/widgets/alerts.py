"""The Alerts panel: newest first, those not acknowledged marked, one of them selected."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Piece, Row
from budgettop.widgets.listing import Listing, ListRows
from budgetwire.messages import Alert

_SIGNS: dict[str, Piece] = {"info": ("●", "calm"), "warning": ("▲", "near"), "critical": ("■", "over")}


class AlertsPanel(Listing[int]):
    """Alerts of the present windows, and older ones that still wait to be acknowledged."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.acknowledge", "Acknowledge the alert", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(AlertRows(), id="alerts")
        self.border_title = "Alerts"

    @override
    def show(self, view: View) -> None:
        alerts = _newest_first(view)
        new = sum(alert.acknowledged_at is None for alert in alerts)
        self.border_title = f"Alerts {new} new" if new else "Alerts"
        self.border_subtitle = "a ack · A all" if new else ""
        self.set_class(bool(new), "-new")
        self.take(view, [alert.id for alert in alerts])

    def to_acknowledge(self) -> int | None:
        """Return the selected alert if it waits, else the newest that does; None if none does."""
        waiting = [alert.id for alert in _newest_first(self.view) if alert.acknowledged_at is None]
        if self.selected in waiting:
            return self.selected
        return waiting[0] if waiting else None


class AlertRows(ListRows[int]):
    """The rows; the selected alert is written out, the others take one line each."""

    @override
    def lines(self, width: int) -> list[tuple[int, list[Row]]]:
        return [(alert.id, self._lines(alert, width)) for alert in _newest_first(self._view)]

    @override
    def nothing(self) -> str:
        return "None."

    def _lines(self, alert: Alert, width: int) -> list[Row]:
        waits = alert.acknowledged_at is None
        selected = alert.id == self._selected
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


def _newest_first(view: View) -> list[Alert]:
    alerts = view.snapshot.alerts if view.snapshot else []
    return sorted(alerts, key=lambda alert: (-alert.fired_at, -alert.id))
