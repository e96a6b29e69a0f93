"""What the accounts do where a price is not known, and where a strict limit is not told what was used."""

from pathlib import Path

import pytest

from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.metering import Ask, meter
from budgetd.proxy.till import Ticket, Turned
from daemon.test_accounts import COST, NOON, Setting

UNKNOWN = Ask(model="claude-nobody-knows", output_cap=10, body_bytes=350)
TOLD = b'data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":9}}}\n\n'


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


def unknown_models(setting: Setting) -> list[str]:
    board = setting.accounts.desk.board
    return [alert.subject for alert in board.newest_first(NOON) if alert.rule == "unknown_model"]


async def test_an_unknown_model_is_let_in_and_one_alert_says_so(
    setting: Setting,
) -> None:
    for _ in range(3):
        assert isinstance(setting.admit(ask=UNKNOWN), Ticket)
    assert unknown_models(setting) == ["anthropic/claude-nobody-knows"]


async def test_the_alert_of_an_unknown_model_names_the_one_that_it_counts_as(setting: Setting) -> None:
    setting.admit(ask=Ask(model="claude-haiku-4-9", output_cap=10, body_bytes=350))
    (alert,) = setting.accounts.desk.board.newest_first(NOON)
    assert alert.message == (
        "no price is known for claude-haiku-4-9 of anthropic; it counts as claude-haiku-4-5"
    )
    assert alert.advice.startswith("It counts at the price of claude-haiku-4-5, the nearest that is known.")


async def test_an_unknown_model_of_a_strict_limit_reserves_the_providers_dearest(setting: Setting) -> None:
    ask = Ask(model="claude-haiku-4-9", output_cap=100, body_bytes=350)
    setting.accounts.configure(Budget(limits=(Limit("daily", "day", 10**9, guarantee="strict"),)))
    setting.admit(ask=ask)
    strict = setting.daily.reserved_nusd
    setting.accounts.configure(Budget(limits=(Limit("other", "day", 10**9),)))
    setting.admit(ask=ask)
    (other,) = setting.accounts.guard.windows
    assert strict > 10 * other.reserved_nusd > 0


async def test_an_unknown_model_is_refused_where_the_person_wants_that(setting: Setting) -> None:
    setting.accounts.unknown_model = "refuse"
    turned = setting.admit(ask=UNKNOWN)
    assert isinstance(turned, Turned)
    assert '[pricing.overrides."anthropic/claude-nobody-knows"]' in turned.message
    assert "budgetd sync-pricing" in turned.message
    assert unknown_models(setting) == ["anthropic/claude-nobody-knows"]
    assert setting.row(1)[:3] == ("refused", "", 0)
    assert isinstance(setting.admit(), Ticket)


async def test_an_unknown_model_that_is_allowed_passes_a_limit_without_room(setting: Setting) -> None:
    setting.accounts.configure(Budget(limits=(Limit("daily", "day", 1),)))
    assert isinstance(setting.admit(ask=UNKNOWN), Turned)
    setting.accounts.unknown_model = "allow"
    ticket = setting.admit(ask=UNKNOWN)
    assert isinstance(ticket, Ticket)
    assert setting.daily.reserved_nusd == 0
    await ticket.committed
    ticket.status = 200
    setting.accounts.settle(ticket, "aborted")
    assert setting.daily.spent_nusd > 0


@pytest.mark.parametrize("guarantee", ["strict", "expected"])
async def test_a_strict_limit_keeps_what_it_reserved_for_what_nobody_reported(
    setting: Setting, guarantee: str
) -> None:
    limits = (Limit("daily", "day", 1000 * COST, guarantee=guarantee),)
    setting.accounts.configure(Budget(limits=limits))
    ticket = setting.admit()
    assert isinstance(ticket, Ticket)
    reserved = setting.daily.reserved_nusd
    await ticket.committed
    ticket.status = 200
    ticket.meter = meter("anthropic.messages", "text/event-stream")
    ticket.meter.feed(TOLD)
    setting.accounts.settle(ticket, "aborted")
    outcome, basis, cost_nusd, _ = setting.row(1)
    assert (outcome, basis) == ("aborted", "estimated")
    assert 0 < setting.daily.spent_nusd == cost_nusd < reserved
    assert setting.daily.withheld_nusd == (reserved - cost_nusd if guarantee == "strict" else 0)
