"""What rules say and when: forecasts, unusual hours, and the clocks they tell them by."""

import re
from datetime import datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.office import CENT, DOLLAR, NOON, Office, daily
from budgetd.alerts.finding import Rule, shown
from budgetd.alerts.rules import spending
from budgetd.alerts.rules.limits import crossing
from budgetd.alerts.settings import RulesSection
from budgetd.budget.counters import Window
from budgetd.budget.decision import Crossing
from budgetd.budget.limits import Limit
from ledger.rows import closing, opening

HOUR = int(NOON // 3600)
UTC = ZoneInfo("UTC")
REACHED = "daily cap reached: $12.00 of $10.00 spent"
DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"


def test_every_rule_can_be_switched_off_and_is_told_of_in_the_documentation() -> None:
    rules = get_args(Rule)
    assert tuple(name.removesuffix("_cents") for name in RulesSection.__struct_fields__) == rules
    chapter = DOCS.read_text().split("## Rules")[1].split("## Lifecycle")[0]
    assert re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE) == list(rules)


@pytest.mark.parametrize(
    ("pct", "on_exceed", "rule", "severity", "message"),
    [
        (80, "refuse", "threshold", "warning", "daily passed 80 %: $12.00 of $10.00 spent"),
        (100, "refuse", "cap", "critical", f"{REACHED}; further requests are refused"),
        (100, "hold", "cap", "critical", f"{REACHED}; further requests are held"),
        (120, "alert", "cap", "critical", "daily is at 120 % of its cap: $12.00 of $10.00 spent"),
    ],
)
def test_a_crossing_in_words(pct: int, on_exceed: str, rule: str, severity: str, message: str) -> None:
    window = Window(daily(1000, on_exceed=on_exceed), "", NOON, NOON + 86400, spent_nusd=12 * DOLLAR)
    found = crossing(Crossing(window, pct))
    assert (found.rule, found.severity, found.message) == (rule, severity, message)


@given(st.text())
def test_a_name_that_a_client_chose_takes_one_short_line(name: str) -> None:
    line = shown(name)
    assert line.isprintable()
    assert len(line) <= 60


@pytest.mark.parametrize(
    ("at", "text"),
    [("2026-11-23T18:40Z", "18:40"), ("2026-11-24T00:00Z", "00:00"), ("2026-11-25T09:00Z", "Wed 25 Nov")],
)
def test_an_instant_to_come_in_words(at: str, text: str) -> None:
    assert spending.clock_text(datetime.fromisoformat(at).timestamp(), NOON, UTC) == text


# forecast


@pytest.mark.parametrize(
    ("window", "length", "minutes"), [("hour", 3600, 30), ("day", 86400, 72), ("month", 30 * 86400, 2160)]
)
def test_a_forecast_waits_for_half_an_hour_and_a_twentieth_of_the_window(
    window: str, length: int, minutes: int
) -> None:
    counter = Window(Limit("any", window, 100), "", NOON, NOON + length)
    assert not spending.ripe(counter, NOON + minutes * 60 - 1)
    assert spending.ripe(counter, NOON + minutes * 60)
    counter.spent_nusd = 100
    assert not spending.ripe(counter, NOON + minutes * 60)
    counter.spent_nusd, counter.ends_at = 0, None
    assert not spending.ripe(counter, NOON + minutes * 60)


def burning(office: Office, cents: int, minutes: int) -> None:
    """Spend so much each minute."""
    for _ in range(minutes):
        office.ask(cents * CENT)
        office.pass_time(60)


async def test_a_cap_that_will_be_reached_is_told_with_its_range(office: Office) -> None:
    burning(office, 2, 60)
    burning(office, 3, 20)
    assert office.told == ["fired forecast"]
    assert office.alert.message == (
        "at this rate daily reaches its cap between 17:53 and 19:11 (resets 00:00): $1.80 of $10.00 spent"
    )


async def test_nothing_is_foretold_before_half_an_hour_or_where_the_cap_is_far(office: Office) -> None:
    burning(office, 5, 29)
    assert office.shown == []
    office.limit(daily(100_000))
    burning(office, 5, 60)
    assert office.shown == []


async def test_a_burst_alone_foretells_nothing(office: Office) -> None:
    for _ in range(240):
        office.pass_time(60)
    office.ask(1)
    for _ in range(50):
        office.pass_time(60)
    burning(office, 1, 10)
    assert office.shown == []


async def test_a_forecast_does_not_flap_and_fires_once_in_a_window(office: Office) -> None:
    burning(office, 2, 60)
    assert office.shown == [("forecast", 0, "firing")]
    for _ in range(6):
        burning(office, 0, 10)
        burning(office, 2, 10)
    assert office.shown[-1] == ("forecast", 0, "firing")
    burning(office, 0, 40)
    assert office.shown[-1] == ("forecast", 0, "resolved")
    assert (
        next(alert for alert in office.rows() if alert.rule == "forecast").resolved_by == "it goes slower now"
    )
    burning(office, 3, 40)
    assert [word for word in office.told if "forecast" in word] == ["fired forecast", "resolved forecast"]


