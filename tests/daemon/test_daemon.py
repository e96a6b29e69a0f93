"""The daemon as a whole, from inside."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from budgetd.daemon import TICK_SECONDS
from budgetd.errors import LedgerError
from budgetd.ledger.lock import holder
from budgetwire.client import Client
from budgetwire.messages import SetLimit
from support.daemon import running
from support.stream import PATIENCE

BUDGET = "[budget]\ndaily_limit_cents = {}\n"


async def test_a_tick_that_fails_is_logged_once_and_not_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stumbles() -> int:
        return sum("stumbled" in record.message for record in caplog.records)

    async with running(tmp_path, {}, budget=BUDGET.format(100)) as it:
        accounts = it.daemon._accounts
        with sqlite3.connect(it.places.ledger) as db:
            db.execute("alter table rollups rename to mislaid")
        async with asyncio.timeout(PATIENCE):
            while not stumbles():
                await asyncio.sleep(0.01)
        await asyncio.sleep(2 * TICK_SECONDS * 4)  # it fails again
        with sqlite3.connect(it.places.ledger) as db:
            db.execute("alter table mislaid rename to rollups")
        it.places.budget.write_text(BUDGET.format(200))
        async with asyncio.timeout(PATIENCE):
            while accounts.budget.limits[0].limit_nusd != 2_000_000_000:
                await asyncio.sleep(0.01)
        assert stumbles() == 1


async def test_an_edit_made_here_is_not_reloaded_as_if_someone_else_had_made_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def reloads() -> int:
        return sum("configuration reloaded" in record.message for record in caplog.records)

    caplog.set_level("INFO")
    async with running(tmp_path, {}, budget=BUDGET.format(100)) as it:
        client = await Client.connect(it.places.socket, "test")
        await client.call(lambda id: SetLimit(id=id, limit="daily", limit_cents=200))
        await client.close()
        limits = it.daemon._accounts.budget.limits
        assert limits[0].limit_nusd == 2_000_000_000
        it.daemon._every_second()  # which looks at the files
        assert it.daemon._accounts.budget.limits is limits
        assert reloads() == 0
        it.places.budget.write_text(BUDGET.format(300))
        async with asyncio.timeout(PATIENCE):
            while reloads() == 0:
                await asyncio.sleep(0.01)
        assert it.daemon._accounts.budget.limits[0].limit_nusd == 3_000_000_000


async def test_a_part_that_cannot_be_closed_does_not_keep_the_others_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails_later() -> None:
        raise LedgerError("the first")

    def fails() -> None:
        raise ValueError("another")

    async with running(tmp_path, {}) as it:
        monkeypatch.setattr(it.daemon._listener, "stop", lambda seconds: fails_later())
        for part in (it.daemon._control, it.daemon._outbox, it.daemon._prices):
            monkeypatch.setattr(part, "stop", fails)
        monkeypatch.setattr(it.daemon._screen, "close", fails)
        it.daemon._accounts.desk.prices_stale(99)
        assert it.daemon._ledger._pending
        with pytest.raises(LedgerError, match="the first"):
            await it.daemon.stop()
    with sqlite3.connect(it.places.ledger) as db:
        assert db.execute("select rule from alerts").fetchall() == [("prices_stale",)]
    assert holder(it.places.ledger) is None
    assert [record.levelname for record in caplog.records if "stopping" in record.message] == ["ERROR"] * 5
