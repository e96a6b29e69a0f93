"""Long bodies are held in memory only so many bytes at once; what is beyond that waits and is not refused."""

import asyncio
from pathlib import Path

import pytest

from budgetd.proxy import body_room
from budgetd.proxy.body_room import BodyRoom, Place
from budgetd.proxy.till import Turned
from proxy.scripted import ScriptedTill, hold_all, scripted
from proxy.setting import ASK, OK, between
from support.daemon import InProcess
from support.stream import PATIENCE, Stream, chunked
from support.upstream import always

MIB = 1 << 20
MORE_THAN_IS_BUFFERED = 8 * MIB
"""By the kernel and the test's upstream together."""
ROOM = 12 * MIB


class Asking:
    """One that asks for room, and gets it or waits."""

    def __init__(self, room: BodyRoom, size: int) -> None:
        self.place = Place()
        self.task = asyncio.create_task(room.give(self.place, size))

    @property
    def size(self) -> int:
        return self.place.size if self.place.room else 0


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def sizes(*asking: Asking) -> list[int]:
    """What each has, once all have gone as far as they can."""
    await settle()
    return [each.size for each in asking]


async def test_who_finds_no_room_waits_until_another_gives_it_back() -> None:
    room = BodyRoom(10)
    first, second = Asking(room, 6), Asking(room, 5)
    assert await sizes(first, second) == [6, 0]
    first.place.release()
    assert await sizes(first, second) == [0, 5]


async def test_room_is_given_out_in_the_order_in_which_it_was_asked_for() -> None:
    room = BodyRoom(10)
    first, large, small = Asking(room, 8), Asking(room, 9), Asking(room, 1)
    assert await sizes(first, large, small) == [8, 0, 0]
    first.place.release()
    assert await sizes(large, small) == [9, 1]


async def test_a_body_larger_than_all_room_goes_alone() -> None:
    room = BodyRoom(10)
    first, huge, third = Asking(room, 1), Asking(room, 50), Asking(room, 1)
    assert await sizes(first, huge, third) == [1, 0, 0]
    first.place.release()
    assert await sizes(huge, third) == [50, 0]
    huge.place.release()
    assert await sizes(third) == [1]


async def test_what_turned_out_to_be_shorter_makes_room_at_once() -> None:
    room = BodyRoom(10)
    first, second = Asking(room, 10), Asking(room, 7)
    assert await sizes(first, second) == [10, 0]
    first.place.keep(3)
    assert await sizes(first, second) == [3, 7]
    first.place.keep(5)
    assert first.size == 3


async def test_a_place_given_up_twice_is_given_back_once() -> None:
    room = BodyRoom(10)
    first, second = Asking(room, 6), Asking(room, 4)
    await settle()
    first.place.release()
    first.place.release()
    third = Asking(room, 7)
    assert await sizes(second, third) == [4, 0]


async def test_who_goes_away_while_waiting_holds_nobody_up() -> None:
    room = BodyRoom(10)
    first, large, small = Asking(room, 8), Asking(room, 9), Asking(room, 2)
    await settle()
    large.task.cancel()
    assert await sizes(first, large, small) == [8, 0, 2]


async def test_who_goes_away_at_the_moment_there_is_room_gives_it_back_with_its_place() -> None:
    room = BodyRoom(10)
    first, second = Asking(room, 8), Asking(room, 9)
    await settle()
    first.place.release()
    second.task.cancel()
    await asyncio.wait([second.task])
    second.place.release()  # as is done at the end of every request
    assert await sizes(Asking(room, 10)) == [10]


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_room.BodyRoom.__init__, "__defaults__", (ROOM,))


def room_of(daemon: InProcess) -> BodyRoom:
    return daemon.daemon._forwarder._room


async def until_waiting(daemon: InProcess, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(room_of(daemon)._waiting) != count:
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_long_body_waits_for_the_one_that_its_upstream_does_not_take(
    home: Path, framing: str
) -> None:
    go_on = asyncio.Event()
    arrived: list[bytes] = []
    last = b"\r\n0\r\n\r\n" if framing == "chunks" else b"last"

    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await go_on.wait()
        got = bytearray()
        while not got.endswith(last):
            peer.received = b""  # which would be copied with each piece
            got += await peer.read_some()
        arrived.append(bytes(got))
        await peer.send(OK)
        await peer.gone()

    bodies = [bytes([number]) * MORE_THAN_IS_BUFFERED + b"last" for number in (1, 2)]

    def request(body: bytes) -> bytes:
        if framing == "length":
            return daemon.request("POST", "/v1/messages", body=body)
        return daemon.request("POST", "/v1/messages", b"Transfer-Encoding: chunked") + chunked(body)

    async with (
        between(home, script, receive_buffer=65536) as (first, daemon, upstream),
        daemon.connect() as second,
    ):
        sending = [asyncio.create_task(first.send(request(bodies[0])))]
        async with asyncio.timeout(PATIENCE):
            while not upstream.connections:
                await asyncio.sleep(0.005)
        sending.append(asyncio.create_task(second.send(request(bodies[1]))))
        await until_waiting(daemon, 1)
        async with daemon.connect() as third:  # what is short does not wait
            await third.send(daemon.request("GET", "/-/health"))
            assert (await third.response()).status == 200
        assert len(upstream.connections) == 1
        go_on.set()
        for client in (first, second):
            assert (await client.response()).raw == OK
        await asyncio.gather(*sending)
        assert arrived == (bodies if framing == "length" else [*map(chunked, bodies)])
        assert room_of(daemon)._free == ROOM


@pytest.mark.usefixtures("little_room")
async def test_held_requests_keep_long_bodies_waiting_and_never_short_ones(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _), daemon.connect() as other:

        def decide(till: ScriptedTill, candidate):
            long = candidate.request_bytes > MIB
            return hold_all(till, candidate) if long else till.let_through(candidate)

        till = scripted(daemon, decide)
        body = ASK[:-1] + b',"x":"' + b"x" * (7 * MIB) + b'"}'
        sending = asyncio.create_task(client.send(daemon.request("POST", "/v1/messages", body=body)))
        await till.until(lambda: till.held)
        waits = asyncio.create_task(other.send(daemon.request("POST", "/v1/messages", body=body)))
        await until_waiting(daemon, 1)
        async with daemon.connect() as third:
            await third.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await third.response()).raw == OK
        till.held[0].decided.set_result(Turned("No."))
        assert (await client.response()).status == 402
        await till.until(lambda: len(till.held) == 2)
        till.approve(1)
        assert (await other.response()).raw == OK
        await asyncio.gather(sending, waits)
        assert room_of(daemon)._free == ROOM


@pytest.mark.usefixtures("little_room")
async def test_a_client_that_leaves_while_its_body_waits_holds_nobody_up(home: Path) -> None:
    async with (
        between(home, always(OK)) as (client, daemon, _),
        daemon.connect() as leaving,
        daemon.connect() as other,
    ):
        till = scripted(daemon, hold_all)
        body = b"x" * (7 * MIB)
        sending = [
            asyncio.create_task(each.send(daemon.request("POST", "/v1/messages", body=body)))
            for each in (client, leaving)
        ]
        await till.until(lambda: till.held)
        await until_waiting(daemon, 1)
        leaving.reset()
        sending.append(asyncio.create_task(other.send(daemon.request("POST", "/v1/messages", body=body))))
        await until_waiting(daemon, 2)
        till.held[0].decided.set_result(Turned("No."))
        await till.until(lambda: len(till.held) == 2)
        await asyncio.gather(*sending, return_exceptions=True)
