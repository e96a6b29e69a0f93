"""Controls of single limits: pause, lower, raise, undo, grant. Each is in the audit; what cannot be
is refused with a reason, and changes nothing."""

import os
from collections.abc import Callable, Iterator

import pytest

from budgetwire.errors import CallError
from budgetwire.messages import (
    Approve,
    Call,
    Grant,
    Kill,
    Limit,
    Pause,
    QueryAudit,
    Refuse,
    Resume,
    SetLimit,
    Snapshot,
    UndoLimit,
)
from budgetwire.money import NUSD_PER_CENT
from e2e.background import Background
from e2e.stage import CLIENTS, Asking, Stage, is_refusal, staged, tell

BUDGET = """# Mine.
[budget]
daily_limit_cents = 100000

[[limits]]
name = "opus per project"
window = "day"
limit_cents = 100
match = { project = "acme*" }
per = "project"

[[limits]]
name = "strict"
window = "5h"
limit_cents = 100
match = { project = "strict*" }
guarantee = "strict"
"""

SONNET = next(each for each in CLIENTS if each.id == "anthropic.messages-stream")
CAP = 1000


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, BUDGET) as stage:
        yield stage


def call(stage: Stage, make: Callable[[int], Call]) -> None:
    assert stage.home.call(make) == {}


def undo(stage: Stage, name: str) -> None:
    told = stage.home.call(lambda id: UndoLimit(id=id, limit=name))
    assert (told["limit"], told["action"]) == (name, "set_limit")


def refused(stage: Stage, make: Callable[[int], Call]) -> tuple[str, str]:
    """Code and field of the error that a call gets; what it says is for a person."""
    with pytest.raises(CallError) as error:
        stage.home.call(make)
    assert str(error.value).rstrip().endswith((".", "?"))
    return error.value.code, error.value.field


def set_limit(stage: Stage, name: str, cents: int | None) -> None:
    call(stage, lambda id: SetLimit(id=id, limit=name, limit_cents=cents))


def cap(stage: Stage, name: str) -> int:
    """The cap of a limit in cents, whichever of its counters is asked."""
    return next(each.limit_nusd for each in stage.home.state().limits if each.name == name) // NUSD_PER_CENT


# pausing one limit


def test_a_paused_limit_refuses_what_matches_it_and_nothing_else(stage: Stage) -> None:
    call(stage, lambda id: Pause(id=id, limit="opus per project"))
    assert stage.home.wait_for(lambda state: all(limit.paused for limit in named(state, "opus per project")))
    error = stage.ask(SONNET, "acme paused")
    assert is_refusal(error, SONNET)
    assert "opus per project" in str(error)
    assert "budgetd resume" in str(error)
    assert stage.posts("acme paused") == []
    assert stage.row("acme paused")["outcome"] == "refused"
    assert stage.ask(SONNET, "another") is None
    assert stage.home.state().daemon.paused_at is None

    call(stage, lambda id: Resume(id=id, limit="opus per project"))
    assert stage.ask(SONNET, "acme paused") is None
    assert not any(limit.paused for limit in stage.home.state().limits)


def named(state: Snapshot, name: str) -> list[Limit]:
    return [limit for limit in state.limits if limit.name == name]


# caps


def test_a_cap_is_lowered_and_raised_while_requests_run(stage: Stage) -> None:
    running: list[tuple[str, Asking]] = []
    for number in range(3):
        project = f"strict, running {number}"
        stage.stop(project)
        running.append((project, stage.begin(SONNET, project, cap=CAP)))
        stage.background.run(stage.provider.reached(project))
    reserved = stage.limit("strict").reserved_nusd
    assert reserved > 3 * CAP * 15_000

    set_limit(stage, "strict", 1)
    assert stage.limit("strict").reserved_nusd == reserved
    error = stage.ask(SONNET, "strict, new", cap=CAP)
    assert is_refusal(error, SONNET)
    assert "strict limit of $0.01 has no room" in str(error)
    assert "reserved by requests in flight" in str(error)
    assert stage.posts("strict, new") == []

    for project, asking in running:
        stage.go_on(project)
        assert stage.end(asking) is None
        assert stage.row(project)["outcome"] == "ok"
    counter = stage.limit("strict")
    assert (counter.reserved_nusd, counter.limit_nusd) == (0, NUSD_PER_CENT)
    assert counter.spent_nusd == sum(stage.row(project)["cost_nusd"] for project, _ in running)
    assert is_refusal(stage.ask(SONNET, "strict, new", cap=CAP), SONNET)

    set_limit(stage, "strict", 100)
    assert stage.ask(SONNET, "strict, again", cap=CAP) is None
    assert stage.home.places.budget.read_text().startswith("# Mine.\n")
    change = stage.changes("set_limit")[0]
    assert (change.uid, change.subject) == (os.getuid(), "strict")
    assert (change.before, change.after) != ("", "")
    assert change.before != change.after


