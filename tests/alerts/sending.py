"""An outbox on a real ledger, with a clock that the test sets, and which can be killed and opened again."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from alerts.receiver import Receiver
from alerts.told import alert
from budgetd.alerts.channels.make import MAKE, Make
from budgetd.alerts.lifecycle import Word
from budgetd.alerts.outbox import Outbox
from budgetd.alerts.settings import AlertsSection, ChannelSection
from budgetd.ledger.schema import INSERT_ALERT
from budgetd.ledger.writer import Ledger
from ledger.rows import T0

SECONDS = 20.0
DAY = 86_400.0


def hook(name: str, there: Receiver | str, **more: object) -> ChannelSection:
    """A webhook."""
    url = there if isinstance(there, str) else there.url
    return msgspec.convert({"name": name, "kind": "webhook", "url": url, **more}, ChannelSection)


class Sending:
    """One outbox after the other on one ledger."""

    def __init__(self, path: Path, *channels: ChannelSection, make: Mapping[str, Make] = MAKE) -> None:
        self.path = path
        self.now = T0
        self.chance = 0.5
        self.failed: list[tuple[str, str]] = []
        self.delivered: list[str] = []
        self.make = make
        self.settings = AlertsSection(channels=[*channels])
        self.short_form: str | None = None
        self.has_desktop = False
        self._alerts = 0

    def open(self) -> None:
        self.ledger = Ledger(self.path)
        self.outbox = Outbox(
            self.ledger,
            lambda: self.now,
            failed=lambda channel, error: self.failed.append((channel, error)),
            delivered=self.delivered.append,
            changed=lambda: None,
            make=self.make,
            has_desktop=lambda: self.has_desktop,
            chance=lambda: self.chance,
        )
        self.outbox.configure(self.settings, self.short_form)
        self.outbox.start()

    def configure(self, *channels: ChannelSection, **settings: object) -> None:
        self.settings = AlertsSection(channels=[*channels], **settings)
        self.outbox.configure(self.settings, self.short_form)

    async def close(self) -> None:
        await self.outbox.stop()
        await self.ledger.close()

    async def __aenter__(self) -> "Sending":
        self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def kill(self) -> None:
        """Leave what is committed, as the death of the process would."""
        if self.ledger._timer is not None:
            self.ledger._timer.cancel()
        tasks = [lane.task for lane in self.outbox._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.ledger.db.close()

    async def restart(self) -> None:
        await self.close()
        self.open()

    # what happens

    def fire(self, event: Word = "fired", **fields: object) -> int:
        """An alert, written down with word of it."""
        self._alerts += 1
        row = alert(self._alerts, **{"window_starts_at": float(self._alerts)} | fields)
        self.ledger.add(INSERT_ALERT, msgspec.structs.astuple(row))
        self.outbox.put(row, event, self.now)
        return row.id

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due then be tried."""
        self.now += seconds
        self.outbox.wake()
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is due."""
        await self.until(lambda: not any(map(self._is_due, self.rows())))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.002)

    def rows(self, channel: str | None = None) -> list[dict[str, Any]]:
        """The outbox as it is on disk."""
        self.ledger.flush()
        return rows_on_disk(self.path, channel)

    def states(self, channel: str) -> list[str]:
        return [row["state"] for row in self.rows(channel)]

    def _is_due(self, row: dict[str, Any]) -> bool:
        return row["state"] == "pending" and (row["attempts"] == 0 or row["due_at"] <= self.now)


def rows_on_disk(path: Path, channel: str | None = None) -> list[dict[str, Any]]:
    """What another process would read."""
    db = sqlite3.connect(path)
    try:
        db.row_factory = sqlite3.Row
        rows = db.execute("select * from outbox where channel = coalesce(?, channel) order by id", (channel,))
        return [dict(row) for row in rows]
    finally:
        db.close()
