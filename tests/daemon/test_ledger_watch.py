"""What fails in the ledger is told once when it begins, and once when it is over."""

import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.office import Office
from budgetd.accounts import Accounts
from budgetd.control.views import DaemonViews
from budgetd.errors import LedgerError
from budgetd.ledger import commit_times
from budgetd.ledger_watch import CALM_SECONDS, LedgerWatch
from budgetd.pricing.book import load_book
from ledger.rows import opening

BOOK = load_book()


class Watched:
    """An office whose ledger is watched, with a clock that goes on when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.office = Office(folder)
        self.ledger = self.office.ledger
        self.shown: list[str] = []
        self.seconds = 0.0
        self.watch = LedgerWatch(
            self.ledger, self.office.desk, lambda *parts: self.shown.extend(parts), lambda: self.seconds
        )
        self.watch.begin()

    def look(self, after: float = 0.25) -> list[tuple[str, str, str]]:
        """The alerts about the ledger that are not over: severity, subject, the last of what they say."""
        self.seconds += after
        self.watch.look()
        board = self.office.desk.board
        return [
            (alert.severity, alert.subject, alert.message.rpartition(": ")[2])
            for rule in ("ledger", "records_lost")
            for alert in board.open_of(rule)
        ]

    def fill(self) -> int:
        """Let the disk be full; how many pages there are."""
        pages = self.ledger.db.execute("pragma page_count").fetchone()[0]
        self.ledger.db.execute(f"pragma max_page_count = {pages}")
        self.ledger.add("insert or replace into meta values ('x', ?)", ("x" * 50_000,))
        with pytest.raises(LedgerError):
            self.ledger.flush()
        return pages


@pytest.fixture
async def it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    watched = Watched(tmp_path)
    yield watched
    watched.ledger.db.execute("pragma max_page_count = 100000")
    await watched.ledger.close()


FULL = "database or disk is full. Free some space on its disk; nothing has to be started again."


async def test_nothing_is_said_of_a_ledger_that_is_well(
    it: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    await it.ledger.reserve(opening(1))
    assert it.look() == []
    assert caplog.messages == []


async def test_a_full_disk_is_shown_and_sent_though_it_cannot_be_recorded(
    it: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    pages = it.fill()
    for _ in range(5):
        assert it.look() == [("critical", "commits", FULL)]
    assert it.shown == ["daemon"]
    assert [message.count(FULL) for message in caplog.messages] == [1]
    it.ledger.db.execute(f"pragma max_page_count = {pages + 1000}")
    it.ledger.flush()
    assert it.look() == [("critical", "commits", FULL)]  # it may come back
    assert it.look(CALM_SECONDS) == []
    assert caplog.messages[1:] == [f"{it.ledger.path}: the trouble with its commits is over"]
    it.ledger.flush()
    rows = it.ledger.db.execute("select rule, resolved_by from alerts").fetchall()
    assert rows == [("ledger", "it is over")]
    sent = it.ledger.db.execute("select event from outbox").fetchall()
    assert sent == [("fired",), ("resolved",)]


async def test_what_fails_now_and_then_is_one_alert(it: Watched) -> None:
    for _ in range(4):
        pages = it.fill()
        it.look()
        it.ledger.db.execute(f"pragma max_page_count = {pages + 1000}")
        it.ledger.flush()
        it.ledger.write("delete from meta where key = 'x'")
        it.ledger.db.execute("vacuum")
        it.look(CALM_SECONDS / 2)
    assert len(it.office.desk.board.kept()) == 1


async def test_a_failure_that_passed_between_two_looks_is_told(it: Watched) -> None:
    pages = it.fill()
    it.ledger.db.execute(f"pragma max_page_count = {pages + 1000}")
    it.ledger.flush()
    assert it.look() == [("critical", "commits", FULL)]


async def test_a_slow_disk_is_told_with_its_path_and_what_it_takes(it: Watched) -> None:
    for _ in range(commit_times.LAST):
        it.ledger._times.add(0.020)
    (alert,) = it.look()
    assert alert[:2] == ("warning", "slow disk")
    (shown,) = it.office.desk.board.open_of("ledger")
    assert shown.message.startswith(f"{it.ledger.path}: every request waits 20 ms")
    assert "[ledger]" in shown.advice
    for _ in range(commit_times.LAST):
        it.ledger._times.add(0.030)
    it.look()
    assert it.office.desk.board.open_of("ledger") == [shown]  # what was said first is enough
    for _ in range(commit_times.LAST):
        it.ledger._times.add(0.001)
    assert it.look(CALM_SECONDS) == []


async def test_sums_that_cannot_be_read_are_told_and_the_rest_of_the_state_is_shown(
    it: Watched, tmp_path: Path
) -> None:
    accounts = Accounts(
        it.ledger, BOOK, ZoneInfo("UTC"), clock=lambda: it.office.now, changed=lambda *_: None
    )
    views = DaemonViews(accounts)
    it.ledger.db.execute("alter table rollups rename to mislaid")
    assert views.burn().today_nusd == 0
    assert views.spending().model == []
    assert views.daemon().ledger_error == ""
    (alert,) = it.look()
    assert alert[:2] == ("critical", "sums")
    assert "no such table" in it.ledger.read_failure
    it.ledger.db.execute("alter table mislaid rename to rollups")
    views.burn()
    assert it.look(CALM_SECONDS) == []


async def test_a_record_that_is_left_out_is_told(it: Watched) -> None:
    await it.ledger.reserve(opening(1))
    for _ in range(2):
        with pytest.raises(LedgerError):
            await it.ledger.reserve(opening(1))
        it.look()
    (alert,) = it.look()
    assert alert == ("critical", "left out", "requests.id.")
    (shown,) = it.office.desk.board.open_of("records_lost")
    assert shown.message.startswith("2 records could not be written")


async def test_what_an_earlier_daemon_told_of_is_over_when_another_begins(it: Watched) -> None:
    it.ledger._times.add(0.0)
    for _ in range(commit_times.LAST):
        it.ledger._times.add(0.020)
    assert it.look()
    LedgerWatch(it.ledger, it.office.desk, lambda *_: None).begin()
    assert it.office.desk.board.open_of("ledger") == []
