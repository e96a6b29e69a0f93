"""The till behind the proxy, on a real ledger."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from budgetd.accounts import Accounts
from budgetd.attribution.who import Who
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.config import WELL_KNOWN
from budgetd.errors import LedgerError, NotSyncedError
from budgetd.ledger import log_sync
from budgetd.ledger.queries import spent_between
from budgetd.ledger.rows import Closing
from budgetd.ledger.writer import Ledger
from budgetd.metering import Ask, meter
from budgetd.pricing.book import load_book
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Held, Outcome, Ticket, Turned
from budgetd.receipts import Receipts
from budgetd.steering import Steering

NOON = 1_795_435_200.0
BOOK = load_book()
NOBODY = Who(user="", project="", session="", key="", client="", subscription=False)
ROUTE = Route(WELL_KNOWN["anthropic"], "/v1/messages", "/v1/messages", "anthropic.messages", billable=True)
ASK = Ask(model="claude-haiku-4-5", output_cap=1000, body_bytes=350)
ANSWER = (
    b'{"id":"msg_1","type":"message","model":"claude-haiku-4-5","content":[],'
    b'"usage":{"input_tokens":1000,"output_tokens":100}}'
)
COST = 1000 * 1_000 + 100 * 5_000


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Setting:
    """Accounts that can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.clock = Clock()
        self.changes: list[str] = []
        self.durability: Literal["process", "power"] = "process"
        self.budget = Budget(limits=(Limit("daily", "day", 100 * COST, (50, 80)),))
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(self.path, self.durability)
        self.accounts = Accounts(
            self.ledger,
            BOOK,
            ZoneInfo("UTC"),
            clock=self.clock,
            changed=lambda *parts: self.changes.extend(parts),
        )
        self.accounts.configure(self.budget)

    def kill(self) -> None:
        """Leave what is committed, as the death of the process would."""
        self.ledger.db.close()

    def admit(self, who: Who = NOBODY, ask: Ask = ASK, route: Route = ROUTE) -> Ticket | Held | Turned:
        return self.accounts.admit(Candidate(route=route, who=who, ask=ask, method="POST", request_bytes=350))

    async def spend(self, **more: object) -> None:
        ticket = self.admit(**more)
        assert isinstance(ticket, Ticket)
        await ticket.committed
        ticket.status = 200
        ticket.meter = meter("anthropic.messages", "application/json")
        ticket.meter.feed(ANSWER)
        self.accounts.settle(ticket, "ok")

    @property
    def daily(self):
        return self.accounts.guard.windows[0]

    def row(self, id: int) -> tuple:
        self.ledger.flush()
        return self.ledger.db.execute(
            "select outcome, basis, cost_nusd, reserved_nusd from requests where id = ?", (id,)
        ).fetchone()


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


async def test_a_request_is_reserved_then_settled_at_what_it_cost(setting: Setting) -> None:
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)
    assert setting.daily.reserved_nusd > 0
    await ticket.committed
    setting.accounts.settle(ticket, "failed")
    await setting.spend()
    assert (setting.daily.reserved_nusd, setting.daily.spent_nusd) == (0, COST)
    assert setting.row(1)[:3] == ("failed", "", 0)
    assert setting.row(2)[:3] == ("ok", "reported", COST)


async def test_a_request_whose_model_cannot_be_read_needs_room_in_every_limit_on_models(
    setting: Setting,
) -> None:
    opus = Limit("opus", "day", COST, match=(("model", ("claude-opus-*",)),))
    setting.accounts.configure(Budget(limits=(opus,)))
    unread = Ask(understood=False, body_bytes=40_000_000)
    turned = setting.admit(ask=unread)
    assert isinstance(turned, Turned)
    assert "The opus limit" in turned.message
    assert isinstance(setting.admit(ask=msgspec.structs.replace(unread, model="claude-haiku-4-5")), Ticket)
    unknown_api = msgspec.structs.replace(ROUTE, api=None)
    assert isinstance(setting.admit(ask=unread, route=unknown_api), Ticket)


async def test_the_refusal_tells_limit_amounts_reset_and_remedy(setting: Setting) -> None:
    setting.accounts.configure(Budget(limits=(Limit("daily", "day", 2 * COST),)))
    await setting.spend(ask=Ask(model="claude-haiku-4-5", output_cap=100, body_bytes=350))
    turned = setting.admit()
    assert isinstance(turned, Turned)
    assert "The daily limit of $0.003 has no room for this request: $0.0015 spent" in turned.message
    assert "resets on Tue 24 Nov at 00:00" in turned.message
    assert "press e in budgettop or edit budget.toml" in turned.message
    assert setting.row(2) == ("refused", "", 0, 0)


