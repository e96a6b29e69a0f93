"""The demo's own process: provider, daemon and agents, until its input ends.

The dashboard holds the other end of that input, so nothing is left behind even if it is killed.
Writes ``ready`` when there is something to see; says on its error output why it failed.
"""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from budgettop.demo.agents.roster import work
from budgettop.demo.pace import Pace
from budgettop.demo.provider.server import Provider
from budgettop.demo.settings import write_settings
from budgetwire.client import Client
from budgetwire.errors import Unreachable, VersionMismatch
from budgetwire.places import Places, find_places

_SEED = 7
_START_SECONDS = 15
_STOP_SECONDS = 5
_PAUSE_SECONDS = 0.05


class StageError(Exception):
    """The demo cannot go on; the message is for a person."""


async def play(home: Path, budgetd: str) -> None:
    """Run the demo in that folder until the standard input ends. Raises StageError."""
    end = await _end_of_input()
    pace = Pace()
    places = find_places({"BUDGETD_HOME": str(home)})
    provider = Provider(_SEED, pace)
    write_settings(places, await provider.start())
    async with _daemon(budgetd, home) as daemon:
        try:
            base = await _proxy(daemon, places, home)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await _until_first(end.read(), daemon.wait(), work(base, _SEED, pace))
        finally:
            await provider.stop()  # before the daemon, which would wait for answers that still run
    if not end.at_eof():
        raise StageError(f"The demo's daemon ended by itself: {_last_words(home)}")


async def _end_of_input() -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, reader.feed_eof)
    return reader


@asynccontextmanager
async def _daemon(budgetd: str, home: Path) -> AsyncGenerator[Process]:
    """Start the daemon, and stop it in the end. Proxies of the environment are not for loopback."""
    environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environ["BUDGETD_HOME"] = str(home)
    with _output(home).open("wb") as output:
        daemon = await asyncio.create_subprocess_exec(
            budgetd, "serve", env=environ, stdin=DEVNULL, stdout=output, stderr=output
        )
    try:
        yield daemon
    finally:
        if daemon.returncode is None:
            daemon.terminate()
            try:
                await asyncio.wait_for(daemon.wait(), _STOP_SECONDS)
            except TimeoutError:
                daemon.kill()
                await daemon.wait()


async def _proxy(daemon: Process, places: Places, home: Path) -> str:
    """Wait for the daemon and return the base URL of its proxy."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while daemon.returncode is None:
                try:
                    client = await Client.connect(places.socket, "demo")
                except Unreachable:
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    await client.close()
                    return f"http://{client.welcome.listen}"
    except TimeoutError:
        raise StageError(f"The demo's daemon did not answer within {_START_SECONDS} seconds.") from None
    except VersionMismatch as error:
        raise StageError(str(error)) from error
    raise StageError(f"The demo's daemon did not start: {_last_words(home)}")


async def _until_first(*jobs: Coroutine[object, object, object]) -> None:
    """Run all until one ends, then cancel the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


def _output(home: Path) -> Path:
    return home / "budgetd.out"


def _last_words(home: Path) -> str:
    lines = _output(home).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


def main() -> int:
    """Run with the folder and the daemon's program as arguments."""
    home, budgetd = Path(sys.argv[1]), sys.argv[2]
    try:
        asyncio.run(play(home, budgetd))
    except (StageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ExceptionGroup as error:
        sys.stderr.write(f"The demo's agents failed: {error!r}\n")
        return 1
    finally:
        shutil.rmtree(find_places({"BUDGETD_HOME": str(home)}).socket.parent, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