async def test_a_forecast_survives_a_restart_without_firing_again(office: Office) -> None:
    burning(office, 2, 60)
    office.ledger.flush()
    office.restart()
    burning(office, 2, 10)
    assert office.told == ["fired forecast"]


async def test_a_forecast_gives_way_to_the_cap(office: Office) -> None:
    burning(office, 2, 60)
    office.ask(880 * CENT)
    office.pass_time(60)
    assert office.shown == [("cap", 100, "firing"), ("forecast", 0, "resolved")]
    assert office.told == ["fired forecast", "fired 100"]


async def test_after_a_raise_a_new_forecast_is_news(office: Office) -> None:
    burning(office, 2, 60)
    office.limit(daily(1200))
    assert office.told == ["fired forecast", "resolved forecast"]
    burning(office, 2, 5)
    assert office.told[-1] == "fired forecast"


# unusual burn


def test_an_hour_is_unusual_beside_the_same_hour_of_other_days() -> None:
    usual = [100 * CENT] * 13 + [900 * CENT]
    assert spending.unusual_burn(HOUR, 300 * CENT, usual) is None
    found = spending.unusual_burn(HOUR, 301 * CENT, usual)
    assert found is not None
    assert found.message == "unusual burn: $3.01 in this hour, where it is $1.00 at most on nine days of ten"
    assert (found.window_starts_at, found.window_ends_at) == (NOON, NOON + 3600)


def test_four_days_or_less_than_a_dollar_tell_nothing() -> None:
    assert spending.unusual_burn(HOUR, 100 * DOLLAR, [CENT] * 4) is None
    assert spending.unusual_burn(HOUR, 99 * CENT, [0] * 14) is None


def test_an_hour_in_which_nothing_is_ever_spent() -> None:
    found = spending.unusual_burn(HOUR, 2 * DOLLAR, [0] * 5)
    assert found is not None
    assert found.message == "unusual burn: $2.00 in this hour, where it is nothing on other days"


def spend_at(office: Office, at: float, cents: int, **more: object) -> None:
    """A settled request, in the ledger."""
    request = opening(office.ledger.next_request_id(), at, **more)
    office.ledger.reserve(request)
    office.ledger.settle(request, closing(cents * CENT))
    office.ledger.flush()


async def test_a_runaway_hour_is_told_once(office: Office) -> None:
    for day in range(1, 15):
        spend_at(office, NOON - day * 86400 + 60, 100)
    spend_at(office, NOON + 60, 250)
    office.pass_time(300)
    assert office.shown == []
    spend_at(office, NOON + 360, 250)
    office.pass_time(300)
    assert office.shown == [("unusual_burn", 0, "firing")]
    spend_at(office, NOON + 660, 250)
    office.pass_time(300)
    assert (office.alert.count, "$7.50" in office.alert.message) == (1, True)
    office.pass_time(3600)
    assert office.told == ["fired unusual_burn", "resolved unusual_burn"]


async def test_a_night_is_compared_with_nights_of_days_on_which_there_was_work(office: Office) -> None:
    office.now = NOON + 15 * 3600
    for day in range(1, 6):
        spend_at(office, NOON - day * 86400, 5000)
    spend_at(office, NOON, 5000)
    spend_at(office, office.now, 200)
    office.tick()
    assert office.shown == [("unusual_burn", 0, "firing")]


async def test_days_without_any_request_and_subscriptions_do_not_count(office: Office) -> None:
    for day in range(1, 5):
        spend_at(office, NOON - day * 86400, 1)
    spend_at(office, NOON, 500)
    office.tick()
    assert office.shown == []
    spend_at(office, NOON - 5 * 86400, 1)
    office.set(rules=RulesSection(unusual_burn=False))
    office.pass_time(300)
    assert office.shown == []
    office.set(rules=RulesSection())
    office.pass_time(300)
    assert office.shown == [("unusual_burn", 0, "firing")]


async def test_a_subscription_burns_no_money(office: Office) -> None:
    for day in range(1, 15):
        spend_at(office, NOON - day * 86400, 1)
    spend_at(office, NOON, 5000, billing="subscription")
    office.tick()
    assert office.shown == []


async def test_hours_are_compared_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    office = Office(tmp_path, zone="America/New_York")
    office.now = datetime.fromisoformat("2026-11-02T14:00Z").timestamp()  # 09:00, a day after the change
    for day in range(1, 15):
        hour = 14 if day == 1 else 13
        spend_at(office, datetime.fromisoformat(f"2026-{_date(day)}T{hour}:30Z").timestamp(), 400)
    spend_at(office, office.now, 500)
    office.tick()
    assert office.shown == []
    await office.close()


def _date(days_before: int) -> str:
    day = 2 - days_before
    return f"11-{day:02}" if day > 0 else f"10-{31 + day:02}"


async def test_a_limit_of_an_hour_is_foretold_within_it(tmp_path: Path) -> None:
    office = Office(tmp_path, Limit("hourly", "hour", 2 * DOLLAR))
    office.pass_time(-1800)
    burning(office, 1, 30)
    burning(office, 4, 31)
    assert ("forecast", 0, "firing") in office.shown
    await office.close()
