"""The control socket: who may come in, how many, and telling all of them that something changed.

`doorway` is the socket in the file system, `connection` one client, `needs` what the daemon's wiring brings.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from budgetd.control.connection import Connection
from budgetd.control.doorway import Doorway
from budgetd.control.errors import AlreadyRunning, CommandError, ControlError
from budgetd.control.needs import Handle, Part, Peer, Views
from budgetwire.messages import Error, Welcome
from budgetwire.peer import Credentials, peer_of

__all__ = [
    "AlreadyRunning",
    "CommandError",
    "ControlError",
    "ControlServer",
    "Handle",
    "Part",
    "Peer",
    "Views",
]

MAX_CONNECTIONS = 64
"""More clients than this at once are turned away."""
LOOK_SECONDS = 0.5
"""How often the server looks whether its socket is still there."""
STOP_SECONDS = 5.0
"""How long a call that is being done may go on when the server stops."""

log = logging.getLogger(__name__)


class ControlServer:
    """Serves the state and the calls of one daemon to the dashboards and commands of its user.

    Args:
        path: the socket, in a folder of its own, which is made (mode 0700) if it is not there.
        welcome: what the daemon says of itself.
        views: the state, asked for part by part.
        handle: does the calls. Those of one connection begin in their order; one that waits does not hold up
            the next.
        clock: UTC epoch seconds, for the times of snapshots and updates.
    """

    def __init__(
        self,
        path: Path,
        welcome: Welcome,
        views: Views,
        handle: Handle,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._welcome = welcome
        self._views = views
        self._handle = handle
        self._clock = clock
        self._doorway: Doorway | None = None
        self._server: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._served = 0
        """Those that were not turned away."""

    async def start(self) -> None:
        """Open the socket and serve. Raises AlreadyRunning, or ControlError with what stands in the way."""
        await self._open()
        self._watch = asyncio.create_task(self._keep_open(), name="control: socket")

    def changed(self, *parts: Part) -> None:
        """Say that these parts of the state changed; cheap, and to be called as often as it happens."""
        for connection in self._connections.values():
            connection.changed(parts)

    async def stop(self) -> None:
        """Close every connection, remove the socket, and free its name for another daemon.

        Calls that are being done have a few seconds to end.
        """
        self._stopping.set()
        if self._watch:
            await self._watch
        if self._server:
            self._server.close()
        if tasks := list(self._connections):
            farewell = Error(code="failed", message="budgetd was stopped.")
            await asyncio.gather(*(each.dismiss(farewell) for each in self._connections.values()))
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._close_socket()

    async def _open(self) -> None:
        self._doorway = Doorway(self._path)
        self._server = await asyncio.start_unix_server(self._come_in, sock=self._doorway.socket)

    async def _keep_open(self) -> None:
        """Make the socket again where it was removed. Connections that stand go on."""
        problem = ""
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            if self._stopping.is_set() or (self._doorway and self._doorway.is_there()):
                continue
            # Closed first: it removes its socket by name, which will be that of the new one.
            self._close_socket()
            try:
                await self._open()
            except (ControlError, OSError) as error:
                if str(error) != problem:
                    log.error("the control socket was removed and cannot be made again: %s", error)  # noqa: TRY400
                problem = str(error)
            else:
                log.warning("the control socket was removed; it is there again: %s", self._path)
                problem = ""

    def _close_socket(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        if self._doorway:
            self._doorway.close()
            self._doorway = None

    def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_of(writer)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection(
            reader,
            writer,
            peer,
            welcome=self._welcome,
            views=self._views,
            handle=self._handle,
            clock=self._clock,
        )
        task = asyncio.create_task(self._serve(connection, peer), name="control: connection")
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)

    async def _serve(self, connection: Connection, peer: Credentials) -> None:
        if peer.uid != os.getuid():
            await connection.turn_away(Error(code="failed", message="This budgetd belongs to another user."))
        elif self._served >= MAX_CONNECTIONS:
            message = f"budgetd has {MAX_CONNECTIONS} connections already; close one."
            await connection.turn_away(Error(code="failed", message=message))
        else:
            self._served += 1
            try:
                await connection.run()
            finally:
                self._served -= 1
