"""What SQLite complains of, in words that name the cause and the way out; and whose fault it is."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec

from budgetd.errors import LedgerError

_RESCUE = (
    "Stop budgetd and keep a copy of the file; then rescue what can be read with `sqlite3 FILE .recover |"
    " sqlite3 NEW`, put a backup in its place, or move it away to begin a new ledger"
)

_WAYS_OUT = {
    sqlite3.SQLITE_FULL: "Free some space on its disk; nothing has to be started again",
    sqlite3.SQLITE_IOERR: "Check the disk and its quota, and the system's log (dmesg)",
    sqlite3.SQLITE_READONLY: (
        "Check the permissions of the file and its folder, and whether the disk is mounted read-only"
    ),
    sqlite3.SQLITE_CANTOPEN: "Check that its folder is there and can be written to",
    sqlite3.SQLITE_NOTADB: "Put a backup in its place, or move it away to begin a new ledger",
    sqlite3.SQLITE_CORRUPT: _RESCUE,
    sqlite3.SQLITE_BUSY: "Another program has it open and locked; close that",
    sqlite3.SQLITE_LOCKED: "Another program has it open and locked; close that",
}
"""By SQLite's primary error code."""

_OF_THE_VALUES = frozenset(
    (
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    )
)
"""Codes that tell of a statement or its values, and not of the file."""


def describe(error: Exception, path: Path) -> str:
    """What went wrong with the ledger's file and what to do, as the end of a sentence without its stop."""
    if isinstance(error, OSError):
        return _lower(error.strerror or str(error))
    text = _lower(str(error))
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ:
        return f"the file is shorter than it says. {_RESCUE}"
    code = _primary_code(error)
    if code == sqlite3.SQLITE_IOERR:
        text = f"{text} ({_disk_error(error, path)})"
    way_out = _WAYS_OUT.get(code) if code is not None else None
    return f"{text}. {way_out}" if way_out else text


@contextlib.contextmanager
def reading_errors(path: Path) -> Generator[None]:
    """Tell whatever goes wrong while a ledger is read as a LedgerError. What is in the file may be anything:
    a disk can turn over a bit of a name, a number or the tables' own description.
    """
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        why = describe(error, path)
        if _primary_code(error) not in _WAYS_OUT:
            why = f"{why}. What is in it is damaged. {_RESCUE}"
        raise LedgerError(f"{path}: the ledger cannot be read: {why}.") from None


def is_of_the_values(error: Exception) -> bool:
    """Whether a statement failed for what it says, so that another may succeed; else the file is at fault."""
    if not isinstance(error, sqlite3.Error):
        return not isinstance(error, OSError | MemoryError)
    code = _primary_code(error)
    return code is None or code in _OF_THE_VALUES


def is_busy(error: Exception) -> bool:
    """Whether another connection was in the way, so that it may succeed in a moment."""
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _primary_code(error: Exception) -> int | None:
    """None where the error is not SQLite's own: a value that its module could not pass on."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _disk_error(error: Exception, path: Path) -> str:
    """What failed by SQLite's name and, where writing beside the file fails as well, what the system says of
    it: SQLite keeps that to itself.
    """
    name = str(getattr(error, "sqlite_errorname", "SQLITE_IOERR"))
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(bytes(4096))
            probe.flush()
            if "FSYNC" in name:
                os.fsync(probe.fileno())
    except OSError as reason:
        return f"{name}: {_lower(reason.strerror or str(reason))}"
    return name


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
