"""`make screenshots`: pictures of the running program, for the README and for a look.

The demo's provider, agents and daemon run for real; the dashboard is drawn headless at each size. Takes some
three minutes, since the spending in the pictures has to happen first.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from budgettop.app import BudgetTop
from budgettop.demo.run import find_budgetd
from budgetwire.places import find_places

OUT = Path(__file__).resolve().parent.parent / "screenshots"
WARM_UP = float(os.environ.get("WARM_UP", "150"))
"""Seconds of the demo before the first picture: by then thresholds have been passed."""


async def main() -> None:
    """Take all pictures."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bt") as home:
        await _empty(home)
    with tempfile.TemporaryDirectory(prefix="bt") as home:
        await _busy(home)


async def _empty(home: str) -> None:
    """A daemon that nobody has used yet."""
    (Path(home) / "config.toml").write_text('[proxy]\nlisten = "127.0.0.1:0"\n')
    budgetd = find_budgetd()
    assert budgetd is not None
    settings = {**os.environ, "BUDGETD_HOME": home}
    subprocess.run([budgetd, "start"], env=settings, check=True, stdout=subprocess.DEVNULL)
    try:
        async with _app(home).run_test(size=(120, 34)) as pilot:
            await asyncio.sleep(1.5)
            _save(pilot.app, "empty")
    finally:
        subprocess.run([budgetd, "stop"], env=settings, check=True, stdout=subprocess.DEVNULL)


async def _busy(home: str) -> None:
    """The demo, in full swing."""
    stage = subprocess.Popen(
        [sys.executable, "-m", "budgettop.demo.stage", home, str(find_budgetd())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert stage.stdout is not None
    assert stage.stdin is not None
    try:
        await asyncio.to_thread(stage.stdout.readline)
        await asyncio.sleep(WARM_UP)
        for name, size in (
            ("overview", (120, 34)),
            ("overview-80x24", (80, 24)),
            ("overview-160x45", (160, 45)),
        ):
            async with _app(home).run_test(size=size) as pilot:
                await asyncio.sleep(2.5)
                _save(pilot.app, name)
        async with _app(home).run_test(size=(120, 34)) as pilot:
            await asyncio.sleep(1.5)
            for name, keys in (
                ("edit", ["e"]),
                ("requests", ["escape", "2"]),
                ("limits", ["4"]),
                ("alerts", ["5"]),
                ("help", ["1", "question_mark"]),
            ):
                await pilot.press(*keys)
                await asyncio.sleep(1.5)
                _save(pilot.app, name)
    finally:
        stage.stdin.close()
        stage.wait(20)


def _app(home: str) -> BudgetTop:
    return BudgetTop(socket=find_places({"BUDGETD_HOME": home}).socket)


def _save(app: BudgetTop, name: str) -> None:
    """Write a picture that loads nothing from anywhere: the font is whatever monospace there is."""
    picture = re.sub(r"@font-face\s*{[^}]*}", "", app.export_screenshot(title="budgettop"))
    picture = picture.replace("Fira Code, monospace", "ui-monospace, Menlo, DejaVu Sans Mono, monospace")
    (OUT / f"{name}.svg").write_text(picture, encoding="utf-8")
    print(f"screenshots/{name}.svg")


if __name__ == "__main__":
    asyncio.run(main())
