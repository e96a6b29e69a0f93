"""`python -m tests.bench.comparison`: how far a limit is overshot, and what it refuses that would have fit.

A simulation without a network, on the guard, the prices and the estimates that budgetd runs on: many calls at
once against one limit, and an agent's long session. Prints Markdown.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from statistics import mean
from typing import Literal
from zoneinfo import ZoneInfo

from budgetd.budget.guard import Demand, Guard, Reservation
from budgetd.budget.limits import Guarantee, Limit, Subject
from budgetd.metering import Ask, Usage
from budgetd.pricing.book import load_book
from budgetd.pricing.learning import Learner
from budgetd.pricing.pricer import Pricer
from budgetwire.money import format_usd

AT = 1_795_435_200.0
"""Some noon in UTC."""
BOOK = load_book()
SEEDS = 20
CALLS = (20, 200)
FITTING = ("none", "one", "half", "all")
MAX_TOKENS = 20_000

Billing = Literal["about the estimate", "1 to 10 x it"]
BILLINGS: tuple[Billing, ...] = ("about the estimate", "1 to 10 x it")


class Purse:
    """One limit, and the guard that keeps it."""

    def __init__(self, cap_nusd: int, guarantee: Guarantee) -> None:
        self.cap_nusd = cap_nusd
        self.spent_nusd = 0
        self._guard = Guard(ZoneInfo("UTC"))
        limit = Limit(name="cap", window="total", limit_nusd=cap_nusd, guarantee=guarantee)
        self._guard.configure([limit], AT, (), lambda *_: ())

    def admit(self, pricer: Pricer, ask: Ask, session: str, at: float) -> Reservation | None:
        sized = pricer.expect(ask, session)
        demand = Demand(Subject(model=ask.model), sized.expected_nusd, sized.worst_nusd)
        decision = self._guard.admit(demand, at)
        return decision if isinstance(decision, Reservation) else None

    def settle(self, reservation: Reservation, cost_nusd: int) -> None:
        self._guard.settle(reservation, cost_nusd)
        self.spent_nusd += cost_nusd

    @property
    def overshoot_pct(self) -> float:
        return max(0, self.spent_nusd - self.cap_nusd) * 100 / self.cap_nusd


# many calls at once


@dataclass(frozen=True)
class Call:
    """A call, what it will turn out to use, and what that costs."""

    ask: Ask
    usage: Usage
    cost_nusd: int


@dataclass(frozen=True)
class Rush:
    """How a rush of calls ended."""

    overshoot_pct: float
    admitted: int
    refused_though_fitting: int


def calls(number: int, billing: Billing, seed: int, *, bounded: bool = True) -> list[Call]:
    """Calls whose answers have nothing to do with their size, and so cost what nobody can expect."""
    dice = random.Random(seed)
    return [_call(_multiple(billing, dice), dice.randint(8_000, 16_000), bounded) for _ in range(number)]


def rush(wanted: list[Call], cap_nusd: int, guarantee: Guarantee, learner: Learner | None) -> Rush:
    """All calls ask to be let in before the first of them has been answered."""
    purse = Purse(cap_nusd, guarantee)
    pricer = Pricer(BOOK, "anthropic", AT, free=False, learner=learner)
    decisions = [purse.admit(pricer, call.ask, f"call {index}", AT) for index, call in enumerate(wanted)]
    refused: list[Call] = []
    for call, decision in zip(wanted, decisions, strict=True):
        if decision is None:
            refused.append(call)
        else:
            purse.settle(decision, call.cost_nusd)
    room, fitting = cap_nusd - purse.spent_nusd, 0
    for call in refused:
        if call.cost_nusd <= room:
            room -= call.cost_nusd
            fitting += 1
    return Rush(purse.overshoot_pct, len(wanted) - len(refused), fitting)


def alike(number: int, cost_nusd: int) -> list[Call]:
    """Calls that each cost the same, with no max_tokens."""
    guess = _call(1.0, 12_000, bounded=False)
    multiple = cost_nusd / Pricer(BOOK, "anthropic", AT, free=False).expect(guess.ask).expected_nusd
    return [_call(multiple, 12_000, bounded=False)] * number


def cap_for(wanted: list[Call], fitting: str) -> int:
    """A cap that so many of the calls fit in, to the nanodollar."""
    if fitting == "none":
        return min(call.cost_nusd for call in wanted) // 2
    many = {"one": 1, "half": len(wanted) // 2, "all": len(wanted)}[fitting]
    return sum(call.cost_nusd for call in wanted[:many])


def taught(earlier: list[Call]) -> Learner:
    """One that has seen these calls."""
    learner = Learner()
    for index, call in enumerate(earlier):
        learner.observe(call.ask, f"earlier {index}", call.usage, AT - 1_000 + index)
    return learner


def _call(multiple: float, body_bytes: int, bounded: bool) -> Call:
    ask = Ask(
        model="claude-sonnet-5",
        body_bytes=body_bytes,
        output_cap=MAX_TOKENS if bounded else None,
        stream=True,
    )
    pricer = Pricer(BOOK, "anthropic", AT, free=False)
    price = pricer.price(ask.model)
    said = Usage(input_tokens=body_bytes // 3)
    per_token = price.cost_nusd(Usage(output_tokens=1_000)) / 1_000
    wanted_nusd = pricer.expect(ask).expected_nusd * multiple - price.cost_nusd(said)
    output = max(1, min(MAX_TOKENS, int(wanted_nusd / per_token)))
    usage = Usage(input_tokens=said.input_tokens, output_tokens=output)
    return Call(ask, usage, price.cost_nusd(usage))


def _multiple(billing: Billing, dice: random.Random) -> float:
    return dice.uniform(0.6, 1.2) if billing == "about the estimate" else 10 ** dice.random()


# an agent's session


@dataclass(frozen=True)
class Turn:
    """One request of an agent."""

    ask: Ask
    usage: Usage
    at: float


def agent_turns(seed: int) -> Iterator[Turn]:
    """An agent as Claude Code is one, without end: it reads and writes files, and its conversation grows
    until it is compacted. The provider caches all but a few tokens of each request for the next."""
    dice = random.Random(seed)
    tokens_per_byte = dice.uniform(0.3, 0.42)
    body, cached, at = 76_000, 0, AT
    while True:
        tokens = int(body * tokens_per_byte)
        written = tokens - cached - dice.randint(2, 60)
        output = int(min(64_000, 40 + dice.lognormvariate(5.8, 1.0)))
        usage = Usage(
            input_tokens=tokens, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output
        )
        ask = Ask(model="claude-opus-4-8", body_bytes=body, output_cap=64_000, stream=True)
        yield Turn(ask, usage, at)
        cached += written
        at += dice.uniform(5, 40)
        body += output * 4 + dice.choice((600, 6_000, 20_000, 33_000))
        if body > 600_000:
            body, cached = 76_000 + dice.randint(5_000, 20_000), 0


@dataclass(frozen=True)
class Session:
    """How an agent's session ended: what was spent when it was first refused, in per cent of the cap."""

    spent_pct: float
    turns: int


