"""The ledger held against invoices in three shapes, corrected and put back, with a real daemon over it."""

import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from budgetd.reconcile.days import starts_at
from budgetwire.errors import CallError, WireError
from budgetwire.messages import ApplyCorrections, Correction, UndoCorrections
from e2e.background import Background
from e2e.running import WAIT_SECONDS, Home, budgetd
from reconcile.billing import ADMIN_KEY, Billing
from reconcile.seeded import DAYS, SPAN, Spent, seed

BUDGET = """
[[limits]]
name = "ever"
window = "total"
limit_cents = 100000

[[limits]]
name = "month"
window = "30d"
limit_cents = 100000

[[limits]]
name = "per model"
window = "total"
limit_cents = 100000
per = "model"
"""

KILLS = 12
SHAPES = ("anthropic", "openai", "openrouter")
MODELS = {
    "anthropic": ("claude-sonnet-5", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    "openai": ("gpt-5.4", "gpt-4o", "gpt-4o-2024-08-06"),
    "openrouter": ("openai/gpt-4.1", "openai/gpt-4o", "openai/gpt-4o-2024-08-06"),
}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_ADMIN_KEY", "OPENAI_ADMIN_KEY", "OPENROUTER_PROVISIONING_KEY"):
        monkeypatch.setenv(name, ADMIN_KEY)


@pytest.fixture
def billing(background: Background) -> Iterator[Billing]:
    billing = Billing()
    with background.inside(billing.serving()):
        yield billing


@pytest.fixture
def home() -> Home:
    """Not running yet; `Home.running` takes it away at its end. Its days are those of the invoices."""
    return Home({}, budget=BUDGET, zone="UTC")


def spend_and_bill(home: Home, billing: Billing, provider: str) -> None:
    """A week that drifts: one day agrees, one has no bucket, one went past the proxy, one was billed less;
    the ledger knows one model by its snapshot, the invoice by its name.
    """
    plain, folded, snapshot = MODELS[provider]
    requests = [Spent(day, plain, provider, cost=600_000_000) for day in DAYS]
    requests.append(Spent(DAYS[1], folded, provider, model_billed=snapshot, cost=10**9 + 1))
    requests.append(Spent(DAYS[4], plain, provider, basis="estimated", cost=400_000_000))
    seed(home.places.ledger, requests)
    for day in DAYS:
        billing.add(day, plain, "0.2", "input")
        billing.add(day, plain, "0.4", "output")
    billing.add(DAYS[1], folded, "1.000000001")
    billing.add(DAYS[3], "some-new-model", "12.345678912")
    billing.add(DAYS[4], plain, "0.3")
    billing.charges = [
        charge for charge in billing.charges if (charge.day, charge.what) != (DAYS[2], "input")
    ]
    billing.missing = {DAYS[5]}


def reconcile(home: Home, provider: str, billing: Billing, *more: str) -> dict[str, Any]:
    done = budgetd(home.path, "reconcile-spend", provider, "--url", billing.url, *SPAN, "--json", *more)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def numbers(home: Home) -> dict[str, Any]:
    """Every number that tells of money, wherever it is shown."""
    state = home.state()
    exported = budgetd(home.path, "export", "--by", "day,model", "--format", "json")
    assert exported.returncode == 0, exported.stderr
    with closing(sqlite3.connect(f"file:{home.places.ledger}?mode=ro", uri=True)) as db:
        rollups = db.execute("select * from rollups order by 1, 2, 5").fetchall()
        rows = db.execute("select id, cost_nusd from requests where basis <> 'corrected'").fetchall()
    return {
        "limits": sorted(
            (each.name, each.subject, each.spent_nusd) for each in state.limits if each.spent_nusd
        ),
        "today": (state.burn.today_nusd, state.burn.requests_today),
        "exported": exported_costs(exported.stdout),
        "rollups": rollups,
        "rows": rows,
    }


def exported_costs(text: str) -> dict[tuple[str, str], int]:
    content = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, text.splitlines())
    return {(each["day"], each["model"]): each["cost_nusd"] for each in content if each["cost_nusd"]}


def spent(home: Home) -> int:
    return next(limit.spent_nusd for limit in home.state().limits if limit.name == "ever")


