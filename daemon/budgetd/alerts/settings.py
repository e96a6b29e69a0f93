"""`[alerts]` of config.toml: which rules fire and how, and where word of them is sent."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Severity = Literal["info", "warning", "critical"]

Cents = Annotated[int, Meta(ge=0, le=10**11)]


class RulesSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[alerts.rules]`: false switches a rule off."""

    threshold: bool = True
    cap: bool = True
    refused: bool = True
    held: bool = True
    downgraded: bool = True
    forecast: bool = True
    unusual_burn: bool = True
    request_over_cents: Cents = 500
    """One request that costs more than this; 0 is off."""
    unknown_model: bool = True
    prices_stale: bool = True
    config: bool = True
    limit_removed: bool = True
    overage: bool = True
    drift: bool = True
    delivery: bool = True
    ledger: bool = True
    records_lost: bool = True
    clock: bool = True
    upstream: bool = True
    recovered: bool = True
    restarted: bool = False


SHORT_FORM = "alert_webhook"
"""What the channel is called that the key of this name in `[budget]` of budget.toml makes."""


class ChannelSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of `[[alerts.channels]]`. What a kind does not use must be left out."""

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    kind: Literal["webhook", "desktop", "apprise", "exec"]
    enabled: bool = True
    severity: Severity = "warning"
    """Alerts from this severity up."""
    rules: list[str] | None = None
    """Only these; all where nothing is said."""
    url: str | None = None
    """Of a webhook or for apprise. May hold a token: it is never shown beyond scheme and host."""
    url_env: str | None = None
    """The environment variable that holds the url instead."""
    url_file: str | None = None
    """The file that holds the url instead."""
    secret_env: str | None = None
    """Where a webhook's signing secret is (`whsec_…`)."""
    secret_file: str | None = None
    command: list[str] | None = None
    """Of an exec: a program and its arguments; no shell."""
    timeout_seconds: Annotated[int, Meta(ge=1, le=120)] = 15
    resolved: bool = True
    """Whether it is told when an alert is over."""
    fallback: str | None = None
    """The channel that gets a message too that failed here `fallback_after` times."""
    fallback_after: Annotated[int, Meta(ge=1, le=7)] = 3


DEFAULT_DESKTOP = ChannelSection(name="desktop", kind="desktop")
"""The channel that is there by default, where a desktop is."""


class AlertsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[alerts]`."""

    enabled: bool = True
    """False: alerts are shown, and nothing is sent."""
    desktop: bool = True
    """Whether `DEFAULT_DESKTOP` is added where no channel of that kind is configured."""
    group_seconds: Annotated[int, Meta(ge=0, le=86400)] = 300
    """An alert that goes on happening is told again at most this often."""
    repeat_hours: Annotated[int, Meta(ge=0, le=168)] = 0
    """One that nobody acknowledges is told again after so long; 0: it is not."""
    quiet_hours: str | None = None
    """Like 22:00-07:00, in the `timezone`: what is not critical waits until they are over."""
    rules: RulesSection = RulesSection()
    channels: list[ChannelSection] = []
