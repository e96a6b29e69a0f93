"""The desktop that the daemon's user looks at: shows notifications there, and takes them away.

It keeps to what the package desktop-notifier is known to do: it never says that it failed, so only its word
that a notification was dispatched counts; it never comes back from a bus that has gone, so it is made anew.
"""

import asyncio
import contextlib
import html
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from budgetd.alerts.settings import Severity
from budgetd.errors import BudgetdError

if TYPE_CHECKING:  # its import takes 60 ms, and most daemons show nothing
    from desktop_notifier.backends.base import DesktopNotifierBackend

BUS = "DBUS_SESSION_BUS_ADDRESS"

URGENCIES = {"info": "low", "warning": "normal", "critical": "critical"}
"""What the package calls the severities."""

CLOSE_SECONDS = 2.0
"""How long the desktop may take to remove a notification."""


class ScreenError(BudgetdError):
    """Nothing can be shown now; why, for a person."""


class Button(msgspec.Struct, frozen=True):
    """What it says, and what is done when it is pressed."""

    title: str
    pressed: Callable[[], None]


class Note(msgspec.Struct, frozen=True):
    """What is shown. Plain text: whatever looks like markup is shown as it is."""

    title: str
    text: str
    text_without_buttons: str
    """Where the desktop has no buttons."""
    severity: Severity
    buttons: tuple[Button, ...]


class Screen:
    """One for all channels of a daemon. It belongs to the event loop's thread."""

    def __init__(self) -> None:
        """Nothing is opened until the first `show`."""
        self._backend: DesktopNotifierBackend | None = None
        self._markup = False
        self._turn = asyncio.Lock()
        self._shown: dict[int, str] = {}
        """What the notification of an alert is called, by the alert's id."""
        self._closing: set[asyncio.Task[None]] = set()

    async def show(self, note: Note, alert_id: int | None) -> None:
        """Show it, in the place of the one about the same alert, if that is still there. None is about no
        alert that waits for a person. Raises ScreenError.
        """
        async with self._turn:
            was_open = self._backend is not None
            if not (was_open and await self._send(note, alert_id)):
                # What was open may belong to a bus that has gone: only a new one tells.
                await self._open()
                if not await self._send(note, alert_id):
                    raise ScreenError("the desktop did not take the notification")

    async def remove(self, alert_id: int) -> None:
        """Take the notification about an alert away, if there is one."""
        identifier = self._shown.pop(alert_id, None)
        if identifier is not None:
            await self._clear(identifier)

    def keep(self, alert_ids: Collection[int]) -> None:
        """Take away the notifications about all alerts but these: nobody has to see to them any more."""
        for alert_id in self._shown.keys() - set(alert_ids):
            task = asyncio.create_task(self.remove(alert_id), name="close notification")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def close(self) -> None:
        """Let go of the desktop. What is shown stays; its buttons do nothing any more."""
        bus = getattr(self._backend, "bus", None)
        if bus is not None:
            bus.disconnect()
        self._backend = None
        self._shown.clear()

    async def _open(self) -> None:
        """Come to know the desktop as it is now. Raises ScreenError."""
        self.close()
        _find_bus()
        await asyncio.to_thread(_load)
        from desktop_notifier.main import Capability, get_backend_class

        backend = self._backend = get_backend_class()("budgettop", None)
        opened = False
        try:
            capabilities = await backend.get_capabilities()
            self._markup = await _knows_markup(backend)
            await backend.request_authorisation()
            opened = Capability.ON_DISPATCHED in capabilities
        except Exception as error:  # noqa: BLE001 - every system has its own
            raise ScreenError(_why(error)) from None
        finally:
            if not opened:
                self.close()
        if not opened:
            raise ScreenError("this system shows no notifications of a program like budgetd")

    async def _send(self, note: Note, alert_id: int | None) -> bool:
        """Whether it was dispatched. What was not leaves nothing open."""
        from desktop_notifier import Button as Pressable
        from desktop_notifier import Capability, Notification, Urgency

        backend = self._backend
        assert backend is not None
        has_buttons = Capability.BUTTONS in await backend.get_capabilities()
        text = note.text if has_buttons else note.text_without_buttons
        dispatched: list[bool] = []
        notification = Notification(
            note.title,
            html.escape(text, quote=False) if self._markup else text,
            urgency=Urgency(URGENCIES[note.severity]),
            buttons=tuple(Pressable(each.title, each.pressed) for each in note.buttons),
            on_dispatched=lambda: dispatched.append(True),
        )
        try:
            await backend.send(notification)
        finally:
            if not dispatched:
                self.close()
        if dispatched and alert_id is not None:
            before = self._shown.get(alert_id)
            self._shown[alert_id] = notification.identifier
            if before is not None:  # the package cannot replace one
                await self._clear(before)
        return bool(dispatched)

    async def _clear(self, identifier: str) -> None:
        """Take a notification away, if it is still there."""
        if self._backend is None:
            return
        # Gone with its desktop, or because a person closed it: either way nothing is left to do.
        with contextlib.suppress(KeyError, TimeoutError, OSError, EOFError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._backend.clear(identifier)


def has_desktop() -> bool:
    """Whether there is a session of this user that may show notifications."""
    return sys.platform == "darwin" or bool(os.environ.get(BUS)) or _usual_bus().exists()


def _usual_bus() -> Path:
    """Where the session's bus is unless the environment says otherwise."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", "bus")


def _find_bus() -> None:
    """See that the package finds the session's bus, also where budgetd was started outside the session.
    Raises ScreenError.
    """
    if sys.platform != "linux" or os.environ.get(BUS):
        return
    bus = _usual_bus()
    if not bus.exists():
        raise ScreenError(f"no session bus: ${BUS} is not set, and there is no {bus}")
    os.environ[BUS] = f"unix:path={quote(str(bus))}"


def _load() -> None:
    """Import the package, in a thread so that no request waits for it. Its log is full of tracebacks: what
    there is to say, the outbox says.
    """
    for name in ("desktop_notifier", "dbus_fast"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    importlib.import_module("desktop_notifier.main")


async def _knows_markup(backend: "DesktopNotifierBackend") -> bool:
    """Whether the desktop reads markup in texts. The package does not tell: only D-Bus has an interface."""
    interface = getattr(backend, "interface", None)
    return interface is not None and "body-markup" in await interface.call_get_capabilities()


def _why(error: Exception) -> str:
    """Why a desktop cannot be had."""
    if isinstance(error, OSError | EOFError):
        reason = error.strerror if isinstance(error, OSError) else None
        return f"the session bus cannot be reached: {(reason or 'it hung up').lower()}"
    if type(error).__name__ == "DBusError":
        return "no notification service is on the session bus"
    return f"the desktop cannot be reached ({type(error).__name__})"
