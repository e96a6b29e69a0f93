"""What is shown: the parts of the state, and the rows of the ledger."""

from typing import Literal

import msgspec

from budgetwire.messages.base import State


class Limit(State, frozen=True):
    """One counter of one limit, as it stands in its present window."""

    name: str
    window: str
    """hour, day, week, month, total, or the length of a rolling one: 5h, 7d."""
    limit_nusd: int
    """The cap as configured; what was granted comes on top."""
    spent_nusd: int
    reserved_nusd: int
    starts_at: float
    ends_at: float | None
    """None where the window has no end: total, and rolling ones."""
    thresholds_pct: list[int]
    on_exceed: Literal["refuse", "alert", "downgrade", "hold"]
    subject: str = ""
    """Whose counter it is, where the limit counts ``per`` something; empty for all that match."""
    per: str = ""
    match: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """What the limit is about, as written: model = claude-opus-*; several globs are joined by commas."""
    guarantee: Literal["expected", "strict"] = "expected"
    headroom_nusd: int = 0
    granted_nusd: int = 0
    """Granted on top of the cap until the window ends."""
    fallback_model: str = ""
    paused: bool = False
    """Requests that match are refused until this limit is resumed."""
    forecast_nusd: int | None = None
    """Spending expected at the window's end at the present burn; None while there is too little history."""
    cap_at: float | None = None
    """When the cap is reached at the present burn; None if not before the window ends."""
    refused: int = 0
    """Requests refused by this limit in this window."""
    unknown_nusd: int = 0
    """What a strict limit keeps for unknown ends: requests that were sent, and nobody stated what they cost.
    Until the window ends, the cost is known, or somebody releases it.
    """


class InFlight(State, frozen=True):
    """A request that has been admitted and has not been settled yet."""

    id: int
    started_at: float
    phase: Literal["held", "sent", "answering", "draining"]
    """held: waits for a decision; sent: no byte has come back; answering: the response runs; draining: the
    client left, usage is awaited.
    """
    upstream: str
    model: str
    user: str
    project: str
    session: str
    client: str
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    """What it has cost so far, by what was reported or else by what streamed."""
    reserved_nusd: int
    """What is reserved for it; of a held request, what it needs."""
    held_by: str = ""
    """The limit that holds it."""
    held_subject: str = ""
    """The subject of the counter that has no room for it: what a grant has to name."""
    held_until: float | None = None
    """When silence refuses it."""
    asked_model: str = ""
    """The model that was asked for, where a cheaper one took its place."""


class Alert(State, frozen=True):
    """An alert: one per rule, limit, subject and window, however often it happens."""

    id: int
    rule: str
    severity: Literal["info", "warning", "critical"]
    limit: str
    message: str
    fired_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    """The user who did it."""
    acknowledged_from: str = ""
    """The program it was done with: budgettop, budgetd, desktop."""
    subject: str = ""
    """Whose counter it is about, or what the rule is about: a model, an upstream, a channel."""
    state: Literal["firing", "snoozed", "acknowledged", "resolved"] = "firing"
    advice: str = ""
    """What the person can do, in a sentence."""
    count: int = 1
    """How often it has happened."""
    last_at: float = 0.0
    """When it happened last."""
    snoozed_until: float | None = None
    resolved_at: float | None = None
    resolved_by: str = ""
    """Why it is over: window over, limit raised, …"""
    request_id: int | None = None
    """The held request it is about, which can be approved or refused."""


class Burn(State, frozen=True):
    """How fast money goes. What goes over a plan stands apart, at what it would cost at API prices."""

    nusd_per_hour: int
    minutes_nusd: list[int]
    """Spending in each of the last 60 minutes, oldest first; the last is the minute that runs. With
    ``count_subscription`` that over a plan is in it."""
    today_nusd: int
    yesterday_nusd: int
    month_nusd: int
    month_forecast_nusd: int | None = None
    requests_today: int = 0
    today_plan_nusd: int = 0
    plan_minutes_nusd: list[int] = msgspec.field(default_factory=list[int])
    """As ``minutes_nusd``, of what is not in it."""


class Spend(State, frozen=True):
    """What one subject (a project, a model, a user or a session) spent today."""

    subject: str
    cost_nusd: int
    requests: int


class Spending(State, frozen=True):
    """Where today's money went, dearest first, at most 20 of each."""

    project: list[Spend]
    model: list[Spend]
    user: list[Spend]
    session: list[Spend]


class Block(State, frozen=True):
    """A killed request whose repeats are refused, of its session or, without one, of what it said."""

    request_id: int
    """What an approval has to name to let them go on."""
    by: str
    """Who killed it, for a person."""
    at: float
    until: float
    upstream: str
    model: str
    user: str
    project: str
    session: str
    client: str


class Daemon(State, frozen=True):
    """The daemon's own condition."""

    listen: str
    timezone: str
    paused_at: float | None = None
    paused_by: str = ""
    config_error: str = ""
    """Why the newest configuration is not in force; empty when it is."""
    ledger_error: str = ""
    """Why nothing can be recorded, so that nothing that costs is let through; empty when all is well."""
    blocks: list[Block] = msgspec.field(default_factory=list[Block])
    """What is refused because it would repeat a killed request, the oldest first."""
    stopping_until: float | None = None
    """How long requests that still run are waited for; None unless budgetd was told to stop."""


class Request(State, frozen=True):
    """One row of the ledger."""

    id: int
    admitted_at: float
    settled_at: float | None
    upstream: str
    provider: str
    dialect: str
    method: str
    path: str
    model: str
    model_billed: str
    user: str
    project: str
    session: str
    key: str
    client: str
    stream: bool
    status: int
    outcome: str
    basis: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    web_searches: int
    cost_nusd: int
    reserved_nusd: int
    expected_nusd: int
    worst_nusd: int | None
    price_id: str
    ttft_seconds: float | None
    duration_seconds: float | None
    request_bytes: int
    response_bytes: int
    provider_request_id: str
    asked_model: str = ""
    """What the client asked for, where a cheaper model took its place."""
    limits: list[str] = msgspec.field(default_factory=list[str])
    """The names of the limits it counts on."""
    service_tier: str = ""
    geo: str = ""
    response_id: str = ""
    """The provider's own id of the response; ``provider_request_id`` is that of the exchange."""
    cache_write_1h_tokens: int = 0
    """A part of ``cache_write_tokens``, as each of these is a part of its total."""
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    file_searches: int = 0
    search_units: int = 0
    images: int = 0
    input_characters: int = 0
    input_audio_ms: int = 0
    unknown_nusd: int = 0
    """What it may have cost beyond ``cost_nusd``, where nobody stated its cost."""
    token: str = ""
    """Fingerprint of the token that was sent, where ``key`` is a subscription's account."""
