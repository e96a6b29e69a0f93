"""Durability "power": a reservation is told once it is on the disk, and the event loop does not wait."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetd.errors import LedgerError, NotSyncedError
from budgetd.ledger import checkpoints, log_sync
from budgetd.ledger.writer import Ledger
from ledger.rows import closing, on_disk, opening

PATIENCE = 20.0


class Disk:
    """Stands in for `os.fsync`, of the log's file alone."""

    def __init__(self) -> None:
        self.begun = 0
        """Syncs so far."""
        self.broken = False
        self.free = threading.Event()
        """A sync is over once this is set."""
        self.free.set()

    def fsync(self, file: int) -> None:
        self.begun += 1
        assert self.free.wait(PATIENCE)
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(log_sync.os, "fsync", disk.fsync)
    yield disk
    disk.free.set()


@pytest.fixture
async def ledger(path: Path, disk: Disk):
    ledger = Ledger(path, "power")
    disk.begun = 0
    yield ledger
    disk.broken = False
    await ledger.close()


async def begun(disk: Disk, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while disk.begun < count:
            await asyncio.sleep(0.001)


async def turns(count: int = 50) -> None:
    """Let the loop go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_reservation_is_told_when_the_sync_is_over_and_the_loop_goes_on_meanwhile(
    ledger: Ledger, path: Path, disk: Disk
) -> None:
    disk.free.clear()
    reserved = ledger.reserve(opening(1))
    await begun(disk, 1)
    await turns()
    assert not reserved.done()
    assert on_disk(path, "select id from requests") == [(1,)]
    disk.free.set()
    await reserved


async def test_those_who_come_while_a_sync_runs_share_the_next_one(ledger: Ledger, disk: Disk) -> None:
    disk.free.clear()
    first = ledger.reserve(opening(1))
    await begun(disk, 1)
    others = [ledger.reserve(opening(id)) for id in range(2, 12)]
    await turns()
    others += [ledger.reserve(opening(id)) for id in range(12, 22)]
    await turns()
    assert not any(each.done() for each in (first, *others))
    disk.free.set()
    await asyncio.gather(first, *others)
    assert disk.begun == 2


async def test_an_end_waits_for_no_sync(ledger: Ledger, path: Path, disk: Disk) -> None:
    await ledger.reserve(opening(1))
    ledger.settle(opening(1), closing(42))
    async with asyncio.timeout(PATIENCE):
        while on_disk(path, "select outcome from requests") != [("ok",)]:
            await asyncio.sleep(0.001)
    assert disk.begun == 1


async def test_nothing_is_told_if_the_sync_fails(ledger: Ledger, disk: Disk) -> None:
    disk.broken = True
    with pytest.raises(NotSyncedError, match="does not get to the disk: input/output error"):
        await ledger.reserve(opening(1))
    assert "does not get to the disk" in ledger.failure
    assert ledger.failures == 1


async def test_after_a_sync_that_failed_only_a_checkpoint_of_all_is_believed(
    ledger: Ledger, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.01)
    disk.broken = True
    with pytest.raises(NotSyncedError):
        await ledger.reserve(opening(1))
    disk.broken = False
    with pytest.raises(NotSyncedError):  # the next sync would succeed without what the first one lost
        await ledger.reserve(opening(2))
    assert disk.begun == 1
    ledger.start_checkpoints()
    async with asyncio.timeout(PATIENCE):
        while ledger.failure:
            await asyncio.sleep(0.001)
    await ledger.reserve(opening(3))
    assert disk.begun == 2


async def test_a_slow_sync_is_told_as_a_slow_disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(n * 0.030 for n in range(1000))
    monkeypatch.setattr(log_sync.time, "perf_counter", lambda: next(seconds))
    for id in range(1, 60):
        await ledger.reserve(opening(id))
    assert ledger.slow_seconds == pytest.approx(0.030)


async def test_where_only_a_kill_must_be_survived_nothing_is_synced(path: Path, disk: Disk) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    assert disk.begun == 0
    await ledger.close()


async def test_a_ledger_behind_a_link_is_synced_where_it_is(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "real.db")
    ledger = Ledger(path, "power")
    assert ledger._sync is not None
    there = (elsewhere / "real.db-wal").stat()
    assert os.path.samestat(os.fstat(ledger._sync._file), there)
    await ledger.reserve(opening(1))
    await ledger.close()


async def test_a_log_that_cannot_be_synced_at_the_start_is_an_error_in_words(path: Path, disk: Disk) -> None:
    disk.broken = True
    with pytest.raises(LedgerError, match="cannot be opened: input/output error"):
        Ledger(path, "power")
