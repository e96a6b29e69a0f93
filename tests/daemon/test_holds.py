"""Held requests on a real ledger: who is asked again when room comes up, and in which order."""

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from budgetd.accounts import Accounts
from budgetd.attribution.who import Who
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.config import WELL_KNOWN
from budgetd.ledger.writer import Ledger
from budgetd.metering import Ask
from budgetd.pricing.book import load_book
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Held, Ticket, Turned
from budgetd.steering import Steering

NOON = 1_795_435_200.0
BOOK = load_book()
NOBODY = Who(user="", project="", session="", key="", client="", subscription=False)
ROUTE = Route(WELL_KNOWN["anthropic"], "/v1/messages", "/v1/messages", "anthropic.messages", billable=True)
ASK = Ask(model="claude-haiku-4-5", output_cap=1000, body_bytes=350)

ROOMY = 10**12


def limit(name: str, nusd: int, *, window: str = "day", **match: str) -> Limit:
    """One that holds what it has no room for."""
    matches = tuple((dimension, (glob,)) for dimension, glob in match.items())
    return Limit(name, window, nusd, on_exceed="hold", match=matches, hold_seconds=600)


class Setting:
    """Accounts that count how often the guard is asked."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.ledger = Ledger(folder / "ledger.db")
        self.accounts = Accounts(
            self.ledger, BOOK, ZoneInfo("UTC"), clock=lambda: self.now, changed=lambda *_: None
        )
        self.asked: Counter[str] = Counter()
        """How often the guard was asked for each project."""
        admit = self.accounts.guard.admit

        def counting(demand, *arguments, **more):
            self.asked[demand.subject.project] += 1
            return admit(demand, *arguments, **more)

        self.accounts.guard.admit = counting
        self.cost = self.reserved_for_one()

    def reserved_for_one(self) -> int:
        """What one request reserves."""
        self.limit(limit("probe", ROOMY))
        ticket = self.let_in("probe")
        (window,) = self.accounts.guard.windows
        reserved = window.reserved_nusd
        self.end(ticket)
        return reserved

    def limit(self, *limits: Limit) -> None:
        self.accounts.configure(Budget(limits=limits))

    def admit(self, project: str, user: str = "", ask: Ask = ASK) -> Ticket | Held | Turned:
        who = msgspec.structs.replace(NOBODY, project=project, user=user)
        return self.accounts.admit(Candidate(route=ROUTE, who=who, ask=ask, method="POST", request_bytes=350))

    def let_in(self, project: str, user: str = "") -> Ticket:
        ticket = self.admit(project, user)
        assert isinstance(ticket, Ticket)
        return ticket

    def hold(self, project: str, user: str = "", ask: Ask = ASK) -> Held:
        held = self.admit(project, user, ask)
        assert isinstance(held, Held)
        return held

    def end(self, ticket: Ticket) -> None:
        """Settle a request that cost nothing, so that all it had reserved is room again."""
        self.accounts.settle(ticket, "failed")

    def waits_for(self, held: Held) -> str:
        """The limit that has no room for a held request."""
        waiting = self.accounts.holds.get(held.id)
        assert waiting is not None
        return waiting.refused.window.limit.name


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncGenerator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


def is_let_in(held: Held) -> bool:
    return held.decided.done() and isinstance(held.decided.result(), Ticket)


async def test_a_settlement_asks_nobody_who_waits_for_another_counter(setting: Setting) -> None:
    setting.limit(limit("all", ROOMY), limit("full", 0, project="held"))
    ticket = setting.let_in("other")
    held = [setting.hold("held") for _ in range(1000)]
    setting.asked.clear()
    setting.end(ticket)
    setting.accounts.tick()
    assert setting.asked == {}
    assert not any(each.decided.done() for each in held)


async def test_a_settlement_asks_as_many_as_it_makes_room_for_the_longest_waiting_first(
    setting: Setting,
) -> None:
    setting.limit(limit("two", 2 * setting.cost, project="p"))
    running = [setting.let_in("p") for _ in range(2)]
    held = [setting.hold("p") for _ in range(1000)]
    setting.asked.clear()
    for number, ticket in enumerate(running):
        setting.end(ticket)
        assert setting.asked == {"p": 1 + number}
        assert [is_let_in(each) for each in held[: number + 2]] == [True] * (number + 1) + [False]


async def test_what_is_too_much_for_the_room_does_not_keep_others_from_it(setting: Setting) -> None:
    setting.limit(limit("one", setting.cost, project="p"))
    ticket = setting.let_in("p")
    dear = setting.hold("p", ask=msgspec.structs.replace(ASK, output_cap=50_000))
    cheap = setting.hold("p")
    setting.asked.clear()
    setting.end(ticket)
    assert not dear.decided.done()
    assert is_let_in(cheap)
    assert setting.asked == {"p": 1}


async def test_a_request_that_another_counter_objects_to_waits_for_that_one_from_then_on(
    setting: Setting,
) -> None:
    setting.limit(
        limit("of the user", setting.cost, user="u"), limit("of the project", setting.cost, project="p")
    )
    of_user, of_project = setting.let_in("", "u"), setting.let_in("p")
    held = setting.hold("p", "u")
    assert setting.waits_for(held) == "of the user"
    setting.end(of_user)
    assert setting.waits_for(held) == "of the project"
    (alert,) = setting.accounts.desk.board.open_of("held")
    assert alert.limit == "of the project"
    setting.asked.clear()
    setting.end(setting.let_in("", "u"))
    assert setting.asked == {"": 1}
    setting.end(of_project)
    assert is_let_in(held)


async def test_those_who_wait_for_several_counters_are_asked_in_the_order_they_came(
    setting: Setting,
) -> None:
    setting.limit(limit("of a", setting.cost, project="a"), limit("of u", setting.cost, user="u"))
    ticket = setting.let_in("a", "u")
    first, second, third = setting.hold("b", "u"), setting.hold("a", "v"), setting.hold("c", "u")
    setting.asked.clear()
    setting.end(ticket)
    assert [*setting.asked] == ["b", "a"]
    assert [is_let_in(each) for each in (first, second, third)] == [True, True, False]


async def test_one_who_waits_for_a_window_to_move_on_is_let_in_once_it_has(setting: Setting) -> None:
    setting.limit(limit("rolling", setting.cost, window="5h"))
    ticket = setting.let_in("p")
    await ticket.committed
    ticket.status = 200  # an answer that nobody could read, which costs what was expected
    setting.accounts.settle(ticket, "ok")
    setting.now += 5 * 3600 - 60
    held = setting.hold("p")
    setting.now += 180
    setting.hold("p", ask=msgspec.structs.replace(ASK, output_cap=50_000))  # which looks at the window first
    setting.accounts.tick()
    assert is_let_in(held)


async def test_a_grant_lets_in_who_waits_for_that_counter(setting: Setting) -> None:
    setting.limit(limit("of a", 0, project="a"), limit("of b", 0, project="b"))
    a, b = setting.hold("a"), setting.hold("b")
    setting.asked.clear()
    Steering(setting.accounts).grant("of a", "", setting.cost)
    assert is_let_in(a)
    assert not b.decided.done()
    assert setting.asked == {"a": 1}


async def test_other_limits_let_everybody_be_asked(setting: Setting) -> None:
    setting.limit(limit("of a", 0, project="a"), limit("of b", 0, project="b"))
    a, b = setting.hold("a"), setting.hold("b")
    setting.limit(limit("of b", 0, project="b"))
    assert is_let_in(a)
    assert not b.decided.done()


async def test_what_was_settled_while_all_was_paused_makes_room_at_the_resumption(setting: Setting) -> None:
    setting.limit(limit("one", setting.cost, project="p"))
    ticket = setting.let_in("p")
    held = setting.hold("p")
    steering = Steering(setting.accounts)
    steering.pause("test")
    setting.end(ticket)
    setting.accounts.tick()
    assert not held.decided.done()
    steering.resume()
    assert is_let_in(held)
