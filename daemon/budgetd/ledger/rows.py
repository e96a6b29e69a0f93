"""The rows of the ledger as structs; their field names are the column names."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from budgetd.budget.limits import Subject

SUBJECT = tuple(name for name in Subject.__struct_fields__ if name != "canonical_model")
"""The fields of a subject that are on record; the other one is the price book's to say."""


UNSTATED = frozenset(("estimated", "unmetered", "recovered"))
"""Bases of costs that nobody stated."""


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
    limits: str = "[]"
    """The names of the limits it counts on, as a JSON list."""
    token: str = ""
    """Fingerprint of the token that was sent, where ``key`` is a subscription's account."""


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
    unknown_nusd: int = 0
    """What it may have cost beyond that, where nobody stated its cost: strict limits keep it out of their
    room. 0 once the cost is known, or somebody has released it.
    """
    model_billed: str = ""
    service_tier: str = ""
    geo: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    web_searches: int = 0
    cache_read_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_image_tokens: int = 0
    file_searches: int = 0
    search_units: int = 0
    images: int = 0
    input_characters: int = 0
    input_audio_ms: int = 0
    price_id: str = ""
    ttft_seconds: float | None = None
    duration_seconds: float | None = None
    response_bytes: int = 0
    provider_request_id: str = ""
    """The provider's own id of the exchange, from a header."""
    response_id: str = ""
    """The provider's own id of the response, from its body."""
    output_bytes: int = 0
    """UTF-8 bytes of what was generated, as far as it was seen."""


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert. One per rule, counter, window and threshold, however often it happens."""

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
    acknowledged_from: str = ""
    """The program it was done with: budgettop, budgetd, desktop."""
    subject: str = ""
    """Whose counter it is about, where the limit counts ``per`` something; else what the rule is about."""
    advice: str = ""
    """What the person can do, in a sentence."""
    count: int = 1
    """How often it has happened."""
    last_at: float = 0.0
    """When it happened last."""
    window_ends_at: float | None = None
    """When it resolves by itself; None where nothing but its cause ends it."""
    snoozed_until: float | None = None
    resolved_at: float | None = None
    resolved_by: str = ""
    """Why it is over: window over, limit raised, …"""
    told_at: float | None = None
    """When the channels were last given word of it; None while they have not been."""
    request_id: int | None = None
    """The request it is about, where that can be decided: one that is held."""


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one channel: a row of the outbox."""

    id: int
    alert_id: int | None
    """None for a test."""
    channel: str
    event: Literal["fired", "updated", "repeated", "resolved", "test"]
    message_id: str
    """The same at each attempt, so that a receiver can drop duplicates."""
    body: str
    """The alert as it was then, as the JSON that is sent."""
    created_at: float
    due_at: float
    attempts: int = 0
    state: Literal["pending", "delivered", "dead"] = "pending"
    delivered_at: float | None = None
    error: str = ""
    """Why the last attempt failed, for a person."""


class CorrectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice said beyond (or below) the ledger, for one UTC day and model. Nanodollars."""

    id: int
    batch: int
    """The corrections that were applied, and are undone, together."""
    at: float
    source: str
    day: str
    """The UTC date, as 2026-11-23."""
    provider: str
    model: str
    ledger_nusd: int
    invoice_nusd: int
    estimated_nusd: int
    """The part of the ledger's sum that was estimated."""
    request_id: int
    """The row that holds the difference."""
    undone_at: float | None = None


class GrantRow(NamedTuple):
    """What a person let a counter go beyond its cap, in nanodollars."""

    limit: str
    subject: str
    nusd: int
    at: float


def subject_of(values: Sequence[Any]) -> Subject:
    """A subject by its columns, as `SUBJECT` names them."""
    return Subject(**dict(zip(SUBJECT, values, strict=True)))
