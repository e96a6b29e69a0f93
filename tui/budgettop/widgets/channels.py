"""The Channels panel: where word of alerts is sent, and how that goes; one of them selected."""

from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Piece, Row
from budgettop.widgets.listing import Listing, ListRows
from budgetwire.messages import Channel

ADVICE = (
    "None: word of alerts stays here. To be told",
    "elsewhere, add to config.toml, then press T:",
    "  [[alerts.channels]]",
    '  name = "ops"',
    '  kind = "webhook"',
    '  url = "https://example.com/budget-alert"',
    'kind = "desktop" takes no url.',
)
"""What is to be pasted is indented."""

BY_DEFAULT = "there by default; [alerts] desktop = false removes it"


class Channels(Listing[str]):
    """All channels, in the order of the file."""

    def __init__(self) -> None:
        self._lines = ChannelRows()
        super().__init__(self._lines, id="channels")
        self.border_title = "Channels"
        self._channels: list[Channel] = []
        self._testing = False

    def wait(self, *, testing: bool) -> None:
        """Say that a test is under way, or is no more."""
        self._testing = testing
        self.show(self.view)

    def fill(self, channels: list[Channel]) -> None:
        """Show these."""
        self._channels = channels
        self._lines.fill(channels)
        self.show(self.view)
        self.screen.refresh_bindings()

    def fail(self, why: str) -> None:
        """Say why they are not known."""
        self._lines.fail(why)

    @override
    def show(self, view: View) -> None:
        ill = sum(map(_is_ill, self._channels))
        count = [str(len(self._channels))] if self._channels else []
        self.border_title = " · ".join(
            [" ".join(["Channels", *count]), *([f"▲ {ill} failing"] if ill else [])]
        )
        keys = "T test · R send again" if self.given_up else "T test" if self._channels else ""
        self.border_subtitle = "testing…" if self._testing else keys
        self.set_class(bool(ill), "-ill")
        self.take(view, [channel.name for channel in self._channels])

    @property
    def chosen(self) -> str | None:
        """The selected channel while this panel has the focus; None stands for all."""
        return self.selected if self.has_focus else None

    @property
    def given_up(self) -> bool:
        """Whether a channel is disabled or messages were given up on."""
        return any(channel.dead or channel.disabled_at is not None for channel in self._channels)

    @property
    def any(self) -> bool:
        """Whether there is a channel."""
        return bool(self._channels)


class ChannelRows(ListRows[str]):
    """A line for each, and below it what is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self._channels: list[Channel] | None = None
        self._failed = ""

    def fill(self, channels: list[Channel]) -> None:
        """Take the channels."""
        self._channels, self._failed = channels, ""

    def fail(self, why: str) -> None:
        """Take why they are not known."""
        self._failed = why
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if self._failed:
            return [[(line, "faint")] for line in text.wrap(self._failed, max(8, width))]
        if self._channels == []:
            return [[(line, "strong" if line.startswith(" ") else "faint")] for line in ADVICE]
        return super().draw(width, height)

    @override
    def nothing(self) -> str:
        return "…"

    @override
    def lines(self, width: int) -> list[tuple[str, list[Row]]]:
        channels = self._channels or []
        name = text.widest([channel.name for channel in channels], 16)
        return [(channel.name, self._lines(channel, name, width)) for channel in channels]

    def _lines(self, channel: Channel, name: int, width: int) -> list[Row]:
        health, style = self._health(channel)
        room = width - name - len(health) - 16
        head: Row = [
            ("› " if channel.name == self._selected else "  ", "sign"),
            _sign(channel),
            (f" {text.fit(channel.name, name)}  ", "strong"),
            (text.fit(channel.kind, 8), ""),
            (f" {text.fit(channel.target, room)} " if room > 0 else " ", "faint"),
            (health, style),
        ]
        wrong = channel.disabled_reason or channel.error
        rows = [head]
        if wrong:
            style = "near" if _is_ill(channel) else "faint"
            rows += [[("    ", ""), (line, style)] for line in text.wrap(wrong, max(8, width - 4))]
        if channel.by_default:
            rows += [[("    ", ""), (line, "faint")] for line in text.wrap(BY_DEFAULT, max(8, width - 4))]
        if waiting := _waiting(channel):
            rows.append([("    ", ""), (waiting, "faint")])
        return rows

    def _health(self, channel: Channel) -> tuple[str, str]:
        if channel.disabled_at is not None:
            return f"disabled {self._when(channel.disabled_at)}", "over"
        if channel.disabled_reason:
            return "off", "faint"
        if channel.error:
            return "failing", "near"
        if channel.delivered_at is not None:
            return f"delivered {self._when(channel.delivered_at)}", "faint"
        return "nothing sent yet", "faint"

    def _when(self, at: float) -> str:
        return text.when(at, self._view.now, self._view.zone)


def _sign(channel: Channel) -> Piece:
    if channel.disabled_at is not None:
        return "■", "over"
    if channel.disabled_reason:
        return "○", "faint"
    return ("▲", "near") if channel.error else ("●", "calm")


def _is_ill(channel: Channel) -> bool:
    """Whether it is disabled or fails; one that is switched off is neither."""
    return channel.disabled_at is not None or bool(channel.error and not channel.disabled_reason)


def _waiting(channel: Channel) -> str:
    """Say what has not arrived."""
    parts = [f"{channel.pending:,} pending"] if channel.pending else []
    parts += [f"{channel.dead:,} given up, R sends again"] if channel.dead else []
    return " · ".join(parts)
