"""What is pressed on a notification, done like any other call: with its mark in the audit."""

import asyncio
import logging
import os

from budgetd.accounts import Accounts
from budgetd.alerts.channels.desktop import Press
from budgetd.control.errors import CommandError
from budgetd.control.needs import Handle, Peer
from budgetwire.messages import Acknowledge, Approve, Call, Grant, Refuse, Snooze

log = logging.getLogger(__name__)

SNOOZE_SECONDS = 3600.0

GRANT_CENTS = 500


class Presses:
    """The buttons of the desktop. The audit calls them ``desktop``."""

    def __init__(self, accounts: Accounts, handle: Handle) -> None:
        """``handle`` does a call."""
        self._accounts = accounts
        self._handle = handle
        self._doing: set[asyncio.Task[None]] = set()

    def press(self, press: Press) -> None:
        """Do what the button says, soon. Raises nothing."""
        task = asyncio.create_task(self._do(press), name="button pressed")
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _do(self, press: Press) -> None:
        try:
            await self._handle(self._call(press), Peer(os.getpid(), os.getuid(), "desktop"))
        except CommandError as error:
            log.warning("%s, pressed on the desktop: %s", press.verb, error)

    def _call(self, press: Press) -> Call:
        """The call that a client would send. Raises CommandError."""
        match press.verb:
            case "acknowledge":
                return Acknowledge(id=0, alert_ids=[press.alert_id])
            case "snooze":
                until = self._accounts.clock() + SNOOZE_SECONDS
                return Snooze(id=0, alert_ids=[press.alert_id], until=until)
            case "grant":
                alert = self._accounts.desk.board.get(press.alert_id)
                if alert is None:
                    raise CommandError("not_found", f"Alert {press.alert_id} is no more.")
                return Grant(id=0, limit=alert.limit, subject=alert.subject, cents=GRANT_CENTS)
            case "approve":
                return Approve(id=0, request_id=_held(press))
            case "refuse":
                return Refuse(id=0, request_id=_held(press))


def _held(press: Press) -> int:
    assert press.request_id is not None  # only what is about one has these buttons
    return press.request_id
