"""A till that decides as a test says, in front of the accounts that record what becomes of it."""

import asyncio
from collections.abc import Callable

from budgetd.accounts import Accounts
from budgetd.metering import Reading
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Held, Outcome, Ticket, Turned
from support.daemon import InProcess
from support.stream import PATIENCE

Decide = Callable[["ScriptedTill", Candidate], Ticket | Held | Turned]


class ScriptedTill:
    """A `Till`. Keeps all that the proxy tells it, and lets nothing be settled twice."""

    def __init__(self, accounts: Accounts, decide: Decide) -> None:
        self.candidates: list[Candidate] = []
        self.held: list[Held] = []
        self.abandoned: list[Held] = []
        self.tickets: list[Ticket] = []
        self.settled: list[tuple[Ticket, Outcome]] = []
        self._accounts = accounts
        self._decide = decide

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for _, outcome in self.settled]

    @property
    def refuses_repeats(self) -> bool:
        return self._accounts.refuses_repeats

    def admit(self, candidate: Candidate) -> Ticket | Held | Turned:
        self.candidates.append(candidate)
        return self._decide(self, candidate)

    def count(self, candidate: Candidate) -> Ticket:
        return self._accounts.count(candidate)

    def abandon(self, held: Held) -> None:
        assert held not in self.abandoned
        self.abandoned.append(held)

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        assert ticket not in [settled for settled, _ in self.settled]
        self.settled.append((ticket, outcome))
        self._accounts.settle(ticket, outcome)

    def answered(self, upstream: str) -> None:
        self._accounts.answered(upstream)

    def unanswered(self, upstream: str, what: str, *, reached: bool) -> None:
        self._accounts.unanswered(upstream, what, reached=reached)

    def report(self, route: Route, reading: Reading) -> None:
        self._accounts.report(route, reading)

    # what a test may decide

    def let_through(self, candidate: Candidate, model: str = "") -> Ticket:
        """Reserve for it, as the accounts do."""
        ticket = self._accounts.admit(candidate)
        assert isinstance(ticket, Ticket)
        ticket.model = model
        self.tickets.append(ticket)
        return ticket

    def hold(self, candidate: Candidate) -> Held:
        held = Held(len(self.held), asyncio.get_running_loop().create_future())
        self.held.append(held)
        return held

    def approve(self, number: int = 0, model: str = "") -> None:
        """Let the request through that was held as the nth; every one before it was held too."""
        self.held[number].decided.set_result(self.let_through(self.candidates[number], model))

    async def until(self, seen: Callable[[], object]) -> None:
        """Wait until this is true."""
        async with asyncio.timeout(PATIENCE):
            while not seen():
                await asyncio.sleep(0.005)


def scripted(daemon: InProcess, decide: Decide) -> ScriptedTill:
    """Put a till in front of a daemon's own."""
    till = ScriptedTill(daemon.daemon._accounts, decide)
    daemon.daemon._forwarder._till = till
    return till


def hold_all(till: ScriptedTill, candidate: Candidate) -> Held:
    return till.hold(candidate)


def pass_all(till: ScriptedTill, candidate: Candidate) -> Ticket:
    return till.let_through(candidate)
