"""`budgettop --demo` as a process of its own: whatever happens, nothing is left behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import psutil
import pytest

from budgettop.demo.run import find_budgetd
from budgetwire.places import find_places

DAEMON = """\
#!{python}
import asyncio, sys
from pathlib import Path
from budgetwire.codec import encode
from budgetwire.messages import VERSION, Welcome
from budgetwire.places import find_places

async def greet(reader, writer):
    listen = "127.0.0.1:9"
    writer.write(encode(Welcome(version=VERSION, daemon="0", pid=1, started_at=0, listen=listen)))
    await reader.read()

async def main():
    assert sys.argv[1:] == ["serve"]
    socket = find_places().socket
    socket.parent.mkdir(mode=0o700)
    server = await asyncio.start_unix_server(greet, socket)
    socket.chmod(0o600)
    await server.serve_forever()

asyncio.run(main())
"""
BROKEN_DAEMON = "#!{python}\nimport sys\nsys.exit('config.toml: line 3: no such key')\n"

APP = """\
import asyncio, sys, types
import budgettop.demo.run as run

class BudgetTop:
    return_code = 0

    def __init__(self, *, socket, theme, demo):
        assert socket.exists() and theme == "calm" and demo
        self.socket = socket

    async def run_async(self):
        self.left = asyncio.Event()
        print("shown", flush=True)
        {then}

    def exit(self):
        self.left.set()

sys.modules["budgettop.app"] = types.SimpleNamespace(BudgetTop=BudgetTop)
run.find_budgetd = lambda: {budgetd!r}
sys.exit(run.run_demo("calm"))
"""
STAYS = "await self.left.wait()"
SEES_WORK = """
        from budgetwire.client import Link, State
        async for event in Link(self.socket, "test").events():
            if isinstance(event, State) and event.snapshot.in_flight:
                assert event.snapshot.in_flight[0].project
                return
"""


class Demo:
    """Runs the demo with a stand-in for the dashboard, in a folder for temporary files that is watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.seen: set[psutil.Process] = set()
        self.socket = folder / "none" / "none"

    def program(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text.format(python=sys.executable))
        path.chmod(0o755)
        return str(path)

    async def start(self, budgetd: str, then: str) -> Process:
        environ = os.environ | {"TMPDIR": str(self.temporary)}
        code = APP.format(then=then, budgetd=budgetd)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env=environ, stdout=PIPE, stderr=PIPE, cwd=self.folder
        )

    async def shown(self, process: Process) -> dict[str, psutil.Process]:
        """Wait for the dashboard; return the children by what they are."""
        assert await process.stdout.readline() == b"shown\n"
        stage, daemon = psutil.Process(process.pid).children(recursive=True)
        self.seen = {stage, daemon}
        (home,) = self.temporary.iterdir()
        self.socket = find_places({"BUDGETD_HOME": str(home)}).socket
        assert self.socket.exists()
        return {"stage": stage, "daemon": daemon}

    def left(self) -> bool:
        files = [*self.temporary.iterdir(), *([self.socket.parent] if self.socket.parent.exists() else [])]
        return bool(files) or any(alive(child) for child in self.seen)

    async def until_clean(self) -> None:
        """Wait until children and files are gone: orphans may take a moment to die."""
        async with asyncio.timeout(10):
            while self.left():
                await asyncio.sleep(0.01)


def alive(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


async def ended(process: Process) -> tuple[int | None, str]:
    _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


async def test_nothing_is_left_when_the_dashboard_is_closed(demo: Demo) -> None:
    process = await demo.start(demo.program("budgetd", DAEMON), "await asyncio.sleep(0.3)")
    await demo.shown(process)
    assert await ended(process) == (0, "")
    await demo.until_clean()


@pytest.mark.skipif(find_budgetd() is None, reason="budgetd is not installed")
async def test_the_real_daemon_sees_the_agents_at_work_and_leaves_nothing(demo: Demo) -> None:
    process = await demo.start(str(find_budgetd()), SEES_WORK)
    await demo.shown(process)
    assert await ended(process) == (0, "")
    await demo.until_clean()


async def test_nothing_is_left_when_the_dashboard_fails(demo: Demo) -> None:
    process = await demo.start(demo.program("budgetd", DAEMON), "raise RuntimeError('broken')")
    code, said = await ended(process)
    assert code == 1
    assert said.endswith("RuntimeError: broken\n")
    await demo.until_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_nothing_is_left_after_a_signal(demo: Demo, number: signal.Signals) -> None:
    process = await demo.start(demo.program("budgetd", DAEMON), STAYS)
    await demo.shown(process)
    process.send_signal(number)
    assert await ended(process) == (128 + number, "")
    await demo.until_clean()


async def test_nothing_is_left_when_the_dashboard_is_killed(demo: Demo) -> None:
    process = await demo.start(demo.program("budgetd", DAEMON), STAYS)
    await demo.shown(process)
    process.kill()
    await process.wait()
    await demo.until_clean()


@pytest.mark.parametrize("victim", ["stage", "daemon"])
async def test_the_demo_ends_with_a_sentence_when_a_child_dies(demo: Demo, victim: str) -> None:
    process = await demo.start(demo.program("budgetd", DAEMON), STAYS)
    children = await demo.shown(process)
    children[victim].kill()
    code, said = await ended(process)
    assert code == 1
    assert said.startswith("budgettop: The demo")
    assert said.count("\n") == 1
    await demo.until_clean()


async def test_a_daemon_that_cannot_start_is_quoted(demo: Demo) -> None:
    process = await demo.start(demo.program("budgetd", BROKEN_DAEMON), STAYS)
    code, said = await ended(process)
    assert code == 1
    assert said == "budgettop: The demo's daemon did not start: config.toml: line 3: no such key\n"
    await demo.until_clean()


async def test_a_daemon_that_is_no_program_is_told(demo: Demo) -> None:
    process = await demo.start(str(demo.folder / "missing"), STAYS)
    code, said = await ended(process)
    assert code == 1
    assert "missing" in said
    assert said.count("\n") == 1
    await demo.until_clean()
