"""The second screen: the ledger's newest rows, and everything it knows of the selected one."""

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from typing_extensions import override

from budgettop.screens.room import Room
from budgettop.view import View
from budgettop.widgets.request_detail import RequestDetail
from budgettop.widgets.request_table import RequestTable
from budgetwire.messages import QueryRequests, QueryRequestsReply, Request

PAGE = 200
FRESH_SECONDS = 1.0
"""The shortest time between two looks at the ledger while requests come in."""


class Requests(Room):
    """Recent requests, newest first; older ones are fetched when the last row is reached."""

    PLACE = "requests"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "older", "older", id="older"),
        Binding("home", "newest", "newest", id="newest", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._table = RequestTable()
        self._detail = RequestDetail()
        self._rows: dict[int, Request] = {}
        self._more = False
        self._asked_at = 0.0
        self._asked_of: object = None

    @override
    def body(self) -> ComposeResult:
        with Container(id="body"):
            yield self._table
            yield self._detail

    def on_mount(self) -> None:
        """Start where the keys are of use."""
        self._table.focus()

    @override
    def show_body(self, view: View) -> None:
        self._table.show(view)
        self._detail.show(view)
        if view.stand != "live" or view.snapshot is None or not self.is_current:
            return
        # What the ledger would answer can only have changed if one of these did.
        state = (view.snapshot.burn.requests_today, view.snapshot.burn.month_nusd, view.snapshot.in_flight)
        if state != self._asked_of and view.now - self._asked_at >= FRESH_SECONDS:
            self._asked_of, self._asked_at = state, view.now
            self._fetch(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Hide the keys that would do nothing."""
        return self._more if action == "older" else True

    def action_older(self) -> None:
        """Fetch the rows before the oldest one shown."""
        if self._rows:
            self._fetch(min(self._rows))

    def action_newest(self) -> None:
        """Go to the newest request."""
        self._table.move_cursor(row=0)

    def on_request_table_picked(self, event: RequestTable.Picked) -> None:
        """Show the details of the selected request."""
        event.stop()
        self._detail.pick(event.request)

    def _fetch(self, before_id: int | None) -> None:
        self.look_up(
            lambda call: QueryRequests(id=call, count=PAGE, before_id=before_id),
            QueryRequestsReply,
            partial(self._merge, older=before_id is not None),
            self._fail,
        )

    def _fail(self, error: Exception) -> None:
        self._asked_of = None  # ask again
        self._table.border_subtitle = str(error)

    def _merge(self, reply: QueryRequestsReply, *, older: bool) -> None:
        if older or not self._rows:
            self._more = reply.more
            self.refresh_bindings()
        self._rows |= {request.id: request for request in reply.requests}
        self._table.border_subtitle = "o older" if self._more else ""
        self._table.fill(sorted(self._rows.values(), key=lambda request: -request.id))
