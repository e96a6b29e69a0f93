"""What the proxy asks of the budget: to admit a request before it is sent, and to settle it at its end.

The proxy knows this face only; `budgetd.accounts` is behind it.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from budgetd.attribution.who import Who
from budgetd.metering import Ask, Meter, Reading
from budgetd.metering.overage import Overage
from budgetd.proxy.routes import Route

Outcome = Literal["ok", "error", "aborted", "broken", "killed", "failed"]
"""ok: answered to the end; error: the provider said no; aborted: the client left; broken: the upstream broke
off; killed: cut by its owner; failed: the request was never sent.
"""


class Candidate(msgspec.Struct, frozen=True):
    """A request that asks to be let through."""

    route: Route
    who: Who
    ask: Ask
    method: str
    request_bytes: int
    replaceable: bool = False
    """Another model can be put into it, so that it can be downgraded."""
    messages: str = ""
    """A digest of what it says, if it names no session and repeats are refused (`Till.refuses_repeats`)."""

    @property
    def unread(self) -> bool:
        """It asks for a model, and nobody can read for which."""
        return self.route.api is not None and not self.ask.understood and not self.ask.model

    @property
    def on_plan(self) -> bool:
        """A subscription pays for it, unless the provider bills it as paid extra usage."""
        billing = self.route.upstream.billing
        return billing == "subscription" or (billing == "api" and self.who.subscription)


class Ticket(msgspec.Struct, eq=False):
    """An admitted request, from its reservation to its settlement."""

    id: int
    candidate: Candidate
    committed: asyncio.Future[None]
    """Done once the reservation is in the ledger; only then may the request be sent."""
    started_at: float
    model: str = ""
    """The model to ask for instead of the candidate's; empty where nothing is replaced."""
    refused: str = ""
    """Why a request that had begun unasked must be cut, for a person; empty where it may go on."""
    messages: str = ""
    """A digest of what it says, if it names no session: how its repeat would be told."""
    kill: Callable[[], None] | None = None
    """Cuts the request on both sides, which settles it as killed; there from when it has been sent."""
    phase: Literal["sent", "answering", "draining"] = "sent"
    meter: Meter | None = None
    status: int = 0
    ttft_seconds: float | None = None
    duration_seconds: float | None = None
    response_bytes: int = 0
    provider_request_id: str = ""
    problem: str = ""
    """Why it was not sent, or how its upstream failed, in short; empty where neither."""
    overage: Overage | None = None
    """Whether the answer was billed as a plan's paid extra usage; None where it does not say."""


class Held(msgspec.Struct, eq=False):
    """A request that waits for a person, or for room."""

    id: int
    decided: asyncio.Future["Ticket | Turned"]


class Turned(msgspec.Struct, frozen=True):
    """A request that is not admitted, and what to tell the person."""

    message: str
    reason: Literal["budget", "fault", "stopping"] = "budget"
    """What turned it away: the budget, a fault of budgetd's own, or that budgetd is being stopped, after
    which the client may try again.
    """


class Till(Protocol):
    """The budget as the proxy sees it."""

    @property
    def refuses_repeats(self) -> bool:
        """Whether a request was killed whose repeats are refused now."""
        ...

    def admit(self, candidate: Candidate) -> Ticket | Held | Turned:
        """Decide at once: reserve, hold, or say why not."""
        ...

    def count(self, candidate: Candidate) -> Ticket:
        """Let in what the provider has begun unasked and bills in any case. `Ticket.refused` says whether it
        must be cut.
        """
        ...

    def abandon(self, held: Held) -> None:
        """The client of a held request has gone."""
        ...

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Take what the request really cost. Exactly once for each ticket."""
        ...

    def answered(self, upstream: str) -> None:
        """An upstream has answered a request as it should, also one that costs nothing."""
        ...

    def unanswered(self, upstream: str, what: str, *, reached: bool) -> None:
        """It has not. ``what`` it does, like "answers 503"; ``reached``: a connection was made."""
        ...

    def report(self, route: Route, reading: Reading) -> None:
        """The answer to a free request has told what an earlier one used, or that it failed: the one that
        `Route.late` names.
        """
        ...
