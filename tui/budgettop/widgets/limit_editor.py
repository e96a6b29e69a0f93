"""The editor of one limit, opened below its row: type a cap, see what it would mean, save, or remove it.

It only asks: the app makes the call, and the gauge changes when the daemon's state says so.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static
from typing_extensions import override

from budgettop import text
from budgetwire.messages import Limit
from budgetwire.money import NUSD_PER_CENT, format_usd, parse_usd

KEYS = "enter saves · esc cancels"
REMOVE_KEYS = f"{KEYS} · ^r removes"


class LimitEditor(Vertical):
    """Asks for the cap of a limit in dollars."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+r", "remove_limit", "Remove the limit"),
    ]

    class Save(Message):
        """The person wants this cap; None removes the limit."""

        def __init__(self, editor: "LimitEditor", limit_cents: int | None) -> None:
            super().__init__()
            self.editor = editor
            self.limit_cents = limit_cents

    class Closed(Message):
        """The editor is done with."""

        def __init__(self, editor: "LimitEditor") -> None:
            super().__init__()
            self.editor = editor

    def __init__(self, limit_name: str, limit: Limit | None) -> None:
        super().__init__()
        self.limit_name = limit_name
        self._limit = limit
        self._removing = False

    @override
    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(f"{text.printable(self.limit_name)} cap  $", id="ask", markup=False)
            yield Input(
                text.amount(self._limit.limit_nusd) if self._limit else "",
                placeholder="10.00",
                select_on_focus=True,
                compact=True,
            )
            yield Static(REMOVE_KEYS if self._limit else KEYS, id="how", markup=False)
        yield Static(id="verdict", markup=False)

    def focus_amount(self) -> None:
        """Put the cursor where the amount is typed."""
        self.screen.set_focus(self.query_one(Input))

    def fail(self, sentence: str) -> None:
        """Say why the daemon did not take it, and let the person try again."""
        self.query_one(Input).disabled = False
        self.focus_amount()
        self._tell(sentence, "-wrong")

    def close(self) -> None:
        """The daemon took it."""
        self.post_message(self.Closed(self))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what the amount would mean, or why it is none."""
        event.stop()
        self._removing = False
        try:
            cents = read_cents(event.value)
        except ValueError as error:
            self._tell(str(error), "-wrong")
        else:
            self._tell(self._meaning(cents) if cents is not None else "", "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Save, remove or cancel."""
        event.stop()
        if self._removing:
            self._save(None)
            return
        try:
            cents = read_cents(event.value)
        except ValueError as error:
            self._tell(str(error), "-wrong")
            return
        if cents is None:
            self.action_cancel()
        else:
            self._save(cents)

    def action_cancel(self) -> None:
        """Close without a change; while a removal waits to be confirmed, only take that back."""
        if self._removing:
            self._removing = False
            self._tell("The limit stays.", "")
        else:
            self.close()

    def action_remove_limit(self) -> None:
        """Ask whether the limit is to go."""
        if self._limit:
            self._removing = True
            cap = format_usd(self._limit.limit_nusd)
            self._tell(
                f"Remove the {self.limit_name} cap of {cap}?  enter removes it · esc keeps it", "-wrong"
            )

    def _save(self, limit_cents: int | None) -> None:
        self._removing = False
        self.query_one(Input).disabled = True
        self._tell("Asking budgetd …", "")
        self.post_message(self.Save(self, limit_cents))

    def _meaning(self, cents: int) -> str:
        spent = self._limit.spent_nusd if self._limit else 0
        cap = cents * NUSD_PER_CENT
        if not cap:
            return "A cap of nothing: every request that can cost would be refused."
        if spent >= cap:
            return f"{format_usd(spent)} is already spent: the next request would be over this cap."
        if self._limit:
            return f"{format_usd(spent)} is spent: {text.share(spent, cap)} of this cap."
        return ""

    def _tell(self, sentence: str, kind: str) -> None:
        verdict = self.query_one("#verdict", Static)
        verdict.set_class(kind == "-wrong", "-wrong")
        verdict.update(f"✗ {sentence}" if kind == "-wrong" else sentence)


def read_cents(typed: str) -> int | None:
    """Read a cap as cents; None if nothing was typed.

    Raises:
        ValueError: with a sentence for the person who typed it.
    """
    if not typed.strip():
        return None
    nusd = parse_usd(typed)
    if nusd % NUSD_PER_CENT:
        raise ValueError("A cap is in whole cents: at most two digits after the point.")
    return nusd // NUSD_PER_CENT
