"""Where word of an alert went, and whether it arrived."""

from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row
from budgetwire.messages import Delivery

_SIGNS: dict[str, Piece] = {"delivered": ("✓", "calm"), "pending": ("…", "near"), "dead": ("✗", "over")}


class DeliveryRows(Drawn):
    """One message a line, with the last error of those that did not arrive."""

    def __init__(self) -> None:
        super().__init__()
        self._view = View()
        self._of_alert = False
        self._deliveries: list[Delivery] | None = None

    def show(self, view: View, *, of_alert: bool) -> None:
        """Take the zone that times are shown in, and whether there is an alert at all."""
        self._view, self._of_alert = view, of_alert
        self.redraw()

    def fill(self, deliveries: list[Delivery] | None) -> None:
        """Take the messages, the newest first; None while they are not known."""
        self._deliveries = deliveries
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._of_alert or self._deliveries is None or width < 4:
            return []
        if not self._deliveries:
            return [[], [("No channel was told of it.", "faint")]]
        channel = text.widest([delivery.channel for delivery in self._deliveries], 16)
        rows: list[Row] = [[]]
        for delivery in self._deliveries:
            head: Row = [
                _SIGNS[delivery.state],
                (f" {text.fit(delivery.channel, channel)}  ", "strong"),
                (text.fit(delivery.event, 9), ""),
            ]
            indent = channel + 13
            first, *rest = text.wrap(self._said(delivery), max(8, width - indent))
            rows.append([*head, (f" {first}", "faint")])
            rows += [[(" " * indent, ""), (line, "faint")] for line in rest]
        return rows

    def _said(self, delivery: Delivery) -> str:
        tried = f"{delivery.attempts} attempt{'s' * (delivery.attempts != 1)}"
        why = f": {delivery.error}" if delivery.error else ""
        match delivery.state:
            case "delivered":
                at = self._when(delivery.delivered_at or delivery.created_at)
                return f"delivered {at}" + (f" after {tried}" if delivery.attempts > 1 else "")
            case "pending":
                after = f", after {tried}{why}" if delivery.attempts else ""
                return f"due {self._when(delivery.due_at)}{after}"
            case "dead":
                return f"given up after {tried}{why}"

    def _when(self, at: float) -> str:
        return text.when(at, self._view.now, self._view.zone)
