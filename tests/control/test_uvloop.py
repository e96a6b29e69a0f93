"""The same on the loop that the daemon runs on where it exists: there, writes leave at other moments."""

import inspect

import pytest

from control import test_server, test_subscription
from control.fakes import FakeViews

uvloop = pytest.importorskip("uvloop")

FIXTURES = {"path", "views", "monkeypatch", "caplog"}
SCENARIOS = [
    pytest.param(scenario, id=name)
    for module in (test_server, test_subscription)
    for name, scenario in vars(module).items()
    if name.startswith("test_") and set(inspect.signature(scenario).parameters) <= FIXTURES
    if inspect.iscoroutinefunction(scenario) and not hasattr(scenario, "pytestmark")
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_on_uvloop(scenario, path, monkeypatch, caplog):
    offered = {"path": path, "views": FakeViews(), "monkeypatch": monkeypatch, "caplog": caplog}
    wanted = inspect.signature(scenario).parameters
    uvloop.run(scenario(**{name: offered[name] for name in wanted}))
