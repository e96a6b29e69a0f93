"""Steering a running daemon over the wire: limits, pausing, alerts. What is steered outlives the daemon."""

import asyncio
from collections.abc import Iterator

import pytest

from budgetwire.errors import CallError
from budgetwire.messages import Acknowledge, Alert, Pause, Resume, SetLimit
from e2e.ask import NUSD_PER_TOKEN, ask, error_of
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import Home
from e2e.upstream import Keeping
from support.stream import Message


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def home(background: Background, provider: Provider) -> Iterator[Home]:
    budget = "# Mine.\n[budget]\ndaily_limit_cents = 100\nalert_threshold_pct = 50\n"
    with (
        background.inside(Keeping(provider)) as upstream,
        Home({"anthropic": upstream.url}, budget=budget).running() as home,
    ):
        yield home


def set_daily(home: Home, cents: int | None) -> None:
    home.call(lambda id: SetLimit(id=id, limit="daily", limit_cents=cents))


def test_a_limit_is_edited_while_requests_run(background: Background, home: Home, provider: Provider) -> None:
    async def begin() -> list[asyncio.Task[Message]]:
        await provider.hold()
        asking = [asyncio.create_task(ask(home, 100)) for _ in range(5)]
        await provider.has_begun(len(asking))
        return asking

    async def end(asking: list[asyncio.Task[Message]]) -> list[int]:
        return [(await each).status for each in asking]

    asking = background.run(begin())
    set_daily(home, 0)
    refused = background.run(ask(home, 100))
    assert refused.status == 402
    assert "daily limit of $0.00 has no room" in error_of(refused)
    (limit,) = home.state().limits
    assert (limit.limit_nusd, limit.spent_nusd, limit.refused) == (0, 0, 1)
    assert limit.reserved_nusd > 5 * 100 * NUSD_PER_TOKEN

    set_daily(home, 100)
    background.run(provider.release())
    assert background.run(ask(home, 100)).status == 200
    assert background.run(end(asking)) == [200] * 5
    assert home.places.budget.read_text().startswith("# Mine.\n")

    set_daily(home, None)
    assert home.state().limits == []
    set_daily(home, 100)
    assert home.spent() == sum(row["cost_nusd"] for row in home.rows()) > 0


def test_a_limit_that_cannot_be_is_refused_and_nothing_changes(home: Home) -> None:
    before = home.places.budget.read_text()
    with pytest.raises(CallError) as error:
        set_daily(home, -1)
    assert (error.value.code, error.value.field) == ("invalid", "limit_cents")
    with pytest.raises(CallError) as error:
        home.call(lambda id: SetLimit(id=id, limit="dialy", limit_cents=1))
    assert error.value.code == "not_found"
    assert home.places.budget.read_text() == before
    assert home.state().limits[0].limit_nusd == 1_000_000_000


def test_an_edit_by_hand_that_is_not_in_force_yet_is_not_overwritten(home: Home) -> None:
    home.places.budget.write_text("[budget]\ndaily_limit_cents = 7\n")
    with pytest.raises(CallError) as error:
        set_daily(home, 500)
    assert error.value.code == "conflict"
    assert home.places.budget.read_text() == "[budget]\ndaily_limit_cents = 7\n"
    assert home.wait_for(lambda state: state.limits[0].limit_nusd == 70_000_000)


def test_pause_outlives_the_daemon(background: Background, home: Home) -> None:
    home.call(lambda id: Pause(id=id))
    assert home.state().daemon.paused_by == "test"
    refused = background.run(ask(home, 100))
    assert refused.status == 402
    assert "paused" in error_of(refused)
    assert "budgetd resume" in error_of(refused)

    home.stop()
    home.start()
    assert home.state().daemon.paused_at is not None
    assert background.run(ask(home, 100)).status == 402

    home.call(lambda id: Resume(id=id))
    assert home.state().daemon.paused_at is None
    assert background.run(ask(home, 100)).status == 200
    home.stop()
    home.start()
    assert background.run(ask(home, 100)).status == 200
    assert [row["outcome"] for row in home.rows()] == ["refused", "refused", "ok", "ok"]


def test_a_threshold_fires_once_in_its_window(background: Background, home: Home) -> None:
    def alerts() -> list[Alert]:
        return home.state().alerts

    tokens = 200_000_000 // NUSD_PER_TOKEN  # twenty cents' worth
    for _ in range(2):
        background.run(ask(home, tokens))
    assert alerts() == []
    background.run(ask(home, tokens))
    (alert,) = home.wait_for(lambda state: state.alerts).alerts
    assert (alert.rule, alert.limit, alert.severity) == ("threshold", "daily", "warning")
    assert alert.message.startswith("daily passed 50 %: $0.60")
    assert alert.acknowledged_at is None

    background.run(ask(home, tokens))
    assert alerts() == [alert]
    home.stop()
    home.start()
    assert alerts() == [alert]

    acknowledged = home.call(lambda id: Acknowledge(id=id, alert_ids=[alert.id]))
    assert acknowledged == {"acknowledged": 1}
    assert home.call(lambda id: Acknowledge(id=id, alert_ids=None)) == {"acknowledged": 0}
    home.stop()
    home.start()
    (shown,) = alerts()
    assert (shown.id, shown.acknowledged_from) == (alert.id, "test")
    assert shown.acknowledged_at is not None
    set_daily(home, 101)  # a limit that is put in force anew does not fire again what has fired
    assert [each.id for each in alerts()] == [alert.id]