@pytest.mark.parametrize("name", ["daily", "opus per project", "strict"])
def test_the_last_edit_of_a_limit_is_undone(stage: Stage, name: str) -> None:
    stage.ask(SONNET, "acme undone")  # so that each has a counter
    before = cap(stage, name)
    set_limit(stage, name, before + 7)
    undo(stage, name)
    assert cap(stage, name) == before
    change = stage.changes("undo_limit")[0]
    assert (change.uid, change.subject) == (os.getuid(), name)

    set_limit(stage, name, before + 8)
    stage.restart()
    undo(stage, name)
    assert stage.home.wait_for(lambda state: any(each.name == name for each in state.limits))
    assert cap(stage, name) == before


def test_a_limit_that_was_removed_comes_back(stage: Stage) -> None:
    before = cap(stage, "strict")
    spent = stage.limit("strict").spent_nusd
    set_limit(stage, "strict", None)
    assert not named(stage.home.state(), "strict")
    undo(stage, "strict")
    assert cap(stage, "strict") == before
    counter = stage.limit("strict")
    assert (counter.spent_nusd, counter.guarantee, counter.window) == (spent, "strict", "5h")
    assert counter.match == {"project": "strict*"}


def test_what_was_granted_stands_while_the_cap_changes(stage: Stage) -> None:
    call(stage, lambda id: Grant(id=id, limit="strict", cents=25))
    granted = stage.limit("strict").granted_nusd
    before = cap(stage, "strict")
    set_limit(stage, "strict", before + 1)
    assert stage.limit("strict").granted_nusd == granted >= 25 * NUSD_PER_CENT
    stage.restart()
    counter = stage.limit("strict")
    assert (counter.granted_nusd, counter.limit_nusd) == (granted, (before + 1) * NUSD_PER_CENT)
    set_limit(stage, "strict", before)


# what cannot be


NOBODY = 2**40

IMPOSSIBLE: dict[str, tuple[Callable[[int], Call], tuple[str, str]]] = {
    "a grant of a negative sum": (lambda id: Grant(id=id, limit="daily", cents=-1), ("invalid", "cents")),
    "a grant of nothing": (lambda id: Grant(id=id, limit="daily", cents=0), ("invalid", "cents")),
    "a grant beyond measure": (lambda id: Grant(id=id, limit="daily", cents=10**18), ("invalid", "cents")),
    "a grant to no limit": (lambda id: Grant(id=id, limit="dialy", cents=5), ("not_found", "limit")),
    "a grant to no counter": (
        lambda id: Grant(id=id, limit="daily", cents=5, subject="nobody"),
        ("not_found", "subject"),
    ),
    "a pause of no limit": (lambda id: Pause(id=id, limit="dialy"), ("not_found", "limit")),
    "the resumption of no limit": (lambda id: Resume(id=id, limit="dialy"), ("not_found", "limit")),
    "undoing nothing": (lambda id: UndoLimit(id=id, limit="dialy"), ("not_found", "limit")),
    "a cap of no limit": (
        lambda id: SetLimit(id=id, limit="dialy", limit_cents=5),
        ("not_found", "limit"),
    ),
    "a negative cap": (
        lambda id: SetLimit(id=id, limit="strict", limit_cents=-5),
        ("invalid", "limit_cents"),
    ),
    "approving what is gone": (
        lambda id: Approve(id=id, request_id=NOBODY),
        ("not_found", "request_id"),
    ),
    "refusing what is gone": (lambda id: Refuse(id=id, request_id=NOBODY), ("not_found", "request_id")),
    "killing what is gone": (lambda id: Kill(id=id, request_id=NOBODY), ("not_found", "request_id")),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_be_is_said_and_changes_nothing(stage: Stage, what: str) -> None:
    make, expected = IMPOSSIBLE[what]

    def standing() -> object:
        state = stage.home.state()
        text = stage.home.places.budget.read_text()
        return tell(state.limits), state.in_flight, state.daemon, text, stage.home.call(every_change)

    before = standing()
    assert refused(stage, make) == expected
    assert standing() == before


def every_change(id: int) -> Call:
    return QueryAudit(id=id, count=1000)


def test_every_control_left_its_mark(stage: Stage) -> None:
    call(stage, lambda id: Grant(id=id, limit="daily", cents=5))
    grant = stage.changes("grant")[0]
    assert (grant.uid, grant.name) == (os.getuid(), "test")
    assert "daily" in grant.subject
    for action in ("pause", "resume"):
        change = stage.changes(action)[0]
        assert (change.uid, change.name) == (os.getuid(), "test")
        assert "opus per project" in change.subject
    reply = stage.home.call(every_change)
    times = [change["at"] for change in reply["changes"]]
    assert times == sorted(times, reverse=True)
    ids = [change["id"] for change in reply["changes"]]
    assert ids == sorted(set(ids), reverse=True)
