"""The dashboard on a real terminal, ended from outside: by a signal, and by the terminal going away."""

import signal
import socket
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import pytest

from support.stream import PATIENCE
from support.terminal import Terminal

BUDGETTOP = [sys.executable, "-c", "from budgettop.cli import main; main()"]
ALTERNATE_SCREEN, MOUSE, CURSOR = b"\x1b[?1049", b"\x1b[?1003", b"\x1b[?25"
ON_SCREEN = b"budgettop"
ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start the dashboard on a terminal of its own."""
    terminals: list[Terminal] = []
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "s"))
    silent.listen()

    def begin(*arguments: str, **options: bool) -> Terminal:
        arguments = arguments or ("--socket", str(tmp_path / "s"))
        home, temporary = tmp_path / "home", tmp_path / "tmp"
        temporary.mkdir()
        terminal = Terminal(*BUDGETTOP, *arguments, BUDGETD_HOME=str(home), TMPDIR=str(temporary), **options)
        terminals.append(terminal)
        return terminal

    yield begin
    silent.close()
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_restores_the_terminal(start: Start, number: signal.Signals) -> None:
    terminal = start()
    terminal.until_drawn(ON_SCREEN)
    assert not terminal.is_restored()
    terminal.process.send_signal(number)
    assert terminal.until_ended() == 128 + number
    assert terminal.is_restored()
    for mode, at_rest in ((ALTERNATE_SCREEN, b"l"), (MOUSE, b"l"), (CURSOR, b"h")):
        last = terminal.drawn.rindex(mode) + len(mode)
        assert terminal.drawn[last : last + 1] == at_rest, mode


def test_a_signal_ends_it_when_the_terminal_takes_no_output(start: Start) -> None:
    terminal = start()
    terminal.until_drawn(ALTERNATE_SCREEN)  # what follows is more than a terminal's buffer takes
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(PATIENCE) == 128 + signal.SIGTERM


@pytest.mark.parametrize("controls", [True, False], ids=["with a signal", "without a signal"])
@pytest.mark.parametrize("keys", ["", "q"], ids=["while it shows", "right after q"])
def test_it_ends_when_the_terminal_goes_away(start: Start, controls: bool, keys: str) -> None:
    terminal = start(controls=controls)
    terminal.until_drawn(ON_SCREEN)
    terminal.press(keys)
    terminal.hang_up()
    assert terminal.process.wait(PATIENCE) in {0, 128 + signal.SIGHUP}


@pytest.mark.parametrize("controls", [True, False], ids=["with a signal", "without a signal"])
@pytest.mark.parametrize("keys", ["", "q"], ids=["while it shows", "right after q"])
def test_the_demo_leaves_no_process_when_the_terminal_goes_away(
    start: Start, tmp_path: Path, controls: bool, keys: str
) -> None:
    terminal = start("--demo", controls=controls)
    terminal.until_drawn(b"demo")
    children = psutil.Process(terminal.process.pid).children(recursive=True)
    assert len(children) == 2, "the stage and its daemon"
    terminal.press(keys)
    terminal.hang_up()
    terminal.process.wait(PATIENCE)
    psutil.wait_procs(children, PATIENCE)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "tmp").iterdir())
