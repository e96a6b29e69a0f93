"""A plan's paid extra usage is money from the first answer that says so, until the plan pays again."""

from pathlib import Path

import msgspec
import pytest

from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.metering import meter
from budgetd.metering.overage import Overage
from budgetd.proxy.till import Ticket, Turned
from daemon.test_accounts import ANSWER, COST, NOBODY, Setting

SUBSCRIBER = msgspec.structs.replace(NOBODY, key="a_123456", token="k_1", subscription=True)
ON, OFF = Overage(in_use=True), Overage(in_use=False)
HOUR = 3600.0


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


async def spend(setting: Setting, said: Overage | None, who=SUBSCRIBER) -> tuple:
    """Have a request answered; its billing, limits and reservation on record."""
    ticket = setting.admit(who=who)
    assert isinstance(ticket, Ticket)
    await ticket.committed
    ticket.status = 200
    ticket.meter = meter("anthropic.messages", "application/json")
    ticket.meter.feed(ANSWER)
    ticket.overage = said
    setting.accounts.settle(ticket, "ok")
    setting.ledger.flush()
    return setting.ledger.db.execute(
        "select billing, limits, reserved_nusd > 0 from requests where id = ?", (ticket.id,)
    ).fetchone()


def alerts(setting: Setting) -> list[tuple[str, int, bool]]:
    """Alerts of the rule: subject, how often, whether it is over."""
    return [
        (alert.subject, alert.count, alert.resolved_at is not None)
        for alert in setting.accounts.desk.board.newest_first(setting.clock())
        if alert.rule == "overage"
    ]


async def test_it_counts_from_the_first_and_the_next_is_reserved_for(setting: Setting) -> None:
    assert await spend(setting, OFF) == ("subscription", "[]", 0)
    assert setting.daily.spent_nusd == 0
    assert await spend(setting, ON) == ("api", '["daily"]', 0)
    assert setting.daily.spent_nusd == COST
    assert await spend(setting, ON) == ("api", '["daily"]', 1)
    assert (setting.daily.spent_nusd, setting.daily.reserved_nusd) == (2 * COST, 0)


async def test_an_answer_that_the_plan_paid_ends_it_and_counts_nothing(setting: Setting) -> None:
    await spend(setting, ON)
    assert await spend(setting, OFF) == ("subscription", "[]", 1)
    assert (setting.daily.spent_nusd, setting.daily.reserved_nusd) == (COST, 0)
    assert await spend(setting, None) == ("subscription", "[]", 0)
    assert setting.daily.spent_nusd == COST


async def test_an_answer_that_says_nothing_is_billed_as_it_was_reserved(setting: Setting) -> None:
    await spend(setting, ON)
    assert await spend(setting, None) == ("api", '["daily"]', 1)
    assert setting.daily.spent_nusd == 2 * COST


async def test_other_accounts_and_keys_go_on_as_before(setting: Setting) -> None:
    await spend(setting, ON)
    other = msgspec.structs.replace(SUBSCRIBER, key="a_654321")
    assert (await spend(setting, None, other))[0] == "subscription"


async def test_a_restart_counts_the_same_and_still_knows(setting: Setting) -> None:
    await spend(setting, OFF)
    await spend(setting, ON)
    await setting.ledger.close()
    setting.start()
    assert setting.daily.spent_nusd == COST
    assert await spend(setting, ON) == ("api", '["daily"]', 1)
    await spend(setting, OFF)
    await setting.ledger.close()
    setting.start()
    assert (await spend(setting, None))[0] == "subscription"


async def test_a_full_limit_refuses_it_until_the_plan_pays_again(setting: Setting) -> None:
    setting.budget = Budget(limits=(Limit("ever", "total", COST),))
    setting.accounts.configure(setting.budget)
    until = setting.clock.now + HOUR
    await spend(setting, Overage(in_use=True, until=until))
    turned = setting.admit(who=SUBSCRIBER)
    assert isinstance(turned, Turned)
    assert "paid extra usage" in turned.message
    await setting.ledger.close()
    setting.start()
    assert isinstance(setting.admit(who=SUBSCRIBER), Turned)
    setting.clock.now = until
    assert (await spend(setting, None))[0] == "subscription"


async def test_where_subscriptions_count_it_is_counted_once(setting: Setting) -> None:
    setting.budget = msgspec.structs.replace(setting.budget, count_subscription=True)
    setting.accounts.configure(setting.budget)
    for said in (OFF, ON, ON, OFF):
        await spend(setting, said)
    assert setting.daily.spent_nusd == 4 * COST
    await setting.ledger.close()
    setting.start()
    assert setting.daily.spent_nusd == 4 * COST


async def test_one_alert_says_so_and_is_over_an_hour_after_the_last(setting: Setting) -> None:
    for said in (ON, OFF, ON):
        await spend(setting, said)
    assert alerts(setting) == [("a_123456", 2, False)]
    setting.clock.now += HOUR - 1
    setting.accounts.desk.review(setting.budget.limits, setting.accounts.guard)
    assert alerts(setting) == [("a_123456", 2, False)]
    setting.clock.now += 1
    setting.accounts.desk.review(setting.budget.limits, setting.accounts.guard)
    assert alerts(setting) == [("a_123456", 2, True)]
