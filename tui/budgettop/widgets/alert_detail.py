"""Everything there is to know of one alert: what it is, what to do, who answered it, who was told."""

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.alerting import about, answerable, held_request, last_at, sign, stage_of
from budgettop.view import View
from budgettop.widgets.deliveries import DeliveryRows
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.fact_rows import Fact, FactRows
from budgettop.widgets.panel import Panel
from budgetwire.messages import Alert, Delivery
from budgetwire.money import format_usd


class AlertDetail(Panel):
    """The selected alert."""

    def __init__(self) -> None:
        super().__init__(id="alert-detail")
        self.border_title = "Alert"
        self._view = View()
        self._alert: Alert | None = None

    @override
    def compose(self) -> ComposeResult:
        yield AlertWords()
        yield FactRows()
        yield DeliveryRows()

    def pick(self, alert: Alert | None) -> None:
        """Show this alert, or none."""
        if (alert and alert.id) != (self._alert and self._alert.id):
            self.query_one(DeliveryRows).fill(None)
            self.scroll_home(animate=False)
        self._alert = alert
        self.show(self._view)

    def fill(self, deliveries: list[Delivery]) -> None:
        """Show to whom word of it went."""
        self.query_one(DeliveryRows).fill(deliveries)

    @override
    def show(self, view: View) -> None:
        self._view = view
        alert = self._alert
        self.border_title = f"Alert {alert.id}" if alert else "Alert"
        self.border_subtitle = "a ack · s 1 h · S till tomorrow" if alert and answerable(alert) else ""
        self.query_one(AlertWords).show(view, alert)
        facts = _facts(alert, view) if alert else []
        self.query_one(FactRows).tell(facts, "No alert." if view.snapshot else "…")
        self.query_one(DeliveryRows).show(view, of_alert=alert is not None)


class AlertWords(Drawn):
    """What happened and what can be done, in full."""

    def __init__(self) -> None:
        super().__init__()
        self._view = View()
        self._alert: Alert | None = None

    def show(self, view: View, alert: Alert | None) -> None:
        """Take what is to be shown."""
        self._view, self._alert = view, alert
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        alert = self._alert
        if alert is None or width < 4:
            return []
        first, *rest = text.wrap(alert.message, width - 2)
        rows: list[Row] = [[sign(alert), (" ", ""), (first, "strong")]]
        rows += [[("  ", ""), (line, "strong")] for line in rest]
        if request := held_request(alert, self._view):
            needs = format_usd(request.reserved_nusd) if request.reserved_nusd else "what has no bound"
            rows += [
                [("  ", ""), (line, "")] for line in text.wrap(f"{request.model} needs {needs}", width - 2)
            ]
            keys = (("allow once ", "⏎"), ("   +$5 ", "f"), ("   refuse ", "x"))
            rows.append([("  ", ""), *(piece for word, key in keys for piece in ((word, ""), (key, "sign")))])
        elif alert.advice:
            rows += [[("  ", ""), (line, "")] for line in text.wrap(alert.advice, width - 2)]
        return [*rows, []]


def _facts(alert: Alert, view: View) -> list[Fact]:
    return [
        ("state", _state(alert, view)),
        ("answered", _acknowledged(alert, view)),
        ("over", _over(alert, view)),
        ("rule", f"{alert.rule.replace('_', ' ')}, {alert.severity}"),
        ("about", about(alert)),
        ("fired", text.date_and_time(alert.fired_at, view.zone, seconds=True)),
        ("count", _count(alert, view)),
        ("request", "" if alert.request_id is None else str(alert.request_id)),
    ]


def _state(alert: Alert, view: View) -> str:
    match stage_of(alert):
        case "snoozed" if alert.snoozed_until is not None:
            return f"snoozed until {text.date_and_time(alert.snoozed_until, view.zone)}"
        case "resolved":
            return "over"
        case stage:
            return stage


def _acknowledged(alert: Alert, view: View) -> str:
    if alert.acknowledged_at is None:
        return ""
    by = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    program = f" with {alert.acknowledged_from}" if alert.acknowledged_from else ""
    return f"{text.date_and_time(alert.acknowledged_at, view.zone)}{by}{program}"


def _over(alert: Alert, view: View) -> str:
    if alert.resolved_at is None:
        return ""
    why = f": {alert.resolved_by}" if alert.resolved_by else ""
    return f"{text.date_and_time(alert.resolved_at, view.zone)}{why}"


def _count(alert: Alert, view: View) -> str:
    if alert.count < 2:
        return "once"
    return f"{alert.count:,} times, last {text.date_and_time(last_at(alert), view.zone, seconds=True)}"
