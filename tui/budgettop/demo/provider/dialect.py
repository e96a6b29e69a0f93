"""What the server asks of a dialect: one object for each request."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from budgettop.demo.provider.answer import Answer, Ask

Fault: TypeAlias = Literal["rate_limited", "overloaded"]


class Event(NamedTuple):
    """Bytes of a streamed answer, and the output tokens that had to be made before they could be sent."""

    tokens: int
    data: bytes


class Dialect(Protocol):
    """One request, and how its answer is put on the wire."""

    ask: Ask
    stream_type: str
    """Content type of a streamed answer."""

    def __init__(self, target: str, body: bytes) -> None:
        """Read a request; ``target`` is its path and query. Raises msgspec.MsgspecError if it is not one."""
        ...

    def whole(self, answer: Answer) -> bytes:
        """Return the body of an answer that is not streamed."""
        ...

    def stream(self, answer: Answer) -> Iterator[Event]:
        """Yield an answer event by event."""
        ...

    def headers(self, answer: Answer) -> dict[str, str]:
        """Return the provider's own headers of an answer."""
        ...

    def fault(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        """Return status and body of a failure, as this provider words it."""
        ...


def sse(data: dict[str, Any], *, event: str = "") -> bytes:
    """Frame a JSON object as a server-sent event."""
    name = b"event: " + event.encode() + b"\n" if event else b""
    return name + b"data: " + msgspec.json.encode(data) + b"\n\n"
