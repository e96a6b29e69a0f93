"""What becomes of a message: it waits in its channel's lane, arrives, is tried again or given up on, and then
goes to the channel that stands in.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from budgetd.alerts import payload
from budgetd.alerts.backoff import ATTEMPTS, SECOND_ROUND_SECONDS, delay_after
from budgetd.alerts.channels.channel import Delivered, Failed, Gone, Retry, Verdict
from budgetd.alerts.channels.make import mark_of
from budgetd.alerts.lane import Lane
from budgetd.ledger.deliveries import Deliveries, Disabled
from budgetd.ledger.rows import DeliveryRow

log = logging.getLogger(__name__)


class Dispatch:
    """Puts messages into lanes, and hears what became of them."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        deliveries: Deliveries,
        clock: Callable[[], float],
        chance: Callable[[], float],
        *,
        failed: Callable[[str, str], None],
        delivered: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        """``lanes``: of the channels that are switched on, by name. For the others see `Outbox`."""
        self._lanes = lanes
        self._deliveries = deliveries
        self._clock = clock
        self._chance = chance
        self._failed = failed
        self._delivered = delivered
        self._changed = changed

    def send(self, channel: str, alert_id: int, event: payload.Event, message_id: str, body: str) -> None:
        """Write a message down for a channel that does not have it yet, or for the one that stands in where
        that one is disabled.
        """
        lane = self._lanes.get(channel)
        if (
            lane is None
            or lane.holds(message_id)
            or self._deliveries.has_message(alert_id, message_id, channel)
        ):
            return
        now = self._clock()
        row = DeliveryRow(
            id=self._deliveries.next_id(),
            alert_id=alert_id,
            channel=channel,
            event=event,
            message_id=message_id,
            body=body,
            created_at=now,
            due_at=now,
        )
        if lane.disabled is None:
            self._deliveries.add(row)
            lane.add(row)
        else:
            why = f"the channel is disabled: {lane.disabled.reason}"
            self._deliveries.add(msgspec.structs.replace(row, state="dead", error=why))
            self._fall_back(lane, row)

    def settle(self, lane: Lane, row: DeliveryRow, verdict: Verdict) -> None:
        """An attempt has been made."""
        now = self._clock()
        row = msgspec.structs.replace(row, attempts=row.attempts + 1)
        match verdict:
            case Delivered():
                self._deliveries.update(row, state="delivered", delivered_at=now, error="")
                self.arrived(lane)
            case Retry(reason, after):
                self._try_again(lane, row, reason, after)
            case Failed(reason):
                self._give_up(lane, row, reason)
            case Gone(reason):
                self._disable(lane, row, reason)
        self._changed()

    def arrived(self, lane: Lane) -> None:
        """A message, or a test, has reached a channel. So may what was given up on there for lack of an
        answer: it gets another round of attempts.
        """
        self._delivered(lane.name)
        if not lane.unanswered or lane.by_default:  # notifications of hours ago are no use on a desktop
            return
        lane.unanswered = False
        self._deliveries.commit()
        now = self._clock()
        for row in self._deliveries.unanswered(lane.name, ATTEMPTS, now):
            lane.add(self._deliveries.update(row, state="pending", due_at=now))

    def _try_again(self, lane: Lane, row: DeliveryRow, reason: str, after: float | None) -> None:
        now = self._clock()
        delay = delay_after(row.attempts, self._chance(), after)
        if delay is None:
            lane.unanswered = True
            row = msgspec.structs.replace(row, due_at=now + SECOND_ROUND_SECONDS)
            self._give_up(lane, row, reason)
            return
        level = logging.DEBUG if lane.by_default else logging.INFO
        log.log(level, "channel %s: %s; attempt %d follows", lane.name, reason, row.attempts + 1)
        lane.add(self._deliveries.update(row, due_at=now + delay, error=reason))
        if row.attempts == lane.section.fallback_after:
            self._fall_back(lane, row)

    def _give_up(self, lane: Lane, row: DeliveryRow, reason: str) -> None:
        """Let a message be."""
        level = logging.DEBUG if lane.by_default else logging.WARNING
        log.log(level, "channel %s: given up on a message: %s", lane.name, reason)
        self._deliveries.update(row, state="dead", error=reason)
        self._fall_back(lane, row)
        if payload.read(row.body).alert.rule != "delivery" and not lane.by_default:
            self._failed(lane.name, reason)

    def _disable(self, lane: Lane, row: DeliveryRow, reason: str) -> None:
        """Send nothing there any more, and give up on everything that waits."""
        log.warning("channel %s: disabled: %s", lane.name, reason)
        lane.disabled = Disabled(self._clock(), reason, mark_of(lane.section))
        self._deliveries.disable(lane.name, lane.disabled)
        for each in (row, *lane.empty()):
            self._deliveries.update(each, state="dead", error=reason)
            self._fall_back(lane, each)
        self._failed(lane.name, reason)

    def _fall_back(self, lane: Lane, row: DeliveryRow) -> None:
        """Give a message to the channel that stands in, if there is one, and it has not had it."""
        if lane.section.fallback is not None and row.alert_id is not None:
            self.send(lane.section.fallback, row.alert_id, row.event, row.message_id, row.body)
