"""A connection to an upstream without sockets: what it hands on of the bytes that it is given."""

from typing import Any, cast

from budgetd.proxy.connection import Connection
from budgetd.proxy.response import Head


class Taker:
    """A `Receiver` that keeps what it is given."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.raw = b""
        self.body = b""
        self.ends: list[tuple[str | None, bool]] = []

    def head(self, head: Head) -> None:
        self.heads.append(head)

    def data(self, raw: bytes, body: bytes) -> None:
        assert not self.ends
        self.raw += raw
        self.body += body

    def ended(self, problem: str | None, *, reusable: bool) -> None:
        self.ends.append((problem, reusable))


class Wire:
    """As much of a transport as a connection needs."""

    def __init__(self) -> None:
        self.cut = False
        self.reading = True

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def exchange(*reads: bytes, method: str = "GET") -> tuple[Taker, Connection, Wire]:
    connection, taker, wire = Connection(), Taker(), Wire()
    connection.connection_made(cast(Any, wire))
    connection.begin(taker, bodiless=method == "HEAD")
    for data in reads:
        if data and not wire.cut:
            connection.data_received(data)
    return taker, connection, wire
