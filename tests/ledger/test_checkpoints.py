"""What waits for the disk is done in a thread, and goes on whatever fails."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from budgetd.ledger import checkpoints
from budgetd.ledger.checkpoints import Checkpoints
from budgetd.ledger.writer import Ledger
from ledger.rows import on_disk, opening
from ledger.test_ledger import times_begun

PATIENCE = 20.0


@pytest.fixture
async def ledger(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.01)
    ledger = Ledger(path)
    yield ledger
    await ledger.close()


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def test_once_all_is_in_the_database_the_log_begins_anew_without_a_commit_of_the_loop(
    ledger: Ledger, path: Path
) -> None:
    await ledger.reserve(opening(1))
    wal = path.with_name("ledger.db-wal")
    begun = times_begun(wal)
    ledger.start_checkpoints()
    await until(lambda: times_begun(wal) > begun)
    begun = times_begun(wal)
    await ledger.reserve(opening(2))
    assert times_begun(wal) == begun
    assert on_disk(path, "select id from requests") == [(1,), (2,)]


async def test_a_commit_waits_in_the_loop_and_not_in_sqlite_while_the_log_begins_anew(
    ledger: Ledger, path: Path
) -> None:
    with ledger._writing:  # as the thread of the checkpoints holds it
        reserved = ledger.reserve(opening(1))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not reserved.done()
    ledger._checkpointed(False)
    await reserved


async def test_a_checkpoint_that_fails_is_told_and_tried_again(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"

    def broken(_: Checkpoints) -> bool:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "_round", broken)
        await ledger.reserve(opening(1))
        ledger.start_checkpoints()
        await until(lambda: ledger.checkpoint_failure)
        assert (
            "cannot be brought to the disk: disk I/O error (SQLITE_IOERR_FSYNC)" in ledger.checkpoint_failure
        )
        await ledger.reserve(opening(2))  # which goes on
    await until(lambda: not ledger.checkpoint_failure)


async def test_whatever_is_raised_the_rounds_go_on(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    def broken(_: Checkpoints) -> bool:
        nonlocal rounds
        rounds += 1
        raise [sqlite3.DatabaseError("malformed"), OSError(24, "Too many open files"), ValueError("?")][
            rounds % 3
        ]

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "_round", broken)
        await ledger.reserve(opening(1))
        ledger.start_checkpoints()
        await until(lambda: rounds > 5)
    await until(lambda: not ledger.checkpoint_failure)


async def test_a_reader_in_the_way_is_no_failure(ledger: Ledger, path: Path) -> None:
    await ledger.reserve(opening(1))
    with sqlite3.connect(path, isolation_level=None) as reader:
        reader.execute("begin")
        reader.execute("select * from requests").fetchall()
        ledger.start_checkpoints()
        for id in range(2, 40):
            await ledger.reserve(opening(id))
            await asyncio.sleep(0.001)
        assert ledger.checkpoint_failure == ""
        reader.execute("commit")
