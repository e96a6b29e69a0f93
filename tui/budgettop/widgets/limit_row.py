"""One limit: its name, its gauge, its numbers, and a line that says how it stands."""

from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from textual.events import Click
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row, cells
from budgettop.widgets.gauge import gauge, style_of
from budgetwire.messages import Limit
from budgetwire.money import format_usd

Standing = Literal["calm", "near", "over"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths that the rows share, so that their gauges stand below each other."""

    name: int = 8
    numbers: int = 0


def standing(limit: Limit) -> Standing:
    """Return the one word of a limit: over at its cap, near past its first threshold."""
    if limit.spent_nusd >= limit.limit_nusd:
        return "over"
    return "near" if _passed(limit) is not None else "calm"


def numbers(limit: Limit) -> str:
    """Write what is spent, what is reserved on top, and the cap."""
    reserved = f" + {text.amount(limit.reserved_nusd)}" if limit.reserved_nusd else ""
    return f"{format_usd(limit.spent_nusd)}{reserved} of {format_usd(limit.limit_nusd)}"


class LimitRow(Drawn):
    """A limit that can be selected; without a limit, the place where one can be set."""

    class Picked(Message):
        """The row was clicked."""

        def __init__(self, row: "LimitRow") -> None:
            super().__init__()
            self.row = row

    def __init__(self, limit_name: str) -> None:
        super().__init__()
        self.limit_name = limit_name
        self.limit: Limit | None = None
        self._columns = Columns()
        self._view = View()
        self._selected = False

    def show(self, limit: Limit | None, columns: Columns, view: View, *, selected: bool) -> None:
        """Take what is to be shown."""
        self.limit, self._columns, self._view, self._selected = limit, columns, view, selected
        self.set_class(selected, "-selected")
        self.redraw()

    def on_click(self, event: Click) -> None:
        """Tell which one was clicked."""
        event.stop()
        self.post_message(self.Picked(self))

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        name: list[Piece] = [
            ("› " if self._selected else "  ", "sign"),
            (text.fit(self.limit_name, self._columns.name), "strong"),
            ("  ", ""),
        ]
        if self.limit is None:
            advice = "no limit · e sets one" if self._view.snapshot else "…"
            return [[*name, (advice, "faint")]]
        bar_width = width - 2 - self._columns.name - 2 - 2 - self._columns.numbers - 1
        top = [*name, *self._gauge(self.limit, bar_width), ("  ", "")]
        top.append((text.fit(numbers(self.limit), self._columns.numbers, right=True), "strong"))
        return [top, self._detail(self.limit, width)]

    def _gauge(self, limit: Limit, width: int) -> list[Piece]:
        word = standing(limit)
        runs = gauge(
            width,
            limit.limit_nusd,
            limit.spent_nusd,
            limit.reserved_nusd,
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
        resets = f"resets {text.when(limit.ends_at, now, zone)}"
        facts: list[tuple[str, ...]] = [(resets, "faint")]
        if limit.refused:
            facts.insert(0, (f"{limit.refused} refused", "over"))
        if limit.cap_at is not None and limit.spent_nusd < limit.limit_nusd:
            at = text.when(limit.cap_at, now, zone)
            at = f"on {at}" if " " in at else f"at {at}"
            facts.append((f"at this rate the cap is reached {at}", f"cap reached {at}", "near"))
        elif limit.forecast_nusd is not None:
            facts.append((f"≈ {format_usd(limit.forecast_nusd)} by then", "faint"))
        return facts


def _stand(limit: Limit) -> list[Piece]:
    share = text.share(limit.spent_nusd, limit.limit_nusd)
    match standing(limit):
        case "over":
            act = "refusing" if limit.on_exceed == "refuse" else "alert only"
            return [(f"■ {share} OVER, {act}", "over")]
        case "near":
            return [(f"▲ {share} past {_passed(limit)} %", "near")]
        case "calm":
            return [(f"{share}", "calm")]


def _passed(limit: Limit) -> int | None:
    passed = [pct for pct in limit.thresholds_pct if limit.spent_nusd * 100 >= pct * limit.limit_nusd]
    return max(passed, default=None)
