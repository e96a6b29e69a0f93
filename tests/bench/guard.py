"""`python -m tests.bench.guard`: what one decision of the guard costs, with one limit and with a thousand."""

import statistics
import time
from collections.abc import Callable
from itertools import count
from zoneinfo import ZoneInfo

from budgetd.budget.decision import Demand, Reservation
from budgetd.budget.guard import Guard
from budgetd.budget.limits import Limit, Subject

NOW = 1_795_435_200.0
ROUNDS, CALLS = 9, 2000
LIMITS, COUNTERS = 1000, 10_000
MODELS = ("claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5", "gpt-5.4", "gemini-3-pro")


def main() -> None:
    """Print microseconds an admission, the median of some rounds."""
    one = measure(Guard(ZoneInfo("UTC")), [Limit("daily", "day", 10**15)], known)
    limits = thousand_limits()
    guard = Guard(ZoneInfo("UTC"))
    many = measure(guard, limits, known)
    held = sum(len(rule.windows) for rule in guard._rules.values())
    fresh = measure(guard, limits, unknown(count()))
    for what, taken in (
        ("1 limit", one),
        (f"{len(limits):,} limits, {held:,} counters", many),
        ("the same, each request of a session never seen", fresh),
    ):
        print(f"{taken * 1e6:8.1f} µs an admission: {what}")
    print(f"{(max(many, fresh) - one) * 1e6:8.1f} µs more for the many (to stay under 100)")


def thousand_limits() -> list[Limit]:
    """A cap for each of many people, projects and models; some have a counter for each project or model."""
    limits = [Limit("daily", "day", 10**15), Limit("rolling", "5h", 10**15)]
    limits += [Limit(f"each {window}", window, 10**15, per="project") for window in ("day", "month", "7d")]
    limits += [
        Limit(f"models {n}", "day", 10**15, match=(("model", (f"*-{n}*",)), ("project", (f"p{n}*",))))
        for n in range(100)
    ]
    while len(limits) < LIMITS:
        n = len(limits)
        match = (("user", (f"u{n}",)),) if n % 2 else (("project", (f"p{n}*",)), ("client", ("claude-code",)))
        limits.append(Limit(f"limit {n}", "month", 10**15, match=match, per="model"))
    return limits


def known(n: int) -> Subject:
    """One of some thousand subjects."""
    return subject(n % (COUNTERS // 3), f"s{n % 97}")


def unknown(numbers: "count[int]") -> Callable[[int], Subject]:
    """Subjects of sessions that never come again."""
    return lambda n: subject(n % (COUNTERS // 3), f"new {next(numbers)}")


def subject(n: int, session: str) -> Subject:
    """Somebody with some project and model."""
    return Subject(
        provider="anthropic",
        upstream="anthropic",
        model=MODELS[n % len(MODELS)],
        user=f"u{n % 1000}",
        project=f"p{n}",
        session=session,
        client="claude-code",
    )


def measure(guard: Guard, limits: list[Limit], who: Callable[[int], Subject]) -> float:
    """Seconds an admission, when every counter is there."""
    guard.configure(limits, NOW, (), lambda *_: ())
    for n in range(COUNTERS // 3):
        admit(guard, [Demand(known(n), 1000, 2000)])
    taken: list[float] = []
    for turn in range(ROUNDS):
        demands = [Demand(who(turn * CALLS + n), 1000, 2000) for n in range(CALLS)]
        began = time.perf_counter()
        reservations = [guard.admit(demand, NOW) for demand in demands]
        taken.append((time.perf_counter() - began) / CALLS)
        settle(guard, reservations)
    return statistics.median(taken)


def admit(guard: Guard, demands: list[Demand]) -> None:
    """Admit and settle."""
    settle(guard, [guard.admit(demand, NOW) for demand in demands])


def settle(guard: Guard, decisions: list[object]) -> None:
    """Settle what was admitted: all of it."""
    for decision in decisions:
        assert isinstance(decision, Reservation)
        guard.settle(decision, 900)


if __name__ == "__main__":
    main()
