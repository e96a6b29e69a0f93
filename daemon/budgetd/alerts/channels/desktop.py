"""Notifications on the desktop, with buttons that do what the dashboard does."""

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec

from budgetd.alerts import payload
from budgetd.alerts.channels.channel import Channel, Delivered, Message, Retry, Verdict
from budgetd.alerts.channels.make import Make
from budgetd.alerts.channels.screen import Button, Note, Screen, ScreenError
from budgetd.alerts.settings import ChannelSection

Verb = Literal["approve", "grant", "refuse", "acknowledge", "snooze"]

TITLES: dict[Verb, str] = {
    "approve": "Allow once",
    "grant": "Allow $5 more",
    "refuse": "Refuse",
    "acknowledge": "Acknowledge",
    "snooze": "Snooze 1 h",
}

MOST_TEXT = 300
"""Characters of a line: a model's or a project's name comes from a client, and may be long."""


class Press(msgspec.Struct, frozen=True):
    """A button was pressed."""

    verb: Verb
    alert_id: int
    request_id: int | None
    """The held request that the notification was about. The alert may be about another by now."""


Act = Callable[[Press], None]


class Desktop:
    """A `Channel`."""

    def __init__(self, screen: Screen, act: Act, timeout_seconds: float) -> None:
        """
        Args:
            screen: where it shows.
            act: told which button was pressed, on the event loop's thread; raises nothing.
            timeout_seconds: for an attempt as a whole.
        """
        self._screen = screen
        self._act = act
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """See `Channel`."""
        return "this desktop"

    async def deliver(self, message: Message, now: float) -> Verdict:  # noqa: ARG002 - it does not tell the time
        """See `Channel`. Word that an alert is over takes its notification away."""
        document = payload.read(message.body)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if document.event == "resolved":
                    await self._screen.remove(document.alert.id)
                    return Delivered("taken away")
                await self._screen.show(self._note(document), _waiting(document.alert))
        except ScreenError as error:
            return Retry(str(error))
        except TimeoutError:
            return Retry(f"the desktop did not answer within {self._timeout_seconds:g} s")
        return Delivered("shown")

    def _note(self, document: payload.Document) -> Note:
        alert = document.alert
        return Note(
            title=_bounded(document.title),
            text="\n".join(_bounded(line) for line in (alert.message, alert.advice) if line),
            text_without_buttons="\n".join(map(_bounded, document.text.splitlines())),
            severity=alert.severity,
            buttons=tuple(self._button(verb, alert) for verb in _verbs(alert)),
        )

    def _button(self, verb: Verb, alert: payload.AlertPart) -> Button:
        press = Press(verb, alert.id, alert.request_id)
        return Button(TITLES[verb], lambda: self._act(press))


def maker(screen: Screen, act: Act) -> Make:
    """What makes the desktop channel of a section."""

    def make(section: ChannelSection) -> Channel:
        return Desktop(screen, act, section.timeout_seconds)

    return make


def _waiting(alert: payload.AlertPart) -> int | None:
    """The alert's id, if it waits for a person."""
    return alert.id if alert.acknowledge else None


def _verbs(alert: payload.AlertPart) -> list[Verb]:
    """What can be done about it. Those of a held request come first: some desktops show three buttons."""
    if not alert.acknowledge:
        return []
    deciding: list[Verb] = ["approve", "grant", "refuse"]
    is_held = alert.rule == "held" and alert.request_id is not None
    return [*(deciding if is_held else []), "acknowledge", "snooze"]


def _bounded(line: str) -> str:
    """It on one line, without control characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in line).split())
    return line if len(line) <= MOST_TEXT else f"{line[: MOST_TEXT - 1]}…"
