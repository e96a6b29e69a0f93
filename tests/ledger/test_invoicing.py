"""The ledger's sums of a provider's UTC days."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from budgetd.ledger.invoicing import Portion, first_day, portions, shares
from budgetd.ledger.queries import costs_since, first_admitted_at
from budgetd.ledger.writer import Ledger
from ledger.rows import HOUR, T0, closing, opening

DAY = 24 * HOUR
TODAY = T0 // DAY


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    made = Ledger(path)
    yield made
    await made.close()


def settle(ledger: Ledger, cost: int, at: float = T0, basis: str = "reported", **more: object) -> None:
    fields = {name: more.pop(name) for name in list(more) if name in closing(0).__struct_fields__}
    opened = opening(ledger.next_request_id(), at, **more)
    ledger.record_refusal(opened, closing(cost, basis=basis, **fields))
    ledger.flush()


def found(ledger: Ledger, provider: str = "anthropic") -> list[Portion]:
    return portions(ledger.db, provider, T0 - DAY, T0 + DAY)


async def test_requests_alike_are_one_portion(ledger: Ledger) -> None:
    for cost, tokens in ((100, 400), (200, 600)):
        settle(ledger, cost, input_tokens=tokens, output_tokens=7, model_billed="m", price_id="p")
    (portion,) = found(ledger)
    assert (portion.day, portion.requests, portion.cost_nusd) == (TODAY, 2, 300)
    assert (portion.usage.input_tokens, portion.usage.output_tokens) == (1000, 14)
    assert (portion.longest_input, portion.name, portion.price_id) == (600, "m", "p")


@pytest.mark.parametrize(
    "unlike",
    [
        {"at": T0 - HOUR * 13}, {"model": "other"}, {"model_billed": "other"}, {"basis": "estimated"},
        {"service_tier": "batch"}, {"geo": "us"}, {"price_id": "other"}, {"billing": "subscription"},
        {"upstream": "other"}, {"input_tokens": 200_001},
    ],
)  # fmt: skip
async def test_requests_that_differ_in_what_bears_on_their_price_are_told_apart(
    ledger: Ledger, unlike: dict
) -> None:
    settle(ledger, 1, input_tokens=200_000)
    settle(ledger, 2, **({"input_tokens": 200_000} | unlike))
    assert sorted(portion.cost_nusd for portion in found(ledger)) == [1, 2]


async def test_what_was_never_sent_or_costs_nothing_by_its_kind_is_left_out(ledger: Ledger) -> None:
    settle(ledger, 0, basis="", outcome="refused")
    settle(ledger, 0, billing="free")
    settle(ledger, 5, provider="openai")
    ledger.reserve(opening(ledger.next_request_id()))
    ledger.flush()
    assert found(ledger) == []


async def test_a_day_begins_and_ends_at_midnight_utc(ledger: Ledger) -> None:
    midnight = TODAY * DAY
    settle(ledger, 1, midnight - 0.001)
    settle(ledger, 2, midnight)
    assert [(portion.day, portion.cost_nusd) for portion in found(ledger)] == [(TODAY - 1, 1), (TODAY, 2)]


async def test_shares_are_the_same_sums(ledger: Ledger) -> None:
    for cost, model, billed in ((1, "m", "m-1"), (2, "m", "m-1"), (4, "m", ""), (8, "n", "")):
        settle(ledger, cost, model=model, model_billed=billed, input_tokens=cost)
    settle(ledger, 32, model="n", service_tier="priority")
    settle(ledger, 16, billing="subscription")
    settle(ledger, 0, basis="", outcome="refused")
    told = [tuple(share)[1:] for share in shares(ledger.db, "anthropic", T0 - DAY, T0 + DAY)]
    assert sorted(told) == [
        ("m", "", "", 4),
        ("m", "m-1", "", 3),
        ("n", "", "", 8),
        ("n", "", "priority", 32),
    ]


async def test_corrections_are_no_beginning_of_the_record_and_no_burn(ledger: Ledger) -> None:
    assert first_day(ledger.db) is None
    settle(ledger, 5, T0 - 30 * DAY, basis="corrected", outcome="corrected")
    assert first_day(ledger.db) is None
    assert first_admitted_at(ledger.db) is None
    settle(ledger, 7)
    assert first_day(ledger.db) == TODAY
    assert first_admitted_at(ledger.db) == T0
    assert [nusd for _, nusd, _ in costs_since(ledger.db, 0)] == [7]
