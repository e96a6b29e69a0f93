"""The fourth screen: every counter with all it is about, and who changed what."""

from textual.app import ComposeResult
from textual.containers import Container
from typing_extensions import override

from budgettop.screens.steering import Steering
from budgettop.view import View
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.changes import Changes
from budgettop.widgets.limit_detail import LimitDetail
from budgettop.widgets.limit_table import LimitTable
from budgetwire.messages import Limit, QueryAudit, QueryAuditReply

CHANGES = 100


class Limits(Steering):
    """All counters, the selected one in full, and the newest changes."""

    PLACE = "limits"

    def __init__(self) -> None:
        super().__init__()
        self._table = LimitTable()
        self._detail = LimitDetail()
        self._changes = Changes()

    @override
    def body(self) -> ComposeResult:
        with Container(id="body"):
            yield self._table
            yield self._detail
            yield self._changes

    def on_mount(self) -> None:
        """Start where the keys are of use."""
        self._table.focus()

    @override
    def show_body(self, view: View) -> None:
        self._table.show(view)
        self._detail.show(view)
        self._detail.pick(*self._table.chosen)
        self._changes.show(view)
        state = view.snapshot and (
            [
                (limit.name, limit.limit_nusd, limit.granted_nusd, limit.unknown_nusd, limit.paused)
                for limit in view.snapshot.limits
            ],
            [(request.id, request.phase == "held") for request in view.snapshot.in_flight],
            [(alert.acknowledged_at, alert.snoozed_until) for alert in view.snapshot.alerts],
            view.paused_at,
        )
        if self.outdated(view, state):
            self._fetch()

    @property
    @override
    def chosen(self) -> tuple[str, Limit | None]:
        return self._table.chosen

    @override
    async def open(self, editor: AmountEditor) -> None:
        await self._detail.open(editor)

    def on_limit_table_chosen(self, event: LimitTable.Chosen) -> None:
        """Show the selected counter in full."""
        event.stop()
        self._detail.pick(*self._table.chosen)

    def on_amount_editor_closed(self, event: AmountEditor.Closed) -> None:
        """Take the editor away."""
        event.stop()
        event.editor.remove()
        self._table.focus()

    def _fetch(self) -> None:
        self.look_up(
            lambda call: QueryAudit(id=call, count=CHANGES),
            QueryAuditReply,
            lambda reply: self._changes.fill(reply.changes),
            self._fail,
        )

    def _fail(self, error: Exception) -> None:
        self.look_again()
        self._changes.border_subtitle = str(error)
