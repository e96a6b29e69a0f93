"""The reading of a response at every border that the network can put into it. No sockets."""

from typing import Any, cast

import pytest

from budgetd.proxy.connection import Connection, Head
from proxy.answers import ANSWERS
from proxy.setting import OK


class Taker:
    """A `Receiver` that keeps what it is given."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.raw = b""
        self.body = b""
        self.ends: list[tuple[str | None, bool]] = []

    def head(self, head: Head) -> None:
        self.heads.append(head)

    def data(self, raw: bytes, body: list[bytes]) -> None:
        assert not self.ends
        self.raw += raw
        self.body += b"".join(body)

    def ended(self, problem: str | None, *, reusable: bool) -> None:
        self.ends.append((problem, reusable))


class Wire:
    """As much of a transport as a connection needs."""

    def __init__(self) -> None:
        self.cut = False

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True


def exchange(*reads: bytes, method: str = "GET") -> tuple[Taker, Connection, Wire]:
    connection, taker, wire = Connection(), Taker(), Wire()
    connection.connection_made(cast(Any, wire))
    connection.begin(taker, bodiless=method == "HEAD")
    for data in reads:
        if data and not wire.cut:
            connection.data_received(data)
    return taker, connection, wire


SMALL = {name: answer for name, answer in ANSWERS.items() if len(answer) < 2000}


@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
def test_wherever_a_response_is_cut_it_is_the_same_response(answer: bytes) -> None:
    whole, _, _ = exchange(answer)
    assert whole.raw == answer
    assert whole.ends == [(None, True)]
    for at in range(1, len(answer)):
        taker, connection, _ = exchange(answer[:at], answer[at:])
        assert taker.raw == answer
        assert taker.body == whole.body
        assert taker.ends == [(None, True)]
        assert [head.status for head in taker.heads] == [whole.heads[0].status]
        assert taker.heads[0].headers == whole.heads[0].headers
        assert connection.keep


@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
def test_a_response_that_lacks_its_last_bytes_is_not_complete(answer: bytes) -> None:
    for at in range(1, len(answer)):
        taker, connection, _ = exchange(answer[:at])
        assert taker.ends == []
        connection.connection_lost(None)
        assert len(taker.ends) == 1
        assert taker.ends[0][0] is not None
        assert taker.raw == answer[:at]


@pytest.mark.parametrize("surplus", [b"x", b"\x00", OK, b"HTTP", b"0\r\n\r\n"])
@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
def test_after_surplus_bytes_a_connection_carries_nothing_more(answer: bytes, surplus: bytes) -> None:
    stream = answer + surplus
    for at in range(1, len(stream)):
        taker, connection, wire = exchange(stream[:at], stream[at:])
        assert taker.ends[0][0] is None
        assert taker.raw.startswith(answer)
        assert wire.cut or not connection.keep
        if len(taker.raw) > len(answer):  # the client got them too and must not take them for an answer
            assert taker.ends == [(None, False)]


@pytest.mark.parametrize("surplus", [b"", b"hello", b"0\r\n\r\n", b"\r\n", OK])
@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
def test_the_answer_to_head_ends_with_its_head_wherever_it_is_cut(answer: bytes, surplus: bytes) -> None:
    final = answer.index(b"HTTP/", answer.rindex(b"HTTP/"))
    head = answer[: answer.index(b"\r\n\r\n", final) + 4]
    stream = head + surplus
    for at in range(1, len(stream)):
        taker, connection, wire = exchange(stream[:at], stream[at:], method="HEAD")
        assert taker.raw == head
        assert taker.body == b""
        assert len(taker.ends) == 1
        if surplus:
            assert wire.cut or not connection.keep
