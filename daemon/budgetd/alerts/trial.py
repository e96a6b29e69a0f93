"""A test of a channel: one message, one attempt, now."""

from collections.abc import Callable

from budgetd.alerts import payload
from budgetd.alerts.channels.channel import Channel, Delivered, Message, attempt
from budgetd.ledger.rows import DeliveryRow
from budgetwire.messages import TestOutcome


async def try_out(
    name: str,
    channel: Channel,
    ids: tuple[int, str],
    clock: Callable[[], float],
    daemon: payload.DaemonPart,
) -> tuple[DeliveryRow, TestOutcome]:
    """Send a test; the row that records it, and what to tell the person.

    Args:
        name: of the channel.
        channel: switched on or not.
        ids: of the row and of the message.
        clock: UTC epoch seconds.
        daemon: who sends it.
    """
    now = clock()
    row_id, message_id = ids
    body = payload.write(payload.sample(name, now), "test", message_id, now, daemon)
    verdict = await attempt(name, channel, Message(message_id, body), now)
    delivered = isinstance(verdict, Delivered)
    error = "" if isinstance(verdict, Delivered) else verdict.reason
    row = DeliveryRow(
        id=row_id,
        alert_id=None,
        channel=name,
        event="test",
        message_id=message_id,
        body=body,
        created_at=now,
        due_at=now,
        attempts=1,
        state="delivered" if delivered else "dead",
        delivered_at=clock() if delivered else None,
        error=error,
    )
    detail = verdict.detail if isinstance(verdict, Delivered) else verdict.reason
    return row, TestOutcome(channel=name, delivered=delivered, detail=detail)
