"""What the ledger says of a provider's UTC days, in the sums that an invoice is held against. Read only."""

import sqlite3
from typing import NamedTuple

import msgspec

from budgetd.metering.usage import Usage

_DAY = 86_400
_STEP = 1_000
"""Requests are summed together if their inputs end in the same thousand tokens: prices change at a length of
input, and whole thousands are where they do."""

_KEY = ("upstream", "billing", "model", "model_billed", "basis", "service_tier", "geo", "price_id")
_COUNTS = Usage.__struct_fields__
_COUNTED = "provider = ? and admitted_at >= ? and admitted_at < ? and basis <> '' and outcome is not null"


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """Settled requests of one day that have everything in common which bears on their price."""

    day: int
    """Days since 1970, UTC."""
    upstream: str
    billing: str
    model: str
    """The one that was asked for."""
    model_billed: str
    """The one that answered; empty where it did not say."""
    basis: str
    service_tier: str
    geo: str
    price_id: str
    longest_input: int
    """Input tokens of the longest request among them."""
    requests: int
    cost_nusd: int
    usage: Usage
    """Sums."""

    @property
    def name(self) -> str:
        """The model it is billed as."""
        return self.model_billed or self.model


class Share(NamedTuple):
    """What a day cost under one name, with what tells where to book more of it."""

    upstream: str
    model: str
    model_billed: str
    service_tier: str
    cost_nusd: int

    @property
    def name(self) -> str:
        """The model it is billed as."""
        return self.model_billed or self.model


def portions(db: sqlite3.Connection, provider: str, since: float, until: float) -> list[Portion]:
    """What a provider's requests admitted in [since, until) cost, corrections included; free traffic and what
    was never sent is left out.
    """
    sums = ", ".join(f"sum({name})" for name in _COUNTS)
    rows = db.execute(
        f"select cast(admitted_at / {_DAY} as integer), {', '.join(_KEY)},"
        f" max(input_tokens), count(*), sum(cost_nusd), {sums}"
        f" from requests where {_COUNTED} and billing <> 'free'"
        f" group by 1, {', '.join(_KEY)}, (max(input_tokens, 1) - 1) / {_STEP} order by 1",
        (provider, since, until),
    )
    return [_portion(row) for row in rows]


def shares(db: sqlite3.Connection, provider: str, since: float, until: float) -> list[Share]:
    """The same for what the API bills, in less detail: the daemon asks it while it does nothing else."""
    rows = db.execute(
        f"select upstream, model, model_billed, service_tier, sum(cost_nusd) from requests where {_COUNTED}"
        " and billing = 'api' group by 1, 2, 3, 4",
        (provider, since, until),
    )
    return [Share(*row) for row in rows]


def first_day(db: sqlite3.Connection) -> int | None:
    """The day of the first request on record, in days since 1970; None while there is none."""
    row = db.execute(
        "select admitted_at from requests where basis <> 'corrected' order by admitted_at limit 1"
    ).fetchone()
    return None if row is None else int(row[0] // _DAY)


def estimate_errors(db: sqlite3.Connection, since: float) -> list[tuple[str, int, int]]:
    """(model as it is asked for, what was estimated, what the invoice said beyond it) in nanodollars: of the
    corrections applied since and in force that estimates explain, batch by batch, the oldest first.
    """
    return db.execute(
        "select requests.model, sum(estimated_nusd), sum(invoice_nusd - ledger_nusd)"
        " from corrections join requests on requests.id = request_id"
        " where corrections.at >= ? and undone_at is null and estimated_nusd > 0"
        " group by batch, requests.model order by batch",
        (since,),
    ).fetchall()


def _portion(row: tuple[int | str, ...]) -> Portion:
    names = ("day", *_KEY, "longest_input", "requests", "cost_nusd")
    fields = dict(zip(names, row, strict=False))
    usage = dict(zip(_COUNTS, row[len(names) :], strict=True))
    return msgspec.convert({**fields, "usage": usage}, Portion)
