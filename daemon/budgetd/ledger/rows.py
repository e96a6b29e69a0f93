"""The rows of the ledger as structs; their field names are the column names."""

from typing import Literal, NamedTuple

import msgspec


class Opening(msgspec.Struct, frozen=True):
    """What is known of a request when it is admitted or refused. Money in nanodollars, sizes in bytes."""

    id: int
    admitted_at: float
    upstream: str
    provider: str
    dialect: str
    billing: str
    method: str
    path: str
    model: str
    user: str
    project: str
    session: str
    key: str
    client: str
    stream: bool
    request_bytes: int
    reserved_nusd: int
    """0 where no limit counts it, and of what is refused."""
    expected_nusd: int
    worst_nusd: int | None
    asked_model: str = ""
    """What the client asked for, where a cheaper model took its place; ``model`` is the one that was sent."""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it at its end."""

    settled_at: float
    outcome: str
    """ok, error (the provider said no), aborted (the client left), broken (the upstream did), killed (cut by
    its owner), failed (never sent), refused, recovered.
    """
    basis: str
    status: int = 0
    cost_nusd: int = 0
    model_billed: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    web_searches: int = 0
    price_id: str = ""
    ttft_seconds: float | None = None
    duration_seconds: float | None = None
    response_bytes: int = 0
    provider_request_id: str = ""


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert. One per rule, counter, window and threshold."""

    id: int
    rule: str
    severity: Literal["info", "warning", "critical"]
    limit: str
    window_starts_at: float
    threshold_pct: int
    message: str
    fired_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    subject: str = ""
    """Whose counter it is about, where the limit counts ``per`` something."""


class GrantRow(NamedTuple):
    """What a person let a counter go beyond its cap, in nanodollars."""

    limit: str
    subject: str
    nusd: int
    at: float
