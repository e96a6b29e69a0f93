"""The outbox and the channels in the ledger: what is asked of them, and the statements that change them."""

import sqlite3
from collections.abc import Collection

import msgspec

from budgetd.ledger.rows import DeliveryRow
from budgetd.ledger.writer import Statement
from budgetwire.messages import Delivery

MOST_ROWS = 1000
"""Rows given to a client at once."""

_ROW = ", ".join(DeliveryRow.__struct_fields__)
_SHOWN = ", ".join(Delivery.__struct_fields__)


class Disabled(msgspec.Struct, frozen=True):
    """A channel that nothing is sent to any more."""

    at: float
    reason: str
    mark: str
    """Of the url it had then."""


class Tally(msgspec.Struct, frozen=True):
    """How a channel does."""

    pending: int = 0
    dead: int = 0
    delivered_at: float | None = None
    error: str = ""


def pending(db: sqlite3.Connection) -> list[DeliveryRow]:
    """What is still to be delivered, oldest first."""
    rows = db.execute(f"select {_ROW} from outbox where state = 'pending' order by id")
    return [DeliveryRow(**dict(zip(DeliveryRow.__struct_fields__, row, strict=True))) for row in rows]


def has_message(db: sqlite3.Connection, alert_id: int, message_id: str, channel: str) -> bool:
    """Whether a channel has been given a message."""
    found = db.execute(
        "select 1 from outbox where alert_id = ? and message_id = ? and channel = ?",
        (alert_id, message_id, channel),
    )
    return found.fetchone() is not None


def deliveries(db: sqlite3.Connection, alert_id: int | None) -> list[Delivery]:
    """What was sent of one alert, or of all, newest first, at most `MOST_ROWS`."""
    where, values = ("", ()) if alert_id is None else (" where alert_id = ?", (alert_id,))
    rows = db.execute(f"select {_SHOWN} from outbox{where} order by id desc limit ?", (*values, MOST_ROWS))
    return [Delivery(*row) for row in rows]


def tallies(db: sqlite3.Connection) -> dict[str, Tally]:
    """How the channels do, by name. A test that did not arrive is not counted as dead: nobody misses it."""
    rows = db.execute("""
        select channel, total(state = 'pending'), total(state = 'dead' and event <> 'test'),
            max(delivered_at),
            (select error from outbox newest where newest.channel = outbox.channel and attempts > 0
                order by id desc limit 1)
        from outbox group by channel
    """)
    return {
        channel: Tally(int(pending), int(dead), at, error or "") for channel, pending, dead, at, error in rows
    }


def disabled(db: sqlite3.Connection) -> dict[str, Disabled]:
    """The channels that are, by name."""
    rows = db.execute(
        "select name, disabled_at, reason, coalesce(value, '') from channels"
        " left join meta on key = 'channel:' || name where disabled_at is not null"
    )
    return {name: Disabled(at, reason, mark) for name, at, reason, mark in rows}


def update(row: DeliveryRow) -> Statement:
    """Record how a message stands after an attempt."""
    return (
        "update outbox set due_at = ?, attempts = ?, state = ?, delivered_at = ?, error = ? where id = ?",
        (row.due_at, row.attempts, row.state, row.delivered_at, row.error, row.id),
    )


def disable(name: str, channel: Disabled) -> list[Statement]:
    """Send nothing to a channel any more."""
    return [
        (
            "insert into channels (name, disabled_at, reason) values (?, ?, ?)"
            " on conflict do update set disabled_at = excluded.disabled_at, reason = excluded.reason",
            (name, channel.at, channel.reason),
        ),
        (
            "insert into meta (key, value) values (?, ?) on conflict do update set value = excluded.value",
            (f"channel:{name}", channel.mark),
        ),
    ]


def enable(name: str) -> list[Statement]:
    """Send to it again."""
    return [
        ("delete from channels where name = ?", (name,)),
        ("delete from meta where key = ?", (f"channel:{name}",)),
    ]


def revive(channels: Collection[str], now: float) -> Statement:
    """Make the messages pending that were given up on. Tests stay dead."""
    marks = ", ".join("?" * len(channels))
    return (
        "update outbox set state = 'pending', attempts = 0, due_at = ?, error = ''"
        f" where state = 'dead' and event <> 'test' and channel in ({marks})",
        (now, *channels),
    )
