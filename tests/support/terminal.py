"""A terminal that belongs to the test, with a program on it."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable
from typing import Any

from support.stream import PATIENCE


class Terminal:
    """Runs a program in a session of its own on a pseudo-terminal, and collects what it draws."""

    def __init__(self, *command: str, controls: bool = True, **environ: str) -> None:
        """Args:
        controls: make it the session's controlling terminal, whose hangup sends SIGHUP.
        """
        self._ours, theirs = pty.openpty()
        self.drawn = b""
        self._theirs = theirs
        self.attributes = self._attributes()

        def take() -> None:
            if controls:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        environ = {**os.environ, "TERM": "xterm-256color", **environ}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environ,
            start_new_session=True,
            preexec_fn=take,
        )

    def _attributes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def is_restored(self) -> bool:
        """Whether the terminal has the line settings that it had before."""
        return self._attributes() == self.attributes

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, done: Callable[[], bool]) -> None:
        """Read what is drawn until that holds."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, self.drawn[-2000:]
            if select.select([self._ours], [], [], 0.05)[0]:
                self.drawn += os.read(self._ours, 1 << 16)

    def until_drawn(self, text: bytes) -> None:
        self.until(lambda: text in self.drawn)

    def until_ended(self) -> int:
        """Read what is drawn until the program ended; return its exit code."""
        self.until(lambda: self.process.poll() is not None)
        while select.select([self._ours], [], [], 0)[0]:
            self.drawn += os.read(self._ours, 1 << 16)
        assert self.process.returncode is not None
        return self.process.returncode

    def hang_up(self) -> None:
        """Go away, as a window that is closed does."""
        os.close(self._theirs)
        os.close(self._ours)
        self._ours = self._theirs = -1

    def close(self) -> None:
        """End whatever is left."""
        self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            self.hang_up()
