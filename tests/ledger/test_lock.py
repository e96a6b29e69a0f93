"""One daemon a ledger; and who it is, for those who cannot reach it otherwise."""

import os
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from budgetd.errors import StartError
from budgetd.ledger import lock as lock_module
from budgetd.ledger.lock import holder, lock

HOLD = """
import sys
from pathlib import Path
from budgetd.ledger.lock import lock
held = lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextmanager
def another_process(ledger: Path) -> Generator[int]:
    """A process that has the lock."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        yield child.pid
        child.kill()


def test_the_holder_is_known_until_it_lets_go(ledger: Path) -> None:
    assert holder(ledger) is None
    with another_process(ledger) as pid:
        assert holder(ledger) == pid
        with pytest.raises(StartError, match=rf"another budgetd \(process {pid}\) uses {ledger}"):
            lock(ledger)
    assert holder(ledger) is None
    lock(ledger).release()


@pytest.mark.parametrize("written", [b"", b"x\n", b"1\n", b"999999999\n", "１\n".encode()])
def test_a_number_that_is_not_the_holders_is_not_told(ledger: Path, written: bytes) -> None:
    with another_process(ledger):
        ledger.with_suffix(".lock").write_bytes(written)
        assert holder(ledger) == 0
        with pytest.raises(StartError, match=f"another budgetd uses {ledger}"):
            lock(ledger)


def test_where_the_system_does_not_show_open_files_the_number_is_believed(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lock_module, "_PROCESSES", tmp_path / "proc")
    with another_process(ledger) as pid:
        assert holder(ledger) == pid


def test_the_lock_file_is_private(ledger: Path) -> None:
    path = ledger.with_suffix(".lock")
    umask = os.umask(0)
    try:
        lock(ledger).release()
        assert stat.filemode(path.lstat().st_mode) == "-rw-------"
        path.chmod(0o644)
        lock(ledger).release()
        assert stat.filemode(path.lstat().st_mode) == "-rw-------"
    finally:
        os.umask(umask)


def test_a_link_is_not_followed(ledger: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    ledger.with_suffix(".lock").symlink_to(target)
    with pytest.raises(StartError, match="the lock file cannot be opened"):
        lock(ledger)
    assert holder(ledger) is None
    assert target.read_text() == "precious"
