"""The editor of one limit's cap: change it, set it, or remove the limit."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from typing_extensions import override

from budgettop import text
from budgettop.widgets.amount_editor import KEYS, AmountEditor
from budgetwire.messages import Limit, SetLimit
from budgetwire.money import NUSD_PER_CENT, format_usd


class LimitEditor(AmountEditor):
    """Asks for the cap of a limit, as it stands in the file: a grant comes on top."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "remove_limit", "Remove the limit")]

    def __init__(self, limit_name: str, limit: Limit | None) -> None:
        each = f" of each {limit.per}" if limit and limit.per else ""
        super().__init__(
            f"{limit_name} cap{each}",
            text.amount(limit.limit_nusd).replace(",", "") if limit else "",
            f"{KEYS} · ^r removes" if limit else KEYS,
        )
        self._limit_name = limit_name
        self._limit = limit
        self._removing = False

    @override
    def call(self, cents: int) -> Callable[[int], SetLimit]:
        return lambda call: SetLimit(id=call, limit=self._limit_name, limit_cents=cents)

    @override
    def meaning(self, cents: int) -> str:
        spent = self._limit.spent_nusd if self._limit else 0
        cap = cents * NUSD_PER_CENT
        if not cap:
            return "A cap of nothing: every request that can cost would be refused."
        if spent >= cap:
            return f"{format_usd(spent)} is already spent: the next request would be over this cap."
        if self._limit:
            return f"{format_usd(spent)} is spent: {text.share(spent, cap)} of this cap."
        return ""

    @override
    def typed(self, value: str) -> None:
        self._removing = False
        super().typed(value)

    @override
    def submit(self, value: str) -> None:
        if self._removing:
            self._removing = False
            self.send(lambda call: SetLimit(id=call, limit=self._limit_name, limit_cents=None))
        else:
            super().submit(value)

    @override
    def action_cancel(self) -> None:
        """Close without a change; while a removal waits to be confirmed, only take that back."""
        if self._removing:
            self._removing = False
            self.tell("The limit stays.")
        else:
            super().action_cancel()

    def action_remove_limit(self) -> None:
        """Ask whether the limit is to go."""
        if self._limit:
            self._removing = True
            what = f"the {self._limit_name} cap of {format_usd(self._limit.limit_nusd)}"
            self.tell(f"Remove {what}?  enter removes it · esc keeps it", wrong=True)
