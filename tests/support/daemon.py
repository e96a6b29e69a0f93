"""A budgetd with a home of its own: inside the test's process, or as the process that users run."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import tomli_w

from budgetd.daemon import Daemon
from budgetwire.client import Client
from budgetwire.errors import Unreachable
from budgetwire.places import Places, find_places
from support.stream import PATIENCE, Stream, connected

Row = dict[str, Any]
"""A row of the ledger's `requests`, by column."""


class Running:
    """A daemon that runs."""

    def __init__(self, home: Path, address: str) -> None:
        self.home = home
        self.address = address
        """``host:port`` of the proxy."""
        self.host, _, port = address.rpartition(":")
        self.port = int(port)

    def connect(self, *, receive_buffer: int = 0) -> AbstractAsyncContextManager[Stream]:
        """A raw connection to the proxy."""
        return connected(self.host, self.port, receive_buffer=receive_buffer)

    def request(self, method: str, target: str, *headers: bytes, body: bytes | None = None) -> bytes:
        """The bytes of a request to this daemon; a length is added for a body."""
        lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: " + self.address.encode(), *headers]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")

    async def rows(self, count: int) -> list[Row]:
        """The ledger's requests, oldest first, once there are so many and all of them are settled."""
        async with asyncio.timeout(PATIENCE):
            while True:
                rows = self.rows_now()
                if len(rows) >= count and all(row["outcome"] is not None for row in rows):
                    break
                await asyncio.sleep(0.005)
        assert len(rows) == count, f"{len(rows)} rows, not {count}"
        return rows

    def rows_now(self) -> list[Row]:
        """The ledger's requests that are committed at this moment."""
        db = sqlite3.connect(self.places.ledger)
        try:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("select * from requests order by id")]
        finally:
            db.close()

    @property
    def places(self) -> Places:
        return find_places({"BUDGETD_HOME": str(self.home)})


class InProcess(Running):
    """A daemon in this process and on this event loop."""

    def __init__(self, home: Path, address: str, daemon: Daemon) -> None:
        super().__init__(home, address)
        self.daemon = daemon


class Process(Running):
    """A daemon in a process of its own."""

    def __init__(self, home: Path, address: str, process: asyncio.subprocess.Process) -> None:
        super().__init__(home, address)
        self.process = process


def configure(
    home: Path,
    upstreams: Mapping[str, str | Mapping[str, str]],
    *,
    proxy: Mapping[str, Any] | None = None,
    budget: str = "",
) -> None:
    """Write the configuration of a home. An upstream is a URL or a section; ``budget`` is TOML."""
    home.mkdir(parents=True, exist_ok=True)
    sections = {name: {"url": it} if isinstance(it, str) else dict(it) for name, it in upstreams.items()}
    content = {
        "timezone": "UTC",
        "proxy": {"listen": "127.0.0.1:0", **(proxy or {})},
        "upstreams": sections,
    }
    (home / "config.toml").write_text(tomli_w.dumps(content))
    if budget:
        (home / "budget.toml").write_text(budget)


@asynccontextmanager
async def running(
    home: Path,
    upstreams: Mapping[str, str | Mapping[str, str]],
    *,
    proxy: Mapping[str, Any] | None = None,
    budget: str = "",
) -> AsyncGenerator[InProcess]:
    """A daemon in this process. A short ``home`` keeps its socket inside it."""
    configure(home, upstreams, proxy=proxy, budget=budget)
    daemon = Daemon(find_places({"BUDGETD_HOME": str(home)}))
    try:
        await daemon.start()
        yield InProcess(home, daemon._listener.address, daemon)
    finally:
        await daemon.stop()


@asynccontextmanager
async def process(
    home: Path,
    upstreams: Mapping[str, str | Mapping[str, str]],
    *,
    proxy: Mapping[str, Any] | None = None,
    budget: str = "",
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[Process]:
    """A daemon as ``budgetd serve``, told to stop at the end unless it has ended by then."""
    configure(home, upstreams, proxy=proxy, budget=budget)
    async with started(home, environ=environ) as it:
        yield it


@asynccontextmanager
async def started(home: Path, *, environ: Mapping[str, str] | None = None) -> AsyncGenerator[Process]:
    """The same in a home that is configured already, so that it can be started anew after a kill."""
    places = find_places({"BUDGETD_HOME": str(home)})
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "budgetd.cli", "serve", "--log-file", str(places.log)),
        env=clean | {"BUDGETD_HOME": str(home)} | dict(environ or {}),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(home, await _address(child, places.socket), child)
    finally:
        if child.returncode is None:
            child.terminate()
        async with asyncio.timeout(2 * PATIENCE):
            await child.communicate()


async def _address(child: asyncio.subprocess.Process, socket: Path) -> str:
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            try:
                client = await Client.connect(socket, "test")
            except Unreachable:
                if child.returncode is not None:
                    _, complaint = await child.communicate()
                    raise AssertionError(f"budgetd ended: {complaint.decode()}") from None
                await asyncio.sleep(0.02)
                continue
            await client.close()
            if client.welcome.pid == child.pid:
                return client.welcome.listen
