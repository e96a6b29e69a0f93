"""The daemon as a whole, from inside."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from budgetd.daemon import TICK_SECONDS
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
