"""A request that is held waits without a word until a person, room or time decides."""

import os
from collections.abc import Iterator

import pytest

from budgetwire.messages import Approve, Grant, Pause, Refuse, Resume, SetLimit, UndoLimit
from budgetwire.money import NUSD_PER_CENT
from e2e.background import Background
from e2e.exchange import Exchange
from e2e.stage import CLAUDE_CODE, CLIENTS, Stage, is_refusal, staged
from e2e.truth import hold_against_the_truth
from support.stream import Stream, connected

BUDGET = """
[budget]
daily_limit_cents = 1000000

[[limits]]
name = "closed"
window = "day"
limit_cents = 0
match = { project = "closed*" }

[[limits]]
name = "held"
window = "day"
limit_cents = 0
match = { project = "held*" }
per = "project"
on_exceed = "hold"
hold_seconds = 60

[[limits]]
name = "cheaper"
window = "day"
limit_cents = 1
match = { project = "held, then*" }
on_exceed = "downgrade"
fallback_model = "claude-haiku-4-5"

[[limits]]
name = "brief"
window = "day"
limit_cents = 0
match = { project = "brief*" }
on_exceed = "hold"
hold_seconds = 1

[[limits]]
name = "room"
window = "day"
limit_cents = 10
match = { project = "room*" }
per = "project"
on_exceed = "hold"
hold_seconds = 60
guarantee = "strict"
"""

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)

SONNET = next(each for each in CLIENTS if each.id == "anthropic.messages-whole")


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, BUDGET) as stage:
        yield stage


@each_client
def test_a_refusal_is_final_and_says_why(stage: Stage, client: Exchange) -> None:
    project = f"closed {client.id}"
    error = stage.ask(client, project)
    assert is_refusal(error, client)
    assert "closed limit of $0.00 has no room for this request" in str(error)
    assert "It resets on " in str(error)
    assert stage.relay.sent.count(b"POST /") == 1
    assert b"x-should-retry: false" in stage.relay.received
    assert b"retry-after" not in stage.relay.received.lower()
    assert stage.posts(project) == []
    row = stage.row(project)
    assert (row["outcome"], row["cost_nusd"], row["reserved_nusd"]) == ("refused", 0, 0)
    assert row["expected_nusd"] > 0


@each_client
def test_approved_once_it_is_answered_as_if_it_had_not_waited(stage: Stage, client: Exchange) -> None:
    project = f"held, approved {client.id}"
    asking = stage.begin(client, project)
    held = stage.in_flight(project, "held")
    assert (held.held_by, held.held_subject) == ("held", project)
    assert held.held_until is not None
    assert 50 < held.held_until - held.started_at <= 60
    assert held.reserved_nusd > 0
    assert stage.limit("held", project).reserved_nusd == 0
    assert not asking.done()
    assert (stage.posts(project), stage.rows(project)) == ([], [])

    stage.home.call(lambda id: Approve(id=id, request_id=held.id))
    assert stage.end(asking) is None
    assert stage.received_whole(project)
    assert stage.relay.sent.count(b"POST /") == 1
    row = stage.row(project)
    assert (row["id"], row["outcome"]) == (held.id, "ok")
    hold_against_the_truth(row, stage.billed(project))
    counter = stage.limit("held", project)
    assert (counter.spent_nusd, counter.reserved_nusd) == (row["cost_nusd"], 0)

    again = stage.begin(client, project)  # which was for that request alone
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Refuse(id=id, request_id=held.id))
    assert is_refusal(stage.end(again), client)


@each_client
def test_refused_by_its_owner_it_was_never_sent(stage: Stage, client: Exchange) -> None:
    project = f"held, refused {client.id}"
    asking = stage.begin(client, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Refuse(id=id, request_id=held.id))
    error = stage.end(asking)
    assert is_refusal(error, client)
    assert "refused by its owner" in str(error)
    assert stage.relay.sent.count(b"POST /") == 1
    assert stage.posts(project) == []
    row = stage.row(project)
    assert (row["id"], row["outcome"], row["cost_nusd"]) == (held.id, "refused", 0)
    assert stage.limit("held", project).reserved_nusd == 0


def test_silence_refuses(stage: Stage) -> None:
    projects = {f"brief {client.id}": client for client in CLIENTS}
    asked = {project: stage.begin(client, project) for project, client in projects.items()}
    for project, asking in asked.items():
        error = stage.end(asking)
        assert is_refusal(error, projects[project])
        assert "held for 1 s and nobody allowed it" in str(error)
        row = stage.row(project)
        assert (row["outcome"], row["cost_nusd"]) == ("refused", 0)
        assert stage.posts(project) == []
    assert stage.limit("brief").reserved_nusd == 0


def test_a_client_that_leaves_is_not_sent_for(stage: Stage) -> None:
    project = "held, left"

    async def leave() -> None:
        asking.cancel()

    asking = stage.begin(CLAUDE_CODE, project)
    held = stage.in_flight(project, "held")
    stage.background.run(leave())
    row = stage.row(project)
    assert (row["id"], row["outcome"], row["cost_nusd"], row["basis"]) == (held.id, "aborted", 0, "")
    assert stage.posts(project) == []
    counter = stage.limit("held", project)
    assert (counter.spent_nusd, counter.reserved_nusd) == (0, 0)


