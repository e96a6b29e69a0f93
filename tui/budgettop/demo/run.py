"""`budgettop --demo`: start the stage, show the dashboard on it, and leave nothing behind."""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from budgettop.ending import Ending
from budgetwire.places import find_places

_FAILED = 1
_STOP_SECONDS = 10


def run_demo(theme: str | None) -> int:
    """Show the dashboard on a private daemon with a built-in provider and simulated agents, on loopback only.

    Returns the exit code: 0, 1 if the demo failed, 128 + N if signal N ended it.
    """
    budgetd = find_budgetd()
    if budgetd is None:
        return _fail("The demo needs budgetd, which is neither beside this Python nor on PATH.")
    with TemporaryDirectory(prefix="budgettop-", ignore_cleanup_errors=True) as home:
        socket = find_places({"BUDGETD_HOME": home}).socket
        try:
            return asyncio.run(_run(Path(home), budgetd, socket, theme))
        finally:
            shutil.rmtree(socket.parent, ignore_errors=True)  # lies elsewhere where the folder's path is long


def find_budgetd() -> str | None:
    """Return the daemon's program: beside this Python, or on PATH."""
    beside = Path(sys.executable).with_name("budgetd")
    return str(beside) if beside.exists() else shutil.which("budgetd")


async def _run(home: Path, budgetd: str, socket: Path, theme: str | None) -> int:
    ending = Ending()
    async with _stage(home, budgetd, ending) as stage:
        code = await _show(socket, theme, ending) if await _is_ready(stage, ending) else ending.code.result()
        return _fail(await _complaint(stage)) if ending.code.done() and code == _FAILED else code


@asynccontextmanager
async def _stage(home: Path, budgetd: str, ending: Ending) -> AsyncGenerator[Process]:
    """Start the stage in a process group of its own, which is gone in the end, with all that is in it."""
    command = (sys.executable, "-m", "budgettop.demo.stage", str(home), budgetd)
    stage = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    waiting = asyncio.create_task(stage.wait())
    waiting.add_done_callback(lambda _: ending.end(_FAILED))
    try:
        yield stage
    finally:
        assert stage.stdin is not None
        stage.stdin.close()
        await asyncio.wait({waiting}, timeout=_STOP_SECONDS)
        if stage.returncode != 0:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(stage.pid, signal.SIGKILL)
            await waiting


async def _is_ready(stage: Process, ending: Ending) -> bool:
    """Wait until there is something to see; False if the demo ends first."""
    assert stage.stdout is not None
    reading = asyncio.create_task(stage.stdout.readline())
    await asyncio.wait({reading, ending.code}, return_when=asyncio.FIRST_COMPLETED)
    if not ending.code.done() and not reading.result():
        await ending.code
    reading.cancel()
    return not ending.code.done()


async def _show(socket: Path, theme: str | None, ending: Ending) -> int:
    from budgettop.app import BudgetTop  # loaded while the stage already works

    return await ending.show(BudgetTop(socket=socket, theme=theme, demo=True))


async def _complaint(stage: Process) -> str:
    """Return the last line of what the stage said."""
    assert stage.stderr is not None
    lines = (await stage.stderr.read()).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "The demo ended by itself and did not say why."


def _fail(message: str) -> int:
    sys.stderr.write(f"budgettop: {message}\n")
    return _FAILED
