"""The editor of a grant: so much on top of one counter's cap, until its window ends."""

from collections.abc import Callable

from typing_extensions import override

from budgettop import text
from budgettop.counter import cap, label
from budgettop.view import View
from budgettop.widgets.amount_editor import AmountEditor
from budgetwire.messages import Grant, Limit
from budgetwire.money import NUSD_PER_CENT, format_usd


class GrantEditor(AmountEditor):
    """Asks how much more is granted to a counter."""

    def __init__(self, limit: Limit, view: View) -> None:
        super().__init__(
            f"grant {label(limit.name, limit.subject)}", "5.00", "on top · enter grants · esc cancels"
        )
        self._limit = limit
        ends_at = limit.ends_at
        self._until = "" if ends_at is None else f" until {text.when(ends_at, view.now, view.zone)}"

    @override
    def call(self, cents: int) -> Callable[[int], Grant]:
        limit = self._limit
        return lambda call: Grant(id=call, limit=limit.name, subject=limit.subject, cents=cents)

    @override
    def meaning(self, cents: int) -> str:
        if not cents:
            raise ValueError("A grant is of more than nothing.")
        raised = cap(self._limit) + cents * NUSD_PER_CENT
        spent = self._limit.spent_nusd
        over = ": it stays over, even so" if spent >= raised else ""
        return f"{format_usd(cap(self._limit))} becomes {format_usd(raised)}{self._until}{over}."
