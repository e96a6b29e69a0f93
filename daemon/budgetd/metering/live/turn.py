"""One turn of a session: what it asks for, and what has been read of its response."""

from typing import Any, Generic, Protocol, TypeVar

from budgetd.metering.meter import BodyReader
from budgetd.metering.usage import Ask

R = TypeVar("R", bound=BodyReader)


class Turn(Generic[R]):
    """A response that a session asked for, or that the provider began unasked."""

    __slots__ = ("ask", "asked", "began", "ended", "event_id", "failed", "reader", "sent_bytes")

    def __init__(self, ask: Ask, reader: R, *, sent_bytes: int, asked: bool, event_id: str = "") -> None:
        """
        Args:
            ask: what it asks for.
            reader: what reads its response.
            sent_bytes: bytes of the client's messages since the turn before.
            asked: a message says so; else it is input that may come to be answered.
            event_id: the client's own id of the message that asks.
        """
        self.ask = ask
        self.reader = reader
        self.sent_bytes = sent_bytes
        self.asked = asked
        self.event_id = event_id
        self.began = False
        """The provider has begun to answer."""
        self.ended = False
        """Its response is over, and its usage as final as it gets."""
        self.failed = False
        """The provider answered with an error."""


class Live(Protocol):
    """The state of one session, from the messages of both sides in their order. Nothing makes it raise."""

    def sent(self, message: bytes) -> Turn[Any] | None:
        """Take a message that the client wants to send; the turn it asks for, if it asks for one."""
        ...

    def let_through(self, turn: Turn[Any]) -> None:
        """The message that asks for a turn goes on to the provider."""
        ...

    def received(self, message: bytes) -> list[Turn[Any]]:
        """Take a message of the provider's; the turns it bears on: one that it belongs to, which may begin or
        end with it, and one that it shows to be over.
        """
        ...
