"""Calls about what requests cost and what invoices say of it, and what is answered."""

from budgetwire.messages.base import Call, State


class QueryCost(Call, frozen=True, tag="query_cost"):
    """What one request cost. Replies `Cost`; error not_found where there is none of this id."""

    request: str
    """Its id in the ledger, or either id that the provider gave it."""


class Cost(State, frozen=True):
    """What a request cost, or has cost so far."""

    id: int
    provider_request_id: str
    response_id: str
    settled: bool
    """False while it runs: the cost may still grow."""
    outcome: str
    """Empty while it runs."""
    basis: str
    cost_nusd: int
    cost_cents: str
    """The same in US cents, as an exact decimal."""
    model: str
    upstream: str
    admitted_at: float
    settled_at: float | None
    tokens: dict[str, int]
    """Every count of its usage that is not 0, by its name in the ledger."""
    limits: list[str]
    """The names of the limits it counts on."""
    price_id: str


class Correction(State, frozen=True):
    """What an invoice says of one UTC day and model, beside what the ledger says. Nanodollars."""

    day: str
    """As 2026-11-23."""
    provider: str
    model: str
    ledger_nusd: int
    invoice_nusd: int
    estimated_nusd: int = 0
    """The part of the ledger's sum that was estimated, where that explains the difference; else 0."""


class ApplyCorrections(Call, frozen=True, tag="apply_corrections"):
    """Enter what an invoice says beyond the ledger, as one row for each day and model. Replies
    `ApplyCorrectionsReply`; conflict where the ledger has changed since the sums were made.
    """

    source: str
    """Where the invoice came from, for the record."""
    corrections: list[Correction]


class ApplyCorrectionsReply(State, frozen=True):
    """What was entered."""

    batch: int
    """To undo it by."""
    applied: int
    nusd: int
    """The sum of the differences; negative where the invoice says less."""


class UndoCorrections(Call, frozen=True, tag="undo_corrections"):
    """Take back the corrections that were applied together; None: the last that were. Replies
    `ApplyCorrectionsReply` of what was taken back.
    """

    batch: int | None = None


class ReportDrift(Call, frozen=True, tag="report_drift"):
    """Let the rule about invoices fire: what was found when one was compared. The reply is empty."""

    provider: str
    since: str
    """First UTC day."""
    until: str
    """Last UTC day."""
    ledger_nusd: int
    invoice_nusd: int
    cause: str
    """The likely one, in a sentence."""
