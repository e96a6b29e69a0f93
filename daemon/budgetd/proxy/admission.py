"""Asking the till, and waiting until it has decided and its decision is on record."""

import asyncio

from budgetd.attribution.who import Who, identify
from budgetd.errors import LedgerError
from budgetd.metering import Ask
from budgetd.proxy.incoming import Incoming
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Held, Ticket, Till, Turned


def caller(request: Incoming, route: Route, ask: Ask) -> Who:
    """Who asks, by all that a request says."""
    return identify(
        request.seen,
        route.user,
        route.project,
        ask.session,
        route.target,
        account=ask.account,
        provider=route.upstream.provider,
    )


async def admit(till: Till, candidate: Candidate) -> Ticket | Turned:
    """A ticket with which the request may be sent at once, or why it may not. Where this is cancelled,
    because the client has gone, nothing is left reserved.
    """
    decision = till.admit(candidate)
    if isinstance(decision, Held):
        decision = await _decided(till, decision)
    if isinstance(decision, Turned):
        return decision
    try:
        await decision.committed
    except LedgerError as error:
        decision.problem = str(error)
        till.settle(decision, "failed")
        message = f"budgetd did not send this request, because it could not be recorded: {error}"
        return Turned(message, "fault")
    except asyncio.CancelledError:
        till.settle(decision, "failed")
        raise
    return decision


async def _decided(till: Till, held: Held) -> Ticket | Turned:
    """What becomes of a held request. Nothing is sent to either side meanwhile."""
    decided = held.decided
    try:
        await asyncio.wait((decided,))  # which, unlike awaiting it, leaves it to the till to decide
    except asyncio.CancelledError:
        decision = decided.result() if decided.done() else None
        if decision is None:
            till.abandon(held)
        elif isinstance(decision, Ticket):  # the client left at the very moment
            till.settle(decision, "failed")
        raise
    return decided.result()
