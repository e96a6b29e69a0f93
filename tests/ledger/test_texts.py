"""A text that is not UTF-8 any more is read as far as can be, and keeps no other from being read."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from budgetd.accounts import Accounts
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.errors import BudgetdError
from budgetd.ledger import exporting, reports
from budgetd.ledger.problems import reading_errors
from budgetd.ledger.writer import Ledger
from budgetd.pricing.book import load_book
from budgetwire.messages import QueryRequests
from ledger.rows import T0, alert, closing, fire, opening

BOOK = load_book()
MODEL = "claude-haiku-4-5"


async def fill(path: Path) -> None:
    ledger = Ledger(path)
    for id in range(1, 41):
        _ = ledger.reserve(opening(id, T0 + id, model=MODEL if id == 7 else "other", session=f"s{id}"))
        ledger.settle(opening(id, T0 + id), closing(100, response_id=f"r{id}"))
    fire(ledger, alert(1))
    ledger.write("insert into grants values (1, 'daily', '', ?, 5, ?)", (T0, T0))
    await ledger.close()


def accounts_of(ledger: Ledger) -> Accounts:
    accounts = Accounts(ledger, BOOK, ZoneInfo("UTC"), clock=lambda: T0 + 100, changed=lambda *_: None)
    accounts.configure(Budget(limits=(Limit("daily", "day", 10**9, per="model"),)))
    return accounts


async def test_a_name_with_one_damaged_byte_does_not_keep_a_daemon_from_starting(path: Path) -> None:
    await fill(path)
    path.write_bytes(path.read_bytes().replace(MODEL.encode(), b"claude-hai\xffu-4-5"))
    ledger = Ledger(path)
    accounts = accounts_of(ledger)
    assert sum(window.spent_nusd for window in accounts.guard.windows) == 40 * 100
    assert ledger.texts.damaged > 0
    await ledger.close()


async def test_a_name_with_one_damaged_byte_is_exported_and_shown(path: Path) -> None:
    await fill(path)
    path.write_bytes(path.read_bytes().replace(MODEL.encode(), b"claude-hai\xffu-4-5"))
    with reports.reading(path) as db:
        shown = reports.query_requests(db, QueryRequests(id=1, count=100)).requests
        assert len(list(exporting.export_rows(db, 0, T0 * 2))) == 40
    assert [each.model for each in shown if each.id == 7] == ["claude-hai\ufffdu-4-5"]
    command = [sys.executable, "-m", "budgetd.cli", "export"]
    environment = {**os.environ, "BUDGETD_HOME": str(path.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 41


async def test_limits_that_cannot_be_read_any_more_do_not_hide_their_request(path: Path) -> None:
    await fill(path)
    ledger = Ledger(path)
    ledger.write("update requests set limits = '[\"da' where id = 7")
    await ledger.close()
    with reports.reading(path) as db:
        shown = reports.query_requests(db, QueryRequests(id=1, count=100)).requests
    assert len(shown) == 40


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_byte_is_turned_over_what_is_wrong_is_a_sentence(path: Path, seed: int) -> None:
    await fill(path)
    whole = path.read_bytes()
    used = [place for place, byte in enumerate(whole) if byte]
    for place in used[seed * 7 :: len(used) // 40]:
        turned = bytearray(whole)
        turned[place] ^= 0xFF
        for left in path.parent.glob("ledger.db-*"):
            left.unlink()
        path.write_bytes(turned)
        for use in (show, start):
            with contextlib.suppress(BudgetdError):
                await use(path)


async def show(path: Path) -> None:
    with reports.reading(path) as db:
        reports.query_requests(db, QueryRequests(id=1, count=100))


async def start(path: Path) -> None:
    ledger = Ledger(path)
    try:
        with reading_errors(path):
            accounts_of(ledger)
    finally:
        ledger.db.close()
