"""Running a program with a text on its standard input, for so long and no longer. No shell."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

import msgspec

KEPT_BYTES = 2048
"""Of the end of what a program complains."""

PIPE_BYTES = 1 << 16
"""As much as a pipe holds."""

KILLED_SECONDS = 2.0
"""How long the kernel may take to end what was killed."""


class Ended(msgspec.Struct, frozen=True):
    """How a program ended."""

    code: int
    """Its exit code; minus the signal that ended it."""
    complaint: str
    """The last line it wrote to standard error."""


async def run(command: Sequence[str], text: str, timeout_seconds: float) -> Ended:
    """Run a program to its end. It and all it started are killed when the time is over, or the caller
    cancelled. Raises TimeoutError; OSError where it cannot be started.
    """
    with _Tail() as tail:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=tail.given,
            start_new_session=True,
        )
        tail.watch()
        ended = False
        try:
            async with asyncio.timeout(timeout_seconds):
                await _feed(process, text.encode())
                await process.wait()
            ended = True
        finally:
            if not ended:
                await _kill(process)
        assert process.returncode is not None
        return Ended(process.returncode, tail.last_line())


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    """Write to its standard input, and end that. A program that does not read all of it has done its work."""
    assert process.stdin is not None
    # Where the reader has gone, uvloop raises a RuntimeError.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End its whole group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILLED_SECONDS):
            await process.wait()


class _Tail:
    """A pipe of our own: asyncio's would make a program's end wait for that of whatever inherited it."""

    def __enter__(self) -> "_Tail":
        self._read, self.given = os.pipe()
        """``given`` is the program's end."""
        os.set_blocking(self._read, False)
        self._kept = b""
        return self

    def watch(self) -> None:
        """The program has its end: give up ours, and read so that it never has to wait for us."""
        os.close(self.given)
        self.given = -1
        asyncio.get_running_loop().add_reader(self._read, self._take)

    def last_line(self) -> str:
        """The last line that is not blank."""
        self._take()
        lines = self._kept.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _take(self) -> None:
        """Read what is there."""
        try:
            taken = os.read(self._read, PIPE_BYTES)
        except BlockingIOError:
            return
        if not taken:
            asyncio.get_running_loop().remove_reader(self._read)
        self._kept = (self._kept + taken)[-KEPT_BYTES:]

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        if self.given >= 0:
            os.close(self.given)
