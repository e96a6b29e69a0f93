"""The base of what asks for an amount in its place: type it, see what it would mean, send it or leave.

It only asks: the app makes the call, and what is shown changes when the daemon's state says so.
"""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static
from typing_extensions import override

from budgettop import text
from budgetwire.messages import Call
from budgetwire.money import NUSD_PER_CENT, parse_usd

KEYS = "enter saves · esc cancels"


class AmountEditor(Vertical):
    """Asks for an amount in dollars.

    Args:
        question: what stands before the amount.
        typed: what is there to begin with.
        keys: what they do.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    class Send(Message):
        """The person wants this call to be made; the editor is told how it went."""

        def __init__(self, editor: "AmountEditor", make: Callable[[int], Call]) -> None:
            super().__init__()
            self.editor = editor
            self.make = make

    class Closed(Message):
        """The editor is done with."""

        def __init__(self, editor: "AmountEditor") -> None:
            super().__init__()
            self.editor = editor

    def __init__(self, question: str, typed: str = "", keys: str = KEYS) -> None:
        super().__init__()
        self._question, self._typed, self._keys = question, typed, keys

    def meaning(self, cents: int) -> str:
        """Say what this amount would mean. Raises ValueError if it cannot be."""
        raise NotImplementedError

    def call(self, cents: int) -> Callable[[int], Call]:
        """Return what makes the call for this amount."""
        raise NotImplementedError

    @override
    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(f"{text.printable(self._question)}  $", id="ask", markup=False)
            yield Input(self._typed, placeholder="10.00", select_on_focus=True, compact=True)
            yield Static(self._keys, id="how", markup=False)
        yield Static(id="verdict", markup=False)

    def focus_amount(self) -> None:
        """Put the cursor where the amount is typed."""
        self.screen.set_focus(self.query_one(Input))

    def fail(self, sentence: str) -> None:
        """Say why the daemon did not take it, and let the person try again."""
        self.query_one(Input).disabled = False
        self.focus_amount()
        self.tell(sentence, wrong=True)

    def close(self) -> None:
        """The daemon took it, or the person left."""
        self.post_message(self.Closed(self))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what the amount would mean, or why it is none."""
        event.stop()
        self.typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send the amount; nothing typed cancels."""
        event.stop()
        self.submit(event.value)

    def typed(self, value: str) -> None:
        """Take what is typed so far."""
        self._read(value)

    def submit(self, value: str) -> None:
        """Take what is typed as final."""
        if not value.strip():
            self.action_cancel()
        elif (cents := self._read(value)) is not None:
            self.send(self.call(cents))

    def action_cancel(self) -> None:
        """Close without a change."""
        self.close()

    def send(self, make: Callable[[int], Call]) -> None:
        """Have a call made, and wait for what comes of it."""
        self.query_one(Input).disabled = True
        self.tell("Asking budgetd …")
        self.post_message(self.Send(self, make))

    def tell(self, sentence: str, *, wrong: bool = False) -> None:
        """Write the line below the amount."""
        verdict = self.query_one("#verdict", Static)
        verdict.set_class(wrong, "-wrong")
        verdict.update(f"✗ {sentence}" if wrong else sentence)

    def _read(self, typed: str) -> int | None:
        """Read what was typed as cents and say what it means; None if it is no amount that can be sent."""
        try:
            cents = read_cents(typed)
            self.tell(self.meaning(cents) if cents is not None else "")
        except ValueError as error:
            self.tell(str(error), wrong=True)
            return None
        return cents


def read_cents(typed: str) -> int | None:
    """Read an amount as cents; None if nothing was typed.

    Raises:
        ValueError: with a sentence for the person who typed it.
    """
    if not typed.strip():
        return None
    nusd = parse_usd(typed)
    if nusd % NUSD_PER_CENT:
        raise ValueError("An amount is in whole cents: at most two digits after the point.")
    return nusd // NUSD_PER_CENT
