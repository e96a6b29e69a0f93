"""What every channel does: take one message to where it leads, once, and say what became of it."""

import logging
from typing import Protocol, TypeAlias

import msgspec

log = logging.getLogger(__name__)


class Message(msgspec.Struct, frozen=True):
    """One message, the same at each attempt. `payload.read` tells what is in its body."""

    id: str
    """Receivers drop duplicates by it."""
    body: str
    """JSON, to be sent byte for byte."""


class Delivered(msgspec.Struct, frozen=True):
    """It has arrived."""

    detail: str
    """What was answered, for a person: answered 200."""


class Retry(msgspec.Struct, frozen=True):
    """It may arrive another time."""

    reason: str
    """For a person, without anything secret."""
    after: float | None = None
    """Seconds that the receiver asks for."""


class Failed(msgspec.Struct, frozen=True):
    """It will not arrive before a person mends something."""

    reason: str
    """What, and where; without anything secret."""


class Gone(msgspec.Struct, frozen=True):
    """Nothing shall be sent there any more: the receiver says so."""

    reason: str


Verdict: TypeAlias = Delivered | Retry | Failed | Gone


class Channel(Protocol):
    """A way to a receiver. Made anew when its configuration changes; it may be in use then."""

    @property
    def target(self) -> str:
        """Where it leads, without what is secret: scheme and host, or a program's name."""
        ...

    async def deliver(self, message: Message, now: float) -> Verdict:
        """Make one attempt, within the channel's time-out; ``now`` in UTC epoch seconds. Raises nothing. When
        it is cancelled, nothing that it started goes on.
        """
        ...


async def attempt(name: str, channel: Channel, message: Message, now: float) -> Verdict:
    """Have a channel deliver a message. One that stumbles over itself must not take its caller along."""
    try:
        return await channel.deliver(message, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the url
        log.error("channel %s stumbled: %s", name, type(error).__name__)  # noqa: TRY400
        return Retry(f"budgetd stumbled over it: {type(error).__name__}")
