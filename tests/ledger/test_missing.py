"""Records that were committed before a kill and are not there after it are missed."""

import os
import shutil
from pathlib import Path

import pytest

from budgetd.ledger.lock import LedgerLock, lock
from budgetd.ledger.writer import Ledger
from ledger.rows import opening


class Killed:
    """A ledger whose daemon can be killed, with what is on the disk then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start()

    def start(self) -> None:
        self.lock: LedgerLock = lock(self.path)
        self.ledger = Ledger(self.path, lock=self.lock)

    async def reserve(self, count: int) -> None:
        for _ in range(count):
            await self.ledger.reserve(opening(self.ledger.next_request_id()))

    def kill(self, *, lose_the_log: bool = False) -> None:
        """Its files stay as they are at this moment; a copy is put in their place once it is gone."""
        kept = self.path.parent / "kept"
        kept.mkdir(exist_ok=True)
        names = [self.path.name] if lose_the_log else [self.path.name, f"{self.path.name}-wal"]
        for name in names:
            shutil.copy(self.path.with_name(name), kept / name)
        self.ledger.db.close()
        os.close(self.lock._descriptor)
        for name in names:
            shutil.move(kept / name, self.path.with_name(name))


@pytest.fixture
def it(path: Path) -> Killed:
    return Killed(path)


async def test_after_a_kill_all_is_there(it: Killed) -> None:
    await it.reserve(3)
    it.kill()
    it.start()
    assert not it.ledger.missing
    assert it.ledger.next_request_id() == 4
    it.kill()


async def test_a_log_that_was_removed_after_a_kill_is_missed(it: Killed) -> None:
    await it.reserve(1)
    it.ledger._note()
    it.kill(lose_the_log=True)
    it.start()
    assert it.ledger.missing == range(1, 2)
    it.kill()


async def test_the_first_commit_since_a_checkpoint_is_noted_at_once(it: Killed) -> None:
    await it.reserve(5)
    it.kill(lose_the_log=True)
    it.start()
    assert it.ledger.missing
    it.kill()


async def test_ids_that_were_lost_are_told_once_and_not_used_again(it: Killed) -> None:
    await it.reserve(5)
    it.ledger._note()
    it.kill(lose_the_log=True)
    it.start()
    assert it.ledger.missing == range(1, 6)
    it.ledger.flush()
    it.kill()  # before there was any request
    it.start()
    assert not it.ledger.missing
    assert it.ledger.next_request_id() == 6
    await it.ledger.reserve(opening(6))
    it.kill()
    it.start()
    assert not it.ledger.missing
    it.kill()


async def test_an_older_copy_that_was_put_back_is_missed(it: Killed, tmp_path: Path) -> None:
    await it.reserve(2)
    it.ledger.db.execute("pragma wal_checkpoint(truncate)")
    copy = tmp_path / "copy.db"
    shutil.copy(it.path, copy)
    await it.reserve(3)
    it.ledger._note()
    it.kill()
    it.path.with_name("ledger.db-wal").unlink(missing_ok=True)
    shutil.copy(copy, it.path)
    it.start()
    assert it.ledger.missing == range(3, 6)
    it.kill()


async def test_after_an_orderly_end_nothing_is_missed(it: Killed) -> None:
    await it.reserve(2)
    await it.ledger.close()
    it.lock.release()
    it.path.unlink()
    it.start()
    assert not it.ledger.missing
    assert it.ledger.next_request_id() == 1
    await it.ledger.close()
    it.lock.release()
