"""One daemon a ledger: a lock that ends with its process, however that ends.

The lock file holds a line for people and for `budgetd stop`, the process, and one for the next start: the
newest request that was committed. Both are gone after a clean end.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from budgetd.errors import StartError

_MOST_BYTES = 64
_PROCESSES = Path("/proc")
"""Where Linux shows what each process has open."""


class LedgerLock:
    """The lock of the one daemon that writes a ledger, until `release` or the end of its process."""

    def __init__(self, path: Path, descriptor: int, left_at: int) -> None:
        self.left_at = left_at
        """The newest request that an earlier daemon had committed when it was killed; 0 after a clean end."""
        self._path = path
        self._descriptor = descriptor

    def note(self, request_id: int) -> None:
        """Leave word for the next start that requests up to this id are committed. Raises OSError."""
        text = f"{os.getpid()}\n{request_id}\n".encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Let another daemon have the ledger: this one has ended as it should."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def lock(ledger_path: Path) -> LedgerLock:
    """Make sure that no other daemon writes this ledger. Raises StartError."""
    path = _lock_path(ledger_path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"{path}: the lock file cannot be opened: {error.strerror}.") from None
    try:
        os.fchmod(descriptor, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock = LedgerLock(path, descriptor, _read(descriptor)[1])
        lock.note(lock.left_at)
    except BlockingIOError:
        pid = _holder(descriptor)
        os.close(descriptor)
        raise StartError(
            f"another budgetd{f' (process {pid})' if pid else ''} uses {ledger_path}."
            " Use that one, or stop it with `budgetd stop`."
        ) from None
    except OSError as error:
        os.close(descriptor)
        raise StartError(f"{path}: the lock file cannot be written: {error.strerror}.") from None
    return lock


def holder(ledger_path: Path) -> int | None:
    """The process of the daemon that has this ledger; None if none has it, 0 if its number is not known, or
    is that of another process here (a daemon in a container writes down its number there).
    """
    try:
        descriptor = os.open(_lock_path(ledger_path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> int:
    """The process on record in a lock file that is taken, if it is one that has the file open; else 0."""
    pid = _read(descriptor)[0]
    return pid if pid and _has_open(pid, os.fstat(descriptor)) else 0


def _has_open(pid: int, lock_file: os.stat_result) -> bool:
    if not (_PROCESSES / "self/fd").exists():  # not Linux: the number is believed
        return True
    try:
        opened = list((_PROCESSES / str(pid) / "fd").iterdir())
    except OSError:
        return False
    return any(_is_same(each, lock_file) for each in opened)


def _is_same(path: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), file)
    except OSError:
        return False


def _read(descriptor: int) -> tuple[int, int]:
    """The process and the newest request on record; 0 for what is not there."""
    lines = os.pread(descriptor, _MOST_BYTES, 0).split(b"\n")
    pid, newest = (int(line) if line.isdigit() else 0 for line in (*lines, b"", b"")[:2])
    return pid, newest


def _lock_path(ledger_path: Path) -> Path:
    return ledger_path.with_suffix(".lock")
