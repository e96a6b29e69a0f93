"""One counter: its name, its gauge, its numbers, and a line that says how it stands."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual.events import Click
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.counter import (
    Key,
    cap,
    doing,
    held_back,
    label,
    numbers,
    passed,
    policy,
    renewal,
    standing,
    state,
    subject,
)
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row, cells
from budgettop.widgets.gauge import gauge, style_of
from budgetwire.messages import Limit
from budgetwire.money import format_usd

SHARE = 8
"""Cells of sign and share, where a row has to do with one line."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the rows share, so that their gauges stand below each other."""

    name: int = 8
    numbers: int = 0
    state: int = 0
    brief: bool = False
    """There is no room to tell what was granted from the cap."""
    dense: bool = False
    """One line a row, except for the selected one."""


class LimitRow(Drawn):
    """A counter that can be selected; without one, the place where a limit can be set."""

    class Picked(Message):
        """The row was clicked."""

        def __init__(self, row: "LimitRow") -> None:
            super().__init__()
            self.row = row

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key
        self._limit: Limit | None = None
        self._held = 0
        self._columns = Columns()
        self._view = View()
        self._selected = False
        self._drawn_of: object = None

    def show(self, limit: Limit | None, held: int, columns: Columns, view: View, *, selected: bool) -> None:
        """Take what is to be shown; with very many rows, few have changed."""
        of = (limit, held, columns, selected, view.snapshot is None, int(view.now // 60), view.zone)
        if of == self._drawn_of:
            return
        self._drawn_of = of
        self._limit, self._held, self._columns, self._view = limit, held, columns, view
        self._selected = selected
        self.set_class(selected, "-selected")
        self.redraw()

    def on_click(self, event: Click) -> None:
        """Tell which one was clicked."""
        event.stop()
        self.post_message(self.Picked(self))

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        name, whose = self.key
        limit, columns = self._limit, self._columns
        start: list[Piece] = [
            ("› " if self._selected else "  ", "sign"),
            (text.fit(label(name, subject(limit) if limit else whose, columns.name), columns.name), "strong"),
            ("  ", ""),
        ]
        if limit is None:
            advice = "no limit · e sets one" if self._view.snapshot else "…"
            return [[*start, (advice, "faint")]]
        end = self._end(limit)
        top = [*start, *self._gauge(limit, width - cells(start) - cells(end) - 1), *end]
        return [top] if columns.dense and not self._selected else [top, self._detail(limit, width)]

    def _end(self, limit: Limit) -> Row:
        columns = self._columns
        row: Row = [
            ("  ", ""),
            (text.fit(numbers(limit, brief=columns.brief), columns.numbers, right=True), "strong"),
        ]
        if columns.dense:
            sign = {"calm": "", "near": "▲ ", "over": "■ "}[standing(limit)]
            share = text.share(limit.spent_nusd, cap(limit))
            row.append((text.fit(f"{sign}{share}", SHARE, right=True), standing(limit)))
        if columns.state:
            word = state(limit, self._held)
            style = "paused" if word == "PAUSED" or self._held else "near"
            row += [("  ", ""), (word, style), (" " * (columns.state - cell_len(word)), "")]
        return row

    def _gauge(self, limit: Limit, width: int) -> list[Piece]:
        word = standing(limit)
        runs = gauge(
            width,
            cap(limit),
            limit.spent_nusd,
            held_back(limit),
            limit.forecast_nusd,
            free="·" if self.plain else " ",
        )
        return [(run, style_of(part, word)) for run, part in runs]

    def _detail(self, limit: Limit, width: int) -> Row:
        indent = 2 + self._columns.name + 2
        row: Row = [(" " * indent, ""), *_stand(limit)]
        room = width - cells(row)
        for *wordings, style in self._facts(limit):
            fact = next((wording for wording in wordings if cell_len(wording) + 3 <= room), None)
            if fact is None:
                break
            room -= cell_len(fact) + 3
            row += [(" · ", "faint"), (fact, style)]
        return row

    def _facts(self, limit: Limit) -> list[tuple[str, ...]]:
        """What there is to say, the most pressing first: wordings, the longest first, and a style."""
        now, zone = self._view.now, self._view.zone
        facts: list[tuple[str, ...]] = []
        if limit.refused:
            facts.append((f"{limit.refused} refused", "over"))
        if limit.unknown_nusd:
            facts.append((f"{format_usd(limit.unknown_nusd)} kept for unknown ends", "unknown ends", ""))
        if limit.granted_nusd and self._columns.brief:
            facts.append((f"{format_usd(limit.granted_nusd)} of it granted", "faint"))
        if limit.guarantee == "strict":
            facts.append(("strict", ""))
        facts.append((renewal(limit, now, zone), "faint"))
        if standing(limit) != "over" and (does := policy(limit)):
            facts.append((text.printable(does), "faint"))
        if limit.cap_at is not None and limit.spent_nusd < cap(limit):
            at = text.when(limit.cap_at, now, zone)
            at = f"on {at}" if " " in at else f"at {at}"
            facts.append((f"at this rate the cap is reached {at}", f"cap reached {at}", "near"))
        elif limit.forecast_nusd is not None:
            facts.append((f"≈ {format_usd(limit.forecast_nusd)} by then", "faint"))
        return facts


def _stand(limit: Limit) -> list[Piece]:
    share = text.share(limit.spent_nusd, cap(limit))
    match standing(limit):
        case "over":
            return [(f"■ {share} OVER, {doing(limit)}", "over")]
        case "near":
            return [(f"▲ {share} past {passed(limit)} %", "near")]
        case "calm":
            return [(f"{share}", "calm")]
