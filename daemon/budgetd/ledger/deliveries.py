"""The outbox and the channels in the ledger: what is asked of them, and how they are changed."""

import contextlib
import sqlite3
from collections.abc import Collection

import msgspec

from budgetd.errors import LedgerError
from budgetd.ledger.rows import DeliveryRow
from budgetd.ledger.schema import INSERT_DELIVERY
from budgetd.ledger.writer import Ledger
from budgetwire.messages import Delivery

MOST_ROWS = 1000
"""Rows given to a client at once."""

KEPT_DAYS = 90
"""How long is kept what was delivered or given up on."""

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


class Deliveries:
    """Those of one ledger. What is changed is noted for the next commit, but where it says otherwise; what is
    asked for is as of the last one.
    """

    def __init__(self, ledger: Ledger) -> None:
        """``ledger``: open."""
        self._ledger = ledger

    def commit(self) -> None:
        """See that what was noted is on record. Where the disk fails, word goes out all the same."""
        with contextlib.suppress(LedgerError):
            self._ledger.flush()

    # what there is

    def pending(self) -> list[DeliveryRow]:
        """What is still to be delivered, oldest first."""
        return self._rows("state = 'pending'")

    def unanswered(self, channel: str, attempts: int, now: float) -> list[DeliveryRow]:
        """What was given up on after so many attempts, may have another round of them, and is not too old for
        it: `due_at` says until when. Oldest first.
        """
        return self._rows(
            "state = 'dead' and channel = ? and attempts = ? and due_at > ?", (channel, attempts, now)
        )

    def has_message(self, alert_id: int, message_id: str, channel: str) -> bool:
        """Whether a channel has been given a message, as far as the ledger can be read."""
        try:
            return bool(
                self._rows("alert_id = ? and message_id = ? and channel = ?", (alert_id, message_id, channel))
            )
        except sqlite3.Error:
            return False

    def shown(self, alert_id: int | None) -> list[Delivery]:
        """What was sent of one alert, or of all, newest first, at most `MOST_ROWS`."""
        where, values = ("", ()) if alert_id is None else (" where alert_id = ?", (alert_id,))
        rows = self._ledger.db.execute(
            f"select {_SHOWN} from outbox{where} order by id desc limit ?", (*values, MOST_ROWS)
        )
        return [Delivery(*row) for row in rows]

    def tallies(self) -> dict[str, Tally]:
        """How the channels do, by name. A test that did not arrive is not counted: nobody misses it."""
        rows = self._ledger.db.execute("""
            select channel, total(state = 'pending'), total(state = 'dead' and event <> 'test'),
                max(delivered_at),
                (select error from outbox newest where newest.channel = outbox.channel and attempts > 0
                    order by id desc limit 1)
            from outbox group by channel
        """)
        return {
            channel: Tally(int(pending), int(dead), at, error or "")
            for channel, pending, dead, at, error in rows
        }

    def disabled(self) -> dict[str, Disabled]:
        """The channels that are, by name."""
        rows = self._ledger.db.execute(
            "select name, disabled_at, reason, coalesce(value, '') from channels"
            " left join meta on key = 'channel:' || name where disabled_at is not null"
        )
        return {name: Disabled(at, reason, mark) for name, at, reason, mark in rows}

    # what becomes of it

    def next_id(self) -> int:
        """For a new message."""
        return self._ledger.next_delivery_id()

    def add(self, row: DeliveryRow) -> None:
        """A new message."""
        self._ledger.add(INSERT_DELIVERY, msgspec.structs.astuple(row))

    def update(self, row: DeliveryRow, **fields: object) -> DeliveryRow:
        """How a message stands now."""
        row = msgspec.structs.replace(row, **fields)
        self._ledger.add(
            "update outbox set due_at = ?, attempts = ?, state = ?, delivered_at = ?, error = ? where id = ?",
            (row.due_at, row.attempts, row.state, row.delivered_at, row.error, row.id),
        )
        return row

    def disable(self, name: str, channel: Disabled) -> None:
        """Send nothing to a channel any more."""
        self._ledger.add(
            "insert into channels (name, disabled_at, reason) values (?, ?, ?)"
            " on conflict do update set disabled_at = excluded.disabled_at, reason = excluded.reason",
            (name, channel.at, channel.reason),
        )
        self._ledger.add(
            "insert into meta (key, value) values (?, ?) on conflict do update set value = excluded.value",
            (f"channel:{name}", channel.mark),
        )

    def enable(self, name: str) -> None:
        """Send to it again."""
        self._ledger.add("delete from channels where name = ?", (name,))
        self._ledger.add("delete from meta where key = ?", (f"channel:{name}",))

    def prune(self, now: float) -> None:
        """Let go of what is old, but for the newest message of each channel: it tells how that one does."""
        self._ledger.add(
            "delete from outbox where state <> 'pending' and coalesce(delivered_at, created_at) < ?"
            " and id not in (select max(id) from outbox group by channel)",
            (now - KEPT_DAYS * 86400.0,),
        )

    def revive(self, channels: Collection[str], now: float) -> int:
        """Enable channels, and make the messages pending that were given up on there; how many. Tests stay
        dead. Commits it. Raises LedgerError: nothing changed.
        """
        names, marks = tuple(channels), ", ".join("?" * len(channels))
        keys = tuple(f"channel:{name}" for name in names)
        return self._ledger.write_all(
            [
                (f"delete from channels where name in ({marks})", names),
                (f"delete from meta where key in ({marks})", keys),
                (
                    "update outbox set state = 'pending', attempts = 0, due_at = ?, error = ''"
                    f" where state = 'dead' and event <> 'test' and channel in ({marks})",
                    (now, *names),
                ),
            ]
        )

    def _rows(self, where: str, values: tuple[object, ...] = ()) -> list[DeliveryRow]:
        rows = self._ledger.db.execute(f"select {_ROW} from outbox where {where} order by id", values)
        return [DeliveryRow(**dict(zip(DeliveryRow.__struct_fields__, row, strict=True))) for row in rows]
