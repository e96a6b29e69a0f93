"""The top line: the link, who is spending, where to, the clock, and PAUSED where nobody can miss it."""

from rich.cells import cell_len
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row, cells

_STANDS: dict[str, Piece] = {
    "connecting": ("○ connecting", "faint"),
    "live": ("● live", "calm"),
    "lost": ("○ no connection", "near"),
    "refused": ("✗ other version", "over"),
}


class Header(Drawn):
    """One line above every screen."""

    def __init__(self, *, demo: bool) -> None:
        super().__init__(id="header")
        self._name = "budgettop demo" if demo else "budgettop"
        self._view = View()

    def show(self, view: View) -> None:
        """Take what is to be shown."""
        self._view = view
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        view = self._view
        left: Row = [(f" {self._name}", "strong"), ("   ", ""), _STANDS[view.stand]]
        if view.paused_at is not None:
            left += [("   ", ""), (" ‖ PAUSED ", "paused")]
        if view.held:
            left += [("   ", ""), (f" {len(view.held)} HELD ", "paused")]
        clock = f"{text.date_and_time(view.now, view.zone)} " if view.now else ""
        room = width - cells(left) - cell_len(clock) - 6
        middle = _who(view, room)
        gap = room + 6 - 3 - cell_len(middle)
        return [[*left, ("   ", ""), (middle, ""), (" " * max(gap, 1), ""), (clock, "faint")]]


def _who(view: View, room: int) -> str:
    """Name who spends right now, and the address they send to; the address goes first when room is short."""
    address = f"→ {view.listen}" if view.listen else ""
    if room < len(address):
        return ""
    if not view.snapshot or view.stand != "live":
        return address
    running = view.running
    busy = sorted({request.client or request.user or "someone" for request in running})
    names = ", ".join(map(text.printable, busy)) or "nobody spending"
    spare = room - cell_len(address) - 1
    if spare < 4:
        return address
    return f"{text.fit(names, min(spare, cell_len(names)))} {address}"
