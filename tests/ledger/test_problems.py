"""What goes wrong with a ledger's file is told by its cause, with the way out."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from budgetd.errors import LedgerError
from budgetd.ledger import problems
from budgetd.ledger.problems import describe, reading_errors
from budgetd.ledger.reports import reading
from budgetd.ledger.writer import Ledger
from ledger.rows import closing, opening


def failing(code: int, name: str, text: str = "disk I/O error") -> sqlite3.OperationalError:
    """An error as SQLite raises it."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


async def test_a_full_disk(path: Path) -> None:
    ledger = Ledger(path)
    pages = ledger.db.execute("pragma page_count").fetchone()[0]
    ledger.db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(LedgerError, match=r"database or disk is full\. Free some space"):
        ledger.write("insert into meta values ('x', ?)", ("x" * 50_000,))
    await ledger.close()


async def test_a_ledger_that_may_only_be_read(path: Path) -> None:
    ledger = Ledger(path)
    ledger.db.execute("pragma query_only = true")
    with pytest.raises(LedgerError, match=r"readonly database\. Check the permissions"):
        ledger.write("delete from meta")
    ledger.db.execute("pragma query_only = false")
    await ledger.close()


async def test_a_ledger_that_another_program_has_locked(path: Path) -> None:
    ledger = Ledger(path)
    ledger.db.execute("pragma busy_timeout = 1")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(LedgerError, match=r"is locked\. Another program"):
            ledger.flush()
        other.execute("rollback")
    await ledger.close()


def test_an_error_of_the_disk_names_what_the_system_says(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def over_quota(**_: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    error = failing(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE")
    assert describe(error, path).startswith("disk I/O error (SQLITE_IOERR_WRITE). Check the disk")
    monkeypatch.setattr(problems.tempfile, "TemporaryFile", over_quota)
    assert "(SQLITE_IOERR_WRITE: disk quota exceeded)" in describe(error, path)


def test_an_error_of_a_sync_is_looked_for_with_a_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(problems.os, "fsync", broken)
    error = failing(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
    assert "(SQLITE_IOERR_FSYNC: input/output error)" in describe(error, path)
    error = failing(sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ")
    assert "(SQLITE_IOERR_READ)" in describe(error, path)


async def test_a_ledger_that_is_malformed_names_the_way_out(path: Path) -> None:
    ledger = Ledger(path)
    for id in range(1, 200):
        _ = ledger.reserve(opening(id, model=f"{id:050}"))
        ledger.settle(opening(id), closing(1))
    await ledger.close()
    pages = bytearray(path.read_bytes())
    for page in range(3, len(pages) // 4096):
        pages[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(pages)
    with (
        pytest.raises(LedgerError, match=r"cannot be read: .* malformed\. Stop budgetd.*\.recover"),
        reading(path) as db,
    ):
        db.execute("select sum(length(model)) from requests").fetchall()


def test_a_ledger_that_was_cut_off(path: Path) -> None:
    error = failing(sqlite3.SQLITE_IOERR_SHORT_READ, "SQLITE_IOERR_SHORT_READ")
    assert describe(error, path).startswith("the file is shorter than it says. Stop budgetd")


def test_a_ledger_that_is_not_there(path: Path) -> None:
    with (
        pytest.raises(LedgerError, match=r"unable to open database file\. Check that its folder"),
        reading(path),
    ):
        pass


@pytest.mark.parametrize("error", [ValueError("no number"), TypeError("bytes"), UnicodeError("half")])
def test_what_no_program_has_written_is_damaged(path: Path, error: Exception) -> None:
    with pytest.raises(LedgerError, match=r"What is in it is damaged\. Stop budgetd"), reading_errors(path):
        raise error
