"""UTC days, the only stretch of time that invoices and the ledger both know. A day is written 2026-11-23."""

from datetime import UTC, date, datetime, timedelta

DAY_SECONDS = 86_400


def day_of(at: float) -> str:
    """The day of an instant, given in UTC epoch seconds. Raises ValueError if no calendar has it."""
    try:
        return datetime.fromtimestamp(at, UTC).date().isoformat()
    except (OverflowError, OSError):
        raise ValueError(f"{at:g} is not a time.") from None


def day_in(text: str) -> str:
    """The day of a date or an ISO time; one without a zone is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at.astimezone(UTC) if at.tzinfo else at).date().isoformat()


def starts_at(day: str) -> float:
    """When a day begins, in UTC epoch seconds. Raises ValueError."""
    first = date.fromisoformat(day)
    return datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()


def following(day: str, count: int = 1) -> str:
    """The day so many days later; earlier if negative."""
    return (date.fromisoformat(day) + timedelta(days=count)).isoformat()


def days_between(since: str, until: str) -> list[str]:
    """Every day from one to the other, both included; none if the second is earlier."""
    count = (date.fromisoformat(until) - date.fromisoformat(since)).days + 1
    return [following(since, ahead) for ahead in range(count)]
