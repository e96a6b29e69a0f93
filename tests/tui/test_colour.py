"""Colours: themes of our own, and none at all where NO_COLOR is set. On a real terminal of the system."""

import asyncio
import os
import pty
import re
import sys

import pytest

from budgettop.app import BudgetTop
from budgettop.cli import THEME_NAMES
from budgettop.themes import THEMES
from tui import states
from tui.hand import hand_made

RUN = """
import sys
from pathlib import Path
from budgettop.app import BudgetTop
BudgetTop(Path(sys.argv[1])).run()
"""


async def written(path, **more: str) -> bytes:
    """What the dashboard writes to a terminal until the figures are there, and then until it quits."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **more}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(path), stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    seen = b""
    try:
        async with asyncio.timeout(20):
            while b"64 %" not in seen:
                seen += await reader.read(65536)
            os.write(ours, b"2")
            while b"newest" not in seen:
                seen += await reader.read(65536)
            os.write(ours, b"q")
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        transport.close()
    return seen


def colours(seen: bytes) -> set[str]:
    """Every code that sets a colour; 39 and 49 take one back."""
    codes = {code for group in re.findall(rb"\x1b\[([0-9;:]*)m", seen) for code in group.decode().split(";")}
    return {code for code in codes if re.fullmatch(r"3[0-8]|4[0-8]|9[0-7]|10[0-7]", code)}


async def test_no_color_means_not_one_colour_code(path):
    async with hand_made(path, states.busy()) as daemon:
        daemon.requests = [states.request(1)]
        assert colours(await written(path, NO_COLOR="1")) == set()
        assert colours(await written(path)) != set()


async def test_without_colour_spent_reserved_and_free_differ(path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with hand_made(path, states.busy()):
        app = BudgetTop(path)
        async with app.run_test(size=(120, 34)) as pilot:
            for _ in range(100):
                await pilot.pause(0.02)
                if app.view.snapshot:
                    break
            await pilot.pause()
            lines = [strip.text for strip in app.screen._compositor.render_strips(app.size)]
            monthly = next(line for line in lines if "monthly" in line)
            assert re.search(r"█+.?▒+·+┃·+", monthly)


@pytest.mark.parametrize("name", THEMES)
async def test_every_theme_shows_everything(path, name):
    async with hand_made(path, states.tight()):
        app = BudgetTop(path, name)
        async with app.run_test(size=(120, 34)) as pilot:
            await pilot.press("t", "t", "t", "t")
            assert app.theme == name


def test_the_command_knows_the_themes_without_loading_them():
    assert set(THEME_NAMES) == set(THEMES)
