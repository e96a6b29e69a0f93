"""A request on its way through the budget, and its two rows in the ledger. Decides nothing."""

import msgspec

from budgetd.blocks import Origin
from budgetd.budget.decision import Demand, Reservation
from budgetd.budget.limits import Subject
from budgetd.config import Billing
from budgetd.ledger.rows import UNSTATED, Closing, Opening
from budgetd.metering.gateway import GAVE_UP
from budgetd.pricing.estimate import Estimate
from budgetd.pricing.pricer import Cost, Pricer
from budgetd.proxy.till import Candidate, Outcome, Ticket

MAX_PATH = 200
"""Characters of a path that are kept."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request with what it may cost. Money in nanodollars."""

    id: int
    candidate: Candidate
    subject: Subject
    billing: Billing
    pricer: Pricer
    estimate: Estimate
    replaced_model: str = ""
    """The model that the client asked for, where another takes its place."""

    @property
    def demand(self) -> Demand:
        """What it asks of the guard."""
        return Demand(self.subject, self.estimate.expected_nusd, self.estimate.worst_nusd)

    def origin(self, messages: str) -> Origin:
        """What tells its repeats; ``messages``: a digest of what it says, where that is known."""
        who, asked = self.candidate.who, self.replaced_model or self.subject.model
        return Origin.of(self.subject, asked, who.agent, messages)

    def unreserved(self) -> "Case":
        """The same, with nothing to be reserved for it; what it costs still counts."""
        estimate = msgspec.structs.replace(self.estimate, expected_nusd=0, worst_nusd=0, unbounded="")
        return msgspec.structs.replace(self, estimate=estimate)

    def opening(self, now: float, reservation: Reservation | None) -> Opening:
        """Its row when it is admitted, with what is reserved for it, or refused."""
        limits = [] if reservation is None else [window.limit.name for window, _ in reservation.parts]
        route, ask, who = self.candidate.route, self.candidate.ask, self.candidate.who
        path = route.path[:MAX_PATH]
        return Opening(
            id=self.id,
            admitted_at=now,
            upstream=route.upstream.name,
            provider=route.upstream.provider,
            dialect=route.upstream.dialect,
            billing=self.billing,
            method=self.candidate.method,
            path=path if path.isascii() else path.encode("utf-8", "replace").decode(),
            model=self.subject.model,
            user=self.subject.user,
            project=who.project,
            session=who.session,
            key=who.key,
            token=who.token,
            client=who.client,
            stream=ask.stream,
            request_bytes=self.candidate.request_bytes,
            reserved_nusd=reservation.amount_nusd if reservation else 0,
            expected_nusd=self.estimate.expected_nusd,
            worst_nusd=self.estimate.worst_nusd,
            asked_model=self.replaced_model,
            limits=msgspec.json.encode(limits).decode(),
        )


class Entry(msgspec.Struct, eq=False):
    """An admitted request with what is reserved for it."""

    case: Case
    ticket: Ticket
    opening: Opening
    reservation: Reservation | None
    """None where the request counts against no limit."""

    def date_back(self, since: float, now: float) -> None:
        """The clock was ahead if it was admitted from ``since`` on: it was so now, as its row says too."""
        if self.opening.admitted_at >= since:
            self.opening = msgspec.structs.replace(self.opening, admitted_at=now)
            if self.reservation is not None:
                self.reservation.admitted_at = now
        self.ticket.started_at = min(self.ticket.started_at, now)

    def cost(self, outcome: Outcome | None) -> Cost:
        """What it cost, or (without an outcome) has cost so far."""
        ticket = self.ticket
        meter = ticket.meter
        reading = None
        if meter is not None:
            reading = meter.progress() if outcome is None else meter.finish()
        candidate = self.case.candidate
        # Where a gateway gave up, the meter says whether the error is the provider's after all.
        gave_up = ticket.status in GAVE_UP
        return self.case.pricer.tally(
            candidate.ask,
            reading,
            failed=ticket.status >= 300 and not gave_up,  # nor does a provider bill a redirect
            metered=candidate.route.api is not None and not gave_up,
            expected=self.case.estimate.expected,
        )

    def unknown_nusd(self, cost: Cost) -> int:
        """What it may have cost beyond that: up to the most it can, where nobody stated its cost."""
        if cost.basis not in UNSTATED:
            return 0
        return max(0, self.case.demand.most_nusd - cost.nusd)

    def closing(self, cost: Cost, outcome: Outcome, now: float) -> Closing:
        """Its row at its end."""
        ticket = self.ticket
        return Closing(
            settled_at=now,
            outcome=outcome,
            basis=cost.basis,
            status=ticket.status,
            cost_nusd=cost.nusd,
            unknown_nusd=self.unknown_nusd(cost),
            model_billed=cost.model,
            service_tier=cost.service_tier,
            geo=cost.geo,
            price_id=cost.price_id,
            ttft_seconds=ticket.ttft_seconds,
            duration_seconds=ticket.duration_seconds,
            response_bytes=ticket.response_bytes,
            provider_request_id=ticket.provider_request_id,
            response_id=cost.response_id,
            output_bytes=cost.output_bytes,
            **msgspec.structs.asdict(cost.usage),
        )