async def test_spending_survives_a_restart(setting: Setting) -> None:
    for _ in range(3):
        await setting.spend()
    await setting.ledger.close()
    setting.start()
    assert setting.daily.spent_nusd == 3 * COST


async def test_what_was_in_flight_at_a_kill_is_counted_once_at_what_was_reserved(setting: Setting) -> None:
    await setting.spend()
    setting.ledger.flush()
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)
    await ticket.committed
    reserved = setting.daily.reserved_nusd
    for _ in range(2):
        setting.kill()
        setting.start()
        assert setting.daily.spent_nusd == COST + reserved
        assert setting.row(2) == ("recovered", "recovered", reserved, reserved)
    (alert,) = setting.accounts.desk.board.newest_first(NOON)
    assert alert.rule == "recovered"
    assert "1 request was in flight" in alert.message


async def test_a_threshold_fires_once_and_not_again_after_a_restart(setting: Setting) -> None:
    for _ in range(60):
        await setting.spend()
    assert [alert.threshold_pct for alert in setting.accounts.desk.board.newest_first(NOON)] == [50]
    await setting.ledger.close()
    setting.start()
    await setting.spend()
    assert [alert.threshold_pct for alert in setting.accounts.desk.board.newest_first(NOON)] == [50]


async def test_a_threshold_that_a_lowered_limit_has_passed_fires_at_once(setting: Setting) -> None:
    for _ in range(10):
        await setting.spend()
    setting.accounts.configure(Budget(limits=(Limit("daily", "day", 12 * COST, (80,)),)))
    (alert,) = setting.accounts.desk.board.newest_first(NOON)
    assert "daily passed 80 %" in alert.message


async def test_acknowledging_survives_a_restart(setting: Setting) -> None:
    for _ in range(60):
        await setting.spend()
    assert setting.accounts.desk.board.acknowledge(None, "test", NOON) == 1
    assert setting.accounts.desk.board.acknowledge(None, "test", NOON) == 0
    await setting.ledger.close()
    setting.start()
    (alert,) = setting.accounts.desk.board.newest_first(NOON)
    assert alert.acknowledged_by == "test"


async def test_pausing_refuses_whatever_costs_until_resumed_even_after_a_restart(setting: Setting) -> None:
    Steering(setting.accounts).pause("test")
    await setting.ledger.close()
    setting.start()
    turned = setting.admit()
    assert isinstance(turned, Turned)
    assert "budgetd resume" in turned.message
    Steering(setting.accounts).resume()
    await setting.spend()


async def test_what_a_provider_begins_while_paused_may_go_on_once_it_is_resumed(setting: Setting) -> None:
    who = msgspec.structs.replace(NOBODY, session="voice")
    begun = Candidate(route=ROUTE, who=who, ask=ASK, method="GET", request_bytes=0)
    steering = Steering(setting.accounts)
    steering.pause("ada")
    assert setting.accounts.count(begun).refused
    steering.resume()
    assert isinstance(setting.admit(who), Ticket)


async def test_what_a_provider_begins_without_room_is_not_begun_again_for_a_minute(setting: Setting) -> None:
    who = msgspec.structs.replace(NOBODY, session="voice")
    begun = Candidate(route=ROUTE, who=who, ask=ASK, method="GET", request_bytes=0)
    setting.accounts.configure(Budget(limits=(Limit("daily", "day", 0),)))
    assert setting.accounts.count(begun).refused
    setting.accounts.configure(setting.budget)
    turned = setting.admit(who)
    assert isinstance(turned, Turned)
    assert "was killed by budgetd" in turned.message
    setting.clock.now += 60
    assert isinstance(setting.admit(who), Ticket)


async def test_pausing_lets_through_what_costs_nothing(setting: Setting) -> None:
    Steering(setting.accounts).pause("test")
    route = msgspec.structs.replace(ROUTE, upstream=WELL_KNOWN["ollama"], api="openai.chat")
    ticket = setting.admit(route=route)
    assert isinstance(ticket, Ticket)
    setting.accounts.settle(ticket, "failed")


async def test_subscription_traffic_is_shown_but_counts_only_if_asked(setting: Setting) -> None:
    subscriber = msgspec.structs.replace(NOBODY, subscription=True)
    await setting.spend(who=subscriber)
    assert setting.daily.spent_nusd == 0
    assert setting.row(1)[2] == COST
    setting.budget = msgspec.structs.replace(setting.budget, count_subscription=True)
    await setting.ledger.close()
    setting.start()
    await setting.spend(who=subscriber)
    assert setting.daily.spent_nusd == 2 * COST


