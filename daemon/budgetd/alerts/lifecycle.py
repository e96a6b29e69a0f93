"""The life of an alert: it fires, is snoozed or acknowledged, fires again, and is over. Pure.

Each function returns the alert as it stands afterwards; `word` says what the channels have yet to be told.
The same, as a table, is in docs/alerts.md; a test keeps the two in step.
"""

import math
from typing import Literal

import msgspec

from budgetd.alerts.finding import Finding
from budgetd.ledger.rows import AlertRow

State = Literal["firing", "snoozed", "acknowledged", "resolved"]
Word = Literal["fired", "updated", "repeated", "resolved"]

SUPERSEDED = "a higher threshold was passed"
"""Why a threshold's alert is over whose place a higher one takes."""

CLOCK_SET_BACK = "the clock was set back"
"""Why an alert is over whose window is not yet to come after all."""

CAUSE_GONE = ("limit raised", "limit removed", "limit changed", "below again", CLOCK_SET_BACK)
"""Reasons after which the same thing, if it happens in the same window, is news again."""

SAID_ONCE = frozenset(("unknown_model", "downgraded", "delivery", "upstream", "overage"))
"""Rules of what goes on by itself once it has begun: how often is counted, and no news."""

STEP_SECONDS = 60.0
"""A last word that lies so far ahead was given before the clock was set back."""

_replace = msgspec.structs.replace


class Pace(msgspec.Struct, frozen=True):
    """How often word of one alert goes out, in seconds."""

    group: float = 300.0
    """Between two words of what goes on happening."""
    repeat: float = 0.0
    """Until it is repeated, where nobody has acknowledged it; 0: never."""


def state_of(alert: AlertRow, now: float) -> State:
    """Where it is in its life."""
    if alert.resolved_at is not None:
        return "resolved"
    if alert.acknowledged_at is not None:
        return "acknowledged"
    if alert.snoozed_until is not None and now < alert.snoozed_until:
        return "snoozed"
    return "firing"


def fire(finding: Finding, id: int, now: float) -> AlertRow:
    """A new alert."""
    return AlertRow(
        id=id,
        rule=finding.rule,
        severity=finding.severity,
        limit=finding.limit,
        subject=finding.subject,
        window_starts_at=now if finding.window_starts_at is None else finding.window_starts_at,
        window_ends_at=finding.window_ends_at,
        threshold_pct=finding.threshold_pct,
        message=finding.message,
        advice=finding.advice,
        request_id=finding.request_id,
        fired_at=now,
        last_at=now,
    )


def again(alert: AlertRow, finding: Finding, now: float) -> AlertRow:
    """It has happened once more. One that was over fires anew."""
    alert = _replace(restated(alert, finding), count=alert.count + 1, last_at=_after(alert.told_at, now))
    if alert.resolved_at is None:
        return alert
    return _replace(
        alert,
        fired_at=now,
        last_at=now,
        acknowledged_at=None,
        acknowledged_by="",
        acknowledged_from="",
        snoozed_until=None,
        resolved_at=None,
        resolved_by="",
        told_at=None,
    )


def restated(alert: AlertRow, finding: Finding) -> AlertRow:
    """The same thing, as it is now; it has not happened again."""
    return _replace(
        alert,
        severity=finding.severity,
        message=finding.message,
        advice=finding.advice,
        window_ends_at=finding.window_ends_at,
        request_id=finding.request_id,
    )


def acknowledge(alert: AlertRow, by: str, program: str, now: float) -> AlertRow:
    """Somebody knows of it. Only one that fires or is snoozed changes."""
    if alert.resolved_at is not None or alert.acknowledged_at is not None:
        return alert
    return _replace(
        alert, acknowledged_at=now, acknowledged_by=by, acknowledged_from=program, snoozed_until=None
    )


def snooze(alert: AlertRow, until: float) -> AlertRow:
    """Nothing is said of it until then. Only one that fires or is snoozed changes."""
    if alert.resolved_at is not None or alert.acknowledged_at is not None:
        return alert
    return _replace(alert, snoozed_until=until)


def wake(alert: AlertRow, now: float) -> AlertRow:
    """Once its snooze has ended it fires again: it is told as if it never had been."""
    if alert.resolved_at is not None or alert.snoozed_until is None or now < alert.snoozed_until:
        return alert
    return _replace(alert, snoozed_until=None, told_at=None)


def resolve(alert: AlertRow, why: str, now: float, *, quietly: bool = False) -> AlertRow:
    """It is over. ``quietly``: the channels need not be told."""
    if alert.resolved_at is not None:
        return alert
    alert = _replace(alert, resolved_at=_after(alert.told_at, now), resolved_by=why)
    return told(alert, now) if quietly else alert


def word(alert: AlertRow, now: float, pace: Pace) -> Word | None:
    """What the channels have yet to be told of it, as of now."""
    match state_of(alert, now):
        case "resolved":
            return _last_word(alert)
        case "firing":
            if alert.told_at is None:
                return "fired"
            if _is_news(alert, alert.told_at) and _passed(alert.told_at, pace.group, now):
                return "updated"
            if pace.repeat and _passed(alert.told_at, pace.repeat, now):
                return "repeated"
            return None
        case "snoozed" | "acknowledged":
            return None


def told(alert: AlertRow, now: float) -> AlertRow:
    """The channels know all of it as of now."""
    resolved_at = None if alert.resolved_at is None else min(alert.resolved_at, now)
    return _replace(alert, told_at=now, last_at=min(alert.last_at, now), resolved_at=resolved_at)


def _is_news(alert: AlertRow, told_at: float) -> bool:
    """Whether it has happened again since, and that is worth a word."""
    return alert.last_at > told_at and alert.rule not in SAID_ONCE


def _last_word(alert: AlertRow) -> Word | None:
    """Of one that is over: that it is, if they knew of it; that it was, if nobody has seen or muted it."""
    if alert.told_at is not None:
        assert alert.resolved_at is not None
        return "resolved" if alert.resolved_at > alert.told_at else None
    seen = alert.acknowledged_at is not None or alert.snoozed_until is not None
    return None if seen else "fired"


def _after(told_at: float | None, now: float) -> float:
    """Now, but later than the last word, if only by a hair: so it shows that there is more to say."""
    return now if told_at is None or now > told_at else math.nextafter(told_at, math.inf)


def _passed(since: float, seconds: float, now: float) -> bool:
    """Whether so much time has passed, also where the clock has been set back meanwhile."""
    return now - since >= seconds or since - now > STEP_SECONDS
