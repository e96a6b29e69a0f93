"""Every message that crosses the socket, as typed structs: calls, answers, and the state that is shown.

A message is a msgpack map whose key ``type`` names its struct. Money is integer nanodollars (``…_nusd``),
times are UTC epoch seconds. Framing lives in `codec`, connections in `client`; the document for people who
write their own client is ``protocol/README.md``, and a test keeps the two in step.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

VERSION = "1.0"
"""Version of this protocol; sides whose major numbers differ do not talk."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """Base of everything that is shown: plain maps, unknown fields ignored so that minor versions can add."""


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
    match: dict[str, str] = {}
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
    """An alert that fired in the present windows or still waits to be acknowledged."""

    id: int
    rule: str
    severity: Literal["info", "warning", "critical"]
    limit: str
    message: str
    fired_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str = ""


class Burn(State, frozen=True):
    """How fast money goes."""

    nusd_per_hour: int
    minutes_nusd: list[int]
    """Spending in each of the last 60 minutes, oldest first; the last is the minute that runs."""
    today_nusd: int
    yesterday_nusd: int
    month_nusd: int
    month_forecast_nusd: int | None = None
    requests_today: int = 0


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


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of everything that is sent as a message of its own."""


# From the client


class Hello(Message, frozen=True, tag="hello"):
    """The first message on a connection."""

    version: str
    name: str


class Call(Message, frozen=True):
    """A message that is answered by one `Reply` or `Error` of the same id."""

    id: int


class Subscribe(Call, frozen=True, tag="subscribe"):
    """Ask for a `Snapshot` now and an `Update` whenever something changes. The reply is empty."""


class SetLimit(Call, frozen=True, tag="set_limit"):
    """Set the cap of a limit in ``budget.toml``; None removes the limit. The reply is empty."""

    limit: str
    limit_cents: int | None


class Acknowledge(Call, frozen=True, tag="acknowledge"):
    """Acknowledge alerts by id; None acknowledges all. Replies `AcknowledgeReply`."""

    alert_ids: list[int] | None


class AcknowledgeReply(State, frozen=True):
    """How many alerts were acknowledged by this call (those that already were do not count)."""

    acknowledged: int


class UndoLimit(Call, frozen=True, tag="undo_limit"):
    """Take back the last edit of a limit that was made over this socket. The reply is empty."""

    limit: str


class Grant(Call, frozen=True, tag="grant"):
    """Let a counter go so much beyond its cap until its window ends. The reply is empty."""

    limit: str
    cents: int
    """More than 0."""
    subject: str = ""


class Pause(Call, frozen=True, tag="pause"):
    """Refuse every request that can cost, or what matches one limit, until resumed. The reply is empty."""

    limit: str | None = None


class Resume(Call, frozen=True, tag="resume"):
    """Admit requests again: all, or what matches one limit. The reply is empty."""

    limit: str | None = None


class Approve(Call, frozen=True, tag="approve"):
    """Let a held request through, this once, whatever the limit that holds it. The reply is empty."""

    request_id: int


class Refuse(Call, frozen=True, tag="refuse"):
    """Refuse a held request. The reply is empty."""

    request_id: int


class Kill(Call, frozen=True, tag="kill"):
    """Cut a running request on both sides; what it cost is settled. The reply is empty."""

    request_id: int


class QueryAudit(Call, frozen=True, tag="query_audit"):
    """Who changed what, newest first. Replies `QueryAuditReply`."""

    count: int = 100
    """At most this many rows, 1 to 1,000."""


class Change(State, frozen=True):
    """One row of the audit: who (user id, and the name the client gave itself) did what."""

    id: int
    at: float
    uid: int
    name: str
    action: str
    subject: str
    before: str
    after: str


class QueryAuditReply(State, frozen=True):
    """The rows."""

    changes: list[Change]


class QueryEstimates(Call, frozen=True, tag="query_estimates"):
    """How well costs were foretold, by model. Replies `QueryEstimatesReply`."""

    since: float


class EstimateError(State, frozen=True):
    """Sums over the requests of one model that were settled from a report."""

    model: str
    requests: int
    expected_nusd: int
    cost_nusd: int
    worst_nusd: int | None
    """None if some had no bound."""
    cost_pct_p50: int
    """Cost in per cent of what was expected: half the requests had no more."""
    cost_pct_p90: int


class QueryEstimatesReply(State, frozen=True):
    """Models by what they cost, dearest first."""

    models: list[EstimateError]


class QueryRequests(Call, frozen=True, tag="query_requests"):
    """Rows of the ledger, newest first. Replies `QueryRequestsReply`."""

    count: int = 100
    """At most this many rows, 1 to 1,000."""
    before_id: int | None = None
    """Only rows with a smaller id."""
    since: float | None = None
    until: float | None = None
    model: str | None = None
    user: str | None = None
    project: str | None = None
    session: str | None = None
    outcome: str | None = None


class QueryRequestsReply(State, frozen=True):
    """The rows, and whether older ones match too (ask again with ``before_id`` of the last row)."""

    requests: list[Request]
    more: bool


# From the daemon


class Welcome(Message, frozen=True, tag="welcome"):
    """The answer to `Hello`."""

    version: str
    daemon: str
    pid: int
    started_at: float
    listen: str


class Reply(Message, frozen=True, tag="reply"):
    """A call succeeded; ``result`` is a map whose shape the call names, empty if it names none."""

    id: int
    result: dict[str, Any] = {}


class Error(Message, frozen=True, tag="error"):
    """A call failed, or (without id) the connection did and is closed. Nothing was half applied."""

    code: str
    """bad_message, version, not_found, invalid, conflict or failed."""
    message: str
    id: int | None = None
    field: str = ""


class Snapshot(Message, frozen=True, tag="snapshot"):
    """The whole state."""

    seq: int
    at: float
    daemon: Daemon
    limits: list[Limit]
    in_flight: list[InFlight]
    alerts: list[Alert]
    burn: Burn
    spending: Spending


class Update(Message, frozen=True, tag="update"):
    """The parts of the state that changed since the last message, each whole; at most 20 a second."""

    seq: int
    at: float
    daemon: Daemon | UnsetType = UNSET
    limits: list[Limit] | UnsetType = UNSET
    in_flight: list[InFlight] | UnsetType = UNSET
    alerts: list[Alert] | UnsetType = UNSET
    burn: Burn | UnsetType = UNSET
    spending: Spending | UnsetType = UNSET


FromClient: TypeAlias = (
    Hello
    | Subscribe
    | SetLimit
    | UndoLimit
    | Grant
    | Acknowledge
    | Pause
    | Resume
    | Approve
    | Refuse
    | Kill
    | QueryRequests
    | QueryAudit
    | QueryEstimates
)
FromDaemon: TypeAlias = Welcome | Reply | Error | Snapshot | Update


def merge(state: Snapshot, update: Update) -> Snapshot:
    """Return the state after an update: its parts replace those they name."""
    parts = {
        name: value for name in update.__struct_fields__ if (value := getattr(update, name)) is not UNSET
    }
    return msgspec.structs.replace(state, **parts)
