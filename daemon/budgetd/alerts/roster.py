"""The channels of the configuration that is in force."""

import logging
from collections.abc import Callable, Mapping

from budgetd.alerts.channels.channel import Channel
from budgetd.alerts.channels.make import Make
from budgetd.alerts.settings import DEFAULT_DESKTOP, SHORT_FORM, AlertsSection, ChannelSection
from budgetd.ledger.rows import AlertRow

log = logging.getLogger(__name__)

RANK = {"info": 0, "warning": 1, "critical": 2}


class Roster:
    """Every channel that is configured, in the order of the file, then the one that is there by default."""

    def __init__(self, make: Mapping[str, Make], has_desktop: Callable[[], bool]) -> None:
        """
        Args:
            make: what makes a channel of a section, by kind.
            has_desktop: whether notifications can be shown on this machine.
        """
        self._make = make
        self._has_desktop = has_desktop
        self._enabled = True
        self._waits_for_desktop = False
        self.by_default = ""
        """The name of the channel that is there without having been configured; empty: there is none."""
        self.sections: dict[str, ChannelSection] = {}
        self.channels: dict[str, Channel] = {}

    def configure(self, settings: AlertsSection, short_form_url: str | None) -> None:
        """Put others in force; a channel whose section is the same stays the one it was."""
        sections = {section.name: section for section in settings.channels}
        if short_form_url:
            sections[SHORT_FORM] = ChannelSection(name=SHORT_FORM, kind="webhook", url=short_form_url)
        self._add_desktop(settings, sections)
        self.channels = {
            name: self.channels[name] if section == self.sections.get(name) else self._made(section)
            for name, section in sections.items()
        }
        self.sections = sections
        self._enabled = settings.enabled

    def desktop_came(self) -> bool:
        """Whether there is a desktop now that was missing when the channels were put in force."""
        return self._waits_for_desktop and self._has_desktop()

    def _add_desktop(self, settings: AlertsSection, sections: dict[str, ChannelSection]) -> None:
        """A desktop that was once there may come back, so its channel stays."""
        name = DEFAULT_DESKTOP.name
        configured = name in sections or any(section.kind == "desktop" for section in sections.values())
        wanted = settings.desktop and not configured
        there = wanted and (self.by_default != "" or self._has_desktop())
        if there:
            sections[name] = DEFAULT_DESKTOP
            if not self.by_default and settings.enabled:
                log.info("alerts are shown on this desktop; to turn that off: [alerts] desktop = false")
        self.by_default = name if there else ""
        self._waits_for_desktop = wanted and not there

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
