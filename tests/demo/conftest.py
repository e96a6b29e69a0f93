"""A provider that does not wait and does not fail, on a real socket."""

from collections.abc import AsyncIterator

import pytest

from budgettop.demo.pace import Pace
from budgettop.demo.provider.server import Provider


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """Its base URL."""
    server = Provider(seed=1, pace=Pace(0), fault_rate=0)
    yield await server.start()
    await server.stop()


@pytest.fixture
async def failing_provider() -> AsyncIterator[str]:
    """The base URL of one that fails always."""
    server = Provider(seed=1, pace=Pace(0), fault_rate=1)
    yield await server.start()
    await server.stop()
