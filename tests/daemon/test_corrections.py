"""What an invoice says, in the ledger and out of it again, with real accounts over a real ledger."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd.accounts import Accounts
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.corrections import Corrections
from budgetd.errors import LedgerError
from budgetd.ledger import queries
from budgetd.ledger.writer import Ledger
from budgetd.pricing.book import load_book
from budgetwire.messages import ApplyCorrections, Correction, UndoCorrections
from ledger.rows import closing, opening

NOON = 1_795_435_200.0
DAY, HOUR = 86400.0, 3600.0
TODAY, YESTERDAY = "2026-11-23", "2026-11-22"
ADA = Peer(pid=1, uid=1000, name="ada")
BOOK = load_book()
USD = 10**9

LIMITS = (
    Limit("ever", "total", 100 * USD, (50,)),
    Limit("today", "day", 100 * USD),
    Limit("rolling", "7d", 100 * USD),
    Limit("sonnet", "total", 100 * USD, match=(("model", ("claude-sonnet-5*",)),), per="upstream"),
    Limit("opus", "month", 100 * USD, match=(("model", ("claude-opus-*",)),)),
)


class Noted:
    """A learner that keeps what it is told."""

    def __init__(self) -> None:
        self.factors: list[tuple[str, int]] = []

    def correct(self, model: str, factor_pct: int) -> None:
        self.factors.append((model, factor_pct))


class Setting:
    """Accounts that can be killed and started again, with corrections on top."""

    def __init__(self, folder: Path, limits: tuple[Limit, ...] = LIMITS) -> None:
        self.path = folder / "ledger.db"
        self.now = NOON
        self.limits = limits
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(self.path)
        self.accounts = Accounts(
            self.ledger, BOOK, ZoneInfo("UTC"), clock=lambda: self.now, changed=lambda *_: None
        )
        self.accounts.configure(Budget(limits=self.limits))
        self.learner = Noted()
        self.accounts.learner = self.learner  # type: ignore[assignment]
        self.corrections = Corrections(self.accounts)

    def restart(self) -> None:
        self.ledger.db.close()
        self.start()

    def spend(self, nusd: int, at: float = NOON - DAY, model: str = "claude-sonnet-5", **more: Any) -> None:
        fields = {name: more.pop(name) for name in list(more) if name in closing(0).__struct_fields__}
        opened = opening(self.ledger.next_request_id(), at, model=model, **more)
        self.ledger.reserve(opened).add_done_callback(lambda done: done.exception())
        self.ledger.settle(opened, closing(nusd, **fields))
        self.ledger.flush()
        self.accounts.configure(Budget())
        self.accounts.configure(Budget(limits=self.limits))

    def apply(self, *corrections: Correction) -> Any:
        return self.corrections.apply(
            ApplyCorrections(id=1, source="api.anthropic.com", corrections=list(corrections)), ADA
        )

    def undo(self, batch: int | None = None) -> Any:
        return self.corrections.undo(UndoCorrections(id=1, batch=batch), ADA)

    def rows(self, sql: str) -> list[tuple]:
        return self.ledger.db.execute(sql).fetchall()

    def sum(self, day: str = YESTERDAY, model: str = "claude-sonnet-5") -> int:
        return self.rows(
            "select coalesce(sum(cost_nusd), 0) from requests where date(admitted_at, 'unixepoch') ="
            f" '{day}' and model = '{model}'"
        )[0][0]

    def numbers(self) -> dict[str, Any]:
        """All that anybody is shown of money."""
        db = self.ledger.db
        return {
            "limits": [
                (window.limit.name, window.subject, window.spent_nusd)
                for window in self.accounts.guard.windows
                if window.spent_nusd or not window.subject  # a counter of nothing is kept until its end
            ],
            "spent": [
                queries.spent_between(db, NOON - day * DAY, NOON + DAY, subscription=True) for day in range(9)
            ],
            "models": queries.spending_by(db, "model", NOON - 9 * DAY, NOON + DAY, 20),
            "requests": queries.requests_between(db, 0, NOON + DAY),
            "rollups": sorted(self.rows("select * from rollups")),
        }


def correction(nusd: int, ledger: int = 0, day: str = YESTERDAY, **more: Any) -> Correction:
    values = {"provider": "anthropic", "model": "claude-sonnet-5"} | more
    return Correction(day=day, ledger_nusd=ledger, invoice_nusd=nusd, **values)


@pytest.fixture
async def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


# entering


async def test_the_difference_is_a_row_that_counts_like_any_other(setting: Setting) -> None:
    setting.spend(2 * USD, key="k_1", project="acme")
    reply = setting.apply(correction(5 * USD, 2 * USD))
    assert (reply.batch, reply.applied, reply.nusd) == (1, 1, 3 * USD)
    *_, (at, settled, outcome, basis, cost, model, upstream, project, key, method, limits) = setting.rows(
        "select admitted_at, settled_at, outcome, basis, cost_nusd, model, upstream, project, key, method,"
        " limits from requests order by id"
    )
    assert (at, settled) == (NOON - DAY, NOON)
    assert (outcome, basis, cost) == ("corrected", "corrected", 3 * USD)
    assert (model, upstream) == ("claude-sonnet-5", "anthropic")
    assert (project, key, method, limits) == ("", "", "", "[]")
    assert setting.sum() == 5 * USD
    numbers = setting.numbers()
    assert numbers["requests"] == 1
    assert {(name, subject): spent for name, subject, spent in numbers["limits"]} == {
        ("ever", ""): 5 * USD,
        ("today", ""): 0,
        ("rolling", ""): 5 * USD,
        ("sonnet", "anthropic"): 5 * USD,
        ("opus", ""): 0,
    }


async def test_a_restart_changes_no_number(setting: Setting) -> None:
    setting.spend(2 * USD)
    setting.apply(correction(5 * USD, 2 * USD), correction(USD, model="claude-opus-4-8"))
    before = setting.numbers()
    setting.restart()
    assert setting.numbers() == before


async def test_it_goes_by_the_name_and_upstream_that_most_of_the_day_went_by(setting: Setting) -> None:
    setting.spend(USD, model="sonnet", model_billed="claude-sonnet-5")
    setting.spend(
        3 * USD, model="claude-sonnet-5-20260101", model_billed="claude-sonnet-5-20260101", upstream="work"
    )
    setting.apply(correction(5 * USD, 4 * USD))
    assert setting.rows("select model, upstream, model_billed from requests where basis = 'corrected'") == [
        ("claude-sonnet-5-20260101", "work", "claude-sonnet-5")
    ]


async def test_a_model_that_the_ledger_never_saw_goes_by_the_invoices_name(setting: Setting) -> None:
    setting.apply(correction(5 * USD, model="claude-opus-4-8"))
    assert setting.rows("select model, upstream, provider, billing from requests") == [
        ("claude-opus-4-8", "anthropic", "anthropic", "api")
    ]


async def test_what_is_billed_less_makes_room(setting: Setting) -> None:
    setting.spend(2 * USD, NOON)
    setting.apply(correction(USD, 2 * USD, day=TODAY))
    assert setting.accounts.guard.find("today", "", NOON).spent_nusd == USD


async def test_today_is_corrected_now_where_its_noon_has_not_come(setting: Setting) -> None:
    setting.now = NOON - 3 * HOUR
    setting.apply(correction(USD, day=TODAY))
    assert setting.rows("select admitted_at from requests") == [(setting.now,)]


async def test_thresholds_that_it_passes_fire(setting: Setting) -> None:
    setting.apply(correction(60 * USD))
    (fired,) = setting.accounts.desk.board.newest_first(NOON)
    assert (fired.limit, fired.threshold_pct) == ("ever", 50)


async def test_a_threshold_that_is_not_passed_in_the_end_does_not_fire(setting: Setting) -> None:
    setting.spend(30 * USD)
    setting.apply(correction(40 * USD, model="claude-opus-4-8"), correction(0, 30 * USD))
    assert setting.accounts.desk.board.newest_first(NOON) == []


async def test_the_same_invoice_again_is_nothing(setting: Setting) -> None:
    setting.spend(2 * USD)
    setting.apply(correction(5 * USD, 2 * USD))
    before = setting.numbers()
    reply = setting.apply(correction(5 * USD, 5 * USD))
    assert (reply.batch, reply.applied, reply.nusd) == (0, 0, 0)
    assert setting.numbers() == before
    assert len(setting.rows("select * from corrections")) == 1


async def test_a_ledger_that_has_changed_meanwhile_is_not_corrected(setting: Setting) -> None:
    setting.spend(2 * USD)
    setting.spend(3 * USD)
    before = setting.numbers()
    with pytest.raises(CommandError) as error:
        setting.apply(correction(9 * USD, model="claude-opus-4-8"), correction(9 * USD, 2 * USD))
    assert error.value.code == "conflict"
    assert "changed meanwhile (claude-sonnet-5 on 2026-11-22); run it again" in str(error.value)
    assert setting.numbers() == before
    assert setting.rows("select * from corrections") == []


@pytest.mark.parametrize(
    "wrong",
    [
        correction(USD, day="22 Nov"),
        correction(USD, day="20261122"),
        correction(USD, day="2026-11-24"),
        correction(USD, provider=""),
        correction(USD, model="m" * 201),
        correction(USD, model="claude-sonnet-5-20260101"),
        correction(10**18),
    ],
)
async def test_what_no_invoice_says_is_refused(setting: Setting, wrong: Correction) -> None:
    with pytest.raises(CommandError) as error:
        setting.apply(correction(USD), wrong)
    assert error.value.code == "invalid"
    assert setting.rows("select * from requests") == []


async def test_one_day_and_model_is_corrected_once_in_a_batch(setting: Setting) -> None:
    with pytest.raises(CommandError, match="is there twice"):
        setting.apply(correction(USD), correction(2 * USD))


async def test_a_ledger_that_cannot_be_written_is_not_counted_either(setting: Setting) -> None:
    before = setting.numbers()
    setting.ledger.db.execute(
        "create temp trigger no before insert on audit begin select raise(fail, 'no'); end"
    )
    with pytest.raises(LedgerError):
        setting.apply(correction(USD))
    assert setting.numbers() == before
    assert setting.rows("select count(*) from requests") == [(0,)]


# taking back


async def test_undo_restores_every_number(setting: Setting) -> None:
    setting.spend(2 * USD)
    before = setting.numbers()
    setting.apply(correction(5 * USD, 2 * USD), correction(USD, model="claude-opus-4-8"))
    reply = setting.undo()
    assert (reply.batch, reply.applied, reply.nusd) == (1, 2, -4 * USD)
    assert setting.numbers() == before
    setting.restart()
    assert setting.numbers() == before
    assert (
        setting.rows("select outcome, cost_nusd from requests where basis = 'corrected'")
        == [("undone", 0)] * 2
    )


async def test_batches_are_taken_back_by_number_or_the_last_first(setting: Setting) -> None:
    for batch in (1, 2, 3):
        setting.apply(correction(batch * USD, (batch - 1) * USD))
    assert setting.undo(1).batch == 1
    assert setting.undo().batch == 3
    assert setting.undo().batch == 2
    assert setting.sum() == 0
    for batch in (None, 1, 99, 2**64 - 1):
        with pytest.raises(CommandError) as error:
            setting.undo(batch)
        assert error.value.code == "not_found"


async def test_what_was_taken_back_can_be_entered_again(setting: Setting) -> None:
    setting.apply(correction(USD))
    setting.undo()
    assert setting.apply(correction(USD)).batch == 2
    assert setting.sum() == USD


async def test_both_are_in_the_audit(setting: Setting) -> None:
    setting.apply(correction(3 * USD // 2))
    setting.undo()
    assert setting.rows("select uid, name, action, subject, before, after from audit order by id") == [
        (1000, "ada", "apply_corrections", "batch 1", "", "+$1.50 in 1 row, by api.anthropic.com"),
        (1000, "ada", "undo_corrections", "batch 1", "+$1.50 in 1 row", "taken back"),
    ]


# learning


async def test_a_credit_is_no_spending(setting: Setting) -> None:
    with pytest.raises(CommandError, match="of no model on 2026-11-22 is of a credit, which is no spending"):
        setting.apply(correction(-5 * USD, model=""))


async def test_what_the_invoice_leaves_out_is_no_part_of_the_ledgers_side(setting: Setting) -> None:
    setting.spend(2 * USD)
    setting.spend(60 * USD, service_tier="priority")
    setting.apply(correction(3 * USD, 2 * USD))
    assert setting.sum() == 63 * USD
    assert setting.numbers()["limits"][0] == ("ever", "", 63 * USD)
    with pytest.raises(CommandError, match="The ledger has changed"):
        setting.apply(correction(3 * USD, 63 * USD))


async def test_estimates_learn_from_days_that_had_some(setting: Setting) -> None:
    setting.spend(100 * USD, model="claude-sonnet-4")
    setting.apply(
        correction(3 * USD, estimated_nusd=2 * USD),
        correction(USD, model="claude-opus-4-8"),
        correction(100 * USD, model="claude-haiku-4-5", estimated_nusd=1),
        correction(0, 100 * USD, model="claude-sonnet-4", estimated_nusd=USD),
    )
    learned = [("claude-sonnet-5", 250), ("claude-haiku-4-5", 400), ("claude-sonnet-4", 25)]
    assert setting.learner.factors == learned
    setting.restart()
    assert sorted(setting.learner.factors) == sorted(learned)
    setting.undo()
    assert setting.learner.factors[-3:] == [
        ("claude-sonnet-5", 40),
        ("claude-haiku-4-5", 25),
        ("claude-sonnet-4", 400),
    ]
    setting.restart()
    assert setting.learner.factors == []


async def test_what_was_corrected_long_ago_is_not_learned_from(setting: Setting) -> None:
    setting.apply(correction(3 * USD, estimated_nusd=2 * USD))
    setting.now += 100 * DAY
    setting.restart()
    assert setting.learner.factors == []


# any course of events

amounts = st.integers(0, 5 * USD)
days = st.sampled_from(["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"])
models = st.sampled_from(["", "claude-sonnet-5", "claude-opus-4-8"])


@settings(max_examples=60, deadline=None)
@given(
    spent=st.lists(st.tuples(st.floats(0, 4 * DAY - 1), models, st.integers(0, 5 * USD)), max_size=8),
    invoices=st.lists(st.dictionaries(st.tuples(days, models), amounts, min_size=1), min_size=1, max_size=4),
    undone=st.lists(st.integers(1, 4), max_size=3),
)
def test_after_apply_the_ledger_says_what_the_invoice_says_and_after_undo_what_it_said(
    spent: list[tuple[float, str, int]],
    invoices: list[dict[tuple[str, str], int]],
    undone: list[int],
) -> None:
    asyncio.run(_apply_and_undo(spent, invoices, undone))


async def _apply_and_undo(spent: Any, invoices: Any, undone: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder))
        for before_now, model, nusd in spent:
            setting.spend(nusd, NOON - before_now, model)
        first = setting.numbers()
        seen = [first]
        for invoice in invoices:
            setting.apply(
                *(
                    correction(nusd, setting.sum(day, model), day=day, model=model)
                    for (day, model), nusd in invoice.items()
                )
            )
            for (day, model), nusd in invoice.items():
                assert setting.sum(day, model) == nusd
            seen.append(setting.numbers())
        for batch in undone:
            with suppress(CommandError):  # it was not there, or was taken back before
                setting.undo(batch)
        kept = setting.numbers()
        setting.restart()
        assert setting.numbers() == kept
        with suppress(CommandError):  # when nothing is left
            while True:
                setting.undo()
        assert setting.numbers() == first
        setting.restart()
        assert setting.numbers() == first
        setting.ledger.db.close()
