"""A real budgetd process in a home of its own, and what a test asks of it."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from budgetwire.client import Client
from budgetwire.errors import Unreachable
from budgetwire.messages import Call, QueryRequests, Snapshot
from budgetwire.places import find_places

T = TypeVar("T")

START_SECONDS = 20.0
WAIT_SECONDS = 20.0


class Process(Protocol):
    """What is needed of a daemon's process."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


def noon_zone() -> str:
    """A time zone in which it is about noon, so that no day ends during a test."""
    east = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-east:+d}" if east else "UTC"


def environment(home: Path) -> dict[str, str]:
    """The environment of a budgetd of this home, free of proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "BUDGETD_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def budgetd(home: Path, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a command of budgetd to its end."""
    command = [sys.executable, "-m", "budgetd.cli", *arguments]
    return subprocess.run(
        command, env=environment(home), capture_output=True, text=True, timeout=timeout, check=False
    )


class Home:
    """A home folder with its configuration, and at most one daemon that runs in it."""

    def __init__(
        self, upstreams: Mapping[str, str], *, budget: str = "", config: str = "", zone: str = ""
    ) -> None:
        """
        Args:
            upstreams: url by name; a name that is not well known speaks OpenAI's dialect.
            budget: text of budget.toml.
            config: more lines for config.toml.
            zone: its time zone; else one in which it is about noon.
        """
        self.path = Path(tempfile.mkdtemp(prefix="bt-"))
        self.places = find_places({"BUDGETD_HOME": str(self.path)})
        lines = [f'timezone = "{zone or noon_zone()}"', '[proxy]\nlisten = "127.0.0.1:0"']
        lines += [f'[upstreams.{name}]\nurl = "{url}"' + _dialect(name) for name, url in upstreams.items()]
        self.places.config.write_text("\n".join([*lines, config]))
        if budget:
            self.places.budget.write_text(budget)
        self.stderr = str(self.path / "stderr")
        """Where its standard error goes."""
        self.process: Process | None = None
        self.address = ""

    # the process

    def start(self) -> None:
        """Start budgetd and wait until it answers."""
        self.process = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.address = self.ask(_listen)
            except Unreachable:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"budgetd did not start: {self.complaints()}")

    def spawn(self) -> "Process":
        """Start a process that is not up yet."""
        command = [sys.executable, "-m", "budgetd.cli", "serve", "--log-file", str(self.places.log)]
        with Path(self.stderr).open("ab") as complaints:
            return subprocess.Popen(command, env=environment(self.path), stderr=complaints)

    def stop(self) -> int:
        """Stop it in order; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    @contextmanager
    def running(self) -> Generator["Home"]:
        """Started, and at the end stopped and taken away; it must not have stumbled over itself."""
        with self:
            self.start()
            yield self

    def __enter__(self) -> "Home":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process is not None:
            code = self.stop()
            assert kind is not None or code == 0, self.complaints()
        complaints = self.complaints()
        shutil.rmtree(self.path)
        if kind is None:
            assert "Traceback" not in complaints, complaints

    def complaints(self) -> str:
        """Its log and its standard error."""
        files = (self.places.log, Path(self.stderr))
        return "".join(file.read_text() for file in files if file.exists())

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    # what is asked of it

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def proxy(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.address.rpartition(":")
        return host, int(port)

    def ask(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do something over a connection of its own."""

        async def run() -> T:
            client = await Client.connect(self.places.socket, "test")
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def call(self, make: Callable[[int], Call]) -> dict[str, Any]:
        return self.ask(lambda client: client.call(make))

    def state(self) -> Snapshot:
        return self.wait_for(lambda _: True)

    def wait_for(self, condition: Callable[[Snapshot], object]) -> Snapshot:
        """The first state that is as expected."""

        async def watch(client: Client) -> Snapshot:
            async with asyncio.timeout(WAIT_SECONDS):
                async for state in await client.subscribe():
                    if condition(state):
                        return state
            raise AssertionError("a subscription does not end")

        return self.ask(watch)

    def rows(self) -> list[sqlite3.Row]:
        """Every row of the ledger, oldest first, as the running daemon has them."""
        self.call(lambda id: QueryRequests(id=id, count=1))  # which commits what is pending
        return self.rows_on_disk()

    def rows_on_disk(self) -> list[sqlite3.Row]:
        """Every row as it is in the file."""
        db = sqlite3.connect(f"file:{self.places.ledger}?mode=ro", uri=True)
        try:
            db.row_factory = sqlite3.Row
            return db.execute("select * from requests order by id").fetchall()
        finally:
            db.close()

    def spent(self, limit: str = "daily") -> int:
        """What a limit's counter says, in nanodollars."""
        return next(each.spent_nusd for each in self.state().limits if each.name == limit)


async def _listen(client: Client) -> str:
    return client.welcome.listen


def _dialect(name: str) -> str:
    return "" if name in {"anthropic", "openai", "gemini", "vertex"} else '\ndialect = "openai"'
