"""The Changes panel: who did what, from the daemon's audit, newest first."""

import re

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.panel import Panel
from budgetwire.messages import Change
from budgetwire.money import cents_to_nusd, format_usd

_MONEY = ("set_limit", "undo_limit", "grant", "undo_grant", "release")
"""Actions whose values before and after are nanodollars, or all that the file said of a removed limit."""

_CAP = re.compile(r'"limit_cents": ?(\d+)')

WHO = 10
"""The cells that are kept for who did it, however much there is to say of what."""


class Changes(Panel):
    """The newest changes."""

    def __init__(self) -> None:
        super().__init__(id="changes")
        self.border_title = "Changes"

    @override
    def compose(self) -> ComposeResult:
        yield ChangeRows()

    @override
    def show(self, view: View) -> None:
        self.query_one(ChangeRows).show(view)

    def fill(self, changes: list[Change]) -> None:
        """Show these."""
        self.border_subtitle = ""
        self.query_one(ChangeRows).fill(changes)


class ChangeRows(Drawn):
    """When, what, what about, from what to what, and who; the columns are as wide as they need be."""

    def __init__(self) -> None:
        super().__init__()
        self._view = View()
        self._changes: list[Change] | None = None

    def show(self, view: View) -> None:
        """Take the zone that times are shown in."""
        self._view = view
        self.redraw()

    def fill(self, changes: list[Change]) -> None:
        """Take the rows."""
        self._changes = changes
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._changes:
            return [[("…" if self._changes is None else "Nobody has changed anything yet.", "faint")]]
        when = text.widest([self._when(change) for change in self._changes], 16)
        action = text.widest([_action(change) for change in self._changes], 16)
        room = width - when - action - 6
        what = text.widest([_what(change) for change in self._changes], max(0, room - WHO))
        who = text.widest([_who(change) for change in self._changes], 40)
        short = who > room - what
        who = min(who, max(WHO, room - what))
        what = max(0, room - who)
        return [
            [
                (text.fit(self._when(change), when), "faint"),
                (f"  {text.fit(_action(change), action)}  ", "strong"),
                (text.fit(_what(change), what), ""),
                (f"  {text.fit(change.name if short else _who(change), who)}", "faint"),
            ]
            for change in self._changes
        ]

    def _when(self, change: Change) -> str:
        return text.when(change.at, self._view.now, self._view.zone)


def _action(change: Change) -> str:
    return change.action.replace("_", " ")


def _who(change: Change) -> str:
    return f"{change.name} (uid {change.uid})" if change.name else f"uid {change.uid}"


def _what(change: Change) -> str:
    before, after = (_value(change, value) for value in (change.before, change.after))
    step = f"{before or 'none'} → {after or 'none'}" if before or after else ""
    return "  ".join(part for part in (change.subject, step) if part)


def _value(change: Change, value: str) -> str:
    if change.action in _MONEY and value.isdecimal():
        return format_usd(int(value))
    # Of a removed limit all that its file said is kept: a table, of which the cap is enough here.
    said = _CAP.search(value) if value.startswith("{") else None
    return format_usd(cents_to_nusd(int(said[1]))) if said else value