@pytest.mark.parametrize("provider", SHAPES)
def test_an_invoice_is_compared_entered_and_taken_back(home: Home, billing: Billing, provider: str) -> None:
    spend_and_bill(home, billing, provider)
    plain, folded, _ = MODELS[provider]
    told = reconcile(home, provider, billing)  # which needs no daemon
    assert told["missing"] == [DAYS[5]]
    drifts = {(row["day"], row["model"]): (row["drift_nusd"], row["cause"]) for row in told["rows"]}
    assert drifts[DAYS[0], plain] == (0, "agrees")
    assert drifts[DAYS[1], folded] == (0, "agrees")
    assert drifts[DAYS[2], plain][0] == -200_000_000
    assert drifts[DAYS[3], "some-new-model"] == (12_345_678_912, "bypass")
    assert drifts[DAYS[4], plain] == (-100_000_000, "estimates")
    assert not any(day == DAYS[5] for day, _ in drifts)
    if provider != "openrouter":
        assert len(billing.asked) >= 3  # pages

    with home.running():
        before = numbers(home)
        applied = reconcile(home, provider, billing, "--apply")["applied"]
        assert applied == {"batch": 1, "applied": 3, "nusd": 12_045_678_912}
        after = numbers(home)
        assert spent(home) == before["limits"][0][2] + 12_045_678_912
        assert after["rows"] == before["rows"]
        assert after["today"] == before["today"]
        assert after["exported"][DAYS[3], "some-new-model"] == 12_345_678_912
        assert after["exported"][DAYS[2], plain] == 400_000_000

        again = reconcile(home, provider, billing, "--apply")
        assert again["drift_nusd"] == 0
        assert again["applied"] == {"batch": 0, "applied": 0, "nusd": 0}
        assert numbers(home) == after

        home.stop()
        home.start()
        assert numbers(home) == after
        assert reconcile(home, provider, billing)["drift_nusd"] == 0

        undone = budgetd(home.path, "reconcile-spend", "--undo")
        assert "Batch 1 is taken back: -$12.05 in 3 corrections." in undone.stdout
        assert numbers(home) == before
        home.stop()
        home.start()
        assert numbers(home) == before
        assert budgetd(home.path, "reconcile-spend", "--undo").returncode == 1
        audit = budgetd(home.path, "audit").stdout
        assert "apply corrections" in audit
        assert "undo corrections" in audit
        assert ADMIN_KEY not in home.complaints() + audit


def test_a_ledger_that_has_changed_meanwhile_is_told_to_be_looked_at_again(home: Home) -> None:
    seed(home.places.ledger, [Spent(DAYS[0], "claude-sonnet-5", cost=5)])
    with home.running():
        stale = Correction(DAYS[0], "anthropic", "claude-sonnet-5", ledger_nusd=4, invoice_nusd=9)
        with pytest.raises(CallError) as error:
            home.call(lambda id: ApplyCorrections(id=id, source="test", corrections=[stale]))
        assert error.value.code == "conflict"
        assert "run it again" in str(error.value)
        assert len(home.rows()) == 1


def test_a_kill_between_leaves_all_or_nothing(home: Home) -> None:
    """Batches are entered and taken back as fast as they can be, and the daemon is killed under way."""
    models = [f"model-{number}" for number in range(40)]
    seed(home.places.ledger, [Spent(day, "claude-sonnet-5", cost=7) for day in DAYS])
    rng, entered = random.Random(7), 0
    with home.running():
        for _ in range(KILLS):
            stopped, under_way = threading.Event(), threading.Event()
            thread = threading.Thread(target=_enter_and_take_back, args=(home, models, stopped, under_way))
            thread.start()
            assert under_way.wait(WAIT_SECONDS)
            time.sleep(rng.uniform(0, 0.05))
            home.kill()
            stopped.set()
            thread.join()
            entered, kept = _batches_hold_together(home, len(models))
            home.start()
            assert spent(home) == 7 * len(DAYS) + kept
            with suppress(CallError):
                home.call(lambda id: UndoCorrections(id=id))
            assert spent(home) == 7 * len(DAYS)
    assert entered >= KILLS


def _enter_and_take_back(
    home: Home, models: list[str], stopped: threading.Event, under_way: threading.Event
) -> None:
    batch = [Correction(DAYS[2], "anthropic", model, 0, 1000 + place) for place, model in enumerate(models)]
    with suppress(WireError):  # which is the kill
        while not stopped.is_set():
            home.call(lambda id: ApplyCorrections(id=id, source="test", corrections=batch))
            under_way.set()
            home.call(lambda id: UndoCorrections(id=id))


def _batches_hold_together(home: Home, size: int) -> tuple[int, int]:
    """Whole batches only, on all sides alike; how many there were, and the nanodollars that are in force."""
    with closing(sqlite3.connect(home.places.ledger)) as db:
        ask: Callable[[str], list[tuple[Any, ...]]] = lambda sql: db.execute(sql).fetchall()  # noqa: E731
        batches = ask("select batch, count(*), count(undone_at) from corrections group by batch")
        assert all(count == size and undone in (0, size) for _, count, undone in batches)
        audited = dict(ask("select action, count(*) from audit group by action"))
        assert audited.get("apply_corrections", 0) == len(batches)
        assert audited.get("undo_corrections", 0) == sum(undone > 0 for _, _, undone in batches)
        ((in_force,),) = ask(
            "select coalesce(sum(invoice_nusd - ledger_nusd), 0) from corrections where undone_at is null"
        )
        ((rows,),) = ask("select coalesce(sum(cost_nusd), 0) from requests where basis = 'corrected'")
        ((sums,),) = ask("select sum(cost_nusd) from rollups")
        assert rows == in_force == sums - 7 * len(DAYS)
        ((open,),) = ask("select count(*) from requests where outcome is null")
        assert open == 0
        return len(batches), in_force


def test_a_correction_of_today_is_dated_before_now(home: Home) -> None:
    seed(home.places.ledger, [])
    today = datetime.now(UTC).date().isoformat()
    with home.running():
        home.call(
            lambda id: ApplyCorrections(
                id=id, source="test", corrections=[Correction(today, "anthropic", "claude-sonnet-5", 0, 5)]
            )
        )
        (row,) = home.rows()
        assert starts_at(today) <= row["admitted_at"] <= min(starts_at(today) + 43_200, time.time())
