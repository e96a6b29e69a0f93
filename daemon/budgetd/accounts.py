"""Where price, guard, ledger and alerts meet over one request: the till behind the proxy.

Every method is synchronous. What the guard decides is in the ledger before the proxy sends.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

import msgspec

from budgetd.alerts.desk import Desk
from budgetd.alerts.settings import AlertsSection
from budgetd.attribution.who import Who
from budgetd.blocks import Block, Blocks
from budgetd.budget.burn import MINUTES, Burn
from budgetd.budget.counters import Window
from budgetd.budget.decision import Crossing, Refused, Reservation
from budgetd.budget.fallback import same_dialect
from budgetd.budget.guard import Guard
from budgetd.budget.limits import UNREAD, Limit, Subject
from budgetd.budget_file import Budget
from budgetd.case import Case, Entry
from budgetd.clock_steps import Behind, correct_dates
from budgetd.config import Billing
from budgetd.errors import LedgerError, NotSyncedError
from budgetd.holds import Counter, Holds, Waiting, counter_of
from budgetd.ledger import queries
from budgetd.ledger.queries import UnknownEnd
from budgetd.ledger.recovery import recover
from budgetd.ledger.restating import find_estimated, restate
from budgetd.ledger.rows import Closing, Opening
from budgetd.ledger.writer import Ledger
from budgetd.metering import Ask, Reading
from budgetd.overages import Overages
from budgetd.pricing.book import Book
from budgetd.pricing.learning import Learner
from budgetd.pricing.pricer import Pricer
from budgetd.pricing.settings import UnknownModel
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Held, Outcome, Ticket, Turned
from budgetd.request_log import RequestLog
from budgetd.wording import ON_OVERAGE, PAUSED, why_in_short, why_refused, why_repeated, why_unknown
from budgetwire.money import format_usd

DEFAULT_ALERTS = AlertsSection()

MOST_UNREAD = 1000
"""So many late reports are kept while the ledger cannot be written."""


class Accounts:
    """The budget in force and every request in flight. A `Till`."""

    def __init__(
        self,
        ledger: Ledger,
        book: Book,
        zone: ZoneInfo,
        *,
        clock: Callable[[], float] = time.time,
        changed: Callable[..., None],
        alerts: AlertsSection = DEFAULT_ALERTS,
    ) -> None:
        """Settle what an earlier daemon left open, then count anew. Raises LedgerError.

        Args:
            ledger: open.
            book: prices.
            zone: where days and months begin.
            clock: UTC epoch seconds.
            changed: told which parts of the shown state have changed.
            alerts: which of them fire.
        """
        self.ledger = ledger
        self.zone = zone
        self.guard = Guard(zone)
        self.holds = Holds()
        self.blocks = Blocks()
        self.in_flight: dict[int, Entry] = {}
        self.clock = clock
        self.changed = changed
        self._book = book
        self.budget = Budget()
        self.unknown_model: UnknownModel = "nearest"
        """What a model counts as whose price is not known."""
        self._unread: deque[tuple[Route, Reading]] = deque(maxlen=MOST_UNREAD)
        """What was reported late while the ledger could not be written."""
        self.restated = 0
        """How often something settled was counted anew: sums of the past may have changed."""
        now = clock()
        dates = correct_dates(ledger, now)
        self.desk = Desk(ledger, clock, changed, zone)
        self.log = RequestLog()
        self._stopping = False
        self.desk.configure(alerts)
        if isinstance(dates, Behind):
            self.guard.roll(dates.newest)
        elif dates.requests:
            self.desk.clock_was_ahead(dates.requests, dates.last)
        left, cost_nusd = recover(ledger, now)
        if left:
            self.desk.recovered(left, cost_nusd)
            ledger.flush()
        self.overages = Overages(ledger)
        self.learner = Learner()
        self.learner.seed(queries.learning_rows(ledger.db))
        self._load_burn(now)
        self.paused_at, self.paused_by = _read_paused(queries.get_meta(ledger.db, "paused"))
        for name in queries.paused_limits(ledger.db):
            self.guard.pause(name)

    # the till

    @property
    def refuses_repeats(self) -> bool:
        """See `Till`."""
        return bool(self.blocks)

    def admit(self, candidate: Candidate) -> Ticket | Held | Turned:
        """See `Till`."""
        now = self.clock()
        case, short, why = self._examine(self._case(candidate, candidate.ask.model, now), now)
        if why:
            self.log.note(case.id, case.subject, "refused", short)
            return self._turn_away(case, now, why)
        decision = self.decide(case, now)
        return self._hold(case, decision, now) if isinstance(decision, Refused) else decision

    def count(self, candidate: Candidate) -> Ticket:
        """See `Till`."""
        now = self.clock()
        case, _, why = self._examine(self._case(candidate, candidate.ask.model, now), now)
        reservation = None
        if self._counts(case.billing):
            reservation = self.guard.admit(case.demand, now)
            if isinstance(reservation, Refused):
                refused, reservation = reservation, self.guard.count(case.demand, now)
                self.desk.refused(refused.window, refused.amount_nusd, refused.reason)
                why = why or self._why_refused(refused, case)
        ticket = self._let_in(case, reservation, now)
        ticket.refused = why
        if why and self.paused_at is None:  # once it is resumed, nothing is to be in the way
            self.block(ticket, "budgetd", now)
        return ticket

    def abandon(self, held: Held) -> None:
        """See `Till`."""
        waiting = self.holds.drop(held.id)
        if waiting is not None:
            self._record(waiting.case, Closing(settled_at=self.clock(), outcome="aborted", basis=""))
            self._say_decided(waiting.case, "given up", "its client left")
        elif not held.decided.cancelled() and isinstance(decision := held.decided.result(), Ticket):
            self.settle(decision, "failed")

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """See `Till`."""
        entry = self.in_flight.pop(ticket.id, None)
        if entry is None:
            return
        now = self.clock()
        opening = entry.opening
        if outcome == "failed":
            closing = Closing(settled_at=now, outcome=outcome, basis="")
        else:
            cost = entry.cost(outcome)
            closing = entry.closing(cost, outcome, now)
            opening = self._as_answered(entry)
            if cost.basis in {"reported", "billed"} and ticket.status < 300:
                ask, session = entry.case.candidate.ask, entry.opening.session
                self.learner.observe(ask, session, cost.usage, now, cost.output_bytes)
        crossings = self._count_end(entry, opening, closing)
        # Before the alerts: whatever becomes of them, what it cost is on its way into the ledger.
        if not _never_recorded(ticket):
            self.ledger.settle(opening, closing)
            if opening is not entry.opening:
                self.ledger.add(
                    "update requests set billing = ?, limits = ? where id = ?",
                    (opening.billing, opening.limits, opening.id),
                )
            self.desk.settled(opening, closing)
        self.desk.crossed(crossings)
        self._log_end(entry, closing)
        if closing.cost_nusd:
            burn = self.burn if self._counts(opening.billing) else self.plan_burn
            burn.add(now, closing.cost_nusd)
        self.changed("in_flight", "limits", "burn", "spending")
        if entry.reservation is not None:
            self.retry_held(window for window, _ in entry.reservation.parts)

    def answered(self, upstream: str) -> None:
        """See `Till`."""
        self.desk.upstreams.answered(upstream)

    def unanswered(self, upstream: str, what: str, *, reached: bool) -> None:
        """See `Till`."""
        if not self._stopping:  # by which connections are cut
            self.desk.upstreams.failed(upstream, what, reached=reached)

    def report(self, route: Route, reading: Reading) -> None:
        """See `Till`."""
        if not reading.failed and (reading.usage is None or not reading.complete):
            return
        try:
            self.ledger.flush()
        except LedgerError:
            self._unread.append((route, reading))  # once the ledger can be written
            return
        row = find_estimated(self.ledger.db, route.upstream.name, route.late)
        if row is None:
            return
        provider = route.upstream.provider
        pricer = Pricer(
            self._book,
            provider,
            row.admitted_at,
            free=row.billing == "free",
            nearest=self.unknown_model == "nearest",
        )
        ask = Ask(model=row.subject.model, service_tier=row.service_tier)
        cost = pricer.tally(ask, reading, failed=False, metered=True)
        for sql, parameters in restate(row, cost):
            self.ledger.add(sql, parameters)
        if self._counts(row.billing):
            self.adjust(row.subject, cost.nusd - row.cost_nusd, row.admitted_at, -row.unknown_nusd)

    def adjust(self, subject: Subject, nusd: int, at: float, unknown_nusd: int = 0) -> None:
        """Count what turned out later of something that is settled; ``at``: when it was admitted.
        ``unknown_nusd``: by how much more, or less, it may have cost beyond that.
        """
        self.desk.crossed(self.guard.adjust(self.named(subject), nusd, at, unknown_nusd))
        self.restated += 1
        self.changed("limits", "burn", "spending")
        if min(nusd, unknown_nusd) < 0:
            self.retry_held()

    def now(self) -> float:
        """The time by which limits count, UTC epoch seconds."""
        return self.guard.time(self.clock())

    def unknown_ends(self, limit: str, counter: str) -> list[UnknownEnd]:
        """The requests of unknown end that a counter keeps room for. Raises KeyError if there is no such
        counter, LedgerError.
        """
        window = self.guard.find(limit, counter, self.clock())
        self.ledger.flush()
        return [
            end
            for end in self._unknown_since(window.starts_at)
            if self.guard.counts_on(limit, counter, self.named(end.subject), end.admitted_at)
        ]

    # by the rules and by the clock

    def configure(self, budget: Budget) -> None:
        """Put other limits in force; thresholds that are passed already fire now."""
        self._put_in_force(budget, self.guard)

    def _put_in_force(self, budget: Budget, guard: Guard) -> None:
        now = self.clock()
        self.ledger.flush()
        counted_before, self.budget = self.budget.count_subscription, budget
        if budget.count_subscription != counted_before:
            self._load_burn(now)
        since = guard.history_since(budget.limits, now)
        starts = guard.history_starts(budget.limits, now)
        spent = queries.history(self.ledger.db, since, subscription=budget.count_subscription, starts=starts)
        # Where no limit looks at models, the prices need not be loaded for it.
        named = self.named if any(map(_looks_at_models, budget.limits)) else _as_it_is
        history = ((at, named(subject), nusd) for at, subject, nusd in spent)
        unknown = [
            (end.admitted_at, named(end.subject), end.unknown_nusd) for end in self._unknown_since(since)
        ]
        guard.configure(budget.limits, now, history, self.desk.fired_thresholds, unknown)
        self.guard = guard
        self.restore_grants()
        self.changed("limits")
        self._ask_again(self.holds)

    def restore_grants(self) -> None:
        """Put in force the grants on record; those of a limit that is gone have ended with it."""
        granted, names = queries.grants(self.ledger.db), {limit.name for limit in self.budget.limits}
        for name in {each.limit for each in granted} - names:
            self.ledger.add('delete from grants where "limit" = ?', (name,))
        self.guard.restore_grants((each.limit, each.subject, each.at, each.nusd) for each in granted)
        self.desk.crossed(self.guard.crossed())
        self.desk.review(self.budget.limits, self.guard)

    def tick(self) -> None:
        """Open the windows that have begun, turn away whoever was held too long. To be called often."""
        now = self.clock()
        if self._unread and not self.ledger.failure:
            self.report(*self._unread.popleft())
        if self.guard.is_ahead(now):
            self._go_back(now)
        else:
            self.desk.clock_is_behind(None)
        self.log.tick()
        if self.guard.roll(now):
            self.changed("limits", "burn", "spending")
        self.retry_held()
        if self.blocks.expire(now):
            self.changed("daemon")
        for waiting in self.holds:
            if now >= waiting.until:
                why = f"It was held for {waiting.until - waiting.since:.0f} s and nobody allowed it."
                self.turn_held_away(waiting, "nobody decided", why)

    def _go_back(self, now: float) -> None:
        """The clock was ahead for a while, or is wrong now. In the first case all is counted anew, as after a
        restart.
        """
        dates = correct_dates(self.ledger, now, self.guard.seen)
        if isinstance(dates, Behind):
            self.desk.clock_is_behind(dates.newest)
            return
        for entry in self.in_flight.values():
            entry.date_back(dates.since, now)
        for waiting in self.holds:
            waiting.date_back(now)
        self.desk.clock_was_ahead(dates.requests, dates.last)
        self._load_burn(now)
        self._put_in_force(self.budget, self.guard.anew())
        self.restated += 1
        self.changed("in_flight", "burn", "spending")

    def stop(self) -> None:
        """Turn away whoever is held: nobody can decide any more."""
        self._stopping = True
        for waiting in self.holds:
            self.turn_held_away(waiting, "budgetd was stopped", "It was held, and budgetd was stopped.")
        self.log.flush()

    def _load_burn(self, now: float) -> None:
        """Begin with the last hour's spending: what counts against limits, and what else went over a plan."""
        first_at = queries.first_admitted_at(self.ledger.db)
        recent = list(queries.costs_since(self.ledger.db, now - MINUTES * 60))
        counted = [(at, nusd) for at, nusd, billing in recent if self._counts(billing)]
        self.burn = Burn(counted, first_at)
        self.plan_burn = Burn(
            [(at, nusd) for at, nusd, billing in recent if not self._counts(billing)], first_at
        )

    # deciding

    def _case(self, candidate: Candidate, model: str, now: float, id: int | None = None) -> Case:
        """A request, priced as if it asked for this model."""
        upstream, who = candidate.route.upstream, candidate.who
        billing: Billing = upstream.billing
        if candidate.on_plan:
            billing = "api" if self.overages.is_on(who.key, now) else "subscription"
        pricer = Pricer(
            self._book,
            upstream.provider,
            now,
            free=billing == "free",
            learner=self.learner,
            nearest=self.unknown_model == "nearest",
        )
        if model != candidate.ask.model:
            ask = msgspec.structs.replace(candidate.ask, model=model)
            candidate = msgspec.structs.replace(candidate, ask=ask)
        subject = Subject(
            provider=upstream.provider,
            upstream=upstream.name,
            model=model or (UNREAD if candidate.unread else ""),
            user=who.user or self._owner(who),
            project=who.project,
            session=who.session,
            key=who.key,
            client=who.client,
            token=who.token,
        )
        subject = self.named(subject)
        return Case(
            id=self.ledger.next_request_id() if id is None else id,
            candidate=candidate,
            subject=subject,
            billing=billing,
            pricer=pricer,
            estimate=pricer.expect(candidate.ask, who.session),
        )

    def decide(
        self, case: Case, now: float, approved: frozenset[str] = frozenset()
    ) -> Ticket | Turned | Refused:
        """Let a request in or turn it away; Refused if it is to be held."""
        if not self._counts(case.billing):
            return self._let_in(case, None, now)
        decision = self.guard.admit(case.demand, now, approved=approved)
        if isinstance(decision, Reservation):
            return self._let_in(case, decision, now)
        self.changed("limits")
        if decision.action == "downgrade":
            return self._downgrade(case, decision, now, approved)
        if decision.action == "hold":
            return decision
        return self._refuse(case, now, decision, self._why_refused(decision, case))

    def block(self, ticket: Ticket, by: str, now: float) -> None:
        """Refuse what repeats a request that is killed; ``by``: who kills it, for a person."""
        case = self.in_flight[ticket.id].case
        self.blocks.add(ticket.id, case.subject, case.origin(ticket.messages), by, now)
        self.changed("daemon")

    def _find_block(self, case: Case, now: float) -> Block | None:
        return self.blocks.find(case.origin(case.candidate.messages), now) if case.billing != "free" else None

    def _examine(self, case: Case, now: float) -> tuple[Case, str, str]:
        """A request as it is to be reserved for; and why it is not let in whatever the limits are, if it is
        not: in short, and for its client.
        """
        if self.paused_at is not None and case.billing != "free":
            return case, "spending is paused", PAUSED
        if self.blocks and (block := self._find_block(case, now)):
            return case, f"it repeats the killed {block.request_id}", why_repeated(block, self.zone)
        if self._note_unknown(case):
            if self.unknown_model == "refuse":
                why = why_unknown(case.subject.provider, case.candidate.ask.model)
                return case, "its price is not known", why
            if self.unknown_model == "allow":
                return case.unreserved(), "", ""
        return case, "", ""

    def named(self, subject: Subject) -> Subject:
        """A subject with the price book's name of its model."""
        name = self._book.canonical(subject.provider, subject.model, self.clock())
        if name == subject.model:
            return subject
        return msgspec.structs.replace(subject, canonical_model=name)

    def _owner(self, who: Who) -> str:
        """Whose a key is, by the account it stands for or by itself."""
        users = self.budget.users
        return users.get(who.key) or users.get(who.token, "")

    def _unknown_since(self, since: float) -> list[UnknownEnd]:
        return queries.unknown_ends(self.ledger.db, since, subscription=self.budget.count_subscription)

    def _as_answered(self, entry: Entry) -> Opening:
        """The row of a request as its answer says that it is billed: a plan's paid extra usage is money."""
        opening, said = entry.opening, entry.ticket.overage
        if said is None:
            return opening
        self.overages.take(opening.key, said)
        if said.in_use:
            self.desk.overage(opening.key)
        billing: Billing = "api" if said.in_use else "subscription"
        if billing == opening.billing:
            return opening
        limits = self.guard.limits_of(entry.case.subject) if self._counts(billing) else []
        return msgspec.structs.replace(opening, billing=billing, limits=msgspec.json.encode(limits).decode())

    def _count_end(self, entry: Entry, opening: Opening, closing: Closing) -> list[Crossing]:
        """Count what a request cost, if what is billed as its answer said counts against limits; the
        thresholds that this passed.
        """
        nusd, unknown_nusd = closing.cost_nusd, closing.unknown_nusd
        if not self._counts(opening.billing):
            nusd = unknown_nusd = 0
        if entry.reservation is not None:
            return self.guard.settle(entry.reservation, nusd, unknown_nusd)
        if nusd or unknown_nusd:
            return self.guard.adjust(entry.case.subject, nusd, opening.admitted_at, unknown_nusd)
        return []

    def _counts(self, billing: str) -> bool:
        """Whether what is billed so counts against limits."""
        return billing == "api" or (billing == "subscription" and self.budget.count_subscription)

    def _hold(self, case: Case, refused: Refused, now: float) -> Held:
        self.changed("in_flight")
        self.desk.held(case.id, refused.window, refused.amount_nusd)
        self.log.note(case.id, case.subject, "held", why_in_short(refused))
        return self.holds.add(case, refused, now)

    def _downgrade(
        self, case: Case, refused: Refused, now: float, approved: frozenset[str]
    ) -> Ticket | Turned:
        """Reserve for a cheaper model in place of the one that has no room."""
        fallback = refused.window.limit.fallback_model
        why = self._why_refused(refused, case)
        if not case.candidate.replaceable:
            return self._refuse(
                case, now, refused, f"{why} It cannot be downgraded to {fallback}: its body names no model."
            )
        if not same_dialect(fallback, case.subject.model, case.subject.provider):
            return self._refuse(case, now, refused, f"{why} {fallback} is not a model of the same provider.")
        cheaper = self._case(case.candidate, fallback, now, case.id)
        if cheaper.estimate.expected_nusd >= case.estimate.expected_nusd:
            return self._refuse(case, now, refused, f"{why} {fallback} would not be cheaper.")
        decision = self.guard.admit(cheaper.demand, now, approved=approved)
        if isinstance(decision, Refused):
            return self._refuse(case, now, refused, f"{why} Nor has it room for {fallback}.")
        self.desk.downgraded(refused.window, case.subject.model, fallback)
        cheaper = msgspec.structs.replace(cheaper, replaced_model=case.subject.model)
        return self._let_in(cheaper, decision, now)

    def _let_in(self, case: Case, reservation: Reservation | None, now: float) -> Ticket:
        # By the guard's time, which does not go back: a restart then counts it in the same window.
        admitted_at = reservation.admitted_at if reservation else self.guard.time(now)
        opening = case.opening(admitted_at, reservation)
        model = case.subject.model if case.replaced_model else ""
        ticket = Ticket(case.id, case.candidate, self.ledger.reserve(opening), now, model)
        self.in_flight[case.id] = Entry(case, ticket, opening, reservation)
        self.changed("in_flight", "limits")
        return ticket

    def _turn_away(self, case: Case, now: float, message: str) -> Turned:
        self._record(case, Closing(settled_at=now, outcome="refused", basis=""))
        return Turned(message)

    def _refuse(self, case: Case, now: float, refused: Refused, message: str) -> Turned:
        """Turn away what a limit has no room for."""
        self.desk.refused(refused.window, refused.amount_nusd, refused.reason)
        self.log.note(case.id, case.subject, "refused", why_in_short(refused))
        return self._turn_away(case, now, message)

    def _note_unknown(self, case: Case) -> bool:
        """Whether what was asked for has no price of its own; if it is a model, an alert says so."""
        model, provider = case.candidate.ask.model, case.subject.provider
        if case.billing == "free" or case.pricer.known(model, case.candidate.ask.service_tier):
            return False
        if model:
            like = case.pricer.nearest(model, case.candidate.ask.service_tier)
            self.desk.unknown_model(provider, model, like.model if like else "")
        return True

    def _record(self, case: Case, closing: Closing) -> None:
        """The row of a request that is never sent."""
        self.ledger.record_refusal(case.opening(closing.settled_at, None), closing)

    def turn_held_away(self, waiting: Waiting, how: str, why: str) -> None:
        """Refuse a request that was held. ``how`` it was decided is for its alert, ``why`` for its client."""
        now = self.clock()
        waiting.refused.window.refuse(now)
        message = f"{self._why_refused(waiting.refused, waiting.case)} {why}"
        self.holds.decide(waiting, self._turn_away(waiting.case, now, message))
        self._say_decided(waiting.case, "refused", how)

    def go_on(self, waiting: Waiting, decision: Ticket | Turned, how: str) -> None:
        """Tell a held request that it is let in, and how that was decided; or that other limits refuse it."""
        self.holds.decide(waiting, decision)
        if isinstance(decision, Ticket):
            self._say_decided(waiting.case, "let in", how)
        else:  # which the log has
            self.desk.decided(waiting.case.id, "refused")
            self.changed("in_flight")

    def _say_decided(self, case: Case, what: str, how: str) -> None:
        self.log.note(case.id, case.subject, f"{what} after it was held", how)
        self.desk.decided(case.id, how)
        self.changed("in_flight")

    def retry_held(self, windows: Iterable[Window] | None = None) -> None:
        """Ask again for those who are held, as far as there is room for them in the counter that they wait
        for. ``windows``: where room may have come up; None: anywhere.
        """
        if self.holds:
            counters = None if windows is None else [*map(counter_of, windows)]
            self._ask_again(self.holds.with_room(self._room, counters))

    def _room(self, counter: Counter) -> int | None:
        try:
            return self.guard.find(*counter, self.clock()).room_nusd
        except KeyError:  # the limit is gone, or nothing counts on it any more
            return None

    def _ask_again(self, held: Iterable[Waiting]) -> None:
        if self.paused_at is not None:
            return
        for waiting in held:
            before, decision = waiting.counter, self.decide(waiting.case, self.clock())
            self.changed("in_flight")
            if isinstance(decision, Refused):
                self.holds.wait_on(waiting, decision)
                if waiting.counter != before:
                    self.desk.decided(waiting.case.id, "another limit holds it")
                    self.desk.held(waiting.case.id, decision.window, decision.amount_nusd)
            else:
                self.go_on(waiting, decision, "there was room")

    def _log_end(self, entry: Entry, closing: Closing) -> None:
        """Say of a request that it was cut, or that its upstream failed; of any other there is nothing to
        say.
        """
        ticket, subject = entry.ticket, entry.case.subject
        counted = f"{format_usd(closing.cost_nusd)} counted"
        if closing.outcome == "killed":
            what, why = ("cut", ticket.refused) if ticket.refused else ("killed", counted)
            self.log.note(ticket.id, subject, what, why)
        elif closing.outcome == "failed":
            if ticket.problem:
                self.log.note(ticket.id, subject, "not sent", ticket.problem, logging.WARNING)
        elif ticket.problem or closing.outcome == "broken":
            why = f"{subject.upstream} {ticket.problem}" if ticket.problem else "the session broke off"
            why = f"{'budgetd was stopped' if self._stopping else why}; {counted}"
            self.log.note(ticket.id, subject, "failed", why, logging.WARNING)

    def _why_refused(self, refused: Refused, case: Case) -> str:
        why = why_refused(refused, case.estimate.unbounded, self.zone)
        return why + ON_OVERAGE if case.candidate.on_plan and case.billing == "api" else why


def _looks_at_models(limit: Limit) -> bool:
    return limit.per == "model" or any(dimension == "model" for dimension, _ in limit.match)


def _as_it_is(subject: Subject) -> Subject:
    return subject


def _never_recorded(ticket: Ticket) -> bool:
    """The commit of its reservation failed, so there is no row to settle. Where only the sync of that commit
    failed, there is one.
    """
    committed = ticket.committed
    if not committed.done() or committed.cancelled():
        return False
    problem = committed.exception()
    return problem is not None and not isinstance(problem, NotSyncedError)


def _read_paused(text: str | None) -> tuple[float | None, str]:
    if text is None:
        return None, ""
    at, _, by = text.partition(" ")
    return float(at), by
