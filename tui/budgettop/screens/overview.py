"""The first screen: what is spent, what is being spent, what fired, and where it went."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from typing_extensions import override

from budgettop.screens.answering import Answering
from budgettop.screens.steering import Steering
from budgettop.view import View
from budgettop.widgets.alerts import AlertsPanel
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.budgets import Budgets
from budgettop.widgets.burn import BurnPanel
from budgettop.widgets.empty import EmptyState
from budgettop.widgets.in_flight import InFlightPanel
from budgettop.widgets.spending import SpendingPanel
from budgetwire.messages import InFlight, Kill, Limit


class Overview(Answering, Steering):
    """Budgets, burn, requests in flight, alerts, and where today's money went."""

    PLACE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "kill", "kill", id="kill"),
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
    def to_decide(self) -> InFlight | None:
        return self.query_one(InFlightPanel).to_decide()

    @override
    def to_allow(self) -> int | None:
        return self.query_one(InFlightPanel).to_allow()

    @override
    def to_answer(self) -> int | None:
        return self.query_one(AlertsPanel).to_answer()

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.built:
            return True
        live = self.top.view.stand == "live"
        if action == "kill":
            return live and self.query_one(InFlightPanel).to_kill() is not None
        if action == "next_cut":
            panel = self.query_one(SpendingPanel)
            return panel.display and not panel.all_cuts and not self.has_class("-unused")
        return super().check_action(action, parameters)

    def action_kill(self) -> None:
        """Cut the selected request on both sides, if this was asked before."""
        request_id = self.query_one(InFlightPanel).confirm_kill()
        if request_id is not None:
            self.top.ask(lambda call: Kill(id=call, request_id=request_id))

    def action_next_cut(self) -> None:
        """Cut today's spending up in the next way."""
        self.query_one(SpendingPanel).next_cut()

    def show_held(self) -> None:
        """Go to the request that is to be decided upon."""
        self.query_one(InFlightPanel).show_held()
