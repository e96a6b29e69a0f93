"""Killing a running request cuts it on both sides, and what it cost until then is settled."""

import os
from collections.abc import Iterator

import pytest

from budgetwire.errors import CallError
from budgetwire.messages import Approve, Kill
from e2e.background import Background
from e2e.exchange import Exchange
from e2e.stage import CLAUDE_CODE, CLIENTS, Stage, is_refusal, staged

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
STREAMS = [each for each in CLIENTS if each.stream]


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, "[budget]\ndaily_limit_cents = 1000000\n") as stage:
        yield stage


@pytest.fixture(autouse=True)
def lets_go_on(stage: Stage) -> Iterator[None]:
    """The clients name the same sessions in each test, which a kill blocks."""
    yield
    for block in stage.home.state().daemon.blocks:
        stage.home.call(lambda id, killed=block.request_id: Approve(id=id, request_id=killed))


def kill(stage: Stage, project: str, *phases: str) -> int:
    running = stage.in_flight(project, *phases)
    stage.home.call(lambda id: Kill(id=id, request_id=running.id))
    return running.id


@pytest.mark.parametrize("client", STREAMS, ids=lambda client: client.id)
def test_within_a_stream_the_client_sees_a_break(stage: Stage, client: Exchange) -> None:
    project = f"within {client.id}"
    spent = stage.home.spent()
    stage.stop(project)
    asking = stage.begin(client, project)
    stage.background.run(stage.provider.reached(project))
    id = kill(stage, project, "answering")
    error = stage.end(asking)
    assert error is not None
    assert not is_refusal(error, client)
    stage.is_cut(project)

    (served,) = stage.posts(project)  # none was sent again
    assert stage.received_whole(project)  # all that the upstream had sent, and not a byte more
    assert not bytes(served.sent).endswith(b"0\r\n\r\n")
    row = stage.row(project)
    assert (row["id"], row["outcome"], row["status"]) == (id, "killed", 200)
    assert row["basis"] == "estimated"
    assert row["cost_nusd"] > 0
    assert row["input_tokens"] > 0
    assert stage.home.spent() == spent + row["cost_nusd"]
    assert stage.limit("daily").reserved_nusd == 0


@each_client
def test_before_an_answer_it_is_told_and_not_asked_again(stage: Stage, client: Exchange) -> None:
    project = f"before {client.id}"
    stage.stop(project, silent=True)
    asking = stage.begin(client, project)
    stage.background.run(stage.provider.reached(project))
    id = kill(stage, project, "sent")
    error = stage.end(asking)
    assert is_refusal(error, client)
    assert "killed by its owner" in str(error)
    stage.is_cut(project)

    assert len(stage.posts(project)) == 1
    assert stage.relay.sent.count(b"POST /") == 1
    row = stage.row(project)
    assert (row["id"], row["outcome"]) == (id, "killed")
    assert 0 < row["cost_nusd"] <= row["worst_nusd"]
    assert stage.limit("daily").reserved_nusd == 0


def test_what_its_client_has_left_can_be_killed(stage: Stage) -> None:
    project = "left"

    async def leave() -> None:
        asking.cancel()

    stage.stop(project)
    asking = stage.begin(CLAUDE_CODE, project)
    stage.background.run(stage.provider.reached(project))
    stage.in_flight(project, "answering")
    stage.background.run(leave())
    id = kill(stage, project, "draining")
    stage.is_cut(project)
    row = stage.row(project)
    assert (row["id"], row["outcome"]) == (id, "killed")
    assert row["cost_nusd"] > 0


def test_a_killing_is_in_the_audit(stage: Stage) -> None:
    project = "audited"
    stage.stop(project)
    asking = stage.begin(STREAMS[0], project)
    stage.background.run(stage.provider.reached(project))
    id = kill(stage, project, "answering")
    assert stage.end(asking) is not None
    change = stage.changes("kill")[0]
    assert (change.uid, change.name, str(id) in change.subject) == (os.getuid(), "test", True)


def test_a_request_that_is_over_cannot_be_killed(stage: Stage) -> None:
    assert stage.ask(STREAMS[0], "over") is None
    row = stage.row("over")
    audited = len(stage.changes("kill"))
    with pytest.raises(CallError) as error:
        stage.home.call(lambda id: Kill(id=id, request_id=row["id"]))
    assert error.value.code == "not_found"
    assert str(error.value)
    assert dict(stage.row("over")) == dict(row)
    assert len(stage.changes("kill")) == audited


@pytest.mark.parametrize("client", STREAMS, ids=lambda client: client.id)
def test_its_repeat_is_refused_until_a_person_lets_it_go_on(stage: Stage, client: Exchange) -> None:
    project = f"repeated {client.id}"
    stage.stop(project)
    asking = stage.begin(client, project)
    stage.background.run(stage.provider.reached(project))
    id = kill(stage, project, "answering")
    assert stage.end(asking) is not None
    stage.is_cut(project)
    stage.go_on(project)

    again = stage.ask(client, project)
    assert is_refusal(again, client)
    assert f"Request {id}" in str(again)
    assert f"budgetd approve {id}" in str(again)
    assert len(stage.posts(project)) == 1
    if client is not CLAUDE_CODE:  # which names its session: all of that is refused
        assert stage.ask(client, f"another than {project}") is None
    (block,) = [each for each in stage.home.state().daemon.blocks if each.request_id == id]
    assert (block.project, block.by.endswith("(test)")) == (project, True)

    stage.home.call(lambda call: Approve(id=call, request_id=id))
    assert stage.changes("approve")[0].before == "killed"
    assert stage.ask(client, project) is None
    assert len(stage.posts(project)) == 2
    assert [row["outcome"] for row in stage.rows(project)] == ["killed", "refused", "ok"]
    with pytest.raises(CallError):
        stage.home.call(lambda call: Approve(id=call, request_id=id))
