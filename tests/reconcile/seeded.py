"""A ledger with requests of some days in it, and the invoices that would be right."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from budgetd.ledger.rows import Closing, Opening
from budgetd.ledger.writer import Ledger
from budgetd.metering.usage import Usage
from budgetd.pricing.book import load_book
from budgetd.reconcile.days import day_of, following, starts_at

BOOK = load_book()
HOUR = 3600.0

DAYS = [following(day_of(time.time()), ahead - 7) for ahead in range(7)]
"""The last 7 full days, the oldest first; asked for by name, lest midnight comes during the tests."""
SPAN = ("--since", DAYS[0], "--until", DAYS[-1])


@dataclass
class Spent:
    """One request."""

    day: str
    model: str
    provider: str = "anthropic"
    model_billed: str = ""
    basis: str = "reported"
    billing: str = "api"
    project: str = "acme"
    tier: str = ""
    cost: int | None = None
    """Nanodollars; by the price book unless given."""
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=200_000, output_tokens=20_000))

    @property
    def nusd(self) -> int:
        if self.cost is not None:
            return self.cost
        name, at = self.model_billed or self.model, starts_at(self.day)
        price = BOOK.price(self.provider, name, at, service_tier=self.tier)
        assert price
        return price.cost_nusd(self.usage)


def seed(path: Path, requests: Iterable[Spent]) -> None:
    """Write them as a daemon would have: one an hour, from the second hour of each day."""
    asyncio.run(_seed(path, list(requests)))


async def _seed(path: Path, requests: Sequence[Spent]) -> None:
    ledger = Ledger(path)
    hours: dict[str, int] = {}
    for request in requests:
        hours[request.day] = hour = hours.get(request.day, 1) + 1
        opening = _opening(ledger.next_request_id(), request, starts_at(request.day) + hour * HOUR)
        ledger.reserve(opening).add_done_callback(lambda done: done.exception())
        ledger.settle(
            opening,
            Closing(
                settled_at=opening.admitted_at + 5, outcome="ok", basis=request.basis, status=200,
                cost_nusd=request.nusd, model_billed=request.model_billed, service_tier=request.tier,
                price_id="genai-prices", **{name: getattr(request.usage, name) for name in _TOKENS},
            ),
        )  # fmt: skip
    await ledger.close()


_TOKENS = Usage.__struct_fields__


def _opening(id: int, request: Spent, at: float) -> Opening:
    assert day_of(at) == request.day
    values: dict[str, Any] = dict.fromkeys(("user", "session", "key", "client"), "") | {
        "dialect": "anthropic", "method": "POST", "path": "/v1/messages", "stream": True,
        "request_bytes": 10, "reserved_nusd": 0, "expected_nusd": 0, "worst_nusd": None,
    }  # fmt: skip
    return Opening(
        id=id, admitted_at=at, upstream=request.provider, provider=request.provider,
        billing=request.billing, model=request.model, project=request.project, **values,
    )  # fmt: skip


def dollars(nusd: int) -> str:
    """Exactly, as an invoice writes them."""
    return f"{'-' if nusd < 0 else ''}{abs(nusd) // 10**9}.{abs(nusd) % 10**9:09}"
