"""The fifth screen: every alert on record, the selected one in full, and the channels they are sent to."""

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from typing_extensions import override

from budgettop.alerting import answerable, held_request
from budgettop.screens.answering import Answering
from budgettop.view import View
from budgettop.widgets.alert_detail import AlertDetail
from budgettop.widgets.alert_table import AlertTable
from budgettop.widgets.channels import Channels
from budgetwire.errors import CallError
from budgetwire.messages import (
    Alert,
    InFlight,
    QueryAlerts,
    QueryAlertsReply,
    QueryChannels,
    QueryChannelsReply,
    QueryDeliveries,
    QueryDeliveriesReply,
    Redeliver,
    RedeliverReply,
    SendTest,
    SendTestReply,
)

PAGE = 200
STALE_SECONDS = 5.0
"""The longest time between two looks: what is sent changes by itself."""
TEST_TOAST_SECONDS = 12
OLDER_DAEMON = "This budgetd is older: it has no record to show. Restart it to have the new one."


class Alerts(Answering):
    """The history of alerts, newest first; older ones are fetched when asked for."""

    PLACE = "alerts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "older", "older", id="older"),
        Binding("T", "test", "test", id="test"),
        Binding("R", "redeliver", "redeliver", id="redeliver"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._table = AlertTable()
        self._detail = AlertDetail()
        self._channels = Channels()
        self._rows: dict[int, Alert] = {}
        self._oldest: int | None = None
        """The id that the record is known down to; of older ones only those at hand are."""
        self._more = False
        self._too_old = False
        self._traced: Alert | None = None
        """The alert whose deliveries were asked for."""

    @override
    def body(self) -> ComposeResult:
        with Container(id="body"):
            yield self._table
            yield self._detail
            yield self._channels

    def on_mount(self) -> None:
        """Start where the keys are of use."""
        self._table.focus()

    @override
    def show_body(self, view: View) -> None:
        self._rows |= {alert.id: alert for alert in (view.snapshot.alerts if view.snapshot else [])}
        self._draw(view)
        self._channels.show(view)
        if view.stand != "live" or view.snapshot is None:
            self._too_old = False
            self.look_again()
        elif not self._too_old and self.outdated(view, view.snapshot.alerts, STALE_SECONDS):
            self._fetch(None)
            self._traced = None
            self._look_at_channels()

    @override
    def to_decide(self) -> InFlight | None:
        return held_request(self._table.chosen, self.top.view)

    @override
    def to_answer(self) -> int | None:
        alert = self._table.chosen
        return alert.id if alert and answerable(alert) else None

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        live = self.top.view.stand == "live"
        if action == "older":
            return live and self._more
        if action == "test":
            return live and self._channels.any
        if action == "redeliver":
            return live and self._channels.given_up
        return super().check_action(action, parameters)

    def action_older(self) -> None:
        """Fetch the alerts before the oldest one shown."""
        self._fetch(self._oldest)

    def action_test(self) -> None:
        """Send a test to the selected channel, or from elsewhere on the screen to all."""
        channel = self._channels.chosen
        self._channels.wait(testing=True)
        self.look_up(
            lambda call: SendTest(id=call, channel=channel),
            SendTestReply,
            self._tell_of_tests,
            self._complain,
        )

    def action_redeliver(self) -> None:
        """Send again what was given up on, to the selected channel, or from elsewhere to all."""
        channel = self._channels.chosen
        self.look_up(
            lambda call: Redeliver(id=call, channel=channel),
            RedeliverReply,
            self._tell_of_redelivery,
            self._complain,
        )

    def on_alert_table_chosen(self, event: AlertTable.Chosen) -> None:
        """Show the selected alert in full."""
        event.stop()
        self._pick(self.top.view)

    def _draw(self, view: View) -> None:
        self._table.fill(sorted(self._rows.values(), key=lambda alert: -alert.id))
        self._table.show(view)
        self._detail.show(view)
        self._pick(view)

    def _pick(self, view: View) -> None:
        alert = self._table.chosen
        self._detail.pick(alert)
        self._table.offer(self.to_answer() is None, self.to_decide() is None)
        if alert and alert != self._traced and view.stand == "live" and self.is_current:
            self._trace(alert)

    def _fetch(self, before_id: int | None) -> None:
        self.look_up(
            lambda call: QueryAlerts(id=call, count=PAGE, before_id=before_id),
            QueryAlertsReply,
            partial(self._merge, older=before_id is not None),
            self._fail,
        )

    def _merge(self, reply: QueryAlertsReply, *, older: bool) -> None:
        if older or self._oldest is None:
            self._oldest = min((alert.id for alert in reply.alerts), default=None)
            self._more = reply.more
            self.refresh_bindings()
        self._rows |= {alert.id: alert for alert in reply.alerts}
        self._table.border_subtitle = "o older" if self._more else ""
        self._draw(self.top.view)

    def _trace(self, alert: Alert) -> None:
        if self._too_old:
            return
        self._traced = alert
        self.look_up(
            lambda call: QueryDeliveries(id=call, alert_id=alert.id),
            QueryDeliveriesReply,
            lambda reply: self._detail.fill(reply.deliveries),
            self._fail,
        )

    def _look_at_channels(self) -> None:
        self.look_up(
            lambda call: QueryChannels(id=call),
            QueryChannelsReply,
            lambda reply: self._channels.fill(reply.channels),
            self._fail,
        )

    def _fail(self, error: Exception) -> None:
        if isinstance(error, CallError) and error.code == "bad_message":
            self._too_old = True
            self._channels.fail(OLDER_DAEMON)
        else:
            self.look_again()
            self._table.border_subtitle = str(error)

    def _complain(self, error: Exception) -> None:
        self._channels.wait(testing=False)
        self.top.complain(str(error))

    def _tell_of_tests(self, reply: SendTestReply) -> None:
        self._channels.wait(testing=False)
        lines = [
            f"{'✓' if each.delivered else '✗'} {each.channel}: {each.detail or 'delivered'}"
            for each in reply.tests
        ]
        arrived = all(each.delivered for each in reply.tests)
        self.notify(
            "\n".join(lines) or "No channel is configured.",
            title="Test" if arrived else "Test failed",
            severity="information" if arrived else "error",
            timeout=TEST_TOAST_SECONDS,
            markup=False,
        )
        self._look_at_channels()

    def _tell_of_redelivery(self, reply: RedeliverReply) -> None:
        count = reply.deliveries
        said = (
            f"{count:,} message{'s' * (count != 1)} will be sent again."
            if count
            else "Nothing was given up on."
        )
        self.notify(said, markup=False)
        self._look_at_channels()
