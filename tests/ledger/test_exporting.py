"""The ledger written out: every row, or sums; in documented columns, in constant memory."""

import csv
import json
import sqlite3
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from budgetd.ledger.exporting import GROUPS, ROW_COLUMNS, SUM_COLUMNS, export_groups, export_rows
from budgetd.ledger.schema import INSERT_REQUEST, SETTLE_REQUEST, TABLES
from e2e.running import budgetd
from ledger.rows import T0, closing, opening

DOCUMENT = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
UTC_ZONE = ZoneInfo("UTC")


def write(db: sqlite3.Connection, *rows: tuple[float, int, str]) -> None:
    """Settled requests: when, nanodollars, project."""
    first = 1 + db.execute("select coalesce(max(id), 0) from requests").fetchone()[0]
    made = [
        (opening(id, at, project=project), closing(nusd, input_tokens=7, model_billed="m"))
        for id, (at, nusd, project) in enumerate(rows, first)
    ]
    db.executemany(INSERT_REQUEST, [astuple(begun) for begun, _ in made])
    db.executemany(SETTLE_REQUEST, [(*astuple(ended), begun.id) for begun, ended in made])


@pytest.fixture
def db() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(TABLES)
    return db


def test_every_settled_request_of_the_range_is_written_once_in_order(db: sqlite3.Connection) -> None:
    write(db, *((T0 + each, each, "") for each in range(12_345)))
    rows = list(export_rows(db, T0 + 10, T0 + 12_000))
    at = [row[ROW_COLUMNS.index("cost_nusd")] for row in rows]
    assert at == list(range(10, 12_000))


def test_what_runs_is_left_out(db: sqlite3.Connection) -> None:
    write(db, (T0, 5, ""))
    db.execute(INSERT_REQUEST, astuple(opening(2)))
    assert len(list(export_rows(db, 0, T0 + 9))) == 1


def test_a_row_tells_times_in_utc_and_money_exactly(db: sqlite3.Connection) -> None:
    write(db, (T0 + 0.25, 3_125_000, "acme"))
    row = dict(zip(ROW_COLUMNS, next(export_rows(db, 0, T0 + 9)), strict=True))
    assert row["admitted_at"] == datetime.fromtimestamp(T0 + 0.25, UTC).isoformat(timespec="milliseconds")
    assert (row["cost_nusd"], row["cost_usd"]) == (3_125_000, "0.003125")
    assert (row["project"], row["input_tokens"], row["limits"]) == ("acme", 7, "[]")


@settings(max_examples=30)
@given(
    rows=st.lists(
        st.tuples(st.floats(T0, T0 + 400_000), st.integers(0, 10**12), st.sampled_from(["", "a", "b"])),
        max_size=40,
    ),
    by=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True),
)
def test_groups_hold_every_request_once(rows: list[tuple[float, int, str]], by: list) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(TABLES)
    write(db, *rows)
    groups = list(export_groups(db, 0, T0 + 10**6, by, UTC_ZONE))
    columns = (*by, *SUM_COLUMNS)
    counts = [(row[columns.index("requests")], row[columns.index("cost_nusd")]) for row in groups]
    assert sum(int(count or 0) for count, _ in counts) == len(rows)
    assert sum(int(nusd or 0) for _, nusd in counts) == sum(nusd for _, nusd, _ in rows)
    assert len({row[: len(by)] for row in groups}) == len(groups)
    db.close()


def test_days_are_those_of_the_zone_and_an_hour_that_comes_twice_is_two(db: sqlite3.Connection) -> None:
    zone = ZoneInfo("America/New_York")
    before = datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp()  # 01:30 summer time
    write(db, (before, 1, ""), (before + 3600, 2, ""), (before + 86_400 * 1.1, 4, ""))
    hours = [row[0] for row in export_groups(db, 0, before + 10**6, ["hour"], zone)]
    assert hours[:2] == ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00"]
    days = [(row[0], row[-2]) for row in export_groups(db, 0, before + 10**6, ["day"], zone)]
    assert days == [("2026-11-01", 3), ("2026-11-02", 4)]


def test_memory_does_not_grow_with_the_ledger(db: sqlite3.Connection) -> None:
    def peak() -> int:
        tracemalloc.start()
        for _ in export_rows(db, 0, T0 + 10**9):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    write(db, *((T0 + each, each, "") for each in range(15_000)))
    small = peak()
    write(db, *((T0 + each, each, "") for each in range(15_000, 60_000)))
    assert peak() < 1.5 * small


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_command_writes_what_programs_can_read(tmp_path: Path, form: str) -> None:
    clock_went_back = time.time() + 10**6
    with sqlite3.connect(tmp_path / "ledger.db") as file:
        file.executescript(f"{TABLES} insert into meta values ('schema', '3');")
        write(file, (T0, 10**9, 'a "b", c'), (clock_went_back, 5, "é\n"))
    output = tmp_path / "out"
    done = budgetd(tmp_path, "export", "--format", form, "--output", str(output))
    assert done.returncode == 0, done.stderr
    text = output.read_text()
    rows = json.loads(text) if form == "json" else list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["project"] for row in rows] == ['a "b", c', "é\n"]
    assert [row["cost_usd"] for row in rows] == ["1", "0.000000005"]
    assert budgetd(tmp_path, "export", "--format", form, "--by", "project").stdout.count("a ") == 1


def test_what_the_command_cannot_do_it_says(tmp_path: Path) -> None:
    missing = budgetd(tmp_path, "export")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no ledger yet" in missing.stderr
    assert budgetd(tmp_path, "export", "--by", "colour").returncode == 2
    assert budgetd(tmp_path, "export", "--since", "yesterday").returncode == 2
    backwards = budgetd(tmp_path, "export", "--since", "2026-12-01", "--until", "2026-11-01")
    assert backwards.returncode == 2
    assert "--since has to be before --until" in backwards.stderr


def test_every_column_is_documented_in_order() -> None:
    rows, _, groups = DOCUMENT.partition("## Groups")
    documented = [line.split("|")[1].split("`")[1::2] for line in rows.splitlines() if line.startswith("| `")]
    assert [name for names in documented for name in names] == list(ROW_COLUMNS)
    assert all(f"`{name}`" in groups for name in (*GROUPS, *SUM_COLUMNS[:1]))
