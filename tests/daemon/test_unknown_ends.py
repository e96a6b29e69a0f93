"""Requests that were sent and of which nobody stated the cost: what strict limits keep, and what ends it."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd.attribution.who import Who
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.config import WELL_KNOWN
from budgetd.control.needs import Peer
from budgetd.corrections import Corrections
from budgetd.metering import Ask, meter
from budgetd.metering.gateway import error_meter
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Outcome, Ticket, Turned
from budgetd.steering import Steering
from budgetwire.messages import ApplyCorrections, Correction, UndoCorrections
from daemon.test_accounts import ANSWER, COST, NOBODY, Setting

DAY = 86400.0
CAP = 40_000_000
LIMITS = (
    Limit("daily", "day", CAP, guarantee="strict"),
    Limit("rolling", "5h", 10 * CAP, guarantee="strict"),
    Limit("each", "total", 10 * CAP, per="user", guarantee="strict"),
    Limit("loose", "day", 10 * CAP),
)
BACKGROUND = Route(WELL_KNOWN["openai"], "/v1/responses", "/v1/responses", "openai.responses", billable=True)
QUEUED = b'{"id":"resp_1","object":"response","status":"queued","model":"gpt-5","output":[],"usage":null}'
DONE = QUEUED.replace(b"queued", b"completed").replace(
    b'"usage":null', b'"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}'
)
OWN = b'{"type":"error","error":{"type":"timeout_error","message":"no"}}'
ADA = Peer(pid=1, uid=1000, name="ada")


@pytest.fixture
async def setting(tmp_path: Path):
    setting = strict_setting(tmp_path)
    yield setting
    await setting.ledger.close()


def strict_setting(folder: Path) -> Setting:
    setting = Setting(folder)
    setting.budget = Budget(limits=LIMITS)
    setting.accounts.configure(setting.budget)
    return setting


async def sent(setting: Setting, who: Who = NOBODY, route: Route | None = None) -> Ticket:
    """A request that is on its way."""
    ask = Ask(model="gpt-5" if route else "claude-haiku-4-5", output_cap=1000, body_bytes=350)
    ticket = setting.admit(who=who, ask=ask, **({"route": route} if route else {}))
    assert isinstance(ticket, Ticket)
    await ticket.committed
    return ticket


async def broken(setting: Setting, who: Who = NOBODY) -> tuple[int, int]:
    """One that breaks off before it is answered; what it is counted at, and what it may have cost beyond."""
    ticket = await sent(setting, who)
    setting.accounts.settle(ticket, "broken")
    return ends(setting)[ticket.id]


def ends(setting: Setting) -> dict[int, tuple[int, int]]:
    """What is on record, by number: the cost, and what it may have been beyond that."""
    setting.ledger.flush()
    rows = setting.ledger.db.execute("select id, cost_nusd, unknown_nusd from requests")
    return {id: (cost, unknown) for id, cost, unknown in rows}


def kept(setting: Setting) -> dict[str, tuple[int, int]]:
    """Spent, and kept for unknown ends, by the limit and whose counter it is."""
    return {
        f"{window.limit.name} {window.subject}".strip(): (window.spent_nusd, window.withheld_nusd)
        for window in setting.accounts.guard.windows
        if window.spent_nusd or window.withheld_nusd or not window.limit.per
    }


def invoice(cost: int) -> ApplyCorrections:
    """It says a little more of the first day than is on record."""
    said = Correction(
        day="2026-11-23",
        provider="anthropic",
        model="claude-haiku-4-5",
        ledger_nusd=cost,
        invoice_nusd=cost + 7,
    )
    return ApplyCorrections(id=1, source="test", corrections=[said])


async def test_every_strict_limit_keeps_it_and_every_limit_counts_the_estimate(setting: Setting) -> None:
    cost, unknown = await broken(setting)
    assert cost > 0 < unknown
    assert kept(setting) == {
        "daily": (cost, unknown),
        "rolling": (cost, unknown),
        "each": (cost, unknown),
        "loose": (cost, 0),
    }


@pytest.mark.parametrize("outcome", ["broken", "aborted", "killed", "ok"])
async def test_what_nobody_stated_is_unknown_however_it_ended(setting: Setting, outcome: Outcome) -> None:
    ticket = await sent(setting)
    reserved = setting.daily.reserved_nusd
    ticket.status = 200
    ticket.meter = meter("anthropic.messages", "application/json")
    ticket.meter.feed(ANSWER[:40])
    setting.accounts.settle(ticket, outcome)
    assert sum(ends(setting)[ticket.id]) == reserved


@pytest.mark.parametrize("status", [408, 499, 502, 504, 520, 521, 522, 523, 524, 598, 599])
async def test_a_gateway_that_gave_up_leaves_it_unknown_and_the_provider_itself_does_not(
    setting: Setting, status: int
) -> None:
    for body, basis in ((b"<html>", "unmetered"), (b"", "unmetered"), (OWN, "reported")):
        ticket = await sent(setting)
        expected = setting.accounts.in_flight[ticket.id].case.estimate.expected_nusd
        ticket.status = status
        ticket.meter = error_meter("anthropic.messages", "anthropic", "", "", lambda _: "")
        ticket.meter.feed(body)
        setting.accounts.settle(ticket, "error")
        cost, unknown = ends(setting)[ticket.id]
        assert setting.row(ticket.id)[:2] == ("error", basis)
        assert (cost, unknown > 0) == ((expected, True) if basis == "unmetered" else (0, False))


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
async def test_an_error_that_no_gateway_makes_up_is_free(setting: Setting, status: int) -> None:
    ticket = await sent(setting)
    ticket.status = status
    setting.accounts.settle(ticket, "error")
    assert ends(setting)[ticket.id] == (0, 0)


async def test_what_was_never_sent_or_is_stated_leaves_nothing_unknown(setting: Setting) -> None:
    setting.accounts.settle(await sent(setting), "failed")
    await setting.spend()
    assert ends(setting) == {1: (0, 0), 2: (COST, 0)}
    assert setting.daily.withheld_nusd == 0


async def test_a_restart_keeps_it(setting: Setting) -> None:
    alice = msgspec.structs.replace(NOBODY, user="alice")
    await broken(setting)
    await broken(setting, alice)
    before = kept(setting)
    await setting.ledger.close()
    setting.start()
    assert kept(setting) == before
    assert before["each alice"][1] > 0


async def test_it_ends_with_its_window(setting: Setting) -> None:
    await broken(setting)
    setting.clock.now += 5 * 3600 + 60
    setting.accounts.tick()
    assert [window.withheld_nusd > 0 for window in setting.accounts.guard.windows] == [
        True, False, True, False,
    ]  # fmt: skip
    setting.clock.now += DAY
    setting.accounts.tick()
    assert setting.daily.withheld_nusd == 0


async def test_a_result_that_is_fetched_later_replaces_it(setting: Setting) -> None:
    ticket = await sent(setting, route=BACKGROUND)
    ticket.status = 200
    ticket.meter = meter("openai.responses", "application/json")
    ticket.meter.feed(QUEUED)
    setting.accounts.settle(ticket, "ok")
    assert setting.daily.withheld_nusd > 0
    late = meter("openai.responses", "application/json")
    late.feed(DONE)
    setting.accounts.report(msgspec.structs.replace(BACKGROUND, late="resp_1"), late.finish())
    cost = 100 * 1_250 + 10 * 10_000
    assert ends(setting)[ticket.id] == (cost, 0)
    assert kept(setting)["daily"] == kept(setting)["each"] == (cost, 0)


async def test_an_invoice_ends_what_its_day_and_model_left_unknown_until_it_is_taken_back(
    setting: Setting,
) -> None:
    cost, unknown = await broken(setting)
    setting.clock.now += DAY
    setting.accounts.tick()
    assert kept(setting)["each"] == (cost, unknown)
    corrections = Corrections(setting.accounts)
    corrections.apply(invoice(cost), ADA)
    assert kept(setting)["each"] == (cost + 7, 0)
    corrections.undo(UndoCorrections(id=1, batch=None), ADA)
    assert kept(setting)["each"] == (cost, unknown)
    assert ends(setting)[1] == (cost, unknown)


async def test_an_invoice_of_a_day_that_is_not_over_ends_nothing(setting: Setting) -> None:
    cost, unknown = await broken(setting)
    Corrections(setting.accounts).apply(invoice(cost), ADA)
    assert kept(setting)["daily"] == (cost + 7, unknown)


async def test_releasing_a_counter_makes_room_for_good(setting: Setting) -> None:
    alice = msgspec.structs.replace(NOBODY, user="alice")
    cost, _ = await broken(setting)
    await broken(setting, alice)
    accounts = setting.accounts
    found = accounts.unknown_ends("each", "alice")
    assert [end.id for end in found] == [2]
    Steering(accounts).release(found)
    after = kept(setting)
    assert after["each alice"] == (cost, 0)
    assert after["daily"][0] == 2 * cost
    assert after["daily"][1] == after["each"][1] == ends(setting)[1][1]
    await setting.ledger.close()
    setting.start()
    assert kept(setting) == after
    with pytest.raises(KeyError):
        setting.accounts.unknown_ends("each", "bob")


async def test_a_refusal_says_what_is_kept_and_how_to_let_go_of_it(setting: Setting) -> None:
    turned: object = None
    for _ in range(10):
        turned = setting.admit()
        if not isinstance(turned, Ticket):
            break
        await turned.committed
        setting.accounts.settle(turned, "broken")
    assert isinstance(turned, Turned)
    assert "kept for requests whose cost nobody stated" in turned.message
    assert "`budgetd limits release daily`" in turned.message


async def test_what_a_kill_left_is_counted_at_what_was_reserved(setting: Setting) -> None:
    await sent(setting)
    reserved = setting.daily.reserved_nusd
    setting.ledger.flush()
    setting.kill()
    setting.start()
    assert kept(setting)["daily"] == (reserved, 0)


# any course of events


asks = st.tuples(
    st.sampled_from(["stated", "left", "gave up", "own", "silent", "failed", "kill"]), st.floats(0, 1)
)
events = st.one_of(asks, asks, asks, st.tuples(st.sampled_from(["restart", "release", "wait"]), st.just(0.0)))


@settings(max_examples=40, deadline=None)
@given(course=st.lists(events, max_size=25))
def test_counters_are_the_ledger_and_its_unknown_ends_and_the_bill_is_within_the_cap(course) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_go_through(Path(folder), course))


async def _go_through(folder: Path, course: list[tuple[str, float]]) -> None:
    """The provider bills whatever part of the worst case it likes for what it was sent."""
    setting = strict_setting(folder)
    bill: dict[int, int] = {}
    for what, part in course:
        if what == "restart":
            await setting.ledger.close()
            setting.start()
        elif what == "release":  # by somebody who has seen that nothing more was billed
            found = setting.accounts.unknown_ends("daily", "")
            Steering(setting.accounts).release(found)
            bill |= {end.id: min(bill[end.id], ends(setting)[end.id][0]) for end in found}
        elif what == "wait":
            setting.clock.now += 3600
            setting.accounts.tick()
        else:
            await _ask(setting, what, part, bill)
        recorded = ends(setting)
        for window in setting.accounts.guard.windows:
            inside = [recorded[end] for end in _admitted_since(setting, window.starts_at)]
            assert window.spent_nusd == sum(cost for cost, _ in inside)
            assert window.unknown_nusd == sum(unknown for _, unknown in inside)
        assert sum(bill[id] for id in _admitted_since(setting, setting.daily.starts_at) if id in bill) <= CAP
        assert bill.keys() <= recorded.keys()
    await setting.ledger.close()


def _admitted_since(setting: Setting, at: float) -> list[int]:
    rows = setting.ledger.db.execute("select id from requests where admitted_at >= ?", (at,))
    return [id for (id,) in rows]


async def _ask(setting: Setting, what: str, part: float, bill: dict[int, int]) -> None:
    ticket = setting.admit()
    if not isinstance(ticket, Ticket):
        return
    await ticket.committed
    most = setting.accounts.in_flight[ticket.id].case.demand.most_nusd
    if what != "failed":
        bill[ticket.id] = int(part * most)
    match what:
        case "kill":
            setting.kill()
            setting.start()
            return
        case "stated":
            bill[ticket.id] = COST
            ticket.status, ticket.meter = 200, meter("anthropic.messages", "application/json")
            ticket.meter.feed(ANSWER)
        case "left":
            ticket.status, ticket.meter = 200, meter("anthropic.messages", "application/json")
            ticket.meter.feed(ANSWER[:30])
        case "gave up" | "own":
            bill[ticket.id] *= what == "gave up"
            ticket.status = 504
            ticket.meter = error_meter("anthropic.messages", "anthropic", "", "", lambda _: "")
            ticket.meter.feed(OWN if what == "own" else b"<html>")
        case _:
            pass
    outcome: dict[str, Outcome] = {"stated": "ok", "left": "aborted", "silent": "broken", "failed": "failed"}
    setting.accounts.settle(ticket, outcome.get(what, "error"))
