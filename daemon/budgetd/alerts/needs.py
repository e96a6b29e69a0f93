"""What the alerts need of the rest of the daemon."""

from collections.abc import Sequence
from typing import Protocol

from budgetd.alerts.lifecycle import Word
from budgetd.budget.counters import Window
from budgetd.ledger.rows import AlertRow


class Teller(Protocol):
    """Gives word of alerts to the channels: `budgetd.alerts.outbox`."""

    def put(self, alert: AlertRow, event: Word, now: float) -> None:
        """Note what is to be sent, for the same commit as the alert."""
        ...

    def sends_to(self, channel: str) -> bool:
        """Whether anything is sent to a channel."""
        ...


class Counters(Protocol):
    """The counters in force: `budgetd.budget.guard`."""

    @property
    def windows(self) -> Sequence[Window]:
        """The present windows that are shown."""
        ...

    def find(self, name: str, subject: str, now: float) -> Window:
        """The present window of a counter. Raises KeyError if there is no such counter."""
        ...
