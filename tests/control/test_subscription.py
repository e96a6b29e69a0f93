"""The live state: a snapshot, then what changed, and never a queue."""

import asyncio
import socket

import pytest

from budgetd.control import connection
from budgetd.control.needs import PARTS
from budgetwire.messages import Snapshot, Update
from control.fakes import FakeViews, limit, serving
from control.raw import greeted

SUBSCRIBE = {"type": "subscribe", "id": 1}


@pytest.fixture
def views():
    return FakeViews()


async def test_subscribing_is_answered_and_followed_by_the_whole_state(path, views):
    views.spent = 5
    async with serving(path, views=views), greeted(path, SUBSCRIBE) as client:
        assert await client.read() == {"type": "reply", "id": 1, "result": {}}
        snapshot = await client.read()
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 1)
    assert set(snapshot) == {"type", *Snapshot.__struct_fields__}
    assert snapshot["limits"][0]["spent_nusd"] == 5


async def test_an_update_holds_only_what_changed_as_it_is_when_sent(path, views):
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as client:
        await client.read()
        await client.read()
        server.changed("limits")
        views.spent = 7
        update = await client.read()
    assert set(update) == {"type", "seq", "at", "limits"}
    assert (update["type"], update["seq"]) == ("update", 2)
    assert update["limits"][0]["spent_nusd"] == 7
    assert views.asked == {part: 1 + (part == "limits") for part in PARTS}


async def test_many_changes_become_one_update(path, views):
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as client:
        await client.read()
        await client.read()
        for views.spent in range(1, 1001):
            server.changed("limits", "burn")
        first = await client.read()
        server.changed("alerts")
        second = await client.read()
    assert (first["seq"], second["seq"]) == (2, 3)
    assert first["limits"][0]["spent_nusd"] == 1000
    assert set(second) == {"type", "seq", "at", "alerts"}


async def test_updates_keep_their_distance(path, views, monkeypatch):
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counting(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(connection.asyncio, "sleep", counting)
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as client:
        messages = [await client.read(), await client.read()]
        for _ in range(10):
            server.changed("limits")
            messages.append(await client.read())
    assert messages[-1]["seq"] - 1 <= len(pauses)
    assert set(pauses) == {connection.UPDATE_SECONDS}
    assert connection.UPDATE_SECONDS >= 1 / 20


async def test_every_subscriber_counts_for_itself(path, views):
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as one:
        await one.read()
        await one.read()
        server.changed("limits")
        assert (await one.read())["seq"] == 2
        async with greeted(path, SUBSCRIBE) as two:
            await two.read()
            assert (await two.read())["seq"] == 1
            server.changed("limits")
            assert (await two.read())["seq"] == 2
            assert (await one.read())["seq"] == 3


async def test_a_connection_that_did_not_subscribe_is_not_told(path, views):
    async with serving(path, views=views) as server, greeted(path) as client:
        server.changed(*PARTS)
        await client.send({"type": "pause", "id": 9})
        assert (await client.read())["id"] == 9
    assert views.asked == {}


async def test_a_second_subscription_is_a_conflict(path):
    async with serving(path), greeted(path, SUBSCRIBE, {"type": "subscribe", "id": 2}) as client:
        answers = [await client.read() for _ in range(3)]
        assert {(a["type"], a.get("id")) for a in answers} == {("reply", 1), ("snapshot", None), ("error", 2)}


async def test_a_slow_reader_costs_no_memory_and_misses_no_final_value(path, views, monkeypatch):
    monkeypatch.setattr(connection, "UPDATE_SECONDS", 0)
    views.ballast = 100_000
    held: list[int] = []
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as client:
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sleep()
        (slow,) = server._connections.values()
        for views.spent in range(1, 2001):
            server.changed("limits", "spending")
            await asyncio.sleep(0)
            held.append(slow._writer.transport.get_write_buffer_size())
        sent_while_asleep = views.asked["spending"]
        assert max(held) < 2 * views.ballast
        assert sent_while_asleep < 10
        client.wake()
        messages = [await client.read(), await client.read()]
        while messages[-1]["limits"][0]["spent_nusd"] != 2000:
            messages.append(await client.read())
    assert [m["seq"] for m in messages[1:]] == list(range(1, len(messages)))
    assert len(messages) <= sent_while_asleep + 3


async def test_a_reader_of_replies_who_sleeps_is_not_served_further(path):
    done = 0

    async def handle(call, peer):
        nonlocal done
        done += 1
        return {"text": "x" * 100_000}

    calls = [{"type": "pause", "id": n} for n in range(1000)]
    async with serving(path, handle=handle), greeted(path) as client:
        client.sleep()
        sending = asyncio.create_task(client.send(*calls))
        before = -1
        while before != done:
            before = done
            await asyncio.sleep(0.02)
        assert done < 50
        client.wake()
        ids = [(await client.read())["id"] for _ in calls]
        await sending
    assert ids == list(range(1000))


async def test_a_fault_in_a_view_ends_the_connection_with_a_reason(path, views, caplog):
    async with serving(path, views=views) as server, greeted(path, SUBSCRIBE) as client:
        await client.read()
        await client.read()
        views.limits = lambda: 1 / 0
        server.changed("limits")
        (error,) = await client.read_until_end()
    assert error["code"] == "failed"
    assert "division" not in error["message"]
    assert "the state could not be shown" in caplog.text


def test_an_update_that_names_a_part_leaves_the_others_out():
    assert set(Update.__struct_fields__) - {"seq", "at"} == set(PARTS)
    assert set(Snapshot.__struct_fields__) - {"seq", "at"} == set(PARTS)
    assert limit().name == "daily"
