"""What a person allowed or stopped, and what each counter stands at, outlives a killed daemon."""

from collections.abc import Iterator

import pytest

from budgetwire.messages import Grant, Pause, Resume
from budgetwire.money import NUSD_PER_CENT
from e2e.background import Background
from e2e.stage import CLAUDE_CODE, CLIENTS, Stage, is_refusal, staged, tell

BUDGET = """
[[limits]]
name = "rolling"
window = "5h"
limit_cents = 500

[[limits]]
name = "ever"
window = "total"
limit_cents = 5000

[[limits]]
name = "per project"
window = "day"
limit_cents = 0
per = "project"
match = { project = "acme*" }

[[limits]]
name = "dear"
window = "day"
limit_cents = 0
match = { model = "claude-sonnet-*", project = "cheaper*" }
on_exceed = "downgrade"
fallback_model = "claude-haiku-4-5"

[[limits]]
name = "cheap"
window = "day"
limit_cents = 500
match = { model = "claude-haiku-*" }

[[limits]]
name = "held"
window = "day"
limit_cents = 0
match = { project = "held*" }
on_exceed = "hold"
"""

SONNET = next(each for each in CLIENTS if each.id == "anthropic.messages-whole")


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, BUDGET, most=1000) as stage:
        yield stage


def test_counters_grants_and_pauses_come_back(stage: Stage) -> None:
    for project in ("acme a", "acme b"):
        assert is_refusal(stage.ask(SONNET, project), SONNET)  # which makes the counter known
        stage.home.call(
            lambda id, subject=project: Grant(id=id, limit="per project", cents=50, subject=subject)
        )
        assert stage.ask(SONNET, project) is None
    assert stage.ask(SONNET, "other") is None
    stage.home.call(lambda id: Grant(id=id, limit="rolling", cents=30))
    stage.home.call(lambda id: Pause(id=id, limit="rolling"))
    before = tell(stage.home.state().limits)
    total = sum(row["cost_nusd"] for row in stage.home.rows())
    assert ("rolling", "", 500 * NUSD_PER_CENT, total, 0, 30 * NUSD_PER_CENT, True) in before
    assert ("ever", "", 5000 * NUSD_PER_CENT, total, 0, 0, False) in before
    costs = {row["project"]: row["cost_nusd"] for row in stage.home.rows() if row["outcome"] == "ok"}
    for project in ("acme a", "acme b"):
        assert ("per project", project, 0, costs[project], 0, 50 * NUSD_PER_CENT, False) in before

    for _ in range(2):
        stage.restart()
        assert tell(stage.home.state().limits) == before

    stage.home.call(lambda id: Resume(id=id, limit="rolling"))
    stage.restart()
    assert not any(limit.paused for limit in stage.home.state().limits)


def test_what_was_downgraded_counts_as_what_it_became(stage: Stage) -> None:
    assert stage.ask(SONNET, "cheaper") is None
    cost = stage.row("cheaper")["cost_nusd"]
    for _ in range(2):
        assert stage.limit("dear").spent_nusd == 0
        assert stage.limit("cheap").spent_nusd == cost > 0
        stage.restart()


def test_whoever_waits_is_told_when_it_is_stopped_in_order(background: Background) -> None:
    with staged(background, BUDGET) as stage:
        asking = stage.begin(SONNET, "held, waits")
        held = stage.in_flight("held, waits", "held")
        assert stage.home.stop() == 0
        error = stage.end(asking)
        assert is_refusal(error, SONNET)
        assert "budgetd was stopped" in str(error)
        assert stage.posts("held, waits") == []
        stage.home.start()
        (row,) = stage.rows("held, waits")
        assert (row["id"], row["outcome"]) == (held.id, "refused")


def test_whoever_waits_sees_the_connection_break_and_was_not_sent(background: Background) -> None:
    with staged(background, BUDGET) as stage:
        asking = stage.begin(CLAUDE_CODE, "held, waits")
        stage.in_flight("held, waits", "held")
        stage.home.kill()
        error = stage.end(asking)
        assert error is not None
        assert not is_refusal(error, CLAUDE_CODE)
        assert stage.posts("held, waits") == []
        stage.home.start()
        assert stage.rows("held, waits") == []
        assert [limit.reserved_nusd for limit in stage.home.state().limits if limit.name == "held"] == [0]
        assert stage.home.state().in_flight == []
