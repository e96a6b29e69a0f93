"""The outbox: word of an alert is written down with the alert, and sent until it has arrived.

At least once: a message that was under way when the daemon died is sent again, with the same id. What is
given up on is kept, and can be sent again by a person.
"""

import asyncio
import random
import socket
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version

import msgspec

from budgetd.alerts import payload
from budgetd.alerts.channels.channel import Channel
from budgetd.alerts.channels.make import MAKE, Make, mark_of
from budgetd.alerts.dispatch import Dispatch
from budgetd.alerts.lane import Lane
from budgetd.alerts.lifecycle import Word
from budgetd.alerts.roster import Roster
from budgetd.alerts.settings import AlertsSection, ChannelSection
from budgetd.alerts.trial import try_out
from budgetd.ledger.deliveries import Deliveries, Disabled, Tally
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger
from budgetwire import messages as wire

GRACE_SECONDS = 2.0
"""How long attempts that are under way may go on when the daemon is told to stop."""

PRUNE_SECONDS = 86400.0
"""How often what is old is let go of."""


class Outbox:
    """The channels of one daemon, and what is sent to them. All of it belongs to the event loop's thread."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], float],
        *,
        failed: Callable[[str, str], None],
        delivered: Callable[[str], None],
        changed: Callable[[], None],
        make: Mapping[str, Make] = MAKE,
        has_desktop: Callable[[], bool] = lambda: False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            ledger: open.
            clock: UTC epoch seconds.
            failed: told the channel and why, when a message is given up on or a channel disabled; not of
                messages about that very thing.
            delivered: told the channel, when a message has arrived, or a test.
            changed: told when messages or channels stand otherwise than before.
            make: what makes a channel of a section, by kind.
            has_desktop: whether notifications can be shown on this machine.
            chance: a new number from [0, 1) at each call.
        """
        self._clock = clock
        self._changed = changed
        self._daemon = payload.DaemonPart(socket.gethostname(), version("budgettop"))
        self._deliveries = Deliveries(ledger)
        self._roster = Roster(make, has_desktop)
        self._configured: tuple[AlertsSection, str | None] = (AlertsSection(desktop=False), None)
        self._lanes: dict[str, Lane] = {}
        """Of the channels that are switched on."""
        self._dispatch = Dispatch(
            self._lanes, self._deliveries, clock, chance, failed=failed, delivered=delivered, changed=changed
        )
        self._started = False
        self._pruned_at = float("-inf")

    # running

    def configure(self, settings: AlertsSection, short_form_url: str | None = None) -> None:
        """Put other channels in force. What waits for one that is gone is given up on; a channel that was
        disabled is enabled if it has another url now.
        """
        self._configured = settings, short_form_url
        self._roster.configure(settings, short_form_url)
        on = self._roster.on()
        for name in self._lanes.keys() - set(on):
            self._close(self._lanes.pop(name))
        self._deliveries.commit()
        disabled = self._deliveries.disabled()
        for name in on:
            self._open(name, disabled.get(name))
        self._take_up()
        self._changed()

    def look_for_desktop(self) -> None:
        """Show notifications by default also on a desktop that came after the daemon."""
        if self._roster.desktop_came():
            self.configure(*self._configured)

    def start(self) -> None:
        """Deliver from now on, what an earlier daemon left to begin with."""
        self._started = True
        self._prune(self._clock())
        for lane in self._lanes.values():
            lane.start()

    async def stop(self) -> None:
        """End, with attempts that are under way given a moment. What waits is sent by the next daemon."""
        self._started = False
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if not tasks:
            return
        for lane in self._lanes.values():
            lane.finish()
        _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """See again what is due: the clock was set."""
        for lane in self._lanes.values():
            lane.wake()

    # what goes out

    def put(self, alert: AlertRow, event: Word, now: float) -> None:
        """Write word of an alert for every channel that wants it. It is committed with whatever else is noted
        before the event loop goes on, and sent after that.
        """
        names = self._roster.wanting(alert, event)
        if not names:
            return
        self._prune(now)
        id = _new_message_id()
        body = payload.write(alert, event, id, now, self._daemon)
        for name in names:
            self._dispatch.send(name, alert.id, event, id, body)
        self._changed()

    def sends_to(self, channel: str) -> bool:
        """Whether anything is sent to a channel: it is configured and switched on."""
        return channel in self._lanes

    async def test(self, channel: str | None = None) -> list[wire.TestOutcome]:
        """Send one test to a channel, or to each that is switched on, and wait for what happens. Raises
        KeyError where there is no such channel. Beside others, the one that is there by default is told of
        only where it works.
        """
        names = self._roster.on() if channel is None else [channel]
        channels = [self._roster.channels[name] for name in names]
        outcomes = await asyncio.gather(*map(self._test, names, channels))
        if len(outcomes) == 1:
            return outcomes
        by_default = self._roster.by_default
        return [outcome for outcome in outcomes if outcome.delivered or outcome.channel != by_default]

    def redeliver(self, channel: str | None = None) -> int:
        """Send again what was given up on, to one channel or to all, and enable them; how many messages.
        Raises KeyError where no such channel is switched on, LedgerError: nothing changed.
        """
        lanes = [*self._lanes.values()] if channel is None else [self._lanes[channel]]
        count = self._deliveries.revive([lane.name for lane in lanes], self._clock())
        for lane in lanes:
            lane.disabled = None
        self._take_up()
        self._changed()
        return count

    # how it stands

    def channels(self) -> list[wire.Channel]:
        """Every channel, in the order of the file, and how it does."""
        self._deliveries.commit()
        tallies = self._deliveries.tallies()
        sections = self._roster.sections.values()
        return [self._shown(section, tallies.get(section.name, Tally())) for section in sections]

    def deliveries(self, alert_id: int | None = None) -> list[wire.Delivery]:
        """What was sent of an alert, or of all, newest first."""
        self._deliveries.commit()
        return self._deliveries.shown(alert_id)

    def _shown(self, section: ChannelSection, tally: Tally) -> wire.Channel:
        lane = self._lanes.get(section.name)
        disabled = lane.disabled if lane is not None else None
        by_default = section.name == self._roster.by_default
        off = self._roster.why_off(section.name)
        # Nobody asked for it: that it cannot be had is no failure.
        missing = tally.error if by_default else ""
        return wire.Channel(
            name=section.name,
            kind=section.kind,
            target=self._roster.channels[section.name].target,
            severity=section.severity,
            disabled_at=disabled.at if disabled else None,
            disabled_reason=disabled.reason if disabled else off or missing,
            pending=tally.pending,
            dead=tally.dead,
            delivered_at=tally.delivered_at,
            error="" if by_default else tally.error,
            by_default=by_default,
        )

    # lanes

    def _open(self, name: str, disabled: Disabled | None) -> None:
        """Have a lane that goes by the newest configuration."""
        section, channel = self._roster.sections[name], self._roster.channels[name]
        lane = self._lanes.get(name)
        if lane is None:
            commit, settled = self._deliveries.commit, self._dispatch.settle
            lane = Lane(section, channel, self._clock, commit=commit, settled=settled)
            self._lanes[name] = lane
            if self._started:
                lane.start()
        lane.section, lane.channel = section, channel
        lane.by_default = name == self._roster.by_default
        if disabled is not None and disabled.mark != mark_of(section):
            self._deliveries.enable(name)
            disabled = None
        lane.disabled = disabled

    def _close(self, lane: Lane) -> None:
        """Send nothing more: an attempt that is under way is cut off."""
        if lane.task is not None:
            lane.task.cancel()

    def _take_up(self) -> None:
        """Let everything that is to be delivered wait in its lane, or die where there is none."""
        for row in self._deliveries.pending():
            lane = self._lanes.get(row.channel)
            if lane is not None:
                lane.add(row)
            else:
                self._deliveries.update(row, state="dead", error=self._roster.why_off(row.channel))

    def _prune(self, now: float) -> None:
        """Let go of what is old, now and then."""
        if not 0 <= now - self._pruned_at < PRUNE_SECONDS:
            self._pruned_at = now
            self._deliveries.prune(now)

    async def _test(self, name: str, channel: Channel) -> wire.TestOutcome:
        ids = self._deliveries.next_id(), _new_message_id()
        row, outcome = await try_out(name, channel, ids, self._clock, self._daemon)
        self._deliveries.add(row)
        self._changed()
        lane = self._lanes.get(name)
        if lane is not None and lane.disabled is not None:
            detail = f"{outcome.detail}; it stays disabled until `budgetd alerts redeliver {name}`"
            return msgspec.structs.replace(outcome, detail=detail)
        if lane is not None and outcome.delivered:
            self._dispatch.arrived(lane)
        return outcome


def _new_message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"
