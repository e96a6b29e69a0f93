"""One model under many names, one person under many tokens: counted as one, after a restart too."""

from pathlib import Path

import msgspec
import pytest

from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.config import WELL_KNOWN, Upstream
from budgetd.metering import Ask
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Ticket, Turned
from daemon.test_accounts import NOBODY, ROUTE, Setting

SPELLINGS = [
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-opus-4-8-20260101"),
    ("openrouter", "anthropic/claude-opus-4.8"),
    ("bedrock", "us.anthropic.claude-opus-4-8-v1:0"),
    ("vertex", "claude-opus-4-8@20260101"),
]
HOURS_AGO = 3 * 3600.0


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


def route(provider: str) -> Route:
    upstream = WELL_KNOWN.get(provider) or Upstream(provider, "http://127.0.0.1:1", "openai", provider)
    return msgspec.structs.replace(ROUTE, upstream=upstream)


async def broken(setting: Setting, provider: str, model: str) -> None:
    ticket = setting.admit(route=route(provider), ask=Ask(model=model, output_cap=100, body_bytes=350))
    assert isinstance(ticket, Ticket)
    await ticket.committed
    setting.accounts.settle(ticket, "broken")


def counters(setting: Setting) -> dict[str, tuple[int, int]]:
    return {
        window.subject: (window.spent_nusd, window.unknown_nusd) for window in setting.accounts.guard.windows
    }


def by_limit(setting: Setting) -> list[tuple[str, str, int]]:
    windows = setting.accounts.guard.windows
    return [(window.limit.name, window.subject, window.spent_nusd) for window in windows]


@pytest.mark.parametrize(("provider", "model"), SPELLINGS)
async def test_a_cap_on_a_model_holds_under_every_name_of_it(
    setting: Setting, provider: str, model: str
) -> None:
    opus = Limit("opus", "day", 0, match=(("model", ("claude-opus-*",)),))
    setting.accounts.configure(Budget(limits=(opus,)))
    ask = Ask(model=model, output_cap=100, body_bytes=350)
    assert isinstance(setting.admit(route=route(provider), ask=ask), Turned)
    other = Ask(model="anthropic/claude-haiku-4.5", output_cap=100, body_bytes=350)
    assert isinstance(setting.admit(route=route("openrouter"), ask=other), Ticket)


async def test_per_model_counts_all_names_together_after_a_restart_too(setting: Setting) -> None:
    each = Limit("each", "month", 10**12, per="model")
    setting.budget = Budget(limits=(each,))
    setting.accounts.configure(setting.budget)
    for spelling in SPELLINGS:
        await broken(setting, *spelling)
    setting.clock.now += HOURS_AGO  # so that the sums of an hour are asked for it
    await broken(setting, "openai", "gpt-5.4")
    before = counters(setting)
    assert before.keys() == {"claude-opus-4-8", "gpt-5.4"}
    await setting.ledger.close()
    setting.start()
    assert counters(setting) == before
    rows = setting.ledger.db.execute("select model, sum(cost_nusd) from requests group by model").fetchall()
    assert {model for model, _ in rows} == {model for _, model in SPELLINGS} | {"gpt-5.4"}
    assert sum(cost for _, cost in rows) == sum(spent for spent, _ in before.values())


async def test_per_key_counts_an_account_whatever_its_token_after_a_restart_too(setting: Setting) -> None:
    limits = (
        Limit("each", "month", 10**12, per="key"),
        Limit("account", "month", 10**12, match=(("key", ("a_111111",)),)),
        Limit("token", "month", 10**12, match=(("key", ("k_000002",)),)),
    )
    setting.budget = Budget(limits=limits, count_subscription=True)
    setting.accounts.configure(setting.budget)
    for number in range(3):
        who = msgspec.structs.replace(NOBODY, key="a_111111", token=f"k_00000{number}", subscription=True)
        await setting.spend(who=who)
    setting.clock.now += HOURS_AGO
    await setting.spend(who=msgspec.structs.replace(NOBODY, key="k_999999"))
    spent = [
        (window.limit.name, window.subject, window.spent_nusd) for window in setting.accounts.guard.windows
    ]
    one = spent[-1][2]
    assert sorted(spent) == [
        ("account", "", 3 * one),
        ("each", "a_111111", 3 * one),
        ("each", "k_999999", one),
        ("token", "", one),
    ]
    await setting.ledger.close()
    setting.start()
    again = [
        (window.limit.name, window.subject, window.spent_nusd) for window in setting.accounts.guard.windows
    ]
    assert again == spent


@pytest.mark.parametrize("listed", ["a_111111", "k_222222"])
async def test_a_key_is_its_owners_by_its_account_or_its_token(setting: Setting, listed: str) -> None:
    setting.budget = msgspec.structs.replace(setting.budget, users={listed: "alice"}, count_subscription=True)
    setting.accounts.configure(setting.budget)
    await setting.spend(who=msgspec.structs.replace(NOBODY, key="a_111111", token="k_222222"))
    setting.ledger.flush()
    assert setting.ledger.db.execute("select user, key, token from requests").fetchone() == (
        "alice",
        "a_111111",
        "k_222222",
    )