async def test_a_reservation_that_cannot_be_recorded_reserves_nothing(setting: Setting) -> None:
    pages = setting.ledger.db.execute("pragma page_count").fetchone()[0]
    setting.ledger.db.execute(f"pragma max_page_count = {pages}")
    failed = 0
    for _ in range(200):
        ticket = setting.admit(ask=msgspec.structs.replace(ASK, model="m" * 200))
        assert isinstance(ticket, Ticket)
        try:
            await ticket.committed
        except LedgerError:
            failed += 1
            setting.accounts.settle(ticket, "failed")
            break
        setting.accounts.settle(ticket, "failed")
    assert failed == 1
    assert setting.daily.reserved_nusd == 0
    setting.ledger.db.execute(f"pragma max_page_count = {pages + 1000}")
    await setting.spend()


async def test_a_request_whose_reservation_did_not_get_to_the_disk_is_on_record_and_costs_nothing(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    await setting.ledger.close()
    setting.durability = "power"
    setting.start()
    with monkeypatch.context() as patched:
        patched.setattr(log_sync.os, "fsync", broken)
        ticket = setting.admit()
        assert isinstance(ticket, Ticket)
        with pytest.raises(NotSyncedError):
            await ticket.committed
    setting.accounts.settle(ticket, "failed")
    assert setting.row(ticket.id)[:3] == ("failed", "", 0)
    assert (setting.daily.reserved_nusd, setting.daily.spent_nusd) == (0, 0)
    await setting.ledger.close()
    setting.start()
    assert setting.daily.spent_nusd == 0


async def test_what_a_request_cost_is_on_record_though_its_alerts_fail(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(setting.accounts.desk, "crossed", broken)
    monkeypatch.setattr(setting.accounts.desk, "settled", broken)
    with pytest.raises(RuntimeError):
        await setting.spend()
    assert setting.row(1)[:3] == ("ok", "reported", COST)
    assert setting.daily.spent_nusd == COST


async def test_an_id_that_is_no_text_is_of_no_request(setting: Setting) -> None:
    await setting.spend()
    assert Receipts(setting.accounts).find("\udcff") is None
    assert Receipts(setting.accounts).find("msg_1") is not None


async def test_what_is_reported_while_the_ledger_cannot_be_written_counts_once_it_can(
    setting: Setting,
) -> None:
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)
    await ticket.committed
    setting.ledger.settle(
        setting.accounts.in_flight.pop(ticket.id).opening,
        Closing(settled_at=NOON, outcome="ok", basis="estimated", cost_nusd=7, response_id="r1"),
    )
    setting.ledger.flush()
    route = msgspec.structs.replace(ROUTE, late="r1", billable=False)
    reader = meter("anthropic.messages", "application/json")
    reader.feed(ANSWER)
    pages = setting.ledger.db.execute("pragma page_count").fetchone()[0]
    setting.ledger.db.execute(f"pragma max_page_count = {pages}")
    setting.ledger.add("insert into meta values ('x', ?)", ("x" * 50_000,))
    setting.accounts.report(route, reader.finish())
    assert setting.ledger.failure
    setting.ledger.db.execute(f"pragma max_page_count = {pages + 1000}")
    setting.ledger.flush()
    setting.accounts.tick()
    assert setting.row(ticket.id)[:3] == ("ok", "reported", COST)


async def test_a_request_cancelled_before_its_commit_leaves_a_row_that_cost_nothing(setting: Setting) -> None:
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)

    async def wait() -> None:
        await ticket.committed

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    setting.accounts.settle(ticket, "failed")
    assert setting.row(1)[:3] == ("failed", "", 0)
    assert setting.daily.reserved_nusd == 0


async def test_a_new_day_starts_at_nothing(setting: Setting) -> None:
    await setting.spend()
    setting.clock.now += 86400
    setting.accounts.tick()
    assert setting.daily.spent_nusd == 0
    setting.ledger.flush()
    assert spent_between(setting.ledger.db, NOON - 43200, NOON + 43200, subscription=False) == COST


async def test_names_that_are_not_text_do_not_stop_the_ledger(setting: Setting) -> None:
    await setting.spend(route=msgspec.structs.replace(ROUTE, path="/v1/\udcff/messages"))
    assert setting.row(1)[0] == "ok"


@pytest.mark.parametrize("outcome", ["ok", "aborted", "broken", "killed"])
async def test_what_was_learned_outlives_a_restart_however_the_request_ended(
    setting: Setting, outcome: Outcome
) -> None:
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)
    await ticket.committed
    ticket.status = 200
    ticket.meter = meter("anthropic.messages", "application/json")
    text = b'"content":[{"type":"text","text":"' + b"x" * 300 + b'"}]'
    ticket.meter.feed(ANSWER.replace(b'"content":[]', text))
    setting.accounts.settle(ticket, outcome)
    learned = setting.accounts.learner.writing(ASK.model, ASK.model)
    await setting.ledger.close()
    setting.start()
    assert setting.accounts.learner.writing(ASK.model, ASK.model) == learned
