import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from budgettop import text
from budgettop.app import BudgetTop
from budgetwire.messages import Change, Request, Snapshot
from tui import states
from tui.hand import HandMade, hand_made
from tui.seen import Seen


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(text, "wall_clock", lambda: states.NOW)


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a socket can be: short, for the names of sockets are bounded."""
    return tmp_path_factory.mktemp("s") / "run" / "d.sock"


@pytest.fixture
def dashboard(path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[Seen]]:
    """The dashboard on a daemon of this state, connected and drawn."""

    @contextlib.asynccontextmanager
    async def run(
        state: Snapshot,
        size: tuple[int, int] = (120, 34),
        requests: list[Request] | None = None,
        changes: list[Change] | None = None,
    ) -> AsyncGenerator[Seen]:
        daemon: HandMade
        async with hand_made(path, state) as daemon:
            daemon.requests = requests or []
            daemon.changes = changes or []
            app = BudgetTop(path)
            async with app.run_test(size=size, notifications=True) as pilot:
                seen = Seen(app, pilot, daemon)
                await seen.until(lambda: app.view.snapshot is not None)
                yield seen

    return run
