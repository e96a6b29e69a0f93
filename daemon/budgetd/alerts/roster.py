"""The channels of the configuration that is in force."""

from collections.abc import Mapping

from budgetd.alerts.channels.channel import Channel
from budgetd.alerts.channels.make import Make
from budgetd.alerts.settings import SHORT_FORM, AlertsSection, ChannelSection
from budgetd.ledger.rows import AlertRow

RANK = {"info": 0, "warning": 1, "critical": 2}


class Roster:
    """Every channel that is configured, in the order of the file."""

    def __init__(self, make: Mapping[str, Make]) -> None:
        """``make`` says what makes a channel of a section, by kind."""
        self._make = make
        self._enabled = True
        self.sections: dict[str, ChannelSection] = {}
        self.channels: dict[str, Channel] = {}

    def configure(self, settings: AlertsSection, short_form_url: str | None) -> None:
        """Put others in force; a channel whose section is the same stays the one it was."""
        sections = {section.name: section for section in settings.channels}
        if short_form_url:
            sections[SHORT_FORM] = ChannelSection(name=SHORT_FORM, kind="webhook", url=short_form_url)
        self.channels = {
            name: self.channels[name] if section == self.sections.get(name) else self._made(section)
            for name, section in sections.items()
        }
        self.sections = sections
        self._enabled = settings.enabled

    def on(self) -> list[str]:
        """The names of those that are switched on."""
        return [name for name in self.sections if not self.why_off(name)]

    def wanting(self, alert: AlertRow, event: str) -> list[str]:
        """The names of those that are switched on and to be told of an alert."""
        return [name for name in self.on() if _wants(self.sections[name], alert, event)]

    def why_off(self, name: str) -> str:
        """Why the configuration lets nothing be sent to a channel; empty where it does."""
        if name not in self.sections:
            return "the channel is not configured any more"
        if not self._enabled:
            return "[alerts] says enabled = false"
        return "" if self.sections[name].enabled else "the channel is switched off"

    def _made(self, section: ChannelSection) -> Channel:
        return self._make[section.kind](section)


def _wants(section: ChannelSection, alert: AlertRow, event: str) -> bool:
    """Whether a channel is to be told. That it fails it is not told itself."""
    if alert.rule == "delivery" and alert.subject == section.name:
        return False
    if event == "resolved" and not section.resolved:
        return False
    return RANK[alert.severity] >= RANK[section.severity] and (
        section.rules is None or alert.rule in section.rules
    )
