"""What a clock that is wrong does to the records, and what they tell of it. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from budgetd.alerts.finding import Finding

BEHIND = "behind"
"""The subject of an alert about a clock that is wrong now."""


def redated(requests: int, last: float, zone: ZoneInfo) -> Finding:
    """The clock was ahead, and is right now."""
    which = "1 request counts" if requests == 1 else f"{requests} requests count"
    return Finding(
        rule="clock",
        severity="warning",
        message=f"the clock was ahead and is right again: {which} as of now, dated up to {_date(last, zone)}",
        advice="Look after the clock of this machine. `budgetd limits` shows what is spent now.",
        alone=True,
    )


def behind(newest: float, zone: ZoneInfo) -> Finding:
    """The clock is far behind the records."""
    return Finding(
        rule="clock",
        severity="critical",
        message=(
            f"the clock is more than a day behind the newest request on record, of {_date(newest, zone)}:"
            " limits go on in the windows of then"
        ),
        advice="Set the clock of this machine; if it is right now, start budgetd again.",
        subject=BEHIND,
    )


def _date(at: float, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y} at {local:%H:%M}"
