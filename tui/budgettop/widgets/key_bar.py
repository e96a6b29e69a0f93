"""The bottom line: the keys that are of use right now, which can be clicked too."""

from typing import Any, cast

from rich.cells import cell_len
from textual.binding import Binding
from textual.events import Click
from textual.signal import Signal
from typing_extensions import override

from budgettop.widgets.drawn import Drawn, Row

PLACES = ("overview", "requests", "limits", "alerts")
"""Bindings that lead to a screen; they stand on the left."""
NAMED_FROM = 100
"""From this many cells on all screens are named; else only the one that is shown."""
ACTS = (
    *("held", "edit", "grant", "older", "pause", "resume", "pause-limit", "resume-limit", "undo", "kill"),
    *("acknowledge", "snooze", "test", "redeliver", "next-cut", "help", "quit", "commands"),
)
"""Bindings that do something, in the order in which they stand."""
SPARED = (
    "commands",
    "next-cut",
    "undo",
    "snooze",
    "acknowledge",
    "pause-limit",
    "resume-limit",
    "kill",
    "grant",
    "test",
    "redeliver",
    "quit",
)
"""Those that are left out first where not all fit; the frame of an alert names its keys too."""


class KeyBar(Drawn):
    """Draws the active bindings by their ids; those without one of the ids above are for the help."""

    def __init__(self, place: str) -> None:
        super().__init__(id="keys")
        self._place = place
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow what is active."""
        changed = cast("Signal[Any]", self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType]
        changed.subscribe(self, lambda _: self.redraw())

    def on_click(self, event: Click) -> None:
        """Do what the key would."""
        event.stop()
        for start, end, key in self._spans:
            if start <= event.x < end:
                self.app.simulate_key(key)  # pyright: ignore[reportUnknownMemberType]

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        active = {one.binding.id: one.binding for one in self.screen.active_bindings.values() if one.enabled}
        self._spans = []
        row: Row = [(" ", "")]
        at = 1
        for place in PLACES:
            if place in active:
                here = place == self._place
                named = here or width >= NAMED_FROM
                at = self._add(row, at, active[place], "strong" if here else "faint", named=named)
        acts = [active[act] for act in ACTS if act in active]
        spared = [active[act] for act in SPARED if act in active]
        while spared and at + sum(map(_cells, acts)) > width:
            acts.remove(spared.pop(0))
        gap = width - at - sum(map(_cells, acts))
        row.append((" " * gap, ""))
        at += gap
        for binding in acts:
            at = self._add(row, at, binding, "faint")
        return [row]

    def _add(self, row: Row, at: int, binding: Binding, style: str, *, named: bool = True) -> int:
        key = _key(binding)
        name = f" {binding.description}" if named else ""
        row += [(key, "sign"), (name, style), ("  ", "")]
        end = at + cell_len(key + name) + 2
        self._spans.append((at, end - 2, binding.key))
        return end


def _key(binding: Binding) -> str:
    return binding.key_display or binding.key


def _cells(binding: Binding) -> int:
    return cell_len(_key(binding)) + 1 + cell_len(binding.description) + 2
