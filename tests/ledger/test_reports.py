"""What clients ask of the ledger."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd.ledger import reports
from budgetd.ledger.schema import INSERT_AUDIT
from budgetd.ledger.writer import Ledger
from budgetwire.messages import EstimateError, QueryRequests
from ledger.rows import T0, closing, opening


async def test_rows_are_queried_newest_first_by_what_they_match(path: Path) -> None:
    ledger = Ledger(path)
    for id in range(1, 8):
        row = opening(id, T0 + id, project="a" if id % 2 else "b")
        _ = ledger.reserve(row)
        ledger.settle(row, closing(id))
    ledger.flush()
    with reports.reading(path) as db:
        first = reports.query_requests(db, QueryRequests(id=1, count=2, project="a"))
        rest = reports.query_requests(db, QueryRequests(id=1, count=2, project="a", before_id=5))
    assert [row.id for row in first.requests] == [7, 5]
    assert first.more
    assert [row.id for row in rest.requests] == [3, 1]
    assert not rest.more
    assert (rest.requests[0].cost_nusd, rest.requests[0].expected_nusd) == (3, 90)
    assert rest.requests[0].stream is True
    await ledger.close()


async def test_the_audit_is_told_newest_first_and_its_last_change_by_subject_and_action(path: Path) -> None:
    ledger = Ledger(path)
    for at, action, subject in (
        (1, "set_limit", "daily"),
        (2, "pause", "daily"),
        (3, "set_limit", "monthly"),
    ):
        ledger.write(INSERT_AUDIT, (T0 + at, 1000, "ada", action, subject, "1", "2"))
    assert [change.at - T0 for change in reports.query_audit(ledger.db, 2).changes] == [3, 2]
    change = reports.last_change(ledger.db, "daily", ("set_limit", "undo_limit"), ())
    assert change
    assert (change.id, change.uid, change.name, change.before, change.after) == (1, 1000, "ada", "1", "2")
    assert reports.last_change(ledger.db, "daily", (), ("grant",)) is None
    await ledger.close()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"basis": "billed"}, True),
        ({"basis": "estimated"}, False),
        ({"outcome": "error"}, False),
        ({"outcome": "recovered", "basis": "recovered"}, False),
    ],
)
async def test_only_what_the_provider_reported_tells_how_good_an_estimate_was(path: Path, more, told) -> None:
    ledger = Ledger(path)
    for id, expected in ((1, 90), (2, 0)):
        row = opening(id, expected_nusd=expected, worst_nusd=400)
        _ = ledger.reserve(row)
        ledger.settle(row, closing(120 if expected else 0, **more))
    ledger.flush()
    models = reports.query_estimates(ledger.db, T0).models
    assert models == ([EstimateError("claude-sonnet-5", 1, 90, 120, 400, 134, 134)] if told else [])
    assert reports.query_estimates(ledger.db, T0 + 1).models == []
    await ledger.close()


estimated = st.tuples(
    st.sampled_from("ab"), st.integers(1, 10**12), st.integers(0, 10**12), st.none() | st.integers(0, 10**17)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(estimated, max_size=40))
def test_the_error_of_estimates_is_that_of_sums_and_quantiles(tmp_path_factory, rows) -> None:
    async def told() -> list[EstimateError]:
        ledger = Ledger(tmp_path_factory.mktemp("l") / "ledger.db")
        for id, (model, expected, cost, worst) in enumerate(rows, 1):
            row = opening(id, model=model, expected_nusd=expected, worst_nusd=worst)
            _ = ledger.reserve(row)
            ledger.settle(row, closing(cost))
        ledger.flush()
        models = reports.query_estimates(ledger.db, T0).models
        await ledger.close()
        return models

    models = asyncio.run(told())
    assert {error.model for error in models} == {row[0] for row in rows}
    assert [error.cost_nusd for error in models] == sorted((e.cost_nusd for e in models), reverse=True)
    for error in models:
        its = [row for row in rows if row[0] == error.model]
        assert error.requests == len(its)
        assert error.expected_nusd == sum(expected for _, expected, _, _ in its)
        assert error.cost_nusd == sum(cost for _, _, cost, _ in its)
        assert (error.worst_nusd is None) == any(worst is None for *_, worst in its)
        for share, pct in ((0.5, error.cost_pct_p50), (0.9, error.cost_pct_p90)):
            assert pct == reports.MOST_PCT or sum(c * 100 <= pct * e for _, e, c, _ in its) >= share * len(
                its
            )


async def test_who_reads_cannot_write(path: Path) -> None:
    ledger = Ledger(path)
    with reports.reading(path) as db, pytest.raises(Exception, match="readonly"):
        db.execute("delete from audit")
    await ledger.close()
