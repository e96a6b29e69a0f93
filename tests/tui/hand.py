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
    Approve,
    Call,
    Change,
    Grant,
    Kill,
    Pause,
    QueryAudit,
    QueryRequests,
    Refuse,
    Request,
    Resume,
    SetLimit,
    Snapshot,
    Welcome,
)
from tui import states


class HandMade:
    """Shows one state, changes it as the real daemon would when told to, and keeps every call."""

    def __init__(self, path: Path, state: Snapshot) -> None:
        self.path = path
        self.state = state
        self.requests: list[Request] = []
        self.changes: list[Change] = []
        self.calls: list[Call] = []
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
        if self.refusal and not isinstance(call, QueryRequests | QueryAudit):
            refusal, self.refusal = self.refusal, None
            raise refusal
        match call:
            case SetLimit(limit=name, limit_cents=cents):
                self._set_limit(name, cents)
            case Acknowledge(alert_ids=ids):
                return {"acknowledged": self._acknowledge(ids)}
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
                pass
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

    def _acknowledge(self, ids: list[int] | None) -> int:
        alerts = [
            msgspec.structs.replace(alert, acknowledged_at=self.state.at, acknowledged_by="budgettop")
            if alert.acknowledged_at is None and (ids is None or alert.id in ids)
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
