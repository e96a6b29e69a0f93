"""The state as it is shown: sums of today, by the clock that the limits go by."""

from pathlib import Path

import msgspec
import pytest

from budgetd.budget_file import Budget
from budgetd.control.views import DaemonViews
from budgetwire.messages import Burn
from daemon.test_accounts import COST, NOBODY, Setting

PLAN = msgspec.structs.replace(NOBODY, subscription=True)
DAY = 86_400.0


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


def burn(setting: Setting) -> Burn:
    setting.ledger.flush()
    return DaemonViews(setting.accounts).burn()


async def test_money_and_what_a_plan_would_have_cost_are_two_figures(setting: Setting) -> None:
    await setting.spend()
    for _ in range(2):
        await setting.spend(who=PLAN)
    shown = burn(setting)
    assert (shown.today_nusd, shown.today_plan_nusd, shown.month_nusd) == (COST, 2 * COST, COST)
    assert (sum(shown.minutes_nusd), sum(shown.plan_minutes_nusd)) == (COST, 2 * COST)
    assert shown.nusd_per_hour == COST * 12
    assert shown.requests_today == 3


async def test_yesterday_is_money_alone(setting: Setting) -> None:
    await setting.spend()
    await setting.spend(who=PLAN)
    setting.clock.now += DAY
    setting.accounts.tick()
    shown = burn(setting)
    assert (shown.today_nusd, shown.today_plan_nusd, shown.yesterday_nusd) == (0, 0, COST)


async def test_both_are_the_same_after_a_restart(setting: Setting) -> None:
    await setting.spend()
    await setting.spend(who=PLAN)
    before = burn(setting)
    await setting.ledger.close()
    setting.start()
    assert burn(setting) == before


async def test_plan_traffic_that_counts_against_limits_burns_with_the_rest(setting: Setting) -> None:
    await setting.spend()
    await setting.spend(who=PLAN)
    before = DaemonViews(setting.accounts).limits()[0]
    setting.accounts.configure(Budget(limits=setting.budget.limits, count_subscription=True))
    await setting.spend(who=PLAN)
    shown = burn(setting)
    assert sum(shown.minutes_nusd) == 3 * COST
    assert sum(shown.plan_minutes_nusd) == 0
    assert (shown.today_nusd, shown.today_plan_nusd) == (COST, 2 * COST)
    assert before.spent_nusd == COST


async def test_today_is_the_day_of_the_limits_also_after_the_clock_went_back(setting: Setting) -> None:
    setting.clock.now += DAY
    setting.accounts.tick()
    await setting.spend()
    setting.clock.now -= DAY
    await setting.spend()
    await setting.spend(who=PLAN)
    shown = burn(setting)
    limit = DaemonViews(setting.accounts).limits()[0]
    assert (shown.today_nusd, shown.today_plan_nusd) == (limit.spent_nusd, COST) == (2 * COST, COST)
