"""A daemon whose state is made by hand, served by the real control socket."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from budgetd.control.needs import PARTS, Peer
from budgetd.control.server import CommandError, ControlServer
from budgetwire.messages import (
    VERSION,
    Acknowledge,
    Alert,
    Approve,
    Call,
    Change,
    Channel,
    Delivery,
    Grant,
    Kill,
    Pause,
    QueryAlerts,
    QueryAudit,
    QueryChannels,
    QueryDeliveries,
    QueryRequests,
    Redeliver,
    Refuse,
    Request,
    Resume,
    SendTest,
    SetLimit,
    Snapshot,
    Snooze,
    TestOutcome,
    UndoLimit,
    Welcome,
)
from tui import states

QUERIES = QueryRequests, QueryAudit, QueryAlerts, QueryDeliveries, QueryChannels
"""Calls that the dashboard makes by itself."""


class HandMade:
    """Shows one state, changes it as the real daemon would when told to, and keeps every call."""

    def __init__(self, path: Path, state: Snapshot) -> None:
        self.path = path
        self.state = state
        self.requests: list[Request] = []
        self.changes: list[Change] = []
        self.calls: list[Call] = []
        self.alerts_on_record: list[Alert] = []
        """Beside those of the state."""
        self.deliveries: list[Delivery] = []
        self.channels: list[Channel] = []
        self.tests: list[TestOutcome] = []
        self.unknown: tuple[type[Call], ...] = ()
        """Calls that this daemon is too old to know."""
        self.refusal: CommandError | None = None
        """What the next call is answered with."""
        self.gate = asyncio.Event()
        """While it is not set, calls wait."""
        self.gate.set()
        self._server: ControlServer | None = None

    def __getattr__(self, part: str) -> Any:
        # The views: a method for each part of the state.
        if part in PARTS:
            return lambda: getattr(self.state, part)
        raise AttributeError(part)

    async def start(self) -> None:
        welcome = Welcome(
            version=VERSION, daemon="0.1.0", pid=1, started_at=0.0, listen=self.state.daemon.listen
        )
        self._server = ControlServer(self.path, welcome, self, self._handle)
        await self._server.start()

    async def stop(self) -> None:
        if self._server:
            await self._server.stop()
            self._server = None

    def show(self, **parts: object) -> None:
        """Replace parts of the state and tell everybody."""
        self.state = msgspec.structs.replace(self.state, **parts)
        if self._server:
            self._server.changed(*parts)

    def of(self, kind: type[Call]) -> list[Any]:
        return [call for call in self.calls if isinstance(call, kind)]

    async def _handle(self, call: Call, peer: Peer) -> dict[str, Any]:
        self.calls.append(call)
        await self.gate.wait()
        if isinstance(call, self.unknown):
            raise CommandError("bad_message", f"Invalid value {type(call).__name__!r} - at `$.type`")
        if self.refusal and not isinstance(call, QUERIES):
            refusal, self.refusal = self.refusal, None
            raise refusal
        match call:
            case SetLimit(limit=name, limit_cents=cents):
                self._set_limit(name, cents)
            case Acknowledge(alert_ids=ids):
                by = {"acknowledged_by": "ada", "acknowledged_from": peer.name}
                facts = {"state": "acknowledged", "acknowledged_at": self.state.at, **by}
                return {"acknowledged": self._answer(ids, **facts)}
            case Grant(limit=name, subject=subject, cents=cents):
                self._grant(name, subject, cents * 10_000_000)
            case Approve(request_id=id):
                self._release(id, "sent")
            case Refuse(request_id=id) | Kill(request_id=id):
                self._release(id, None)
            case Pause(limit=str(name)) | Resume(limit=str(name)):
                self._change(name, paused=isinstance(call, Pause))
            case QueryAudit(count=count):
                return {"changes": [msgspec.to_builtins(change) for change in self.changes[:count]]}
            case Pause() | Resume():
                at = self.state.at if isinstance(call, Pause) else None
                self.show(
                    daemon=msgspec.structs.replace(self.state.daemon, paused_at=at, paused_by=peer.name)
                )
            case QueryRequests(count=count, before_id=before):
                rows = [row for row in self.requests if before is None or row.id < before]
                rows.sort(key=lambda row: -row.id)
                return {
                    "requests": [msgspec.to_builtins(row) for row in rows[:count]],
                    "more": len(rows) > count,
                }
            case _:
                return self._handle_others(call)
        return {}

    def _handle_others(self, call: Call) -> dict[str, Any]:
        match call:
            case UndoLimit():
                told = "The cap of daily is $10.00 again; it was $20.00."
                return {"limit": "daily", "action": "set_limit", "message": told}
            case Snooze(alert_ids=ids, until=until):
                return {"snoozed": self._answer(ids, state="snoozed", snoozed_until=until)}
            case QueryAlerts(count=count, before_id=before):
                known = {alert.id: alert for alert in [*self.alerts_on_record, *self.state.alerts]}
                found = sorted((id for id in known if before is None or id < before), reverse=True)
                return {
                    "alerts": [msgspec.to_builtins(known[id]) for id in found[:count]],
                    "more": len(found) > count,
                }
            case QueryDeliveries(alert_id=alert_id):
                sent = [each for each in self.deliveries if alert_id in (None, each.alert_id)]
                return {"deliveries": [msgspec.to_builtins(each) for each in sent]}
            case QueryChannels():
                return {"channels": [msgspec.to_builtins(each) for each in self.channels]}
            case SendTest(channel=name):
                tests = [each for each in self.tests if name in (None, each.channel)]
                return {"tests": [msgspec.to_builtins(each) for each in tests]}
            case Redeliver(channel=name):
                named = [each for each in self.channels if name in (None, each.name)]
                self.channels = [
                    msgspec.structs.replace(each, dead=0, disabled_at=None) if each in named else each
                    for each in self.channels
                ]
                return {"deliveries": sum(each.dead for each in named)}
            case _:
                return {}

    def _set_limit(self, name: str, cents: int | None) -> None:
        if any(one.name == name and one.per for one in self.state.limits):
            self._change(name, limit_nusd=(cents or 0) * 10_000_000)
            return
        limits = {one.name: one for one in self.state.limits}
        if cents is None:
            limits.pop(name)
        else:
            old = limits.get(name) or states.limit(name, 0, 0)
            limits[name] = msgspec.structs.replace(old, limit_nusd=cents * 10_000_000)
        self.show(limits=[limits[name] for name in sorted(limits)])

    def _change(self, name: str, subject: str | None = None, **facts: object) -> None:
        self.show(
            limits=[
                msgspec.structs.replace(one, **facts)
                if one.name == name and subject in (None, one.subject)
                else one
                for one in self.state.limits
            ]
        )

    def _grant(self, name: str, subject: str, nusd: int) -> None:
        """As the daemon does: what the counter held has room now."""
        self._change(name, subject, granted_nusd=nusd)
        for request in self.state.in_flight:
            if (request.held_by, request.held_subject) == (name, subject):
                self._release(request.id, "sent")

    def _release(self, id: int, phase: str | None) -> None:
        """Let a held request run, or (no phase) have it gone."""
        if all(request.id != id for request in self.state.in_flight):
            raise CommandError("not_found", f"Request {id} is not in flight any more.")
        self.show(
            in_flight=[
                msgspec.structs.replace(request, phase=phase, held_by="", held_subject="", held_until=None)
                if request.id == id
                else request
                for request in self.state.in_flight
                if request.id != id or phase
            ]
        )

    def _answer(self, ids: list[int] | None, **facts: object) -> int:
        """Change the alerts that can be answered: those named, or (None) all."""
        alerts = [
            msgspec.structs.replace(alert, **facts)
            if alert.state in ("firing", "snoozed") and (ids is None or alert.id in ids)
            else alert
            for alert in self.state.alerts
        ]
        changed = sum(new != old for new, old in zip(alerts, self.state.alerts, strict=True))
        self.show(alerts=alerts)
        return changed


@contextlib.asynccontextmanager
async def hand_made(path: Path, state: Snapshot) -> AsyncGenerator[HandMade]:
    """Serve a state for as long as it is needed."""
    daemon = HandMade(path, state)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()
