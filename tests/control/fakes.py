"""A daemon without a daemon: a state that tests set, calls that they answer, on a real socket."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from budgetd.control.server import ControlServer, Peer
from budgetwire.messages import (
    VERSION,
    Alert,
    Burn,
    Call,
    Daemon,
    InFlight,
    Limit,
    Spend,
    Spending,
    Welcome,
)

WELCOME = Welcome(version=VERSION, daemon="0.1.0", pid=4711, started_at=1.0, listen="127.0.0.1:8766")


def limit(spent_nusd: int = 0) -> Limit:
    """A daily limit of $10 that has spent so much."""
    return Limit(
        name="daily",
        window="day",
        limit_nusd=10_000_000_000,
        spent_nusd=spent_nusd,
        reserved_nusd=0,
        starts_at=0.0,
        ends_at=86_400.0,
        thresholds_pct=[80],
        on_exceed="refuse",
    )


class FakeViews:
    """A state that can be set, and that counts how often each part is asked for."""

    def __init__(self) -> None:
        self.spent = 0
        self.ballast = 0
        self.asked: dict[str, int] = {}

    def daemon(self) -> Daemon:
        self._count("daemon")
        return Daemon(listen="127.0.0.1:8766", timezone="UTC")

    def limits(self) -> list[Limit]:
        self._count("limits")
        return [limit(self.spent)]

    def in_flight(self) -> list[InFlight]:
        self._count("in_flight")
        return []

    def alerts(self) -> list[Alert]:
        self._count("alerts")
        return []

    def burn(self) -> Burn:
        self._count("burn")
        return Burn(nusd_per_hour=0, minutes_nusd=[0] * 60, today_nusd=0, yesterday_nusd=0, month_nusd=0)

    def spending(self) -> Spending:
        self._count("spending")
        heavy = [Spend(subject="x" * self.ballast, cost_nusd=0, requests=0)] if self.ballast else []
        return Spending(project=heavy, model=[], user=[], session=[])

    def _count(self, part: str) -> None:
        self.asked[part] = self.asked.get(part, 0) + 1


Answer = Callable[[Call, Peer], Awaitable[dict[str, Any]]]


async def _nothing(call: Call, peer: Peer) -> dict[str, Any]:
    return {}


@asynccontextmanager
async def serving(
    path: Path, *, views: FakeViews | None = None, handle: Answer = _nothing, welcome: Welcome = WELCOME
):
    """A control server on the path, running inside the block."""
    server = ControlServer(path, welcome, views or FakeViews(), handle)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
