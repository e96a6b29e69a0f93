"""What a client may change: done and on record, or neither."""

import re
from pathlib import Path

import pytest

from budgetd.alerts.settings import AlertsSection, ChannelSection
from budgetd.budget.limits import Subject
from budgetd.budget_file import EditRefusedError
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.ledger.queries import UnknownEnd
from budgetwire.messages import (
    Acknowledge,
    ApplyCorrections,
    Approve,
    Call,
    Correction,
    ForgetLimits,
    Grant,
    Kill,
    Pause,
    QueryAudit,
    QueryEstimates,
    QueryRequests,
    Redeliver,
    Refuse,
    Release,
    Resume,
    SetLimit,
    Snooze,
    UndoCorrections,
    UndoLimit,
)
from control.steered import NOW, Steered
from ledger.rows import closing, opening

CENT = 10_000_000


@pytest.fixture
async def steered(tmp_path: Path):
    steered = Steered(tmp_path / "ledger.db")
    yield steered
    await steered.accounts.ledger.close()


def set_daily(cents: int | None) -> SetLimit:
    return SetLimit(id=1, limit="daily", limit_cents=cents)


UNDO = UndoLimit(id=1, limit="daily", allow_raise=True)


async def refused(steered: Steered, call: Call) -> CommandError:
    """The error of a call that must leave no trace."""
    before = (steered.audit(), steered.accounts.calls[:], steered.file.caps.copy(), steered.file.tables[:])
    with pytest.raises(CommandError) as caught:
        await steered.call(call)
    after = (steered.audit(), steered.accounts.calls, steered.file.caps, steered.file.tables)
    assert after == before
    return caught.value


async def test_an_edit_is_in_force_and_on_record_with_who_when_before_and_after(steered: Steered) -> None:
    await steered.call(set_daily(500), Peer(pid=7, uid=1001, name="budgetd cli"))
    assert steered.cap == 500
    (change,) = (await steered.call(QueryAudit(id=2)))["changes"]
    assert change == {
        "id": 1, "at": NOW, "uid": 1001, "name": "budgetd cli", "action": "set_limit", "subject": "daily",
        "before": str(1000 * CENT), "after": str(500 * CENT),
    }  # fmt: skip


async def test_an_edit_that_the_file_refuses_leaves_no_record(steered: Steered) -> None:
    steered.file.refusal = EditRefusedError("conflict", "It was changed meanwhile.")
    error = await refused(steered, set_daily(500))
    assert (error.code, error.message) == ("conflict", "It was changed meanwhile.")


async def test_what_cannot_be_recorded_is_not_done(steered: Steered) -> None:
    db = steered.accounts.ledger.db
    db.execute("create trigger full before insert on audit begin select raise(abort, 'disk full'); end")
    for call in (set_daily(500), Pause(id=1), Approve(id=1, request_id=12), Kill(id=1, request_id=11)):
        error = await refused(steered, call)
        assert error.code == "failed"
        assert "disk full" in error.message


async def test_an_undo_takes_the_last_edit_back_and_its_undo_makes_it_again(steered: Steered) -> None:
    await steered.call(set_daily(700))
    await steered.call(set_daily(500))
    for expected in (700, 500, 700):
        await steered.call(UNDO)
        assert steered.cap == expected
    assert steered.audit()[-1] == ("undo_limit", "daily", str(500 * CENT), str(700 * CENT))


async def test_an_undo_survives_a_restart(steered: Steered) -> None:
    await steered.call(set_daily(500))
    await steered.restart()
    await steered.call(UNDO)
    assert steered.cap == 1000
    await steered.restart()
    await steered.call(UNDO)
    assert steered.cap == 500


async def test_an_undone_removal_restores_the_limit_and_an_undone_addition_removes_it(
    steered: Steered,
) -> None:
    await steered.call(set_daily(None))
    assert steered.cap is None
    await steered.call(UNDO)
    assert steered.cap == 1000
    await steered.call(SetLimit(id=1, limit="monthly", limit_cents=20000))
    await steered.call(UndoLimit(id=1, limit="monthly", allow_raise=True))
    assert "monthly" not in steered.file.caps
    await steered.call(UndoLimit(id=1, limit="monthly", allow_raise=True))
    assert steered.file.caps["monthly"] == 20000


async def test_an_entry_that_was_removed_comes_back_with_all_it_said(steered: Steered) -> None:
    (table,) = [each.copy() for each in steered.file.tables]
    for _ in range(2):
        await steered.call(SetLimit(id=1, limit="opus", limit_cents=None))
        assert steered.file.tables == []
        await steered.restart()
        await steered.call(UndoLimit(id=1, limit="opus", allow_raise=True))
        assert steered.file.tables == [table]
    await steered.call(UndoLimit(id=1, limit="opus", allow_raise=True))
    assert steered.file.tables == []