def session(cap_nusd: int, guarantee: Guarantee, learner: Learner | None, seed: int) -> Session:
    """Run an agent until its first refusal."""
    purse = Purse(cap_nusd, guarantee)
    for turns, turn in enumerate(agent_turns(seed)):
        pricer = Pricer(BOOK, "anthropic", turn.at, free=False, learner=learner)
        reservation = purse.admit(pricer, turn.ask, f"session {seed}", turn.at)
        if reservation is None:
            return Session(purse.spent_nusd * 100 / cap_nusd, turns)
        purse.settle(reservation, pricer.price(turn.ask.model).cost_nusd(turn.usage))
        if learner is not None:
            learner.observe(turn.ask, f"session {seed}", turn.usage, turn.at)
    raise AssertionError("an agent has no end")


def after_a_session() -> Learner:
    """One that has seen one session of another agent."""
    learner = Learner()
    session(10 * 10**9, "expected", learner, seed=999)
    return learner


# what is printed


def main() -> int:
    """Print both comparisons, and what an estimate costs in time."""
    print("Calls at once: overshoot in per cent of the cap, and how many were refused though they would have")
    print(f"fit (means of {SEEDS} runs; the worst overshoot in brackets).\n")
    print("\n".join(rush_table()))
    print("\n20 calls of $0.06 at once, no max_tokens.\n")
    print("\n".join(small_table()))
    print("\nAn agent's session, max_tokens 64,000: spent at its first refusal, in per cent of the cap.\n")
    print("\n".join(session_table()))
    print()
    print("\n".join(speeds()))
    return 0


