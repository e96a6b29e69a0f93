"""A ledger of an older version is brought forward, and kept as it was."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing as closing_of
from pathlib import Path

import pytest

from budgetd.errors import LedgerError
from budgetd.ledger import alerting, migration, queries, reports
from budgetd.ledger.schema import VERSION
from budgetd.ledger.writer import Ledger
from budgetwire.messages import QueryRequests
from ledger import version_1
from ledger.rows import T0, alert, closing, fire, on_disk, opening


@pytest.fixture
def old(path: Path) -> Iterator[Path]:
    with closing_of(version_1.make(path)):
        yield path


def structure(path: Path) -> list[tuple]:
    """Every column with its type, and every index, in no order. Defaults may differ."""
    with sqlite3.connect(path) as db:
        columns = db.execute(
            'select m.name, c.name, c.type, c."notnull", c.pk'
            " from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'"
        ).fetchall()
        indexes = db.execute("select sql from sqlite_master where type = 'index' and sql is not null")
        return sorted(columns) + sorted(indexes)


async def test_the_rows_of_version_1_are_all_there_after_the_migration(old: Path) -> None:
    ledger = Ledger(old)
    rows = reports.query_requests(ledger.db, QueryRequests(id=1)).requests
    assert [(row.id, row.outcome, row.cost_nusd, row.reserved_nusd, row.expected_nusd) for row in rows] == [
        (3, "", 0, 70, 70),
        (2, "refused", 0, 0, 0),
        (1, "ok", 42, 100, 100),
    ]
    assert queries.spent_between(ledger.db, 0, T0 + 86400, subscription=False) == 42
    assert alerting.fired_thresholds(ledger.db, "daily", "", T0, ()) == {80}
    assert queries.get_meta(ledger.db, "paused") == "1795435200.0 ada"
    assert reports.query_audit(ledger.db, 10).changes[0].after == "10000000000"
    assert [row.id for row in queries.open_requests(ledger.db)] == [3]
    assert [row.input_tokens for row in queries.learning_rows(ledger.db)] == [90]
    await ledger.close()


async def test_a_migrated_ledger_has_the_tables_of_a_new_one_and_can_be_written(
    old: Path, tmp_path: Path
) -> None:
    ledger = Ledger(old)
    await ledger.reserve(opening(ledger.next_request_id()))
    ledger.settle(opening(4), closing(7))
    fire(ledger, alert(2, subject="acme"))
    await ledger.close()
    await Ledger(tmp_path / "new.db").close()
    assert on_disk(old, "select id, cost_nusd from requests where id > 3") == [(4, 7)]
    assert structure(old) == structure(tmp_path / "new.db")


async def test_the_file_is_kept_as_it_was_with_what_was_in_its_log(old: Path) -> None:
    assert old.stat().st_size < 5000 < old.with_name("ledger.db-wal").stat().st_size
    await Ledger(old).close()
    kept = migration.backup_path(old, 1)
    assert [each.name for each in old.parent.glob("*version*")] == [kept.name] == ["ledger.db.version-1"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert on_disk(kept, "select value from meta where key = 'schema'") == [("1",)]
    assert on_disk(kept, "select id, outcome from requests") == [(1, "ok"), (2, "refused"), (3, None)]
    assert "expected_nusd" not in str(structure(kept))


async def test_the_sums_of_hours_stay_what_they_were(old: Path) -> None:
    def sums() -> list[tuple]:
        return on_disk(old, "select hour, model, user, key, client, requests, cost_nusd from rollups")

    before = sums()
    await Ledger(old).close()
    assert sums() == before != []
    assert on_disk(old, "select distinct token from rollups") == [("",)]
    assert on_disk(old, "select distinct unknown_nusd, token from requests") == [(0, "")]


async def test_a_ledger_is_migrated_once(old: Path) -> None:
    await Ledger(old).close()
    kept = migration.backup_path(old, 1)
    kept.unlink()
    await Ledger(old).close()
    assert not kept.exists()
    assert on_disk(old, "select value from meta where key = 'schema'") == [(str(VERSION),)]


async def test_without_its_backup_nothing_is_changed(old: Path) -> None:
    migration.backup_path(old, 1).mkdir()
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(old)
    assert on_disk(old, "select value from meta where key = 'schema'") == [("1",)]
    migration.backup_path(old, 1).rmdir()
    await Ledger(old).close()


async def test_a_migration_that_fails_half_way_leaves_the_old_version(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migration.STEPS[1]
    monkeypatch.setitem(migration.STEPS, 1, f"{whole} insert into nowhere values (1);")
    with pytest.raises(LedgerError, match="cannot be opened: no such table"):
        Ledger(old)
    assert on_disk(old, "select value from meta where key = 'schema'") == [("1",)]
    assert "expected_nusd" not in str(structure(old))
    monkeypatch.setitem(migration.STEPS, 1, whole)
    ledger = Ledger(old)
    assert queries.grants(ledger.db) == []
    await ledger.close()
