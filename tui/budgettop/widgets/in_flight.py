"""The In flight panel: held requests on top, then what is being answered right now; one of them selected."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from typing_extensions import override

from budgettop.view import View
from budgettop.widgets.in_flight_rows import InFlightRows, id_of, in_order
from budgettop.widgets.listing import Listing
from budgetwire.messages import InFlight
from budgetwire.money import format_usd


class InFlightPanel(Listing[int]):
    """All requests that wait for a decision or hold a reservation."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "screen.allow",
            "Allow the held request once, or a killed one's repeats",
            id="allow",
            show=False,
        ),
        Binding("escape", "spare", "Keep the request", show=False),
    ]

    def __init__(self) -> None:
        self._in_flight_rows = InFlightRows()
        super().__init__(self._in_flight_rows, id="in-flight")
        self.border_title = "In flight"
        self._doomed: int | None = None
        self._here = False

    @override
    def show(self, view: View) -> None:
        running, held = view.running, len(view.held)
        self.border_title = " · ".join(
            [f"In flight {len(running)}" if running else "In flight", *([f"{held} HELD"] if held else [])]
        )
        cost = format_usd(sum(request.cost_nusd for request in running))
        reserved = format_usd(sum(request.reserved_nusd for request in running))
        self.border_subtitle = f"{cost} so far / {reserved} reserved" if running else ""
        self.set_class(bool(held), "-held")
        if all(request.id != self._doomed for request in running):
            self._doomed = None
        self._in_flight_rows.mark(self._doomed, here=self._here)
        self.take(view, [id_of(shown) for shown in in_order(view)])
        self.offer(held, self.to_kill() is not None)

    def to_decide(self) -> InFlight | None:
        """Return the selected request if it is held, else the held one with the least time left; none where
        a killed one is selected.
        """
        if self._is_block_selected:
            return None
        held = self.view.held
        return next((each for each in held if each.id == self.selected), held[0] if held else None)

    def to_allow(self) -> int | None:
        """Return what enter lets through: the repeats of the selected killed request, or the held one."""
        if self._is_block_selected:
            return self.selected
        held = self.to_decide()
        return held and held.id

    @property
    def _is_block_selected(self) -> bool:
        return any(block.request_id == self.selected for block in self.view.blocks)

    def to_kill(self) -> int | None:
        """Return the selected request if it runs."""
        return next((each.id for each in self.view.running if each.id == self.selected), None)

    def confirm_kill(self) -> int | None:
        """Return the selected request when this is asked a second time in a row; the first time ask back."""
        confirmed = self._doomed if self._doomed == self.selected else None
        self._doomed = None if confirmed is not None else self.to_kill()
        self.focus()
        self.show(self.view)
        self.reveal()
        return confirmed

    def show_held(self) -> None:
        """Go to the request that is to be decided upon."""
        if request := self.to_decide():
            self.focus()
            self.choose(request.id)

    @override
    def choose(self, key: int) -> None:
        self._doomed = None
        super().choose(key)

    def action_spare(self) -> None:
        """Take back that a request is to be killed."""
        self._doomed = None
        self.show(self.view)

    def on_focus(self) -> None:
        """Say what enter does now."""
        self._here = True
        self.show(self.view)

    def on_blur(self) -> None:
        """Nothing is confirmed from elsewhere."""
        self._here = False
        self.action_spare()
