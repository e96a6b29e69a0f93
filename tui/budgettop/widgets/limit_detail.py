"""Everything there is to know of one counter, and the editor when one is open."""

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.counter import (
    cap,
    doing,
    held_by,
    key_of,
    label,
    left,
    matches,
    renewal,
    standing,
    subject,
    window,
)
from budgettop.view import View
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.fact_rows import Fact, FactRows
from budgettop.widgets.panel import Panel
from budgetwire.messages import Limit
from budgetwire.money import format_usd


class LimitDetail(Panel):
    """The selected counter."""

    def __init__(self) -> None:
        super().__init__(id="limit-detail")
        self.border_title = "Limit"
        self._view = View()
        self._limit_name = ""
        self._limit: Limit | None = None

    @override
    def compose(self) -> ComposeResult:
        yield FactRows()

    def pick(self, name: str, limit: Limit | None) -> None:
        """Show this counter; without one, the place where a limit can be set."""
        self._limit_name, self._limit = name, limit
        self.show(self._view)

    @override
    def show(self, view: View) -> None:
        self._view = view
        limit = self._limit
        self.border_title = text.printable(
            label(limit.name, subject(limit)) if limit else self._limit_name or "Limit"
        )
        facts = _facts(limit, view) if limit else []
        self.query_one(FactRows).tell(facts, "No limit · e sets one." if view.snapshot else "…")

    async def open(self, editor: AmountEditor) -> None:
        """Put an editor above the facts, unless one is open; keys that follow are typed into it."""
        if not self.query(AmountEditor):
            await self.mount(editor, before=0)
        for each in self.query(AmountEditor):
            each.focus_amount()
            self.call_after_refresh(self.scroll_home, animate=False)


def _facts(limit: Limit, view: View) -> list[Fact]:
    granted = f" + {text.amount(limit.granted_nusd)} granted" if limit.granted_nusd else ""
    share = text.share(limit.spent_nusd, cap(limit))
    held = held_by(view.snapshot.in_flight if view.snapshot else [])[key_of(limit)]
    return [
        ("state", _state(limit, held)),
        ("spent", f"{format_usd(limit.spent_nusd)}  {share}"),
        ("reserved", format_usd(limit.reserved_nusd)),
        ("unknown", _unknown(limit)),
        ("cap", f"{format_usd(limit.limit_nusd)}{granted}"),
        ("headroom", format_usd(limit.headroom_nusd) if limit.headroom_nusd else "none"),
        ("left", format_usd(left(limit))),
        ("refused", str(limit.refused)),
        ("window", _window(limit, view)),
        ("match", matches(limit)),
        ("per", f"a counter for each {limit.per}" if limit.per else "one counter for all"),
        ("guarantee", _guarantee(limit)),
        ("at the cap", _at_cap(limit)),
        ("alerts at", ", ".join(f"{pct} %" for pct in limit.thresholds_pct)),
        ("forecast", _forecast(limit, view)),
    ]


def _state(limit: Limit, held: int) -> str:
    if limit.paused:
        return "PAUSED: what matches is refused"
    if held:
        return f"HOLDING {held} request{'s' * (held != 1)}"
    return {"calm": "calm", "near": "▲ near its cap", "over": f"■ over, {doing(limit)}"}[standing(limit)]


def _unknown(limit: Limit) -> str:
    """Say what is kept for requests of which nobody stated the cost, and how to let go of it."""
    if not limit.unknown_nusd:
        return ""
    return f"{format_usd(limit.unknown_nusd)} kept for unknown ends; `budgetd limits release` lets go of it"


def _window(limit: Limit, view: View) -> str:
    if limit.ends_at is not None:
        return f"{window(limit)}, {renewal(limit, view.now, view.zone)}"
    return "total: it never ends" if limit.window == "total" else f"any {window(limit)}: it rolls on"


def _guarantee(limit: Limit) -> str:
    if limit.guarantee == "strict":
        return "strict: worst cases reserved"
    return "expected: likely costs reserved"


def _at_cap(limit: Limit) -> str:
    match limit.on_exceed:
        case "refuse":
            return "refuse"
        case "alert":
            return "alert, and let through"
        case "hold":
            return "hold for a person to decide"
        case "downgrade":
            return f"downgrade to {limit.fallback_model}"


def _forecast(limit: Limit, view: View) -> str:
    if limit.cap_at is not None and limit.spent_nusd < cap(limit):
        return f"cap reached {text.when(limit.cap_at, view.now, view.zone)} at this rate"
    return "" if limit.forecast_nusd is None else f"{format_usd(limit.forecast_nusd)} by the window's end"
