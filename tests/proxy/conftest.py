"""Every test runs on both event loops: uvloop, which the daemon uses where it exists, and asyncio's own."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config, item
    factories: dict[str, Any] = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return factories


@pytest.fixture(autouse=True)
def nothing_goes_wrong_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client or an upstream does is no error of the daemon's."""
    yield
    records = caplog.get_records("call")
    assert [each for each in records if each.levelname in {"ERROR", "CRITICAL"}] == []
    assert [
        each.getMessage() for each in records if each.name == "asyncio" and each.levelname == "WARNING"
    ] == []


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a daemon: short, for the names of sockets are bounded."""
    return tmp_path_factory.mktemp("h")