async def test_an_edit_by_hand_is_not_undone(steered: Steered) -> None:
    error = await refused(steered, UNDO)
    assert (error.code, error.field) == ("not_found", "limit")
    await steered.call(set_daily(500))
    steered.file.caps["daily"] = 300
    steered.accounts.configure(steered.file.budget())
    error = await refused(steered, UNDO)
    assert error.code == "conflict"
    assert "left a cap of $5.00, now there is a cap of $3.00" in error.message


async def test_a_grant_adds_to_what_was_granted(steered: Steered) -> None:
    await steered.call(Grant(id=1, limit="daily", cents=500))
    await steered.call(Grant(id=1, limit="daily", cents=1))
    await steered.call(Grant(id=1, limit="opus", cents=250, subject="acme"))
    assert steered.accounts.counters == {("daily", ""): 501 * CENT, ("opus", "acme"): 250 * CENT}
    assert steered.audit() == [
        ("grant", "daily", "0", str(500 * CENT)),
        ("grant", "daily", str(500 * CENT), str(501 * CENT)),
        ("grant", "opus / acme", "0", str(250 * CENT)),
    ]


@pytest.mark.parametrize(
    ("limit", "cents", "subject", "code", "field", "says"),
    [
        ("daily", 0, "", "invalid", "cents", "1 cent or more"),
        ("daily", -5, "", "invalid", "cents", "1 cent or more"),
        ("daily", 10**11 + 1, "", "invalid", "cents", "at most a billion"),
        ("dialy", 5, "", "not_found", "limit", "There is no limit 'dialy'; in force: daily, opus."),
        ("daily", 5, "acme", "not_found", "subject", "leave the subject out"),
        ("opus", 5, "", "not_found", "subject", "a counter for each project; say whose"),
        ("opus", 5, "notes", "not_found", "subject", "no counter for the project 'notes'"),
    ],
)
async def test_a_grant_that_cannot_be_is_refused(
    steered: Steered, limit, cents, subject, code, field, says
) -> None:
    error = await refused(steered, Grant(id=1, limit=limit, cents=cents, subject=subject))
    assert (error.code, error.field) == (code, field)
    assert says in error.message
    assert not any(steered.accounts.counters.values())


async def test_a_release_says_how_much_was_kept_for_how_many(steered: Steered) -> None:
    call = Release(id=1, limit="opus", subject="acme")
    assert await steered.call(call) == {"released": 0, "nusd": 0}
    assert (steered.audit(), steered.accounts.calls) == ([], [])
    ends = [UnknownEnd(id, NOW, nusd, Subject()) for id, nusd in ((3, 2 * CENT), (4, CENT))]
    steered.accounts.ends["opus", "acme"] = ends
    assert await steered.call(call) == {"released": 2, "nusd": 3 * CENT}
    assert steered.accounts.calls == [("release", [3, 4])]
    assert steered.audit() == [("release", "opus / acme", str(3 * CENT), "0")]


@pytest.mark.parametrize(
    ("limit", "subject", "code", "field", "says"),
    [
        ("daily", "", "invalid", "limit", "daily keeps nothing for unknown ends: only strict limits do."),
        ("dialy", "", "not_found", "limit", "There is no limit 'dialy'; in force: daily, opus."),
        ("opus", "", "not_found", "subject", "a counter for each project; say whose"),
        ("opus", "notes", "not_found", "subject", "no counter for the project 'notes'"),
    ],
)
async def test_a_release_that_cannot_be_is_refused(
    steered: Steered, limit: str, subject: str, code: str, field: str, says: str
) -> None:
    error = await refused(steered, Release(id=1, limit=limit, subject=subject))
    assert (error.code, error.field) == (code, field)
    assert says in error.message


async def test_all_or_one_limit_is_paused_and_resumed(steered: Steered) -> None:
    for call in (
        Pause(id=1),
        Pause(id=1),
        Pause(id=1, limit="opus"),
        Resume(id=1, limit="opus"),
        Resume(id=1),
    ):
        await steered.call(call)
    assert steered.accounts.calls == [
        ("pause", "budgettop", None), ("pause", "budgettop", None), ("pause", "budgettop", "opus"),
        ("resume", "opus"), ("resume", None),
    ]  # fmt: skip
    assert steered.audit() == [
        ("pause", "all", "running", "paused"), ("pause", "all", "paused", "paused"),
        ("pause", "opus", "running", "paused"), ("resume", "opus", "paused", "running"),
        ("resume", "all", "paused", "running"),
    ]  # fmt: skip


async def test_a_limit_that_was_paused_and_then_removed_can_be_resumed(steered: Steered) -> None:
    await steered.call(Pause(id=1, limit="opus"))
    await steered.call(SetLimit(id=1, limit="opus", limit_cents=None))
    await steered.call(Resume(id=1, limit="opus"))
    assert steered.accounts.guard.paused == set()


