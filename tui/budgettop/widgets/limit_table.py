"""The table of limits: one row for each counter, with the columns that there is room for."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from typing_extensions import override

from budgettop import text
from budgettop.counter import (
    Key,
    cap,
    held_by,
    left,
    listed,
    matches,
    passed,
    standing,
    state,
    subject,
    window,
)
from budgettop.view import View
from budgettop.widgets.columns import GAP, Column, fitting
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.listing import Listing, ListRows
from budgetwire.messages import Limit
from budgetwire.money import format_usd

_SIGNS = {"calm": " ", "near": "▲", "over": "■"}


def _share(limit: Limit) -> str:
    return f"{_SIGNS[standing(limit)]} {text.share(limit.spent_nusd, cap(limit))}"


def _dollars(nusd: int) -> str:
    return format_usd(nusd) if nusd else ""


def _granted(limit: Limit) -> str:
    return f"incl. {text.amount(limit.granted_nusd)}" if limit.granted_nusd else ""


COLUMNS: tuple[Column[Limit], ...] = (
    Column("limit", 10, 0, lambda limit: limit.name),
    Column("subject", 10, 1, subject),
    Column("window", 6, 2, window),
    Column("", 7, 0, _share, right=True),
    Column("spent", 8, 0, lambda limit: format_usd(limit.spent_nusd), right=True),
    Column("reserved", 8, 4, lambda limit: _dollars(limit.reserved_nusd), right=True),
    Column("left", 8, 5, lambda limit: format_usd(left(limit)), right=True),
    Column("cap", 8, 0, lambda limit: format_usd(cap(limit)), right=True),
    Column("granted", 11, 9, _granted),
    Column("refused", 7, 7, lambda limit: str(limit.refused) if limit.refused else "", right=True),
    Column("at cap", 9, 6, lambda limit: limit.on_exceed),
    Column("now", 9, 3, None),
    Column("guarantee", 9, 8, lambda limit: limit.guarantee),
    Column("match", 16, 10, matches),
    Column("per", 8, 11, lambda limit: limit.per),
    Column("headroom", 8, 12, lambda limit: _dollars(limit.headroom_nusd), right=True),
    Column("unknown", 8, 14, lambda limit: _dollars(limit.unknown_nusd), right=True),
    Column("fallback", 16, 13, lambda limit: limit.fallback_model),
)
_GROW = "limit", "subject", "match"
SELECTOR = 2


class LimitTable(Listing[Key]):
    """All counters; the selected one stays selected wherever it moves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.edit", "Edit the limit", show=False),
    ]

    class Chosen(Message):
        """Another counter is selected."""

    def __init__(self) -> None:
        super().__init__(LimitLines(), id="limits")
        self.border_title = "Limits"
        self._counters: dict[Key, Limit | None] = {}

    @override
    def compose(self) -> ComposeResult:
        yield LimitHead()
        yield from super().compose()

    @override
    def show(self, view: View) -> None:
        self._counters = listed(view.snapshot)
        limits = [limit for limit in self._counters.values() if limit]
        near = sum(standing(limit) == "near" for limit in limits)
        over = sum(standing(limit) == "over" for limit in limits)
        parts = [f"Limits · {len(limits)} counter{'s' * (len(limits) != 1)}"] if limits else ["Limits"]
        self.border_title = " · ".join(
            parts + [f"▲ {near} near"] * bool(near) + [f"■ {over} over"] * bool(over)
        )
        self.take(view, list(self._counters))
        chosen = self.chosen[1]
        self.offer(chosen is None, chosen is not None and chosen.paused)

    @property
    def chosen(self) -> tuple[str, Limit | None]:
        """The limit that keys act upon: its name, and its selected counter."""
        key = self.selected
        return (key[0], self._counters.get(key)) if key else ("", None)

    @override
    def choose(self, key: Key) -> None:
        super().choose(key)
        self.post_message(self.Chosen())


class LimitHead(Drawn):
    """The titles of the columns, which stay while the rows scroll."""

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        row: Row = [(" " * SELECTOR, "")]
        for column, cells in fitting(COLUMNS, _GROW, width - SELECTOR):
            row += [(text.fit(column.title, cells, right=column.right), "faint"), (" " * GAP, "")]
        return [row]


class LimitLines(ListRows[Key]):
    """One line for each counter."""

    @override
    def nothing(self) -> str:
        return "No limit."

    @override
    def lines(self, width: int) -> list[tuple[Key, list[Row]]]:
        counters = listed(self._view.snapshot)
        held = held_by(self._view.snapshot.in_flight if self._view.snapshot else [])
        columns = fitting(COLUMNS, _GROW, width - SELECTOR)
        return [
            (
                key,
                [[("› " if key == self._selected else "  ", "sign"), *_row(key, limit, held[key], columns)]],
            )
            for key, limit in counters.items()
        ]


def _row(key: Key, limit: Limit | None, held: int, columns: list[tuple[Column[Limit], int]]) -> Row:
    if limit is None:
        return [(text.fit(key[0], columns[0][1]), "strong"), ("  no limit · e sets one", "faint")]
    row: Row = []
    for column, cells in columns:
        said = state(limit, held) if column.show is None else column.show(limit)
        row += [
            (text.fit(said, cells, right=column.right), _style(column.title, limit, said)),
            (" " * GAP, ""),
        ]
    return row


def _style(title: str, limit: Limit, said: str) -> str:
    match title:
        case "limit" | "subject":
            return "strong"
        case "":
            return standing(limit)
        case "now":
            return "near" if said else ""
        case "refused":
            return "over"
        case "left":
            return "over" if left(limit) < 0 else ""
        case "guarantee":
            return "strong" if limit.guarantee == "strict" else "faint"
        case "spent" | "cap":
            return ""
        case _:
            return "faint" if passed(limit) is None else ""
