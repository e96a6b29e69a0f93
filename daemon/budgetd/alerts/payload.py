"""What a channel is told of an alert: JSON of a versioned shape, which docs/alerts.md describes. Pure."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from budgetd.alerts.lifecycle import State, state_of
from budgetd.alerts.settings import Severity
from budgetd.ledger.rows import AlertRow

VERSION = 1
"""Goes up when a receiver of the one before could misread it; a new field does not count as that."""

WAITING = {"firing", "snoozed"}
"""The states in which an alert can be acknowledged."""

Event = Literal["fired", "updated", "repeated", "resolved", "test"]


class AlertPart(msgspec.Struct, frozen=True, kw_only=True):
    """The alert as it was when the message was written."""

    id: int
    rule: str
    severity: Severity
    state: State
    limit: str | None
    subject: str | None
    threshold_pct: int | None
    message: str
    advice: str | None
    count: int
    fired_at: str
    fired_at_epoch: float
    last_at: str
    last_at_epoch: float
    window_ends_at: str | None
    window_ends_at_epoch: float | None
    resolved_at: str | None
    resolved_at_epoch: float | None
    resolved_by: str | None
    request_id: int | None
    acknowledge: str | None


class DaemonPart(msgspec.Struct, frozen=True):
    """Who says so."""

    host: str
    version: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    version: int
    id: str
    event: Event
    created_at: str
    created_at_epoch: float
    title: str
    text: str
    alert: AlertPart
    daemon: DaemonPart


def write(alert: AlertRow, event: Event, message_id: str, now: float, daemon: DaemonPart) -> str:
    """The document as JSON, exactly as it is sent."""
    part = _part(alert, event, now)
    document = Document(
        version=VERSION,
        id=message_id,
        event=event,
        created_at=_iso(now),
        created_at_epoch=now,
        title=f"budgettop on {daemon.host}: {_happened(alert, event)}",
        text="\n".join(_lines(part)),
        alert=part,
        daemon=daemon,
    )
    return msgspec.json.encode(document).decode()


def read(body: str) -> Document:
    """A document that `write` made."""
    return msgspec.json.decode(body, type=Document)


def sample(channel: str, now: float) -> AlertRow:
    """What a test of a channel sends in place of an alert."""
    return AlertRow(
        id=0,
        rule="test",
        severity="info",
        limit="",
        subject=channel,
        window_starts_at=now,
        threshold_pct=0,
        message=f"this is a test of the channel {channel}; nothing has happened",
        fired_at=now,
        last_at=now,
    )


def _part(alert: AlertRow, event: Event, now: float) -> AlertPart:
    state = state_of(alert, now)
    last_at = max(alert.last_at, alert.fired_at)
    ends_at, resolved_at = alert.window_ends_at, alert.resolved_at
    return AlertPart(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        state=state,
        limit=alert.limit or None,
        subject=alert.subject or None,
        threshold_pct=alert.threshold_pct or None,
        message=alert.message,
        advice=alert.advice or None,
        count=alert.count,
        fired_at=_iso(alert.fired_at),
        fired_at_epoch=alert.fired_at,
        last_at=_iso(last_at),
        last_at_epoch=last_at,
        window_ends_at=None if ends_at is None else _iso(ends_at),
        window_ends_at_epoch=ends_at,
        resolved_at=None if resolved_at is None else _iso(resolved_at),
        resolved_at_epoch=resolved_at,
        resolved_by=alert.resolved_by or None,
        request_id=alert.request_id,
        acknowledge=f"budgetd ack {alert.id}" if state in WAITING and event != "test" else None,
    )


def _happened(alert: AlertRow, event: Event) -> str:
    """In a word or two."""
    match event:
        case "fired":
            return alert.severity
        case "updated":
            return f"{alert.severity}, {alert.count} times"
        case "repeated":
            return f"{alert.severity}, not acknowledged yet"
        case "resolved" | "test":
            return event


def _lines(part: AlertPart) -> list[str]:
    """What a person is to read."""
    if part.state == "resolved":
        return [part.message, f"Over: {part.resolved_by}" if part.resolved_by else "It is over."]
    lines = [part.message]
    if part.advice:
        lines.append(part.advice)
    if part.acknowledge:
        lines.append(f"Acknowledge: {part.acknowledge}")
    return lines


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
