import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgetd.errors import LedgerError
from budgetd.ledger import alerting, checkpoints, queries
from budgetd.ledger.rows import Closing
from budgetd.ledger.writer import Ledger
from ledger.rows import HOUR, T0, alert, closing, fire, on_disk, opening


async def test_a_reservation_is_on_record_once_its_future_is_done(path: Path) -> None:
    ledger = Ledger(path)
    committed = ledger.reserve(opening(1))
    assert on_disk(path, "select count(*) from requests") == [(0,)]
    await committed
    assert on_disk(path, "select id, outcome from requests") == [(1, None)]
    await ledger.close()


async def test_a_load_without_pauses_does_not_grow_the_write_ahead_log_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.01)
    monkeypatch.setattr(checkpoints, "MOST_WAL_PAGES", 50)
    ledger = Ledger(path)
    ledger.start_checkpoints()
    wal = path.with_name("ledger.db-wal")
    begun = times_begun(wal)
    for id in range(1, 20_000):
        await ledger.reserve(opening(id))
        if times_begun(wal) >= begun + 3:
            break
    else:
        pytest.fail("it was never begun anew")
    await ledger.close()


def times_begun(wal: Path) -> int:
    """How often a write-ahead log has begun at its start again, from its header."""
    with wal.open("rb") as file:
        return int.from_bytes(file.read(16)[12:])


async def test_reservations_of_one_turn_share_a_commit(path: Path) -> None:
    ledger = Ledger(path)
    await asyncio.gather(*(ledger.reserve(opening(id)) for id in range(1, 21)))
    assert on_disk(path, "select count(*) from requests") == [(20,)]
    await ledger.close()


async def test_a_settlement_its_rollup_and_its_alert_are_one_transaction(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    ledger.settle(opening(1), closing(42))
    fire(ledger, alert(1))
    ledger.flush()
    assert on_disk(path, "select outcome, cost_nusd from requests") == [("ok", 42)]
    assert on_disk(path, "select hour, requests, cost_nusd from rollups") == [(int(T0 // HOUR), 1, 42)]
    assert on_disk(path, "select message from alerts") == [("daily passed 80 %",)]
    await ledger.close()


async def test_settlements_are_committed_without_anybody_asking(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    ledger.settle(opening(1), closing(42))
    while on_disk(path, "select outcome from requests") != [("ok",)]:
        await asyncio.sleep(0.005)
    await ledger.close()


async def test_an_alert_of_one_window_and_threshold_is_kept_once(path: Path) -> None:
    ledger = Ledger(path)
    fire(ledger, alert(1), alert(2), alert(3, pct=95))
    ledger.flush()
    assert on_disk(path, "select id from alerts order by id") == [(1,), (3,)]
    assert alerting.fired_thresholds(ledger.db, "daily", "", T0, ()) == {80, 95}
    await ledger.close()


async def test_an_alert_of_each_counter_is_kept(path: Path) -> None:
    ledger = Ledger(path)
    fire(ledger, alert(1, subject="acme"), alert(2, subject="notes"), alert(3, subject="notes"))
    fire(ledger, alert(4, subject="notes", window_starts_at=T0 - 60))
    ledger.flush()
    assert on_disk(path, "select id from alerts order by id") == [(1,), (2,), (4,)]
    assert alerting.fired_thresholds(ledger.db, "daily", "acme", T0, ()) == {80}
    assert alerting.fired_thresholds(ledger.db, "daily", "", T0, ()) == set()
    assert alerting.fired_thresholds(ledger.db, "daily", "notes", T0 + 1, ()) == set()
    await ledger.close()


async def test_ids_go_on_after_a_restart(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(ledger.next_request_id()))
    await ledger.close()
    ledger = Ledger(path)
    assert ledger.next_request_id() == 2
    await ledger.close()


async def test_open_reservations_are_found_after_a_kill(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    await ledger.reserve(opening(2))
    ledger.settle(opening(1), closing(5))
    ledger.flush()
    # No close: the process is gone, and another opens the files.
    other = Ledger(path)
    assert [(row.id, row.expected_nusd) for row in queries.open_requests(other.db)] == [(2, 90)]
    await other.close()
    await ledger.close()


async def test_a_ledger_that_cannot_be_written_fails_reservations_and_keeps_settlements(path: Path) -> None:
    ledger = Ledger(path)
    await ledger.reserve(opening(1))
    page_count = ledger.db.execute("pragma page_count").fetchone()[0]
    ledger.db.execute(f"pragma max_page_count = {page_count}")
    ledger.settle(opening(1), closing(42, model_billed="x" * 20000))
    while "full" not in ledger.failure:
        await asyncio.sleep(0.005)
    with pytest.raises(LedgerError, match="full"):
        await ledger.reserve(opening(2))
    ledger.db.execute(f"pragma max_page_count = {page_count + 100}")
    await ledger.reserve(opening(3))
    assert ledger.failure == ""
    assert on_disk(path, "select id, cost_nusd from requests order by id") == [(1, 42), (3, 0)]
    await ledger.close()


async def test_a_refusal_is_one_row_that_costs_nothing(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_refusal(opening(1), Closing(settled_at=T0, outcome="refused", basis=""))
    ledger.flush()
    assert on_disk(path, "select outcome, cost_nusd from requests") == [("refused", 0)]
    assert on_disk(path, "select count(*) from rollups") == [(0,)]
    await ledger.close()


async def test_a_refusal_is_never_half_on_record(path: Path) -> None:
    ledger = Ledger(path)
    refused = closing(0, outcome="refused", basis="", status=0)
    ledger.record_refusal(opening(1), refused)
    await ledger.reserve(opening(2))  # which waits for nothing else
    assert on_disk(path, "select id from requests where outcome is null") == [(2,)]
    ledger.flush()
    assert on_disk(path, "select id, outcome from requests") == [(1, "refused"), (2, None)]
    await ledger.close()


async def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table notes (text)")
    with pytest.raises(LedgerError, match="another program"):
        Ledger(path)
    assert on_disk(path, "select name from sqlite_master") == [("notes",)]


async def test_a_file_that_is_no_database_is_an_error_in_words(path: Path) -> None:
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(LedgerError, match="cannot be opened: file is not a database"):
        Ledger(path)


async def test_a_newer_ledger_is_refused(path: Path) -> None:
    await Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("update meta set value = '99' where key = 'schema'")
    with pytest.raises(LedgerError, match="newer"):
        Ledger(path)


async def test_only_its_owner_can_read_the_ledger(path: Path) -> None:
    ledger = Ledger(path)
    assert path.stat().st_mode & 0o777 == 0o600
    await ledger.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.floats(0, 10 * HOUR), st.integers(0, 1000), st.booleans()), max_size=30),
    since=st.floats(0, 10 * HOUR),
    length=st.floats(0, 10 * HOUR),
    subscription=st.booleans(),
)
def test_spending_between_two_instants_is_that_of_the_rows_between_them(
    tmp_path_factory, rows, since, length, subscription
) -> None:
    async def run() -> None:
        ledger = Ledger(tmp_path_factory.mktemp("l") / "ledger.db")
        for id, (at, cost, paid) in enumerate(rows, 1):
            row = opening(id, at, billing="subscription" if paid else "api")
            _ = ledger.reserve(row)
            ledger.settle(row, closing(cost))
        ledger.flush()
        until = since + length
        counted = sum(cost for at, cost, paid in rows if since <= at < until and (subscription or not paid))
        assert queries.spent_between(ledger.db, since, until, subscription=subscription) == counted
        await ledger.close()

    asyncio.run(run())
