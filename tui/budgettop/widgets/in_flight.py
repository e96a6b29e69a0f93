"""The In flight panel: what is being answered right now, and what it has cost so far."""

from rich.cells import cell_len
from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row, cells
from budgettop.widgets.gauge import gauge, style_of
from budgettop.widgets.panel import Panel
from budgetwire.messages import InFlight
from budgetwire.money import format_usd

FIXED = 46
"""The cells of a row that are not for the model or for who asked."""

_PHASES = {"sent": "waiting", "answering": "answering", "draining": "client left"}
_SIGNS = {"sent": "·", "answering": "↓", "draining": "∅"}


class InFlightPanel(Panel):
    """All requests that hold a reservation, the oldest first."""

    def __init__(self) -> None:
        super().__init__(id="in-flight")
        self.border_title = "In flight"

    @override
    def compose(self) -> ComposeResult:
        yield InFlightRows()

    @override
    def show(self, view: View) -> None:
        requests = view.snapshot.in_flight if view.snapshot else []
        self.border_title = f"In flight {len(requests)}" if requests else "In flight"
        cost = format_usd(sum(request.cost_nusd for request in requests))
        reserved = format_usd(sum(request.reserved_nusd for request in requests))
        self.border_subtitle = f"{cost} so far / {reserved} reserved" if requests else ""
        self.query_one(InFlightRows).show(view)


class InFlightRows(Drawn):
    """The rows; columns that do not fit are left out, the least telling first."""

    def __init__(self) -> None:
        super().__init__()
        self._view = View()

    def show(self, view: View) -> None:
        """Take what is to be shown."""
        self._view = view
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._view.snapshot:
            return [[("…", "faint")]]
        requests = sorted(self._view.snapshot.in_flight, key=lambda request: (request.started_at, request.id))
        if not requests:
            return [[("Nothing at the moment.", "faint")]]
        model = text.widest([request.model or "unknown" for request in requests], min(30, width - FIXED))
        return [self._row(request, width, model) for request in requests]

    def _row(self, request: InFlight, width: int, model: int) -> Row:
        answering = request.phase == "answering"
        so_far = text.fit(format_usd(request.cost_nusd), 8, right=True)
        cost = f"{so_far} / {text.fit(text.amount(request.reserved_nusd), 6)}"
        counts = f"↑ {text.tokens(request.input_tokens):<5}↓ {text.tokens(request.output_tokens):<5}"
        start: Row = [
            (f"{_SIGNS[request.phase]} ", "calm" if answering else "faint"),
            (f"{text.age(self._view.state_at - request.started_at):>5}  ", ""),
            (text.fit(request.model or "unknown", model), "strong"),
            ("  ", ""),
        ]
        end: Row = [(counts, "faint" if not answering else ""), (cost, "strong" if answering else "")]
        room = width - cells(start) - cells(end) - 1
        if room >= 40:
            end = [*end, ("  ", ""), *self._gauge(request, min(room // 4, 24))]
            room = width - cells(start) - cells(end) - 1
        if room >= 36:
            start.append((text.fit(_PHASES[request.phase], 13), "faint"))
            room -= 13
        return [*start, (text.fit(_who(request, room), room), "faint"), (" ", ""), *end]

    def _gauge(self, request: InFlight, width: int) -> Row:
        free = "·" if self.plain else " "
        runs = gauge(width, request.reserved_nusd, request.cost_nusd, 0, free=free)
        word = "near" if request.cost_nusd > request.reserved_nusd else "calm"
        return [(run, style_of(part, word)) for run, part in runs]


def _who(request: InFlight, room: int) -> str:
    """Name who asked, in as many words as there is room for: project, user, session, client."""
    names = [request.project, request.user, request.session, request.client]
    said: list[str] = []
    for name in names:
        if name and name not in said and (not said or cell_len("  ".join([*said, name])) <= room):
            said.append(name)
    return "  ".join(said)
