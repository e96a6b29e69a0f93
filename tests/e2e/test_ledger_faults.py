"""A ledger that fails under a running daemon, or did while none ran: what its user hears of it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from budgetwire.messages import Alert, Snapshot
from e2e.ask import ask
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import WAIT_SECONDS, Home, budgetd
from e2e.upstream import Keeping


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


@pytest.fixture
def home(background: Background) -> Iterator[Home]:
    budget = "[budget]\ndaily_limit_cents = 100000\n"
    with (
        background.inside(Keeping(Provider())) as upstream,
        Home({"anthropic": upstream.url}, budget=budget) as home,
    ):
        home.start()
        yield home


def alerts_of(state: Snapshot, rule: str) -> list[Alert]:
    return [alert for alert in state.alerts if alert.rule == rule]


def status_of(background: Background, home: Home) -> int:
    return int(background.run(ask(home, 100, "one")).start.split()[1])


def test_a_log_that_was_removed_after_a_kill_is_told_and_no_id_is_used_twice(
    background: Background, home: Home
) -> None:
    for _ in range(3):
        assert status_of(background, home) == 200
    before = max(row["id"] for row in home.rows())
    lock = home.places.ledger.with_suffix(".lock")
    deadline = time.monotonic() + WAIT_SECONDS
    while lock.read_text().split()[1:] != [str(before)]:  # which is noted once a second
        assert time.monotonic() < deadline
        time.sleep(0.02)
    home.kill()
    with closing(sqlite3.connect(home.places.ledger, isolation_level=None)) as db:
        # As if the last of them had been in the log alone, and that were gone.
        db.execute("delete from requests where id >= ?", (before,))
    home.start()
    (alert,) = alerts_of(home.state(), "records_lost")
    assert alert.severity == "critical"
    assert f"request {before} is missing" in alert.message
    assert "reconcile-spend" in alert.advice
    assert f"request {before} is missing" in home.complaints()
    assert status_of(background, home) == 200
    assert max(row["id"] for row in home.rows()) > before
    home.kill()
    home.start()
    assert len(alerts_of(home.state(), "records_lost")) == 1


def test_a_ledger_with_a_damaged_name_is_read_and_said_to_be_damaged(
    background: Background, home: Home
) -> None:
    assert status_of(background, home) == 200
    spent = home.spent()
    model = home.rows()[0]["model"].encode()
    home.stop()
    ledger = home.places.ledger
    ledger.write_bytes(ledger.read_bytes().replace(model, b"\xff" + model[1:]))
    home.start()
    (alert,) = alerts_of(home.wait_for(lambda state: alerts_of(state, "ledger")), "ledger")
    assert "not UTF-8" in alert.message
    assert home.spent() == spent
    for command in (["status"], ["limits"], ["alerts"], ["estimates"], ["audit"], ["export"], ["cost", "1"]):
        done = budgetd(home.path, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert status_of(background, home) == 200


def test_a_ledger_that_is_malformed_is_a_sentence_at_the_start(home: Home) -> None:
    home.stop()
    ledger = home.places.ledger
    pages = bytearray(ledger.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    ledger.write_bytes(pages)
    for command in ("start", "export"):
        done = budgetd(home.path, command)
        assert done.returncode == 1
        assert done.stderr.startswith(f"budgetd: {ledger}: the ledger cannot be ")
        assert "malformed. Stop budgetd and keep a copy" in done.stderr
        assert "Traceback" not in done.stderr
    ledger.unlink()
