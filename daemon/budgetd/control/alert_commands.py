"""The calls about alerts and their channels: acknowledge, snooze, try, send again, and what is on record."""

import asyncio
from typing import TypeAlias

from budgetd.accounts import Accounts
from budgetd.alerts.lifecycle import state_of
from budgetd.alerts.outbox import Outbox
from budgetd.alerts.shown import to_wire
from budgetd.control.audit import Audit
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.ledger import alerting, reports
from budgetd.ledger.rows import AlertRow
from budgetwire.messages import (
    Acknowledge,
    AcknowledgeReply,
    Channel,
    QueryAlerts,
    QueryAlertsReply,
    QueryChannels,
    QueryChannelsReply,
    QueryDeliveries,
    QueryDeliveriesReply,
    Redeliver,
    RedeliverReply,
    SendTest,
    SendTestReply,
    Snooze,
    SnoozeReply,
    State,
)

AlertCall: TypeAlias = (
    Acknowledge | Snooze | QueryAlerts | QueryDeliveries | QueryChannels | SendTest | Redeliver
)

MOST_SNOOZE = 366 * 86400.0
"""Seconds."""


class AlertCommands:
    """Does them; each change leaves its mark in the audit."""

    def __init__(self, accounts: Accounts, outbox: Outbox, audit: Audit) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._audit = audit

    async def handle(self, call: AlertCall, peer: Peer) -> State:
        """Do one call. Raises CommandError or LedgerError, and then nothing has changed."""
        match call:
            case Acknowledge():
                return self._acknowledge(call, peer)
            case Snooze():
                return self._snooze(call, peer)
            case QueryAlerts():
                return await self._query(call)
            case QueryDeliveries():
                if call.alert_id is not None and not 0 <= call.alert_id < 2**63:
                    raise CommandError("invalid", "alert_id is the id of an alert.", "alert_id")
                self._accounts.ledger.flush()
                return QueryDeliveriesReply(deliveries=self._outbox.deliveries(call.alert_id))
            case QueryChannels():
                return QueryChannelsReply(channels=self._outbox.channels())
            case SendTest():
                return await self._send_test(call)
            case Redeliver():
                return self._redeliver(call, peer)

    def _acknowledge(self, call: Acknowledge, peer: Peer) -> AcknowledgeReply:
        accounts, now = self._accounts, self._accounts.clock()
        waiting = self._waiting(call.alert_ids, now)
        if waiting:
            ids = [alert.id for alert in waiting]
            with self._audit.change(peer, "acknowledge", _named(ids), "waiting", "acknowledged"):
                accounts.desk.board.acknowledge(ids, peer.user, now, peer.name)
            accounts.changed("alerts")
        return AcknowledgeReply(acknowledged=len(waiting))

    def _snooze(self, call: Snooze, peer: Peer) -> SnoozeReply:
        accounts, now = self._accounts, self._accounts.clock()
        if not now < call.until <= now + MOST_SNOOZE:
            raise CommandError("invalid", "A snooze ends in the future, within a year.", "until")
        waiting = self._waiting(call.alert_ids, now)
        if waiting:
            ids = [alert.id for alert in waiting]
            with self._audit.change(peer, "snooze", _named(ids), "waiting", f"until {call.until:.0f}"):
                accounts.desk.board.snooze(ids, call.until, now)
            accounts.changed("alerts")
        return SnoozeReply(snoozed=len(waiting))

    async def _query(self, call: QueryAlerts) -> QueryAlertsReply:
        if not 1 <= call.count <= reports.MOST_ROWS:
            raise CommandError("invalid", f"count is from 1 to {reports.MOST_ROWS:,}.", "count")
        if call.before_id is not None and not 0 <= call.before_id < 2**63:
            raise CommandError("invalid", "before_id is the id of an alert.", "before_id")
        ledger, now = self._accounts.ledger, self._accounts.clock()
        ledger.flush()

        def read() -> QueryAlertsReply:
            with reports.reading(ledger.path) as db:
                rows, more = alerting.query_alerts(db, call, now)
            return QueryAlertsReply(alerts=[to_wire(row, now) for row in rows], more=more)

        return await asyncio.to_thread(read)

    async def _send_test(self, call: SendTest) -> SendTestReply:
        if call.channel is not None:
            self._channel(call.channel)
        return SendTestReply(tests=await self._outbox.test(call.channel))

    def _redeliver(self, call: Redeliver, peer: Peer) -> RedeliverReply:
        if call.channel is not None and not self._outbox.sends_to(call.channel):
            why = self._channel(call.channel).disabled_reason
            raise CommandError("conflict", f"Nothing is sent to {call.channel}: {why}.", "channel")
        with self._audit.change(peer, "redeliver", call.channel or "all", "dead", "pending"):
            return RedeliverReply(deliveries=self._outbox.redeliver(call.channel))

    def _channel(self, name: str) -> Channel:
        known = {channel.name: channel for channel in self._outbox.channels()}
        if name not in known:
            names = f"there are: {', '.join(known)}." if known else "none is configured."
            raise CommandError("not_found", f"There is no channel {name[:40]!r}; {names}", "channel")
        return known[name]

    def _waiting(self, ids: list[int] | None, now: float) -> list[AlertRow]:
        """Those of them that fire or are snoozed."""
        return [
            alert
            for alert in self._accounts.desk.board.kept()
            if state_of(alert, now) in {"firing", "snoozed"} and (ids is None or alert.id in ids)
        ]


def _named(ids: list[int]) -> str:
    return f"alert {', '.join(map(str, sorted(ids, reverse=True)))}"
