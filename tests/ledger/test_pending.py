"""One record that cannot be written as it is does not keep the others from being written."""

import asyncio
import math
from pathlib import Path

import pytest

from budgetd.errors import LedgerError
from budgetd.ledger import queries, schema
from budgetd.ledger.writer import Ledger
from ledger.rows import HOUR, T0, alert, closing, fire, on_disk, opening

POISON = {
    "a number beyond 64 bits": {"request_bytes": 10**19},
    "a negative one": {"worst_nusd": -(10**30)},
    "half a character": {"model": "a\ud800b"},
    "no number": {"reserved_nusd": math.nan},
    "a text in place of a number": {"request_bytes": "many"},
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_a_poisoned_reservation_takes_no_other_with_it(path: Path, poison: dict[str, object]) -> None:
    ledger = Ledger(path)
    reserved = [ledger.reserve(opening(id, **(poison if id == 2 else {}))) for id in (1, 2, 3)]
    told = await asyncio.gather(*reserved, return_exceptions=True)
    assert (told[0], told[2]) == (None, None)
    ids = [id for (id,) in on_disk(path, "select id from requests")]
    assert ids == ([1, 2, 3] if told[1] is None else [1, 3])
    assert ledger.failure == ""
    await ledger.reserve(opening(4))
    await ledger.close()


async def test_a_number_beyond_64_bits_is_written_as_the_most_there_is(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1, request_bytes=10**19, model="a\ud800b"))
    assert on_disk(path, "select request_bytes, model from requests") == [(2**63 - 1, "a?b")]
    assert ledger.left_out == 0
    await ledger.close()


async def test_a_record_that_nothing_helps_is_left_out_and_its_request_is_told(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    twice, other = ledger.reserve(opening(1)), ledger.reserve(opening(2))
    await other
    with pytest.raises(LedgerError, match="cannot hold this request: UNIQUE constraint failed"):
        await twice
    assert (ledger.left_out, ledger.left_out_why.split(":")[0]) == (1, "the reservation of request 1")
    assert on_disk(path, "select id from requests") == [(1,), (2,)]
    await ledger.close()


async def test_settlements_refusals_and_alerts_beside_a_poisoned_one_are_all_written(path: Path) -> None:
    ledger = Ledger(path)
    for id in (1, 2, 3):
        await ledger.reserve(opening(id))
    for id, cost in ((1, 5), (2, 10**30), (3, 7)):
        ledger.settle(opening(id, model=f"m{id}"), closing(cost))
    ledger.record_refusal(opening(4, request_bytes=2**70), closing(0, outcome="refused"))
    ledger.record_refusal(opening(5), closing(0, outcome="refused"))
    ledger.add("insert into nowhere values (1)")
    fire(ledger, alert(1))
    ledger.flush()
    assert on_disk(path, "select id, outcome, cost_nusd from requests") == [
        (1, "ok", 5), (2, "ok", 2**63 - 1), (3, "ok", 7), (4, "refused", 0), (5, "refused", 0)
    ]  # fmt: skip
    sums = on_disk(path, "select model, requests, cost_nusd from rollups order by model")
    assert sums == [("m1", 1, 5), ("m2", 1, 2**63 - 1), ("m3", 1, 7)]
    assert on_disk(path, "select id from alerts") == [(1,)]
    assert (ledger.left_out, ledger.left_out_why.split(":")[0]) == (1, "insert into nowhere values")
    await ledger.close()


async def test_an_end_that_fits_no_sum_leaves_its_reservation_to_be_recovered(path: Path) -> None:
    ledger = Ledger(path)
    for id in (1, 2, 3):
        await ledger.reserve(opening(id))
    for id in (1, 2):  # together more than a sum can hold
        ledger.settle(opening(id), closing(2**63 - 1))
    ledger.settle(opening(3, model="other"), closing(3))
    ledger.flush()
    assert on_disk(path, "select id, outcome from requests") == [(1, "ok"), (2, None), (3, "ok")]
    assert [row.id for row in queries.open_requests(ledger.db)] == [2]
    assert ledger.left_out == 1
    await ledger.close()


async def test_a_poisoned_statement_that_is_asked_for_leaves_no_transaction_open(path: Path) -> None:
    ledger = Ledger(path)
    ledger.settle(opening(1), closing(1))
    with pytest.raises(LedgerError, match="too large"):
        ledger.write_all([(schema.INSERT_AUDIT, (T0, 2**70, "me", "pause", "", "", ""))])
    assert not ledger.db.in_transaction
    assert on_disk(path, "select count(*) from audit") == [(0,)]
    await ledger.reserve(opening(2))
    assert on_disk(path, "select hour from rollups") == [(int(T0 // HOUR),)]
    await ledger.close()
