"""The first screen: what is spent, what is being spent, what fired, and where it went."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from typing_extensions import override

from budgettop.screens.steering import Steering
from budgettop.view import View
from budgettop.widgets.alerts import AlertsPanel
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.budgets import Budgets
from budgettop.widgets.burn import BurnPanel
from budgettop.widgets.empty import EmptyState
from budgettop.widgets.in_flight import InFlightPanel
from budgettop.widgets.spending import SpendingPanel
from budgetwire.messages import Acknowledge, Approve, Grant, Kill, Limit, Refuse

MORE_CENTS = 500
"""What one key grants to the limit that holds a request."""


class Overview(Steering):
    """Budgets, burn, requests in flight, alerts, and where today's money went."""

    PLACE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "allow_more", "+$5", id="allow-more", show=False),
        Binding("x", "refuse", "refuse", id="refuse", show=False),
        Binding("k", "kill", "kill", id="kill"),
        Binding("a", "acknowledge", "ack", id="acknowledge"),
        Binding("A", "app.acknowledge_all", "ack all", id="acknowledge-all", show=False),
        Binding("p", "next_cut", "by…", id="next-cut"),
    ]

    @override
    def body(self) -> ComposeResult:
        with Grid(id="body"):
            yield Budgets()
            yield BurnPanel()
            yield InFlightPanel()
            yield AlertsPanel()
            yield SpendingPanel()
            yield EmptyState()

    def on_mount(self) -> None:
        """Start where the keys are of use."""
        self.query_one(Budgets).focus()

    @override
    def show_body(self, view: View) -> None:
        self.set_class(view.unused, "-unused")
        self.query_one(Budgets).show(view)
        self.query_one(BurnPanel).show(view)
        self.query_one(InFlightPanel).show(view)
        self.query_one(AlertsPanel).show(view)
        self.query_one(SpendingPanel).show(view)
        self.query_one(EmptyState).show(view)

    @property
    @override
    def chosen(self) -> tuple[str, Limit | None]:
        return self.query_one(Budgets).chosen

    @override
    async def open(self, editor: AmountEditor) -> None:
        await self.query_one(Budgets).open(editor)

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.built:
            return True
        live = self.top.view.stand == "live"
        if action in ("allow", "allow_more", "refuse"):
            return live and bool(self.top.view.held)
        if action == "kill":
            return live and self.query_one(InFlightPanel).to_kill() is not None
        if action == "acknowledge":
            return live and self.query_one(AlertsPanel).to_acknowledge() is not None
        if action == "next_cut":
            panel = self.query_one(SpendingPanel)
            return panel.display and not panel.all_cuts and not self.has_class("-unused")
        return super().check_action(action, parameters)

    def action_allow(self) -> None:
        """Let the held request through, this once."""
        if request := self.query_one(InFlightPanel).to_decide():
            self.top.ask(lambda call: Approve(id=call, request_id=request.id))

    def action_allow_more(self) -> None:
        """Grant the limit that holds the request so much on top that it fits, and others after it."""
        if request := self.query_one(InFlightPanel).to_decide():
            name, subject = request.held_by, request.held_subject
            self.top.ask(lambda call: Grant(id=call, limit=name, subject=subject, cents=MORE_CENTS))

    def action_refuse(self) -> None:
        """Refuse the held request."""
        if request := self.query_one(InFlightPanel).to_decide():
            self.top.ask(lambda call: Refuse(id=call, request_id=request.id))

    def action_kill(self) -> None:
        """Cut the selected request on both sides, if this was asked before."""
        request_id = self.query_one(InFlightPanel).confirm_kill()
        if request_id is not None:
            self.top.ask(lambda call: Kill(id=call, request_id=request_id))

    def action_acknowledge(self) -> None:
        """Acknowledge the selected alert, or the newest that waits."""
        alert_id = self.query_one(AlertsPanel).to_acknowledge()
        if alert_id is not None:
            self.top.ask(lambda call: Acknowledge(id=call, alert_ids=[alert_id]))

    def action_next_cut(self) -> None:
        """Cut today's spending up in the next way."""
        self.query_one(SpendingPanel).next_cut()

    def show_held(self) -> None:
        """Go to the request that is to be decided upon."""
        self.query_one(InFlightPanel).show_held()
