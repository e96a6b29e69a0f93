"""The outbox: word of an alert is written down with the alert, and sent until it has arrived.

At least once: a message that was under way when the daemon died is sent again, with the same id. What is
given up on is kept, and can be sent again by a person.
"""

import asyncio
import contextlib
import logging
import random
import socket
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version

import msgspec

from budgetd.alerts import payload
from budgetd.alerts.backoff import delay_after
from budgetd.alerts.channels.channel import Channel, Delivered, Failed, Gone, Retry, Verdict
from budgetd.alerts.channels.make import MAKE, Make, url_of
from budgetd.alerts.lane import Lane
from budgetd.alerts.lifecycle import Word
from budgetd.alerts.roster import Roster
from budgetd.alerts.settings import AlertsSection, ChannelSection
from budgetd.alerts.target import TargetError, mark
from budgetd.alerts.trial import try_out
from budgetd.errors import LedgerError
from budgetd.ledger import deliveries
from budgetd.ledger.deliveries import Disabled, Tally
from budgetd.ledger.rows import AlertRow, DeliveryRow
from budgetd.ledger.schema import INSERT_DELIVERY
from budgetd.ledger.writer import Ledger
from budgetwire import messages as wire

log = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""How long attempts that are under way may go on when the daemon is told to stop."""

RANK = {"info": 0, "warning": 1, "critical": 2}


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
            chance: a new number from [0, 1) at each call.
        """
        self._ledger = ledger
        self._clock = clock
        self._failed = failed
        self._delivered = delivered
        self._changed = changed
        self._chance = chance
        self._daemon = payload.DaemonPart(socket.gethostname(), version("budgettop"))
        self._roster = Roster(make)
        self._lanes: dict[str, Lane] = {}
        """Of the channels that are switched on."""
        self._started = False

    # running

    def configure(self, settings: AlertsSection, short_form_url: str | None = None) -> None:
        """Put other channels in force. What waits for one that is gone is given up on; a channel that was
        disabled is enabled if it has another url now.
        """
        self._roster.configure(settings, short_form_url)
        on = self._roster.on()
        for name in self._lanes.keys() - set(on):
            self._close(self._lanes.pop(name))
        self._commit()
        disabled = deliveries.disabled(self._ledger.db)
        for name in on:
            self._open(name, disabled.get(name))
        self._take_up()
        self._changed()

    def start(self) -> None:
        """Deliver from now on, what an earlier daemon left to begin with."""
        self._started = True
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
        names = [name for name in self._lanes if _wants(self._roster.sections[name], alert, event)]
        if not names:
            return
        id = _new_message_id()
        body = payload.write(alert, event, id, now, self._daemon)
        for name in names:
            self._place(name, alert.id, event, id, body, now)
        self._changed()

    async def test(self, channel: str | None = None) -> list[wire.TestOutcome]:
        """Send one test to a channel, or to each that is switched on, and wait for what happens. Raises
        KeyError where there is no such channel.
        """
        names = self._roster.on() if channel is None else [channel]
        channels = [self._roster.channels[name] for name in names]
        return await asyncio.gather(*map(self._test, names, channels))

    def redeliver(self, channel: str | None = None) -> int:
        """Send again what was given up on, to one channel or to all, and enable them; how many messages.
        Raises KeyError where no such channel is switched on, LedgerError: nothing changed.
        """
        lanes = [*self._lanes.values()] if channel is None else [self._lanes[channel]]
        names = [lane.name for lane in lanes]
        enabling = [statement for name in names for statement in deliveries.enable(name)]
        count = self._ledger.write_all([*enabling, deliveries.revive(names, self._clock())])
        for lane in lanes:
            lane.disabled = None
        self._take_up()
        self._changed()
        return count

    # how it stands

    def channels(self) -> list[wire.Channel]:
        """Every channel, in the order of the file, and how it does."""
        self._commit()
        tallies = deliveries.tallies(self._ledger.db)
        sections = self._roster.sections.values()
        return [self._shown(section, tallies.get(section.name, Tally())) for section in sections]

    def deliveries(self, alert_id: int | None = None) -> list[wire.Delivery]:
        """What was sent of an alert, or of all, newest first."""
        self._commit()
        return deliveries.deliveries(self._ledger.db, alert_id)

    def _shown(self, section: ChannelSection, tally: Tally) -> wire.Channel:
        lane = self._lanes.get(section.name)
        disabled = lane.disabled if lane is not None else None
        return wire.Channel(
            name=section.name,
            kind=section.kind,
            target=self._roster.channels[section.name].target,
            severity=section.severity,
            disabled_at=disabled.at if disabled else None,
            disabled_reason=disabled.reason if disabled else self._roster.why_off(section.name),
            pending=tally.pending,
            dead=tally.dead,
            delivered_at=tally.delivered_at,
            error=tally.error,
        )

    # lanes

    def _open(self, name: str, disabled: Disabled | None) -> None:
        """Have a lane that goes by the newest configuration."""
        section, channel = self._roster.sections[name], self._roster.channels[name]
        lane = self._lanes.get(name)
        if lane is None:
            lane = Lane(section, channel, self._clock, commit=self._commit, settled=self._settle)
            self._lanes[name] = lane
            if self._started:
                lane.start()
        lane.section, lane.channel = section, channel
        if disabled is not None and disabled.mark != _mark(section):
            self._add(*deliveries.enable(name))
            disabled = None
        lane.disabled = disabled

    def _close(self, lane: Lane) -> None:
        """Send nothing more: an attempt that is under way is cut off."""
        if lane.task is not None:
            lane.task.cancel()

    def _take_up(self) -> None:
        """Let everything that is to be delivered wait in its lane, or die where there is none."""
        for row in deliveries.pending(self._ledger.db):
            lane = self._lanes.get(row.channel)
            if lane is not None:
                lane.add(row)
            else:
                self._update(row, state="dead", error=self._roster.why_off(row.channel))

    def _place(self, name: str, alert_id: int, event: payload.Event, id: str, body: str, now: float) -> None:
        """Write a message for a channel, or for the one that stands in where that one is disabled."""
        lane = self._lanes.get(name)
        if lane is None or lane.holds(id) or deliveries.has_message(self._ledger.db, alert_id, id, name):
            return
        row = DeliveryRow(
            id=self._ledger.next_delivery_id(),
            alert_id=alert_id,
            channel=name,
            event=event,
            message_id=id,
            body=body,
            created_at=now,
            due_at=now,
        )
        if lane.disabled is not None:
            why = f"the channel is disabled: {lane.disabled.reason}"
            row = msgspec.structs.replace(row, state="dead", error=why)
        self._add((INSERT_DELIVERY, msgspec.structs.astuple(row)))
        if lane.disabled is None:
            lane.add(row)
        else:
            self._fall_back(row)

    # what became of an attempt

    def _settle(self, lane: Lane, row: DeliveryRow, verdict: Verdict) -> None:
        now = self._clock()
        row = msgspec.structs.replace(row, attempts=row.attempts + 1)
        match verdict:
            case Delivered():
                self._update(row, state="delivered", delivered_at=now, error="")
                self._delivered(lane.name)
            case Retry(reason, after):
                self._try_again(lane, row, reason, delay_after(row.attempts, self._chance(), after), now)
            case Failed(reason):
                self._give_up(row, reason)
            case Gone(reason):
                self._disable(lane, row, reason, now)
        self._changed()

    def _try_again(self, lane: Lane, row: DeliveryRow, reason: str, delay: float | None, now: float) -> None:
        if delay is None:
            self._give_up(row, reason)
            return
        log.info("channel %s: %s; attempt %d follows", lane.name, reason, row.attempts + 1)
        lane.add(self._update(row, due_at=now + delay, error=reason))
        if row.attempts == lane.section.fallback_after:
            self._fall_back(row)

    def _give_up(self, row: DeliveryRow, reason: str) -> None:
        """Let a message be until a person asks for it."""
        log.warning("channel %s: given up on a message: %s", row.channel, reason)
        self._update(row, state="dead", error=reason)
        self._fall_back(row)
        if payload.read(row.body).alert.rule != "delivery":
            self._failed(row.channel, reason)

    def _disable(self, lane: Lane, row: DeliveryRow, reason: str, now: float) -> None:
        """Send nothing there any more, and give up on everything that waits."""
        log.warning("channel %s: disabled: %s", lane.name, reason)
        lane.disabled = Disabled(now, reason, _mark(lane.section))
        self._add(*deliveries.disable(lane.name, lane.disabled))
        for each in (row, *lane.empty()):
            self._update(each, state="dead", error=reason)
            self._fall_back(each)
        self._failed(lane.name, reason)

    def _fall_back(self, row: DeliveryRow) -> None:
        """Give the message to the channel that stands in, if there is one, and it has not had it."""
        section = self._roster.sections.get(row.channel)
        if section is not None and section.fallback is not None and row.alert_id is not None:
            now = self._clock()
            self._place(section.fallback, row.alert_id, row.event, row.message_id, row.body, now)

    async def _test(self, name: str, channel: Channel) -> wire.TestOutcome:
        ids = self._ledger.next_delivery_id(), _new_message_id()
        row, outcome = await try_out(name, channel, ids, self._clock, self._daemon)
        self._add((INSERT_DELIVERY, msgspec.structs.astuple(row)))
        self._changed()
        lane = self._lanes.get(name)
        if lane is None or lane.disabled is None:
            if outcome.delivered:
                self._delivered(name)
            return outcome
        detail = f"{outcome.detail}; it stays disabled until `budgetd alerts redeliver {name}`"
        return msgspec.structs.replace(outcome, detail=detail)

    # the ledger

    def _update(self, row: DeliveryRow, **fields: object) -> DeliveryRow:
        """Record how a message stands now."""
        row = msgspec.structs.replace(row, **fields)
        self._add(deliveries.update(row))
        return row

    def _add(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        for sql, values in statements:
            self._ledger.add(sql, values)

    def _commit(self) -> None:
        """See that what was noted is on record. Where the disk fails, word goes out all the same."""
        with contextlib.suppress(LedgerError):
            self._ledger.flush()


def _wants(section: ChannelSection, alert: AlertRow, event: str) -> bool:
    """Whether a channel is to be told. That it fails it is not told itself."""
    if alert.rule == "delivery" and alert.subject == section.name:
        return False
    if event == "resolved" and not section.resolved:
        return False
    return RANK[alert.severity] >= RANK[section.severity] and (
        section.rules is None or alert.rule in section.rules
    )


def _mark(section: ChannelSection) -> str:
    """What tells the url of a channel from another; empty for what has none, or one that cannot be read."""
    try:
        return mark(url_of(section).read())
    except TargetError:
        return ""


def _new_message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"
