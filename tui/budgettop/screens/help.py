"""The help: every key, and what the signs mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from typing_extensions import override

from budgettop import text
from budgettop.widgets.drawn import COMPONENTS, Drawn, Row, cells

COLUMN = 19
"""Where explanations begin."""

KEYS = (
    ("1  2  4  5", "overview, requests, limits, alerts"),
    ("tab  shift+tab", "next and previous panel; the mouse does too"),
    ("↑ ↓", "select a limit, a request or an alert; scroll"),
    ("e  enter", "edit the selected limit: enter saves, esc cancels, ctrl+r removes"),
    ("g", "grant the selected limit more, until its window ends"),
    ("u", "undo the last edit or grant; u again where that raises a cap"),
    ("space", "pause (refuse all that can cost), and resume"),
    ("P", "pause and resume what matches the selected limit"),
    ("h", "go to the held requests, on overview; there, or on their alert:"),
    ("  enter  f  x", "allow once; grant its limit $5 more; refuse"),
    ("k", "kill the selected request in flight; k again confirms"),
    ("a  A", "acknowledge the selected alert (on overview else the newest that fires); all"),
    ("s  S", "snooze it for an hour; until 9:00 tomorrow: it fires again if it is not over"),
    ("T  R", "on alerts: send a test; send again what was given up on (to the selected channel)"),
    ("p", "where it goes: by project, model, user, session"),
    ("o", "on requests and alerts: fetch older ones"),
    ("t", "next theme"),
    ("ctrl+p", "the same as commands, found by name"),
    ("?  esc", "open and close this help"),
    ("q", "quit; budgetd goes on forwarding and guarding"),
)
SIGNS: tuple[tuple[Row, str], ...] = (
    ([("███▌", "calm")], "spent, solid"),
    ([("▒▒▒▒", "calm-track")], "reserved by requests in flight, hatched"),
    (
        [("  ", "track"), ("┃", "tick"), (" ", "track")],
        "where spending will be when the window ends (› beyond the cap)",
    ),
    ([("█", "over"), ("│", "mark"), ("▚▚", "over")], "over: the cap is at the line, overrun behind it"),
    ([("64 %", "calm")], "calm: no threshold passed"),
    ([("▲", "near")], "near: past a threshold; an alert that warns"),
    ([("■", "over")], "over the cap; a critical alert"),
    ([("✓  z", "faint")], "an alert that was acknowledged or is over; one that is snoozed"),
    ([("×500", "")], "how often an alert happened"),
    ([(" HELD ", "paused")], "a request that waits for you; refused when its time is up"),
    ([("haiku ← opus", "near")], "a cheaper model took the place of the one asked for"),
    ([("HOLD PAUSED", "near")], "what a limit does now to requests that match; DOWNGRADE too"),
    ([("strict", "")], "worst cases are reserved: nothing passes the cap"),
    ([("· ↓ ∅", "")], "in flight: waiting, answering, client left (its usage is awaited)"),
    ([("~$1.20", "")], "estimated, where no usage was stated"),
)


class HelpText(Drawn):
    """All of it, drawn with the styles it explains."""

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = [[("Keys", "strong")]]
        for keys, what in KEYS:
            rows += _explained([(keys, "strong")], what, width)
        rows += [[], [("Signs", "strong")]]
        for sign, what in SIGNS:
            rows += _explained(sign, what, width)
        return rows


def _explained(sign: Row, what: str, width: int) -> list[Row]:
    first, *rest = text.wrap(what, width - COLUMN)
    indent = " " * (COLUMN - 2 - cells(sign))
    return [
        [("  ", ""), *sign, (indent, ""), (first, "")],
        *([(" " * COLUMN, ""), (line, "")] for line in rest),
    ]


class Help(ModalScreen[None]):
    """Over whatever screen it was asked for on."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]

    @override
    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes"
            yield HelpText()
