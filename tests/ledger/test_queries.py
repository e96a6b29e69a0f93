"""What the daemon asks at its start, against sums made by hand."""

import asyncio
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from budgetd.budget.limits import Subject
from budgetd.ledger import queries
from budgetd.ledger.rows import GrantRow
from budgetd.ledger.writer import Ledger
from ledger.rows import HOUR, T0, closing, opening

moments = st.floats(0, 6 * HOUR).map(lambda seconds: T0 + seconds)
spent = st.tuples(moments, st.integers(0, 1000), st.sampled_from("ab"), st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(spent, max_size=25),
    since=moments,
    starts=st.lists(moments, max_size=3),
    subscription=st.booleans(),
)
@example(
    rows=[(T0 + 1800, 5, "a", False), (T0 + 9000, 1, "a", False)], since=T0, starts=[], subscription=False
)
def test_history_since_any_start_is_what_was_spent_since_for_each_subject(
    tmp_path_factory, rows, since, starts, subscription
) -> None:
    async def told() -> list[tuple[float, Subject, int]]:
        ledger = Ledger(tmp_path_factory.mktemp("l") / "ledger.db")
        for id, (at, cost, project, paid) in enumerate(rows, 1):
            row = opening(id, at, project=project, billing="subscription" if paid else "api")
            _ = ledger.reserve(row)
            ledger.settle(row, closing(cost))
        _ = ledger.reserve(opening(len(rows) + 1, T0 + 1))
        ledger.flush()
        history = list(queries.history(ledger.db, since, subscription=subscription, starts=starts))
        await ledger.close()
        return history

    history = asyncio.run(told())
    counted = [row for row in rows if subscription or not row[3]]
    for start in (since, *(start for start in starts if start >= since)):
        for project in "ab":
            seen = sum(nusd for at, subject, nusd in history if at >= start and subject.project == project)
            assert seen == sum(cost for at, cost, whose, _ in counted if at >= start and whose == project)
    newest = max((at // HOUR for at, *_ in rows), default=0)
    for at, subject, nusd in history:
        assert subject.provider == "anthropic"
        if at // HOUR == newest:
            assert (at, nusd) in [row[:2] for row in counted]
        assert at // HOUR <= newest


async def test_an_hour_comes_at_its_last_instant_so_that_it_leaves_a_rolling_window_late(path: Path) -> None:
    ledger = Ledger(path)
    for id, at in enumerate((T0 - 7200, T0 + 60, T0 + 120, T0 + 7200), 1):
        row = opening(id, at)
        _ = ledger.reserve(row)
        ledger.settle(row, closing(10))
    ledger.flush()
    history = sorted((at, nusd) for at, _, nusd in queries.history(ledger.db, T0 - 7200, subscription=False))
    assert history == [(T0 - 7200, 10), (T0 + HOUR - 0.001, 20), (T0 + 7200, 10)]
    await ledger.close()


async def test_the_learner_is_given_the_newest_reported_requests_the_newest_last(
    path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(queries, "LEARNT_ROWS", 3)
    ledger = Ledger(path)
    assert queries.learning_rows(ledger.db) == []
    kinds = ["reported", "reported", "estimated", "billed", "reported", "unmetered"]
    for id, basis in enumerate(kinds, 1):
        row = opening(id, session=f"s{id}", request_bytes=350)
        _ = ledger.reserve(row)
        ledger.settle(
            row, closing(1, basis=basis, input_tokens=100 * id, output_tokens=id, settled_at=T0 + id)
        )
    failed = opening(7)
    _ = ledger.reserve(failed)
    ledger.settle(failed, closing(0, outcome="error", status=500))
    ledger.flush()
    rows = queries.learning_rows(ledger.db)
    assert [(row.session, row.input_tokens, row.output_tokens, row.settled_at) for row in rows] == [
        ("s2", 200, 2, T0 + 2),
        ("s4", 400, 4, T0 + 4),
        ("s5", 500, 5, T0 + 5),
    ]
    assert {row.request_bytes for row in rows} == {350}
    monkeypatch.setattr(queries, "SEARCHED_ROWS", 3)
    assert [row.session for row in queries.learning_rows(ledger.db)] == ["s5"]
    await ledger.close()


async def test_unknown_ends_are_found_since_with_whom_they_count_on(path: Path) -> None:
    ledger = Ledger(path)
    rows = [(0, 5, "api"), (2, 0, "api"), (3, 7, "api"), (1, 9, "subscription"), (-1, 3, "api")]
    for id, (seconds, unknown, billing) in enumerate(rows, 1):
        row = opening(id, T0 + seconds, billing=billing, key="a_111111", token=f"k_00000{id}")
        _ = ledger.reserve(row)
        ledger.settle(row, closing(1, unknown_nusd=unknown))
    ledger.flush()
    found = queries.unknown_ends(ledger.db, T0, subscription=False)
    assert [(end.id, end.admitted_at, end.unknown_nusd) for end in found] == [(1, T0, 5), (3, T0 + 3, 7)]
    assert [(end.subject.key, end.subject.token) for end in found] == [
        ("a_111111", "k_000001"),
        ("a_111111", "k_000003"),
    ]
    assert [end.id for end in queries.unknown_ends(ledger.db, T0, subscription=True)] == [1, 4, 3]
    await ledger.close()


async def test_grants_and_paused_limits_outlive_the_daemon(path: Path) -> None:
    ledger = Ledger(path)
    insert = 'insert into grants ("limit", subject, window_starts_at, nusd, at) values (?, ?, ?, ?, ?)'
    ledger.write(insert, ("opus", "acme", T0, 5, T0 + 9))
    ledger.write(insert, ("daily", "", T0, 7, T0 + 10))
    for key in ("paused", "paused:daily", "paused:opus: per project", "pausedx"):
        ledger.write("insert into meta values (?, '1.0 ada')", (key,))
    await ledger.close()
    ledger = Ledger(path)
    assert queries.grants(ledger.db) == [
        GrantRow("opus", "acme", 5, T0 + 9),
        GrantRow("daily", "", 7, T0 + 10),
    ]
    assert queries.paused_limits(ledger.db) == ["daily", "opus: per project"]
    await ledger.close()
