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
import msgspec

from budgetd.cli.call import snapshot
from budgetd.cli.loop_errors import report_loop_errors
from budgetd.cli.reach import find_drain_seconds, find_ledger
from budgetd.errors import BudgetdError, StartError
from budgetd.ledger.lock import holder
from budgetd.log_format import LineFormatter
from budgetwire.client import Client
from budgetwire.errors import NoSocket, Unreachable, WireError
from budgetwire.messages import QueryChannels, QueryChannelsReply, Snapshot, Welcome
from budgetwire.places import find_places

START_SECONDS = 60.0
"""A ledger of an older version takes some seconds for each million of its rows."""
SOCKET_SECONDS = 10.0
"""How long `start` waits for a daemon that runs but has no socket."""
STOP_SECONDS = 40.0
"""How long `stop` waits beyond `drain_seconds`."""

STOP_EXAMPLES = """
\b
Examples:
  budgetd stop         requests that run may end first
  budgetd stop --now   they are cut, and what they have cost so far is counted
"""


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

        def tell() -> None:
            if told.is_set():
                daemon.cut()
            told.set()

        loop = asyncio.get_running_loop()
        report_loop_errors(loop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, tell)
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
    if welcome := _running(places.socket):
        click.echo(f"budgetd is running already (process {welcome.pid}, http://{welcome.listen}).")
        return
    is_first = not find_ledger().exists()
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
                if is_first and asyncio.run(_shows_notifications(places.socket)):
                    click.echo(
                        "Alerts are shown on this desktop; [alerts] desktop = false in config.toml turns"
                        " that off."
                    )
                return
            time.sleep(0.05)
        if process.poll() is None:
            process.terminate()
            raise StartError(f"it did not answer within {START_SECONDS:.0f} s; see {places.log}.")
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace").strip().removeprefix("budgetd: ")
        raise StartError(said.splitlines()[-1] if said else f"it ended at once; see {places.log}.")


@click.command(epilog=STOP_EXAMPLES)
@click.option("--now", is_flag=True, help="Cut requests that still run, also where an earlier stop waits.")
def stop(now: bool) -> None:
    """Stop the daemon. Requests that run may end first, for drain_seconds of config.toml."""
    ledger_path = find_ledger()
    pid, state = _whom_to_stop(ledger_path)
    running = sum(each.phase != "held" for each in state.in_flight) if state else 0
    until = state.daemon.stopping_until if state else None
    seconds = float(find_drain_seconds()) if until is None else max(0.0, until - time.time())
    with contextlib.suppress(ProcessLookupError):
        if until is None or now:
            os.kill(pid, signal.SIGTERM)
        if now:
            os.kill(pid, signal.SIGINT)  # another signal, for two of a kind may become one
    if running and not now:
        what = "1 request is" if running == 1 else f"{running} requests are"
        click.echo(
            f"{what} still running; waiting up to {seconds:.0f} s (`budgetd stop --now` cuts"
            f" {'it' if running == 1 else 'them'})."
        )
    patience = STOP_SECONDS + (0.0 if now else seconds)
    deadline = time.monotonic() + patience
    # The lock tells, not the process: a dead one whose parent sleeps still has its number.
    while holder(ledger_path) is not None:
        if time.monotonic() > deadline:
            raise BudgetdError(
                f"process {pid} is still there after {patience:.0f} s."
                + ("" if now else " `budgetd stop --now` cuts requests that still run.")
            )
        time.sleep(0.02)
    click.echo("budgetd stopped.")


def _running(socket: Path) -> Welcome | None:
    """What the running daemon says of itself; None if none runs. One that has no socket is just starting or
    stopping, or makes its socket again, and is waited for. Raises StartError where that does not help.
    """
    with contextlib.suppress(NoSocket):
        client, state = snapshot()
        if state.daemon.stopping_until is None:
            return client.welcome
        raise StartError(
            f"budgetd (process {client.welcome.pid}) is stopping and waits for requests that still run."
            " `budgetd stop` waits for it, `budgetd stop --now` cuts them; then start it again."
        )
    deadline = time.monotonic() + SOCKET_SECONDS
    while (pid := holder(find_ledger())) is not None:
        if welcome := _answering(socket):
            return welcome
        if time.monotonic() > deadline:
            which = f" (process {pid})" if pid else ""
            raise StartError(
                f"it is running already{which}, but there is no socket at {socket}, and it has made none for"
                f" {SOCKET_SECONDS:.0f} s; see {find_places().log}. `budgetd stop` stops it all the same."
            )
        time.sleep(0.05)
    return None


async def _shows_notifications(socket: Path) -> bool:
    """Whether the running daemon does without having been told to."""
    client = await Client.connect(socket, "budgetd")
    reply = msgspec.convert(await client.call(lambda id: QueryChannels(id=id)), QueryChannelsReply)
    await client.close()
    return any(channel.by_default and not channel.disabled_reason for channel in reply.channels)


def _answering(socket: Path) -> Welcome | None:
    """What a daemon says of itself, if one answers by now."""

    async def greet() -> Welcome:
        client = await Client.connect(socket, "budgetd")
        await client.close()
        return client.welcome

    try:
        return asyncio.run(greet())
    except Unreachable:
        return None


def _whom_to_stop(ledger_path: Path) -> tuple[int, Snapshot | None]:
    """The daemon's process and, if it can be asked, its state. Raises WireError where none runs."""
    try:
        client, state = snapshot()
    except WireError:
        pid = holder(ledger_path)
        if pid is None:
            raise
        if not pid:
            raise BudgetdError(
                f"a budgetd uses {ledger_path}, but its process cannot be told: it may be in a container."
                " Stop it where it was started."
            ) from None
        return pid, None
    return client.welcome.pid, state


def _log_to(path: Path | None) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handler = RotatingFileHandler(path, maxBytes=4 << 20, backupCount=2, encoding="utf-8")
        except OSError as error:
            raise StartError(f"{path}: the log cannot be written: {error.strerror}.") from None
    handler.setFormatter(LineFormatter())
    logging.raiseExceptions = False  # a full disk would otherwise print a traceback for every line
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _runner() -> asyncio.Runner:
    """uvloop where there is one: about a tenth faster (FACTS 14)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
