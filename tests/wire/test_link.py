"""The reconnecting link: there, gone, and back."""

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from budgetwire.client import MAX_RETRY_SECONDS, Connected, Link, Lost, State, _pause
from budgetwire.errors import Unreachable, VersionMismatch
from budgetwire.messages import Pause
from control.fakes import WELCOME, FakeViews, serving


async def until(events, kind):
    """The next event of this kind."""
    async with asyncio.timeout(20):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


async def test_a_link_tells_of_the_daemon_going_and_coming_back(path):
    views = FakeViews()
    link = Link(path, "test")
    async with aclosing(link.events()) as events:
        lost = await anext(events)
        assert isinstance(lost, Lost)
        assert "no socket" in lost.reason
        assert 0 < lost.retry_in <= MAX_RETRY_SECONDS
        async with serving(path, views=views) as server:
            assert await until(events, Connected) == Connected(WELCOME)
            assert (await until(events, State)).snapshot.limits[0].spent_nusd == 0
            views.spent = 3
            server.changed("limits")
            assert (await until(events, State)).snapshot.limits[0].spent_nusd == 3
            assert await link.call(lambda n: Pause(id=n)) == {}
        assert "stopped" in (await until(events, Lost)).reason
        with pytest.raises(Unreachable, match="no connection"):
            await link.call(lambda n: Pause(id=n))
        views.spent = 4
        async with serving(path, views=views):
            assert await anext(events) == Connected(WELCOME)
            assert (await until(events, State)).snapshot.limits[0].spent_nusd == 4
            assert await link.call(lambda n: Pause(id=n)) == {}


async def test_another_major_version_ends_a_link(path):
    async with serving(path, welcome=msgspec.structs.replace(WELCOME, version="2.0")):
        events = Link(path, "test").events()
        with pytest.raises(VersionMismatch):
            await anext(events)


async def test_a_link_that_is_dropped_leaves_nothing_behind(path):
    async with serving(path) as server:
        link = Link(path, "test")

        async def watch():
            async with aclosing(link.events()) as events:
                async for _ in events:
                    pass

        watching = asyncio.create_task(watch())
        while not server._connections:
            await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.wait([watching])
        assert watching.cancelled()
        while server._connections:
            await asyncio.sleep(0.01)


def test_pauses_grow_and_are_bounded_and_spread():
    assert all(0.05 <= _pause(0) <= 0.1 for _ in range(100))
    assert all(1.0 <= _pause(n) <= MAX_RETRY_SECONDS for n in (5, 6, 100, 10_000))
    assert len({_pause(3) for _ in range(10)}) > 1
