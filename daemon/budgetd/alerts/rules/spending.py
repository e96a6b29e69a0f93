"""What spending itself gives word of: where it leads, that it is unusual, that one request was dear. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from zoneinfo import ZoneInfo

from budgetd.alerts.finding import Finding, shown
from budgetd.alerts.rules.limits import named
from budgetd.budget.counters import Window
from budgetwire.money import format_usd

LEAST_SECONDS = 1800.0
"""So much of a window has passed before a forecast is worth an alert,"""

LEAST_PART = 0.05
"""and so much of its length."""

LEAST_DAYS = 5
"""With fewer days to compare with, nothing is unusual."""

UNUSUAL_TIMES = 3
"""So many times the 90th percentile of other days is unusual."""

LEAST_UNUSUAL_NUSD = 1_000_000_000
"""An hour that cost less than a dollar is not worth an alert."""


def ripe(window: Window, now: float) -> bool:
    """Whether enough of a window has passed for a forecast to say something, and its cap lies ahead."""
    if window.ends_at is None or window.spent_nusd >= window.cap_nusd:
        return False
    passed = now - window.starts_at
    return passed >= max(LEAST_SECONDS, LEAST_PART * (window.ends_at - window.starts_at))


def forecast(window: Window, between: tuple[float, float], now: float, zone: ZoneInfo) -> Finding:
    """A counter will reach its cap between two instants, before its window ends."""
    assert window.ends_at is not None
    first, last = (clock_text(at, now, zone) for at in between)
    when = f"at {first}" if first == last else f"between {first} and {last}"
    return Finding(
        rule="forecast",
        severity="warning",
        message=(
            f"at this rate {named(window)} reaches its cap {when}"
            f" (resets {clock_text(window.ends_at, now, zone)}):"
            f" {format_usd(window.spent_nusd)} of {format_usd(window.cap_nusd)} spent"
        ),
        advice=("See in budgettop what spends it; pause with space, or press e to raise the limit."),
        limit=window.limit.name,
        subject=window.subject,
        window_starts_at=window.starts_at,
        window_ends_at=window.ends_at,
    )


def unusual_burn(hour: int, nusd: int, same_hours: Sequence[int]) -> Finding | None:
    """An hour (since the epoch) has cost far more than the same hour of other days, in nanodollars."""
    if len(same_hours) < LEAST_DAYS or nusd < LEAST_UNUSUAL_NUSD:
        return None
    usual = sorted(same_hours)[ceil(0.9 * len(same_hours)) - 1]
    if nusd <= UNUSUAL_TIMES * usual:
        return None
    beside = f"{format_usd(usual)} at most on nine days of ten" if usual else "nothing on other days"
    return Finding(
        rule="unusual_burn",
        severity="warning",
        message=f"unusual burn: {format_usd(nusd)} in this hour, where it is {beside}",
        advice="See in budgettop what spends it; k kills a request, space pauses all that costs.",
        window_starts_at=hour * 3600.0,
        window_ends_at=(hour + 1) * 3600.0,
    )


def request_over(
    id: int, model: str, project: str, nusd: int, over_nusd: int, day: tuple[float, float]
) -> Finding:
    """One request has cost more than it should; those of a model and a day are one alert."""
    whose = f" for {shown(project)}" if project else ""
    return Finding(
        rule="request_over",
        severity="warning",
        message=(
            f"request {id} to {shown(model)}{whose} cost {format_usd(nusd)},"
            f" more than {format_usd(over_nusd)}"
        ),
        advice=f"`budgetd cost {id}` tells why; the mark is request_over_cents in config.toml.",
        subject=model,
        window_starts_at=day[0],
        window_ends_at=day[1],
    )


def clock_text(at: float, now: float, zone: ZoneInfo) -> str:
    """An instant to come: its time within a day from now, else its date."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return f"{local:%H:%M}" if at - now < 86400 else f"{local:%a} {local.day} {local:%b}"
