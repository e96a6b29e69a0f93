"""Counts tokens in a process of its own.

The vocabulary takes 0.7 s of computing to load, in which nothing else of a process can run, and 64 MB. Here
the daemon neither waits for it nor has it: the child is started by the first text that is to be counted, and
until it is ready nothing is counted.
"""

import contextlib
import logging
import select
import socket
import struct
import subprocess
import sys

log = logging.getLogger(__name__)

LONGEST_WAIT_MS = 20
"""How long an answer may take: a text of 64 KiB takes 1 ms. What comes later is not used."""

END_SECONDS = 2.0
"""How long the child may take to end."""

_LENGTH = struct.Struct("!I")
_COUNT = struct.Struct("!Q")


class TokenCounter:
    """The child, from the first text on until it is closed."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._awaited = False
        """An answer is still to come: that the child is ready, or a count that took too long."""
        self._closed = False

    def count(self, text: bytes) -> int | None:
        """The o200k tokens of a text; None if they cannot be counted now."""
        if self._closed:
            return None
        try:
            if self._socket is None:
                self._start()
            return self._ask(text)
        except OSError as error:
            log.warning("tokens are not counted until budgetd is started again: %s", error)
            self.close()
            return None

    def close(self) -> None:
        """Let the child end; nothing is counted any more."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(END_SECONDS)
            if self._child.poll() is None:
                self._child.kill()

    def _start(self) -> None:
        self._socket, other = socket.socketpair()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        with other:
            # Out of the terminal's group: Ctrl-C is for the daemon, which may still have to count.
            self._child = subprocess.Popen(
                [sys.executable, "-m", "budgetd.token_counter"],
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._awaited = True

    def _ask(self, text: bytes) -> int | None:
        assert self._socket is not None
        if self._awaited and self._answer(0) is None:
            return None
        message = _LENGTH.pack(len(text)) + text
        if self._socket.send(message) < len(message):
            raise OSError("the counting process does not read")
        self._awaited = True
        return self._answer(LONGEST_WAIT_MS)

    def _answer(self, wait_ms: int) -> int | None:
        """What the child says; None if that takes longer."""
        assert self._socket is not None
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(wait_ms):
            return None
        answer = self._socket.recv(_COUNT.size)
        if len(answer) < _COUNT.size:
            raise OSError("the counting process has ended")
        self._awaited = False
        return _COUNT.unpack(answer)[0]


def main() -> None:
    """The child: for each text that comes in by standard input, its count goes out there."""
    from toktok import batch_count

    def count(text: bytes) -> int:
        return batch_count([text.decode("utf-8", "ignore")], "o200k_base", threads=1)[0]

    with socket.socket(fileno=0) as parent:
        parent.sendall(_COUNT.pack(count(b"")))
        with parent.makefile("rb") as texts:
            while head := texts.read(_LENGTH.size):
                parent.sendall(_COUNT.pack(count(texts.read(_LENGTH.unpack(head)[0]))))


if __name__ == "__main__":
    main()
