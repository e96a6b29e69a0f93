"""The Alerts panel: newest first, those that fire marked, one of them selected."""

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from typing_extensions import override

from budgettop import text
from budgettop.alerting import answerable, last_at, newest_first, sign, stage, stage_of, times, waits
from budgettop.view import View
from budgettop.widgets.drawn import Row
from budgettop.widgets.listing import Listing, ListRows
from budgetwire.messages import Alert


class AlertsPanel(Listing[int]):
    """Alerts of the present windows, and older ones that still wait to be answered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.acknowledge", "Acknowledge the alert", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(AlertRows(), id="alerts")
        self.border_title = "Alerts"

    @override
    def show(self, view: View) -> None:
        alerts = _listed(view)
        new = sum(map(waits, alerts))
        self.border_title = f"Alerts {new} new" if new else "Alerts"
        self.border_subtitle = "a ack · s snooze" if new else ""
        self.set_class(bool(new), "-new")
        self.take(view, [alert.id for alert in alerts])
        self.offer(self.to_answer() is None)

    def to_answer(self) -> int | None:
        """Return the selected alert if it can be answered, else the newest that fires; None if none does."""
        alerts = _listed(self.view)
        selected = (alert.id for alert in alerts if alert.id == self.selected and answerable(alert))
        return next(selected, next((alert.id for alert in alerts if waits(alert)), None))


class AlertRows(ListRows[int]):
    """The rows; the selected alert is written out, the others take one line each."""

    @override
    def lines(self, width: int) -> list[tuple[int, list[Row]]]:
        return [(alert.id, self._lines(alert, width)) for alert in _listed(self._view)]

    @override
    def nothing(self) -> str:
        return "None."

    def _lines(self, alert: Alert, width: int) -> list[Row]:
        selected = alert.id == self._selected
        head: Row = [("› " if selected else "  ", "sign"), sign(alert), (" ", "")]
        end = " ".join(part for part in (times(alert), self._when(alert)) if part)
        room = width - 4 - cell_len(end) - 1
        style = "strong" if waits(alert) else "faint"
        if not selected:
            return [[*head, (text.fit(alert.message, room), style), (f" {end}", "faint")]]
        first, *rest = text.wrap(alert.message, room)
        lines: list[Row] = [[*head, (text.fit(first, room), style), (f" {end}", "faint")]]
        lines += [[("    ", ""), (line, style)] for line in rest]
        if said := _said(alert):
            lines.append([("    ", ""), (text.fit(said, width - 4), "faint")])
        return lines

    def _when(self, alert: Alert) -> str:
        if stage_of(alert) == "snoozed":
            return stage(alert, self._view)
        return text.when(last_at(alert), self._view.now, self._view.zone)


def _said(alert: Alert) -> str:
    """Say what became of an alert that does not fire."""
    match stage_of(alert):
        case "firing":
            return ""
        case "snoozed":
            return "snoozed: it fires again then, if not over"
        case "acknowledged":
            return "acknowledged" + (f" by {alert.acknowledged_by}" if alert.acknowledged_by else "")
        case "resolved":
            return "over" + (f": {alert.resolved_by}" if alert.resolved_by else "")


def _listed(view: View) -> list[Alert]:
    return newest_first(view.snapshot.alerts if view.snapshot else [])