WAYS = ("strict, max_tokens", "strict, no max_tokens", "expected, cold", "expected, learned")


def rush_table(seeds: int = SEEDS) -> Iterator[str]:
    yield f"| calls | cap fits | billed | {' | '.join(WAYS)} |"
    yield "|---|---|---|---|---|---|---|"
    learners = {billing: taught(calls(100, billing, seed=1_000)) for billing in BILLINGS}
    for number in CALLS:
        for fitting in FITTING:
            for billing in BILLINGS:
                cells = [
                    _cell(number, fitting, billing, "strict", None, seeds, bounded=True),
                    _cell(number, fitting, billing, "strict", None, seeds, bounded=False),
                    _cell(number, fitting, billing, "expected", None, seeds, bounded=False),
                    _cell(number, fitting, billing, "expected", learners[billing], seeds, bounded=False),
                ]
                yield f"| {number} | {fitting} | {billing} | {' | '.join(cells)} |"


def small_table() -> Iterator[str]:
    """The task that a rival was measured at: 20 calls of $0.06 each."""
    yield "| cap | fit | expected, cold: admitted, overshoot | expected, learned |"
    yield "|---|---|---|---|"
    wanted = alike(20, 60_000_000)
    learner = taught(wanted)
    for cents in (10, 60, 120, 200):
        cells: list[str] = []
        for way in (None, learner):
            ended = rush(wanted, cents * 10_000_000, "expected", way)
            cells.append(f"{ended.admitted}, {ended.overshoot_pct:.0f} %")
        fit = min(20, cents * 10_000_000 // wanted[0].cost_nusd)
        yield f"| {format_usd(cents * 10_000_000)} | {fit} | {' | '.join(cells)} |"


def _cell(
    number: int,
    fitting: str,
    billing: Billing,
    guarantee: Guarantee,
    learner: Learner | None,
    seeds: int,
    *,
    bounded: bool,
) -> str:
    ended: list[Rush] = []
    for seed in range(seeds):
        wanted = calls(number, billing, seed, bounded=bounded)
        ended.append(rush(wanted, cap_for(wanted, fitting), guarantee, learner))
    over = [each.overshoot_pct for each in ended]
    refused = mean(each.refused_though_fitting for each in ended)
    worst = f" ({max(over):.0f} %)" if max(over) else ""
    return f"{mean(over):.0f} %{worst}, {refused:.0f} refused"


def session_table(seeds: int = SEEDS) -> Iterator[str]:
    yield "| cap | strict | unlearned | learning from its first request | learned from one other session |"
    yield "|---|---|---|---|---|"
    ways: list[tuple[Guarantee, Callable[[], Learner | None]]] = [
        ("strict", lambda: None),
        ("expected", lambda: None),
        ("expected", Learner),
        ("expected", after_a_session),
    ]
    for dollars in (1, 3, 10, 50):
        cap_nusd = dollars * 10**9
        cells: list[str] = []
        for guarantee, learner in ways:
            ended = [session(cap_nusd, guarantee, learner(), seed).spent_pct for seed in range(seeds)]
            cells.append(f"{mean(ended):.1f} % ({min(ended):.0f} to {max(ended):.0f})")
        yield f"| {format_usd(cap_nusd)} | {' | '.join(cells)} |"


def speeds(rounds: int = 20_000) -> Iterator[str]:
    learner = after_a_session()
    source = agent_turns(0)
    turns = [next(source) for _ in range(20)]
    ids = count()
    pricer = Pricer(BOOK, "anthropic", AT, free=False, learner=learner)

    def observe() -> None:
        turn = turns[next(ids) % 20]
        learner.observe(turn.ask, f"session {next(ids) % 50}", turn.usage, turn.at)

    def expect() -> None:
        turn = turns[next(ids) % 20]
        learner.expect(turn.ask, f"session {next(ids) % 50}", turn.at)

    def whole() -> None:
        pricer.expect(turns[next(ids) % 20].ask, f"session {next(ids) % 50}")

    for name, run in (("observe", observe), ("expect", expect), ("estimate in nanodollars", whole)):
        for _ in range(1_000):
            run()
        start = time.perf_counter()
        for _ in range(rounds):
            run()
        yield f"{name}: {(time.perf_counter() - start) / rounds * 1e6:.1f} µs"


if __name__ == "__main__":
    sys.exit(main())
