"""The reading of a response at every border that the network can put into it. No sockets."""

from typing import Any, cast

import pytest

from budgetd.proxy import connection as connection_module
from budgetd.proxy.connection import SLICE, Connection
from budgetd.proxy.read_queue import Reading
from proxy.answers import ANSWERS
from proxy.setting import OK, response
from proxy.taker import Taker, Wire, exchange


class Turns:
    """Stands where a `ReadQueue` would; a turn is as short as it can be, one slice."""

    def __init__(self) -> None:
        self.waiting: list[Reading] = []

    def add(self, reading: Reading) -> None:
        assert reading not in self.waiting
        self.waiting.append(reading)

    def turn(self) -> None:
        self.waiting.pop(0).take(0.0)


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
    whole, _, _ = exchange(answer)
    for at in range(1, len(answer)):
        taker, connection, _ = exchange(answer[:at])
        assert taker.ends == []
        connection.connection_lost(ConnectionResetError())
        assert len(taker.ends) == 1
        assert taker.ends[0][0] is not None
        assert answer[:at].startswith(taker.raw)
        assert len(whole.body) + at - len(answer) <= len(taker.body)


@pytest.mark.parametrize("surplus", [b"x", b"\x00", OK, b"HTTP", b"0\r\n\r\n"])
@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
def test_after_surplus_bytes_a_connection_carries_nothing_more(answer: bytes, surplus: bytes) -> None:
    stream = answer + surplus
    for at in range(1, len(stream)):
        taker, connection, wire = exchange(stream[:at], stream[at:])
        assert taker.ends == [(None, True)]
        assert taker.raw == answer
        assert wire.cut or not connection.keep


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


LONG = response(bytes(range(256)) * (5 * SLICE // 256))


class Long:
    """The exchange of a long response, read slice by slice."""

    def __init__(self) -> None:
        self.turns, self.left_turns = Turns(), Turns()
        self.connection = Connection(cast(Any, self.turns), cast(Any, self.left_turns))
        self.taker, self.wire = Taker(), Wire()
        self.connection.connection_made(cast(Any, self.wire))
        self.connection.begin(self.taker, bodiless=False)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> Long:
    monkeypatch.setattr(connection_module, "TURN_SECONDS", -1.0)
    return Long()


def test_a_long_read_is_handed_on_in_slices_and_nothing_more_is_read_meanwhile(long: Long) -> None:
    long.connection.data_received(LONG)
    for number in range(1, 6):
        assert long.taker.raw == LONG[: number * SLICE]
        assert not long.wire.reading
        assert long.taker.ends == []
        long.turns.turn()
    assert long.taker.raw == LONG
    assert long.taker.ends == [(None, True)]
    assert long.wire.reading
    assert long.connection.keep
    assert long.turns.waiting == long.left_turns.waiting == []


def test_of_a_client_that_has_left_nothing_is_handed_on_at_once(long: Long) -> None:
    long.connection.left = True
    long.connection.data_received(LONG[:100])
    assert long.taker.raw == b""
    long.left_turns.turn()
    assert long.taker.raw == LONG[:100]
    assert long.wire.reading
    assert long.turns.waiting == []


def test_a_client_that_leaves_in_the_middle_of_a_long_read_changes_its_queue(long: Long) -> None:
    long.connection.data_received(LONG)
    long.connection.left = True
    long.turns.turn()
    assert (len(long.turns.waiting), len(long.left_turns.waiting)) == (0, 1)


def test_a_receiver_that_is_slow_gets_no_more_slices_until_it_wants_them(long: Long) -> None:
    long.connection.data_received(LONG)
    long.connection.pause()
    long.turns.turn()
    assert long.taker.raw == LONG[:SLICE]
    assert long.turns.waiting == []
    long.connection.resume()
    assert not long.wire.reading
    while long.turns.waiting:
        long.turns.turn()
    assert long.taker.ends == [(None, True)]


def test_what_comes_although_nothing_is_read_is_handed_on_in_its_order(long: Long) -> None:
    """As TLS may do."""
    long.connection.data_received(LONG[: 2 * SLICE])
    long.connection.data_received(LONG[2 * SLICE : -1])
    long.connection.data_received(LONG[-1:])
    while long.turns.waiting:
        long.turns.turn()
    assert long.taker.raw == LONG
    assert long.taker.ends == [(None, True)]


@pytest.mark.parametrize("paused", [False, True])
def test_the_end_of_a_connection_is_told_after_all_that_came(long: Long, paused: bool) -> None:
    long.connection.data_received(LONG[:-1])
    if paused:
        long.connection.pause()
    long.connection.connection_lost(None)
    assert long.taker.ends == []
    while long.turns.waiting:
        long.turns.turn()
    assert long.taker.raw == LONG[:-1]
    assert long.taker.ends == [("the connection broke off in the middle of its response", False)]


def test_what_comes_after_a_long_response_is_surplus_and_goes_nowhere(long: Long) -> None:
    long.connection.data_received(LONG + b"x" * SLICE * 2)
    while long.turns.waiting:
        long.turns.turn()
    assert long.taker.ends == [(None, True)]
    assert not long.connection.keep
