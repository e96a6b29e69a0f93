"""The command `budgettop`: find the daemon, start one where none runs, then show the dashboard.

Textual is imported as late as can be, so that ``--help`` and errors are quick.
"""

import shutil
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  budgettop                    watch, and start budgetd if it is not running
  budgettop --demo             try it on a built-in fake provider: no key, no cost
  budgettop --no-start         only watch; exit with 3 if there is no daemon
  budgettop --theme day        on a light ground
  NO_COLOR=1 budgettop         without any colour

Themes: night (the default), day, contrast (safe for colour-blind eyes), terminal (its own 16 colours).

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 daemon not reachable.
"""
THEME_NAMES = ("night", "day", "contrast", "terminal")


@click.command(
    epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--demo", is_flag=True, help="Run a private daemon, a fake provider and simulated agents.")
@click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path),
    help="Watch the daemon at this socket; none is started for it.",
)
@click.option("--no-start", is_flag=True, help="Do not start budgetd if it is not running.")
@click.option("--theme", type=click.Choice(THEME_NAMES), help="Colours to use; NO_COLOR turns them off.")
@click.version_option(version("budgettop"), prog_name="budgettop")
def main(*, demo: bool, socket_path: Path | None, no_start: bool, theme: str | None) -> None:
    """Watch and steer what your LLM API requests cost."""
    if sys.platform == "win32":
        raise click.ClickException(
            "budgettop needs Unix sockets as on Linux and macOS; on Windows, run it in WSL."
        )
    if not _on_a_terminal():
        raise click.ClickException(
            "budgettop draws on a terminal; for scripts there is: budgetd status --json"
        )
    if demo:
        from budgettop.demo import run_demo

        sys.exit(run_demo(theme))
    sys.exit(_watch(socket_path, theme, no_start=no_start))


def _watch(socket_path: Path | None, theme: str | None, *, no_start: bool) -> int:
    from budgetwire.places import find_places

    path = socket_path or find_places().socket
    daemon = None
    if not _answers(path):
        if no_start or socket_path:
            click.echo(f"budgettop: no daemon answers at {path}. Start it with: budgetd start", err=True)
            return 3
        daemon = _start()
        if daemon is None:
            click.echo(
                "budgettop: budgetd is not running, and there is no budgetd command to start.", err=True
            )
            return 1
    # While the daemon comes up, the screen is loaded.
    from budgettop.app import BudgetTop
    from budgettop.ending import run

    if daemon is not None:
        _, said = daemon.communicate()
        if daemon.returncode:
            click.echo(said.strip() or f"budgettop: budgetd start failed with {daemon.returncode}.", err=True)
            return 1
    return run(BudgetTop(path, theme))


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _start() -> subprocess.Popen[str] | None:
    """Start the budgetd of this installation, else one on the PATH; it returns once its socket answers."""
    beside = Path(sys.executable).with_name("budgetd")
    command = str(beside) if beside.exists() else shutil.which("budgetd")
    if command is None:
        return None
    return subprocess.Popen([command, "start"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