@pytest.mark.parametrize("kind", [Pause, Resume])
async def test_a_limit_that_is_not_there_is_neither_paused_nor_resumed(steered: Steered, kind) -> None:
    error = await refused(steered, kind(id=1, limit="x" * 500))
    assert (error.code, error.field) == ("not_found", "limit")
    assert len(error.message) < 120


@pytest.mark.parametrize(
    ("call", "audit"),
    [
        (Approve(id=1, request_id=12), ("approve", "request 12", "held", "let through")),
        (Refuse(id=1, request_id=12), ("refuse", "request 12", "held", "refused")),
        (Kill(id=1, request_id=11), ("kill", "request 11", "running", "killed")),
    ],
)
async def test_the_fate_of_a_request_is_decided_once(steered: Steered, call, audit) -> None:
    await steered.call(call)
    assert steered.accounts.calls == [(audit[0], call.request_id)]
    assert steered.audit() == [audit]
    error = await refused(steered, call)
    assert (error.code, error.field) == ("not_found", "request_id")
    assert error.message == f"Request {call.request_id} is not {audit[2]} any more."


async def test_acknowledging_tells_how_many_waited(steered: Steered) -> None:
    steered.fire(1, 2, 3)
    assert await steered.call(Acknowledge(id=1, alert_ids=[2, 9, 2])) == {"acknowledged": 1}
    assert await steered.call(Acknowledge(id=1, alert_ids=[2])) == {"acknowledged": 0}
    assert await steered.call(Acknowledge(id=1, alert_ids=None)) == {"acknowledged": 2}
    assert [row[:2] for row in steered.audit()] == [("acknowledge", "alert 2"), ("acknowledge", "alert 3, 1")]


async def test_nothing_is_sent_again_to_a_channel_that_is_not_there_or_switched_off(
    steered: Steered,
) -> None:
    off = ChannelSection(name="off", kind="exec", command=["true"], enabled=False)
    steered.outbox.configure(AlertsSection(channels=[off]))
    error = await refused(steered, Redeliver(id=1, channel="off"))
    assert (error.code, error.message) == ("conflict", "Nothing is sent to off: the channel is switched off.")
    error = await refused(steered, Redeliver(id=1, channel="of"))
    assert (error.code, error.message) == ("not_found", "There is no channel 'of'; there are: off.")


async def test_queries_see_the_last_moment(steered: Steered) -> None:
    ledger = steered.accounts.ledger
    _ = ledger.reserve(opening(1))
    ledger.settle(opening(1), closing(45))
    (row,) = (await steered.call(QueryRequests(id=1)))["requests"]
    assert (row["cost_nusd"], row["expected_nusd"]) == (45, 90)
    (error,) = (await steered.call(QueryEstimates(id=1, since=0.0)))["models"]
    assert (error["requests"], error["cost_pct_p50"]) == (1, 50)
    assert (await steered.call(QueryEstimates(id=1, since=float("nan"))))["models"] == []
    assert (await steered.call(QueryAudit(id=1)))["changes"] == []


@pytest.mark.parametrize(
    "call",
    [
        QueryRequests(id=1, count=0),
        QueryRequests(id=1, count=1001),
        QueryRequests(id=1, before_id=2**63),
        QueryAudit(id=1, count=0),
        QueryAudit(id=1, count=1001),
    ],
)
async def test_a_query_out_of_bounds_is_refused(steered: Steered, call) -> None:
    assert (await refused(steered, call)).code == "invalid"


INVOICED = Correction(
    day="2026-11-22", provider="anthropic", model="claude-opus-4-8", ledger_nusd=0, invoice_nusd=5
)


async def test_the_document_tells_every_action_of_the_audit(steered: Steered) -> None:
    text = (Path(__file__).parents[2] / "protocol" / "README.md").read_text()
    told = re.findall(r"^\| (`.*?`) \|", text.split("| `action` |")[1].split("### ")[0], re.MULTILINE)
    steered.fire(1)
    for call in (
        set_daily(1), UNDO, Grant(id=1, limit="daily", cents=1), UNDO, Pause(id=1), Resume(id=1),
        Snooze(id=1, alert_ids=None, until=NOW + 60), Acknowledge(id=1, alert_ids=None),
        Approve(id=1, request_id=12), Kill(id=1, request_id=11), Redeliver(id=1),
        ApplyCorrections(id=1, source="a file", corrections=[INVOICED]), UndoCorrections(id=1),
    ):  # fmt: skip
        await steered.call(call)
    steered.accounts.held.add(12)
    await steered.call(Refuse(id=1, request_id=12))
    await steered.call(ForgetLimits(id=1))
    assert set(re.findall(r"`(\w+)`", " ".join(told))) == {row[0] for row in steered.audit()}