def test_a_grant_lets_it_go_on(stage: Stage) -> None:
    project, bystander = "held, granted", "held, not granted"
    asking = stage.begin(CLAUDE_CODE, project)
    held = stage.in_flight(project, "held")
    waiting = stage.begin(SONNET, bystander)
    other = stage.in_flight(bystander, "held")
    stage.home.call(lambda id: Grant(id=id, limit="held", cents=500, subject=held.held_subject))
    assert stage.end(asking) is None
    assert len(stage.posts(project)) == 1
    assert stage.row(project)["outcome"] == "ok"
    counter = stage.limit("held", project)
    assert counter.granted_nusd == 500 * NUSD_PER_CENT
    assert stage.ask(SONNET, project) is None  # which fits too

    assert stage.posts(bystander) == []
    assert stage.in_flight(bystander, "held") == other
    stage.home.call(lambda id: Refuse(id=id, request_id=other.id))
    assert is_refusal(stage.end(waiting), SONNET)


def test_a_grant_that_is_too_small_lets_it_wait(stage: Stage) -> None:
    project = "held, granted a cent"
    asking = stage.begin(CLAUDE_CODE, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Grant(id=id, limit="held", cents=1, subject=project))
    assert stage.in_flight(project, "held").id == held.id
    assert not asking.done()
    stage.home.call(lambda id: Grant(id=id, limit="held", cents=100, subject=project))
    assert stage.end(asking) is None
    assert stage.limit("held", project).granted_nusd == 101 * NUSD_PER_CENT


@pytest.mark.parametrize("cents", [1000, None], ids=["raised", "removed"])
def test_a_cap_that_is_raised_or_removed_lets_it_go_on(stage: Stage, cents: int | None) -> None:
    project = f"held, until {cents}"
    asking = stage.begin(SONNET, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: SetLimit(id=id, limit="held", limit_cents=cents))
    assert stage.end(asking) is None
    assert stage.row(project)["id"] == held.id
    stage.home.call(lambda id: UndoLimit(id=id, limit="held"))
    again = stage.begin(SONNET, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Refuse(id=id, request_id=held.id))
    assert is_refusal(stage.end(again), SONNET)


def test_room_that_another_leaves_lets_it_go_on(stage: Stage) -> None:
    project = "room"
    stage.stop(project)
    first = stage.begin(SONNET, project, cap=5000)
    stage.background.run(stage.provider.reached(project))
    second = stage.begin(SONNET, project, cap=5000)
    held = stage.in_flight(project, "held")
    reserved = stage.limit("room", project).reserved_nusd
    assert 5 * NUSD_PER_CENT < reserved < 10 * NUSD_PER_CENT  # of the first alone
    assert len(stage.posts(project)) == 1
    stage.go_on(project)
    assert stage.end(first) is None
    assert stage.end(second) is None
    stage.settled(project)
    assert len(stage.posts(project)) == 2
    rows = stage.rows(project)
    assert [row["outcome"] for row in rows] == ["ok", "ok"]
    assert held.id in [row["id"] for row in rows]
    counter = stage.limit("room", project)
    assert (counter.spent_nusd, counter.reserved_nusd) == (sum(row["cost_nusd"] for row in rows), 0)


def test_while_all_is_paused_nothing_that_waits_goes_on(stage: Stage) -> None:
    project = "held, paused"
    stage.stop(project)  # so that it would be seen if it were sent
    asking = stage.begin(SONNET, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Pause(id=id))
    stage.home.call(lambda id: Grant(id=id, limit="held", cents=500, subject=project))
    shown = [each.phase for each in stage.home.state().in_flight if each.project == project]
    stage.home.call(lambda id: Resume(id=id))
    stage.go_on(project)
    assert shown in ([], ["held"])
    error = stage.end(asking)
    if error is None:  # it waited for all to go on, and then did
        assert stage.row(project)["id"] == held.id
    else:
        assert is_refusal(error, SONNET)
        assert stage.posts(project) == []


def test_what_is_approved_may_still_be_downgraded(stage: Stage) -> None:
    """By another limit, which nobody overrode."""
    project = "held, then cheaper"
    asking = stage.begin(SONNET, project, cap=900)
    held = stage.in_flight(project, "held")
    assert held.held_by == "held"
    stage.home.call(lambda id: Approve(id=id, request_id=held.id))
    assert stage.end(asking) is None
    assert stage.billed(project).model_answered == "claude-haiku-4-5"
    assert stage.row(project)["outcome"] == "ok"


def test_a_second_request_on_the_connection_of_a_refused_one(stage: Stage) -> None:
    """After it was held and refused, a connection is as good as new."""

    async def ask(peer: Stream) -> int:
        lines = [
            "POST /v1/messages HTTP/1.1",
            f"Host: {stage.home.address}",
            "X-Budget-Project: brief again",
            "X-Mark: brief again",
            f"Content-Length: {len(SONNET.request_body)}",
        ]
        await peer.send("\r\n".join([*lines, "", ""]).encode() + SONNET.request_body)
        return (await peer.response()).status

    with stage.background.inside(connected(*stage.home.proxy)) as peer:
        assert stage.background.run(ask(peer)) == 402
        assert stage.background.run(ask(peer)) == 402
    assert [row["outcome"] for row in stage.rows("brief again")] == ["refused", "refused"]


def test_every_decision_is_in_the_audit(stage: Stage) -> None:
    project = "held, audited"
    before = len(stage.changes("approve"))
    asking = stage.begin(SONNET, project)
    held = stage.in_flight(project, "held")
    stage.home.call(lambda id: Approve(id=id, request_id=held.id))
    assert stage.end(asking) is None
    change, *others = stage.changes("approve")
    assert len(others) == before
    assert (change.uid, change.name) == (os.getuid(), "test")
    assert str(held.id) in change.subject
    assert {each.action for each in (*stage.changes("refuse"), *stage.changes("grant"))} == {
        "refuse",
        "grant",
    }
