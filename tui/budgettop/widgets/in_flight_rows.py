"""The rows of the In flight panel: what a request waits for, or what it has cost so far."""

from typing import TypeAlias

from rich.cells import cell_len
from typing_extensions import override

from budgettop import text
from budgettop.counter import cap, label, left, listed
from budgettop.view import View
from budgettop.widgets.drawn import Row, cells
from budgettop.widgets.gauge import gauge, style_of
from budgettop.widgets.listing import ListRows
from budgetwire.messages import Block, InFlight
from budgetwire.money import format_usd

FIXED = 48
"""The cells of a row that are not for the model or for who asked."""
INDENT = 11
"""Where the model begins."""

_PHASES = {"sent": "waiting", "answering": "answering", "draining": "client left"}
_SIGNS = {"sent": "·", "answering": "↓", "draining": "∅"}


Shown: TypeAlias = InFlight | Block
"""What has a row: a request, or a killed one whose repeats are refused."""


def in_order(view: View) -> list[Shown]:
    """Return the held requests, most urgent first, the killed ones, then those that run, oldest first."""
    return [*view.held, *view.blocks, *view.running]


def id_of(shown: Shown) -> int:
    """Return the id of the request."""
    return shown.request_id if isinstance(shown, Block) else shown.id


def model_of(request: InFlight) -> str:
    """Name the model; where it took another's place, that one too, without what both begin with."""
    model = request.model or "unknown"
    if not request.asked_model:
        return model
    asked, taken = request.asked_model.split("-"), model.split("-")
    while len(asked) > 1 and len(taken) > 1 and asked[0] == taken[0]:
        asked, taken = asked[1:], taken[1:]
    return f"{'-'.join(taken)} ← {'-'.join(asked)}"


class InFlightRows(ListRows[int]):
    """One line each, and a second one with the keys for the held request that they act upon."""

    def __init__(self) -> None:
        super().__init__()
        self._doomed: int | None = None
        self._here = False

    def mark(self, doomed: int | None, *, here: bool) -> None:
        """Take which request a second k would kill, and whether the keys go here."""
        self._doomed, self._here = doomed, here

    @override
    def nothing(self) -> str:
        return "Nothing at the moment."

    @override
    def lines(self, width: int) -> list[tuple[int, list[Row]]]:
        held = self._view.held
        named = [model_of(request) for request in (*held, *self._view.running)]
        model = text.widest(named, min(30, width - FIXED))
        decided = next((each.id for each in held if each.id == self._selected), held[0].id if held else None)

        def rows(shown: Shown) -> list[Row]:
            if isinstance(shown, Block):
                return [self._block(shown, width)]
            if shown.phase == "held":
                return self._held(shown, width, model, decided=shown.id == decided)
            return [self._line(shown, width, model)]

        return [(id_of(shown), rows(shown)) for shown in in_order(self._view)]

    def _held(self, request: InFlight, width: int, model: int, *, decided: bool) -> list[Row]:
        until = request.held_until
        time = "" if until is None else f"  {text.age(until - self._view.state_at)} left"
        start: Row = [self._sign(request.id), (" HELD ", "paused"), ("   ", ""), *_named(request, model)]
        needs = f"needs {format_usd(request.reserved_nusd)}" if request.reserved_nusd else "has no bound"
        end: Row = [(needs, "strong"), (time, "near")]
        room = width - cells(start) - cells(end) - 1
        first: Row = [*start, (text.fit(_who(request, room), room), ""), (" ", ""), *end]
        return [first, self._choices(request, width)] if decided else [first]

    def _block(self, block: Block, width: int) -> Row:
        """Say whose repeats are refused, for how long, and which key lets them go on."""
        start: Row = [self._sign(block.request_id), (" KILLED ", "over"), (" ", "")]
        left = max(0.0, block.until - self._view.state_at)
        end: Row = [("repeats refused ", ""), (text.age(left), "near")]
        if self._here and block.request_id == self._selected:
            end += [("  go on ", ""), ("⏎", "sign")]
        room = width - cells(start) - cells(end) - 1
        return [*start, (text.fit(f"{block.model}  {_who(block, room)}", room), ""), (" ", ""), *end]

    def _choices(self, request: InFlight, width: int) -> Row:
        row: Row = [(" " * INDENT, "")]
        enter = "⏎" if self._here else "h ⏎"
        for word, key in (("allow once", enter), ("+$5", "f"), ("refuse", "x")):
            row += [(f"{word} ", ""), (key, "sign"), ("   ", "")]
        room = width - cells(row)
        return [*row, (text.fit(self._why(request, room), room), "faint")] if room > 12 else row

    def _why(self, request: InFlight, room: int) -> str:
        """Name the limit in the way, in as many words as there is room for."""
        key = request.held_by, request.held_subject
        limit = listed(self._view.snapshot).get(key)
        name = label(*key)
        if limit is None:
            return name
        still = format_usd(max(left(limit), 0))
        wordings = (f"{name} has {still} left of {format_usd(cap(limit))}", f"{name} has {still} left", name)
        return next((each for each in wordings if cell_len(each) <= room), label(*key, room))

    def _line(self, request: InFlight, width: int, model: int) -> Row:
        answering = request.phase == "answering"
        start: Row = [
            self._sign(request.id),
            (f"{_SIGNS[request.phase]} ", "calm" if answering else "faint"),
            (f"{text.age(self._view.state_at - request.started_at):>5}  ", ""),
            *_named(request, model),
        ]
        if request.id == self._doomed:
            end: Row = [
                ("kill it?  ", "over"),
                ("k", "sign"),
                (" kills · ", ""),
                ("esc", "sign"),
                (" keeps", ""),
            ]
            room = width - cells(start) - cells(end) - 1
            return [*start, (text.fit(_who(request, room), room), "faint"), (" ", ""), *end]
        so_far = text.fit(format_usd(request.cost_nusd), 8, right=True)
        cost = f"{so_far} / {text.fit(text.amount(request.reserved_nusd), 6)}"
        counts = f"↑ {text.tokens(request.input_tokens):<5}↓ {text.tokens(request.output_tokens):<5}"
        end = [(counts, "faint" if not answering else ""), (cost, "strong" if answering else "")]
        room = width - cells(start) - cells(end) - 1
        if room >= 40:
            end = [*end, ("  ", ""), *self._gauge(request, min(room // 4, 24))]
            room = width - cells(start) - cells(end) - 1
        if room >= 36:
            start.append((text.fit(_PHASES[request.phase], 13), "faint"))
            room -= 13
        return [*start, (text.fit(_who(request, room), room), "faint"), (" ", ""), *end]

    def _sign(self, id: int) -> tuple[str, str]:
        return ("› " if id == self._selected else "  ", "sign")

    def _gauge(self, request: InFlight, width: int) -> Row:
        free = "·" if self.plain else " "
        runs = gauge(width, request.reserved_nusd, request.cost_nusd, 0, free=free)
        word = "near" if request.cost_nusd > request.reserved_nusd else "calm"
        return [(run, style_of(part, word)) for run, part in runs]


def _named(request: InFlight, width: int) -> Row:
    return [(text.fit(model_of(request), width), "near" if request.asked_model else "strong"), ("  ", "")]


def _who(request: Shown, room: int) -> str:
    """Name who asked, in as many words as there is room for: project, user, session, client."""
    names = [request.project, request.user, request.session, request.client]
    said: list[str] = []
    for name in names:
        if name and name not in said and (not said or cell_len("  ".join([*said, name])) <= room):
            said.append(name)
    return "  ".join(said)
