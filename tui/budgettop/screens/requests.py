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
MOST = 1000
"""Rows that are kept as new ones come in, unless older ones were asked for."""


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
        self._most = MOST

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
        now = view.snapshot
        if self.outdated(view, now and (now.burn.requests_today, now.burn.month_nusd, now.in_flight)):
            self._fetch(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Hide the keys that would do nothing."""
        return self._more and self.top.view.stand == "live" if action == "older" else True

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
        self.look_again()
        self._table.border_subtitle = str(error)

    def _merge(self, reply: QueryRequestsReply, *, older: bool) -> None:
        rows = {request.id: request for request in reply.requests}
        if not older and reply.more and min(rows) > max(self._rows, default=0) + 1:
            self._rows = {}  # what came in between is not known; it is fetched when asked for
        if older or not self._rows:
            self._more = reply.more
        rows = sorted((self._rows | rows).values(), key=lambda request: -request.id)
        self._most = max(self._most, len(rows)) if older else self._most
        self._more = self._more or len(rows) > self._most
        self._rows = {request.id: request for request in rows[: self._most]}
        self._table.border_subtitle = "o older" if self._more else ""
        self._table.fill(list(self._rows.values()))
        self.refresh_bindings()
