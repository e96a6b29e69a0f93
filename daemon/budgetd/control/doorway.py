"""The socket in the file system: one daemon owns it, and only its user can reach it.

A lock file beside the socket decides between daemons, so that a socket left behind by one that was killed can
be told from a living one, and two that start at once cannot both win.
"""

import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path

from budgetd.control.errors import AlreadyRunning, ControlError

_BACKLOG = 64


class Doorway:
    """A listening Unix socket, mode 0600 in a folder of mode 0700, and the lock that goes with it."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises AlreadyRunning, or ControlError with what stands in the way."""
        self._path = path
        try:
            _make_private(path.parent)
            self._lock = _lock(path)
        except OSError as error:
            raise ControlError(
                f"The folder {path.parent} for the control socket is of no use: {error}."
            ) from None
        try:
            _clear(path)
            self.socket = _listen(path)
            self._made = path.lstat()
        except OSError as error:
            os.close(self._lock)
            raise ControlError(f"The control socket {path} cannot be opened: {error}.") from None
        except ControlError:
            os.close(self._lock)
            raise

    def is_there(self) -> bool:
        """Whether clients can find the socket: it, or its folder, may have been removed."""
        try:
            return os.path.samestat(self._path.lstat(), self._made)
        except OSError:
            return False

    def close(self) -> None:
        """Stop listening, and take the socket and the lock away; once."""
        self.socket.close()
        if self.is_there():
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._lock)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise ControlError(
            f"The folder {folder} belongs to another user (uid {found.st_uid}); use one of yours."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ControlError(f"The folder {folder} is open to other users; close it with: chmod 700 {folder}")


def _lock(path: Path) -> int:
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise _already(path) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _clear(path: Path) -> None:
    """Take away a socket that nobody listens at. Lock files get deleted, so ask the socket as well."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is not a socket; move it away, budgetd needs the name.")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.settimeout(1)
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass
    raise _already(path)


def _listen(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX)
    try:
        door.bind(str(path))
        path.chmod(0o600)  # before it listens; until then nobody can connect
        door.listen(_BACKLOG)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door


def _already(path: Path) -> AlreadyRunning:
    return AlreadyRunning(f"Another budgetd is running; it owns {path}. Stop it with: budgetd stop")
