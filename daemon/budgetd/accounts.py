"""Where price, guard, ledger and alerts meet over one request: the till behind the proxy.

Every method is synchronous. What the guard decides is in the ledger before the proxy sends.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from budgetd.alerts.board import Board
from budgetd.alerts.rules import config_alert, recovered_alert, threshold_alert
from budgetd.budget.burn import MINUTES, Burn
from budgetd.budget.guard import Crossing, Guard, Refused, Reservation, crossings
from budgetd.budget_file import Budget
from budgetd.ledger import queries
from budgetd.ledger.rows import AlertRow, Closing, Opening
from budgetd.ledger.writer import Ledger
from budgetd.pricing.book import Book
from budgetd.pricing.pricer import Cost, Pricer
from budgetd.proxy.till import Candidate, Outcome, Ticket, Turned
from budgetwire.money import format_usd


class Entry(msgspec.Struct, eq=False):
    """An admitted request with what is reserved for it."""

    ticket: Ticket
    opening: Opening
    reservation: Reservation | None
    """None where the request counts against no limit."""
    pricer: Pricer

    def cost(self, outcome: Outcome | None) -> Cost:
        """What it cost, or (without an outcome) has cost so far."""
        ticket = self.ticket
        meter = ticket.meter
        reading = None
        if meter is not None:
            reading = meter.progress() if outcome is None else meter.finish()
        route = ticket.candidate.route
        return self.pricer.tally(
            ticket.candidate.ask, reading, failed=ticket.status >= 400, metered=route.api is not None
        )


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
    ) -> None:
        """Settle what an earlier daemon left open, then count anew. Raises LedgerError.

        Args:
            ledger: open.
            book: prices.
            zone: where days and months begin.
            clock: UTC epoch seconds.
            changed: told which parts of the shown state have changed.
        """
        self.ledger = ledger
        self.zone = zone
        self.guard = Guard(zone)
        self.in_flight: dict[int, Entry] = {}
        self.clock = clock
        self.changed = changed
        self._book = book
        self._budget = Budget()
        now = clock()
        self.board = Board(ledger, now)
        self._recover(now)
        recent = list(queries.costs_since(ledger.db, now - MINUTES * 60))
        self.burn = Burn(recent, queries.first_admitted_at(ledger.db))
        paused = queries.get_meta(ledger.db, "paused")
        self.paused_at, self.paused_by = _read_paused(paused)

    # the till

    def admit(self, candidate: Candidate) -> Ticket | Turned:
        """See `Till`."""
        now = self.clock()
        route, ask, who = candidate.route, candidate.ask, candidate.who
        upstream = route.upstream
        billing = "subscription" if who.subscription and upstream.billing == "api" else upstream.billing
        pricer = Pricer(self._book, upstream.provider, now, free=billing == "free")
        expected_nusd, worst_nusd = pricer.expect(ask)
        opening = Opening(
            id=self.ledger.next_request_id(),
            admitted_at=now,
            upstream=upstream.name,
            provider=upstream.provider,
            dialect=upstream.dialect,
            billing=billing,
            method=candidate.method,
            path=_text(route.path),
            model=ask.model,
            user=who.user,
            project=who.project,
            session=who.session,
            key=who.key,
            client=who.client,
            stream=ask.stream,
            request_bytes=candidate.request_bytes,
            reserved_nusd=expected_nusd,
            worst_nusd=worst_nusd,
        )
        if self.paused_at is not None and billing != "free":
            return self._turn_away(opening, now, "Spending is paused on this machine. " + RESUME_ADVICE)
        reservation = None
        if billing == "api" or (billing == "subscription" and self._budget.count_subscription):
            decision = self.guard.admit(expected_nusd, now)
            if isinstance(decision, Refused):
                self.changed("limits")
                return self._turn_away(opening, now, self._why_refused(decision))
            reservation = decision
        ticket = Ticket(opening.id, candidate, self.ledger.reserve(opening), now)
        self.in_flight[opening.id] = Entry(ticket, opening, reservation, pricer)
        self.changed("in_flight", "limits")
        return ticket

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """See `Till`."""
        entry = self.in_flight.pop(ticket.id, None)
        if entry is None:
            return
        now = self.clock()
        if outcome == "failed":
            closing = Closing(settled_at=now, outcome=outcome, basis="")
        else:
            closing = _closing(ticket, entry.cost(outcome), outcome, now)
        alerts: tuple[AlertRow, ...] = ()
        if entry.reservation is not None:
            alerts = self._alerts(self.guard.settle(entry.reservation, closing.cost_nusd), now)
        if not _never_recorded(ticket):
            self.ledger.settle(entry.opening, closing, alerts)
        if closing.cost_nusd:
            self.burn.add(now, closing.cost_nusd)
        self.changed("in_flight", "limits", "burn", "spending")

    # steering

    def configure(self, budget: Budget) -> None:
        """Put other limits in force; thresholds that are passed already fire now."""
        now = self.clock()
        self.ledger.flush()
        self._budget = budget
        self.guard.configure(budget.limits, now, self.spent_between, self._fired)
        alerts = self._alerts([each for window in self.guard.windows for each in crossings(window)], now)
        if alerts:
            self.ledger.fire(alerts)
        self.changed("limits")

    def warn_of_config(self, error: str) -> None:
        """Fire the alert that a changed file is not in force."""
        self._fire(config_alert(error, self.ledger.next_alert_id(), self.clock()))

    def pause(self, by: str) -> None:
        """Refuse whatever can cost, until resumed; outlives the daemon. Raises LedgerError."""
        if self.paused_at is None:
            now = self.clock()
            self.ledger.write("insert or replace into meta values ('paused', ?)", (f"{now} {by}",))
            self.paused_at, self.paused_by = now, by
            self.changed("daemon")

    def resume(self) -> None:
        """Admit again. Raises LedgerError."""
        if self.paused_at is not None:
            self.ledger.write("delete from meta where key = 'paused'")
            self.paused_at, self.paused_by = None, ""
            self.changed("daemon")

    def roll(self) -> None:
        """Open the windows that have begun. To be called every second."""
        if self.guard.roll(self.clock()):
            self.changed("limits", "burn", "spending")

    def spent_between(self, since: float, until: float) -> int:
        """Nanodollars that count against limits, by requests admitted in [since, until)."""
        return queries.spent_between(
            self.ledger.db, since, until, subscription=self._budget.count_subscription
        )

    # inside

    def _fired(self, limit: str, window_starts_at: float) -> set[int]:
        return queries.fired_thresholds(self.ledger.db, limit, window_starts_at)

    def _alerts(self, passed: list[Crossing], now: float) -> tuple[AlertRow, ...]:
        if not passed:
            return ()
        alerts = tuple(threshold_alert(each, self.ledger.next_alert_id(), now) for each in passed)
        self.board.post(alerts)
        self.changed("alerts")
        return alerts

    def _turn_away(self, opening: Opening, now: float, message: str) -> Turned:
        opening = msgspec.structs.replace(opening, reserved_nusd=0)
        self.ledger.record_refusal(opening, Closing(settled_at=now, outcome="refused", basis=""))
        return Turned(message)

    def _why_refused(self, refused: Refused) -> str:
        window = refused.window
        limit = window.limit
        left = limit.limit_nusd - window.spent_nusd - window.reserved_nusd
        resets = datetime.fromtimestamp(window.ends_at, UTC).astimezone(self.zone)
        reserved = f" and {format_usd(window.reserved_nusd)} reserved by requests in flight"
        return (
            f"The {limit.name} limit of {format_usd(limit.limit_nusd)} has no room for this request:"
            f" {format_usd(window.spent_nusd)} spent{reserved if window.reserved_nusd else ''},"
            f" {format_usd(max(0, left))} left, about {format_usd(refused.amount_nusd)} needed."
            f" It resets on {resets:%a %d %b at %H:%M}."
            " To raise it, press e in budgettop or edit budget.toml."
        )

    def _recover(self, now: float) -> None:
        """Count what was in flight when the last daemon was killed, at what was expected of it."""
        left = queries.open_requests(self.ledger.db)
        if not left:
            return
        for opening in left:
            closing = Closing(
                settled_at=now, outcome="recovered", basis="recovered", cost_nusd=opening.reserved_nusd
            )
            self.ledger.settle(opening, closing)
        cost_nusd = sum(opening.reserved_nusd for opening in left)
        self._fire(recovered_alert(len(left), cost_nusd, self.ledger.next_alert_id(), now))
        self.ledger.flush()

    def _fire(self, alert: AlertRow) -> None:
        """An alert that no settlement caused."""
        self.board.post((alert,))
        self.ledger.fire((alert,))
        self.changed("alerts")


MAX_TEXT = 200
"""Characters of a path or a model's name that are kept."""

RESUME_ADVICE = "To resume, press space in budgettop or run `budgetd resume`."


def _closing(ticket: Ticket, cost: Cost, outcome: Outcome, now: float) -> Closing:
    usage = cost.usage
    return Closing(
        settled_at=now,
        outcome=outcome,
        basis=cost.basis,
        status=ticket.status,
        cost_nusd=cost.nusd,
        model_billed=cost.model,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        web_searches=usage.web_searches,
        price_id=cost.price_id,
        ttft_seconds=ticket.ttft_seconds,
        duration_seconds=ticket.duration_seconds,
        response_bytes=ticket.response_bytes,
        provider_request_id=ticket.provider_request_id,
    )


def _text(text: str) -> str:
    """A name for the record: bounded, and valid Unicode whatever bytes it was made from."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode() if not text.isascii() else text[:MAX_TEXT]


def _never_recorded(ticket: Ticket) -> bool:
    """The commit of its reservation failed, so there is no row to settle."""
    committed = ticket.committed
    return committed.done() and not committed.cancelled() and committed.exception() is not None


def _read_paused(text: str | None) -> tuple[float | None, str]:
    if text is None:
        return None, ""
    at, _, by = text.partition(" ")
    return float(at), by
