"""What a rule finds: everything an alert says that does not depend on when and how often. A pure value."""

from typing import Literal

import msgspec

from budgetd.alerts.settings import Severity

Rule = Literal[
    "threshold",
    "cap",
    "refused",
    "held",
    "downgraded",
    "forecast",
    "unusual_burn",
    "request_over",
    "unknown_model",
    "prices_stale",
    "config",
    "limit_removed",
    "overage",
    "drift",
    "delivery",
    "ledger",
    "records_lost",
    "clock",
    "upstream",
    "recovered",
    "restarted",
]

MOST_NAME = 60
"""Characters of a name that a client chose, as it is shown."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an alert is about."""

    rule: Rule
    severity: Severity
    message: str
    """One line: what happened, with amounts."""
    advice: str = ""
    """What the person can do."""
    limit: str = ""
    subject: str = ""
    """Whose counter it is, or what the rule is about: a model, a channel."""
    window_starts_at: float | None = None
    """None where it belongs to no window; then it stays one alert until it is over."""
    window_ends_at: float | None = None
    threshold_pct: int = 0
    request_id: int | None = None
    alone: bool = False
    """Each time is an alert of its own, though no window ends it."""


def shown(name: str, most: int = MOST_NAME) -> str:
    """A name that a client chose, fit for one line of a message."""
    line = "".join(char if char.isprintable() else " " for char in name)
    return line if len(line) <= most else f"{line[: most - 1]}…"
