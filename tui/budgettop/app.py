"""The app: its keys, its themes, and the one worker that owns the link to the daemon."""

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from budgettop import text
from budgettop.commands import commands
from budgettop.news import News, keys, urgent, used
from budgettop.screens.alerts import Alerts
from budgettop.screens.help import Help
from budgettop.screens.limits import Limits
from budgettop.screens.overview import Overview
from budgettop.screens.requests import Requests
from budgettop.screens.room import MIN_HEIGHT, MIN_WIDTH, Room
from budgettop.themes import DEFAULT, TERMINAL, THEMES
from budgettop.view import View
from budgettop.widgets.amount_editor import AmountEditor
from budgetwire.client import Connected, Link, Lost, State
from budgetwire.errors import CallError, Unreachable, VersionMismatch
from budgetwire.messages import (
    Acknowledge,
    Call,
    Pause,
    QueryChannels,
    QueryChannelsReply,
    QueryRequests,
    Resume,
    Snapshot,
    UndoLimit,
)

REPAINT_SECONDS = 0.25
"""Between repaints while nothing urgent happens; what is urgent is shown at once."""
NEWS_TOAST_SECONDS = 8
AGREE_SECONDS = 10.0
"""For so long a second press means yes."""


class BudgetTop(App[None]):
    """The dashboard on a daemon's socket."""

    TITLE = "budgettop"
    # All of it at once: a screen that brought its own would have everything parsed again.
    CSS_PATH = [  # noqa: RUF012 - as Textual declares it
        "app.tcss",
        "screens/overview.tcss",
        "screens/requests.tcss",
        "screens/limits.tcss",
        "screens/alerts.tcss",
        "screens/help.tcss",
    ]
    MODES: ClassVar[dict[str, Any]] = {
        "overview": Overview,
        "requests": Requests,
        "limits": Limits,
        "alerts": Alerts,
    }
    DEFAULT_MODE = "overview"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-cramped"),
        (MIN_WIDTH, "-narrow"),
        (100, "-normal"),
        (150, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-flat"),
        (MIN_HEIGHT, "-low"),
        (22, "-short"),
        (30, "-tall"),
        (42, "-high"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "switch_mode('overview')", "overview", id="overview"),
        Binding("2", "switch_mode('requests')", "requests", id="requests"),
        Binding("4", "switch_mode('limits')", "limits", id="limits"),
        Binding("5", "switch_mode('alerts')", "alerts", id="alerts"),
        Binding("h", "show_held", "held", id="held"),
        Binding("space", "pause", "pause", id="pause"),
        Binding("space", "resume", "resume", id="resume"),
        Binding("t", "next_theme", "theme", id="theme", show=False),
        Binding("question_mark", "help", "help", id="help", key_display="?"),
        Binding("ctrl+p", "command_palette", "commands", id="commands", key_display="^p"),
        Binding("q", "quit", "quit", id="quit"),
    ]

    def __init__(self, socket: Path, theme: str | None = None, demo: bool = False) -> None:
        """Args:
        socket: where the daemon listens.
        theme: the name of one of `themes.THEMES`; None picks the default.
        demo: say in the header that nothing here is real.
        """
        # Textual turns its colours into greys under NO_COLOR; the terminal's own colours can be left out.
        colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if colourless else None)
        for own in THEMES.values():
            self.register_theme(own)
        self.theme = TERMINAL if colourless else theme or DEFAULT
        self.link = Link(socket, "budgettop")
        self.demo = demo
        self.view = View(now=text.wall_clock())
        self._newest: Snapshot | None = None
        self._raise_until = 0.0
        """Until when a second undo may raise a cap."""
        self._news = News()
        self._second = 0

    def on_mount(self) -> None:
        """Start where the keys are of use."""
        self.follow()
        self.set_interval(REPAINT_SECONDS, self.tick)

    @work(exclusive=True, group="link")
    async def follow(self) -> None:
        """Own the link for as long as the app runs: what comes in becomes the view."""
        try:
            async for event in self.link.events():
                match event:
                    case Connected(welcome):
                        unused = await self._is_unused()
                        self._set(
                            listen=welcome.listen.removeprefix("http://"),
                            unused=unused,
                            notifies=unused and await self._notifies(),
                        )
                    case State(snapshot):
                        self._take(snapshot)
                    case Lost(reason, retry_in):
                        self._lose(reason, retry_in)
        except VersionMismatch as error:
            self._set(stand="refused", reason=str(error), retry_at=None)

    def tick(self) -> None:
        """Show what came in since the last repaint; and once a second, that time goes on."""
        now = text.wall_clock()
        if self._newest is not None:
            newest, self._newest = self._newest, None
            self._set(snapshot=newest, now=now)
        elif int(now) != self._second:
            self._set(now=now)
        self._second = int(now)

    def ask(self, make: Callable[[int], Call], success: str = "") -> None:
        """Make a call in the background; a failure is told in a toast, a success by the next state."""

        def done() -> None:
            if success:
                self.notify(success, timeout=4, markup=False)

        self._ask(make, self.complain, done)

    def undo(self) -> None:
        """Take back the last edit or grant; what raises a cap only if this is asked for twice."""
        agreed, self._raise_until = self.view.now < self._raise_until, 0.0
        self._undo(agreed)

    @work(group="calls")
    async def _undo(self, agreed: bool) -> None:
        try:
            result = await self.link.call(lambda call: UndoLimit(id=call, allow_raise=agreed))
        except CallError as error:
            if error.field == "allow_raise":
                self._raise_until = self.view.now + AGREE_SECONDS
                asked = f"{error.message} Press u again to do it."
                self.notify(asked, severity="warning", timeout=AGREE_SECONDS, markup=False)
            else:
                self.complain(str(error))
        except Unreachable as error:
            self.complain(str(error))
        else:
            self.notify(result.get("message", "It is taken back."), timeout=6, markup=False)

    def complain(self, sentence: str) -> None:
        """Say what could not be done."""
        self.notify(sentence, severity="error", markup=False)

    def on_amount_editor_send(self, event: AmountEditor.Send) -> None:
        """Make the call for what was typed."""
        self._ask(event.make, event.editor.fail, event.editor.close)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Hide the keys that would do nothing."""
        if action == "pause":
            return self.view.stand == "live" and self.view.paused_at is None
        if action == "resume":
            return self.view.stand == "live" and self.view.paused_at is not None
        if action == "show_held":
            return self.view.stand == "live" and bool(self.view.held)
        if action == "acknowledge_all":
            return self.view.stand == "live" and self.view.waiting_alerts
        if action == "next_theme":
            return not self.no_color
        return True

    def action_pause(self) -> None:
        """Have everything that can cost refused."""
        self.ask(lambda call: Pause(id=call))

    def action_resume(self) -> None:
        """Have requests admitted again."""
        self.ask(lambda call: Resume(id=call))

    async def action_show_held(self) -> None:
        """Go to the requests that wait for a decision."""
        await self.switch_mode("overview")
        if isinstance(self.screen, Overview):  # pyright: ignore[reportUnknownMemberType]
            self.screen.show_held()

    def action_help(self) -> None:
        """Open the help."""
        self.push_screen(Help())

    def action_next_theme(self) -> None:
        """Switch to the next of the themes."""
        names = list(THEMES)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """List what the keys do, for the command palette."""
        return commands(self, screen)

    def action_acknowledge_all(self) -> None:
        """Acknowledge every alert."""
        self.ask(lambda call: Acknowledge(id=call, alert_ids=None))

    @work(group="calls")
    async def _ask(
        self, make: Callable[[int], Call], failed: Callable[[str], None], done: Callable[[], None]
    ) -> None:
        try:
            await self.link.call(make)
        except (CallError, Unreachable) as error:
            failed(str(error))
        else:
            done()

    async def _is_unused(self) -> bool:
        try:
            return not (await self.link.call(lambda call: QueryRequests(id=call, count=1)))["requests"]
        except CallError:
            return False

    async def _notifies(self) -> bool:
        try:
            reply = await self.link.call(lambda call: QueryChannels(id=call))
        except CallError:
            return False
        channels = msgspec.convert(reply, QueryChannelsReply).channels
        return any(channel.by_default and not channel.disabled_reason for channel in channels)

    def _take(self, snapshot: Snapshot) -> None:
        if self.view.stand != "live":
            if self.view.stand == "lost" and self.view.snapshot:
                self.notify("budgetd is back.", timeout=4)
            self._newest = None
            self._set(stand="live", snapshot=snapshot, reason="", retry_at=None, now=text.wall_clock())
        elif self.view.snapshot is None or urgent(self.view.snapshot, snapshot):
            self._newest = None
            self._set(snapshot=snapshot, now=text.wall_clock())
        else:
            self._newest = snapshot

    def _lose(self, reason: str, retry_in: float) -> None:
        now = text.wall_clock()
        if self._newest is not None:
            self._set(snapshot=self._newest)
            self._newest = None
        if self.view.stand == "live":
            self.notify("The connection to budgetd is lost.", severity="warning", timeout=4)
        self._set(stand="lost", reason=reason, retry_at=now + retry_in, now=now)

    def _set(self, **changes: Any) -> None:
        """Change the view, and show it on every screen that can be seen."""
        before, self.view = self.view, dataclasses.replace(self.view, **changes)
        if self.view.unused and self.view.snapshot and used(self.view.snapshot):
            self.view = dataclasses.replace(self.view, unused=False)
        for screen in self.screen_stack:
            if isinstance(screen, Room):
                screen.show(self.view)
        if keys(before) != keys(self.view):
            self.refresh_bindings()
        self._tell_news()

    def _tell_news(self) -> None:
        """Ring once for what is new and waits for the person, and say what to press."""
        words = self._news.take(self.view)
        if words:
            self.bell()
        for word in words:
            self.notify(
                word.sentence,
                title=word.title,
                severity=word.severity,
                timeout=NEWS_TOAST_SECONDS,
                markup=False,
            )
