"""Calls that steer, and calls for rows of the ledger, with what is answered."""

from budgetwire.messages.base import Call, State
from budgetwire.messages.state import Request


class Subscribe(Call, frozen=True, tag="subscribe"):
    """Ask for a `Snapshot` now and an `Update` whenever something changes. The reply is empty."""


class SetLimit(Call, frozen=True, tag="set_limit"):
    """Set the cap of a limit in ``budget.toml``; None removes the limit. The reply is empty."""

    limit: str
    limit_cents: int | None


class UndoLimit(Call, frozen=True, tag="undo_limit"):
    """Take back the last edit or grant that was made over this socket. Replies `UndoLimitReply`."""

    limit: str | None = None
    """The limit that it was of; None: the last one of any limit."""
    allow_raise: bool = False
    """Also where that raises a cap or removes a limit; else that is an error about this field."""


class UndoLimitReply(State, frozen=True):
    """What was taken back."""

    limit: str
    action: str
    """What had been done: ``set_limit`` or ``grant``, or what an earlier undo had done: ``undo_limit`` or
    ``undo_grant``."""
    before_nusd: int | None
    """The cap until now, of a grant what was granted until now; None where there was no limit."""
    after_nusd: int | None
    message: str
    """A sentence for a person, with the amounts."""
    subject: str = ""
    """Whose counter, of a grant."""


class ForgetLimits(Call, frozen=True, tag="forget_limits"):
    """Let go of limits that stay in force although ``budget.toml`` has lost them. The reply is empty."""


class Grant(Call, frozen=True, tag="grant"):
    """Let a counter go so much beyond its cap until its window ends. The reply is empty."""

    limit: str
    cents: int
    """More than 0."""
    subject: str = ""


class Release(Call, frozen=True, tag="release"):
    """Let go of what a counter of a strict limit keeps for unknown ends. Replies `ReleaseReply`."""

    limit: str
    subject: str = ""


class ReleaseReply(State, frozen=True):
    """How many requests that were, and what was kept for them."""

    released: int
    nusd: int


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
