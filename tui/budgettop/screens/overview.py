"""The first screen: what is spent, what is being spent, what fired, and where it went."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from typing_extensions import override

from budgettop.screens.room import Room
from budgettop.view import View
from budgettop.widgets.alerts import AlertsPanel
from budgettop.widgets.budgets import Budgets
from budgettop.widgets.burn import BurnPanel
from budgettop.widgets.empty import EmptyState
from budgettop.widgets.in_flight import InFlightPanel
from budgettop.widgets.spending import SpendingPanel
from budgetwire.messages import Acknowledge


class Overview(Room):
    """Budgets, burn, requests in flight, alerts, and where today's money went."""

    PLACE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", id="edit"),
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Hide the keys that would do nothing."""
        if not self.built:
            return True
        if action == "edit":
            return self.top.view.stand == "live"
        if action == "acknowledge":
            return self.top.view.stand == "live" and self.query_one(AlertsPanel).to_acknowledge() is not None
        if action == "next_cut":
            panel = self.query_one(SpendingPanel)
            return panel.display and not panel.all_cuts and not self.has_class("-unused")
        return True

    async def action_edit(self) -> None:
        """Edit the selected limit in its place."""
        await self.query_one(Budgets).edit()

    def action_acknowledge(self) -> None:
        """Acknowledge the selected alert, or the newest that waits."""
        alert_id = self.query_one(AlertsPanel).to_acknowledge()
        if alert_id is not None:
            self.top.ask(lambda call: Acknowledge(id=call, alert_ids=[alert_id]))

    def action_next_cut(self) -> None:
        """Cut today's spending up in the next way."""
        self.query_one(SpendingPanel).next_cut()
