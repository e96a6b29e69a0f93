"""One daemon a ledger: a lock that ends with its process, however that ends."""

import fcntl
import os
from pathlib import Path
from typing import IO

from budgetd.errors import StartError


def lock(ledger_path: Path) -> IO[str]:
    """Make sure that no other daemon writes this ledger while the file stays open. Raises StartError."""
    path = _lock_path(ledger_path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StartError(f"{path.parent}: cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read(20).strip()
        file.close()
        raise StartError(
            f"another budgetd{f' (process {pid})' if pid else ''} uses {ledger_path}."
            " Use that one, or stop it with `budgetd stop`."
        ) from None
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise StartError(f"{path}: cannot be written: {error.strerror}.") from None
    return file


def is_locked(ledger_path: Path) -> bool:
    """Whether a daemon has this ledger."""
    try:
        with _lock_path(ledger_path).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lock_path(ledger_path: Path) -> Path:
    return ledger_path.with_suffix(".lock")
