"""Commands that run the daemon: serve, start, stop."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

import click

from budgetd.cli.loop_errors import report_loop_errors
from budgetd.config import load_config
from budgetd.errors import BudgetdError, ConfigError, StartError
from budgetd.ledger.lock import holder
from budgetwire.client import Client
from budgetwire.errors import Unreachable
from budgetwire.messages import Welcome
from budgetwire.places import find_places

START_SECONDS = 60.0
"""A ledger of an older version takes some seconds for each million of its rows."""
STOP_SECONDS = 45.0


@click.command()
@click.option("--log-file", type=click.Path(path_type=Path), help="Write the log there, not to the terminal.")
def serve(log_file: Path | None) -> None:
    """Run in the foreground until interrupted."""
    _log_to(log_file)
    places = find_places()
    from budgetd.daemon import Daemon

    async def run() -> None:
        daemon = Daemon(places)
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        report_loop_errors(loop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, told.set)
        try:
            await daemon.start()
            await told.wait()
        finally:
            await daemon.stop()

    with _runner() as runner:
        runner.run(run())


@click.command()
def start() -> None:
    """Run in the background; returns once it answers."""
    places = find_places()
    if welcome := _answering(places.socket):
        click.echo(f"budgetd is running already (process {welcome.pid}, http://{welcome.listen}).")
        return
    with tempfile.TemporaryFile() as complaints:
        command = [sys.executable, "-m", "budgetd.cli", "serve", "--log-file", str(places.log)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if welcome := _answering(places.socket):
                click.echo(f"budgetd runs on http://{welcome.listen} (process {welcome.pid}).")
                return
            time.sleep(0.05)
        if process.poll() is None:
            process.terminate()
            raise StartError(f"it did not answer within {START_SECONDS:.0f} s; see {places.log}.")
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace").strip().removeprefix("budgetd: ")
        raise StartError(said.splitlines()[-1] if said else f"it ended at once; see {places.log}.")


@click.command()
def stop() -> None:
    """Stop the daemon; requests in flight may end first."""
    welcome = asyncio.run(_greet(find_places().socket))
    ledger_path = _ledger_path()
    with contextlib.suppress(ProcessLookupError):
        os.kill(welcome.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    # The lock tells, not the process: a dead one whose parent sleeps still has its number.
    while holder(ledger_path) is not None:
        if time.monotonic() > deadline:
            raise BudgetdError(f"process {welcome.pid} is still there after {STOP_SECONDS:.0f} s.")
        time.sleep(0.02)
    click.echo("budgetd stopped.")


async def _greet(socket: Path) -> Welcome:
    """What the running daemon says of itself. Raises WireError."""
    client = await Client.connect(socket, "budgetd")
    await client.close()
    return client.welcome


def _answering(socket: Path) -> Welcome | None:
    """The same, if one runs."""
    try:
        return asyncio.run(_greet(socket))
    except Unreachable:
        return None


def _ledger_path() -> Path:
    """Where the running daemon's ledger is; a configuration that was spoilt since does not matter."""
    places = find_places()
    try:
        return load_config(places.config).ledger_path or places.ledger
    except ConfigError:
        return places.ledger


def _log_to(path: Path | None) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handler = RotatingFileHandler(path, maxBytes=4 << 20, backupCount=2, encoding="utf-8")
        except OSError as error:
            raise StartError(f"{path}: the log cannot be written: {error.strerror}.") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.raiseExceptions = False  # a full disk would otherwise print a traceback for every line
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _runner() -> asyncio.Runner:
    """uvloop where there is one: about a tenth faster (FACTS 14)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
