"""The daemon's state as it is shown: from its own objects to the wire's."""

from collections.abc import Callable
from typing import TypeVar

from budgetd import blocks
from budgetd.accounts import Accounts
from budgetd.alerts.shown import to_wire
from budgetd.budget.burn import MINUTES
from budgetd.budget.counters import Window
from budgetd.budget.windows import day_before, window_bounds
from budgetd.case import Entry
from budgetd.errors import LedgerError
from budgetd.holds import Waiting
from budgetd.ledger import queries
from budgetd.ledger.problems import reading_errors
from budgetwire.messages import Alert, Block, Burn, Daemon, InFlight, Limit, Spend, Spending

SHOWN_SUBJECTS = 20

T = TypeVar("T")

_NO_BURN = Burn(
    nusd_per_hour=0,
    minutes_nusd=[0] * MINUTES,
    today_nusd=0,
    yesterday_nusd=0,
    month_nusd=0,
    month_forecast_nusd=None,
    requests_today=0,
)
_NO_SPENDING = Spending(project=[], model=[], user=[], session=[])


class DaemonViews:
    """Builds each part of the shown state on demand. See `budgetd.control.needs.Views`."""

    def __init__(self, accounts: Accounts) -> None:
        """The wiring fills in the address, and the errors as they come."""
        self._accounts = accounts
        self.listen = ""
        self.config_error = ""
        self.stopping_until: float | None = None
        self._past: dict[tuple[float, float], int] = {}
        self._past_state = (0.0, 0)

    def daemon(self) -> Daemon:
        """See `Views`."""
        accounts = self._accounts
        return Daemon(
            listen=self.listen,
            timezone=accounts.zone.key,
            paused_at=accounts.paused_at,
            paused_by=accounts.paused_by,
            config_error=self.config_error,
            ledger_error=accounts.ledger.failure,
            blocks=[_block(block) for block in accounts.blocks],
            stopping_until=self.stopping_until,
        )

    def limits(self) -> list[Limit]:
        """See `Views`."""
        return [self._limit(window) for window in self._accounts.guard.windows]

    def in_flight(self) -> list[InFlight]:
        """See `Views`."""
        accounts = self._accounts
        return [
            *map(_held, accounts.holds),
            *map(_in_flight, accounts.in_flight.values()),
        ]

    def alerts(self) -> list[Alert]:
        """See `Views`."""
        now = self._accounts.clock()
        return [to_wire(alert, now) for alert in self._accounts.desk.board.newest_first(now)]

    def burn(self) -> Burn:
        """See `Views`. Where the ledger cannot be read, the rest of the state is shown all the same."""
        return self._read(self._burn) or _NO_BURN

    def spending(self) -> Spending:
        """See `Views`; the same holds."""
        return self._read(self._spending) or _NO_SPENDING

    def _read(self, ask: Callable[[], T]) -> T | None:
        """What is asked of the ledger; None where it cannot be read."""
        ledger = self._accounts.ledger
        try:
            with reading_errors(ledger.path):
                answer = ask()
        except LedgerError as error:
            ledger.read_failure = str(error)
            return None
        ledger.read_failure = ""
        return answer

    def _burn(self) -> Burn:
        accounts = self._accounts
        now = accounts.now()
        day = window_bounds("day", now, accounts.zone)
        month = window_bounds("month", now, accounts.zone)
        today = self._spent(*day)
        with_plans = queries.spent_between(accounts.ledger.db, *day, subscription=True)
        month_nusd = today + self._spent_before(month[0], day[0])
        return Burn(
            nusd_per_hour=accounts.burn.per_hour(now),
            minutes_nusd=accounts.burn.minutes(now),
            today_nusd=today,
            yesterday_nusd=self._spent_before(*day_before(day[0], accounts.zone)),
            month_nusd=month_nusd,
            month_forecast_nusd=accounts.burn.month_forecast(month_nusd, month, now),
            requests_today=queries.requests_between(accounts.ledger.db, *day),
            today_plan_nusd=with_plans - today,
            plan_minutes_nusd=accounts.plan_burn.minutes(now),
        )

    def _spending(self) -> Spending:
        accounts = self._accounts
        day = window_bounds("day", accounts.now(), accounts.zone)

        def by(subject: str) -> list[Spend]:
            return queries.spending_by(accounts.ledger.db, subject, *day, SHOWN_SUBJECTS)

        return Spending(project=by("project"), model=by("model"), user=by("user"), session=by("session"))

    def _limit(self, window: Window) -> Limit:
        accounts, limit = self._accounts, window.limit
        now = accounts.now()
        return Limit(
            name=limit.name,
            window=limit.window,
            limit_nusd=limit.limit_nusd,
            spent_nusd=window.spent_nusd,
            reserved_nusd=window.reserved_nusd,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            thresholds_pct=list(limit.thresholds_pct),
            on_exceed=limit.on_exceed,
            subject=window.subject,
            per=limit.per or "",
            match={dimension: ", ".join(globs) for dimension, globs in limit.match},
            guarantee=limit.guarantee,
            headroom_nusd=limit.headroom_nusd,
            granted_nusd=window.granted_nusd,
            fallback_model=limit.fallback_model,
            paused=limit.name in accounts.guard.paused,
            forecast_nusd=accounts.burn.forecast(window, now),
            cap_at=accounts.burn.cap_at(window, now),
            refused=window.refused,
            unknown_nusd=window.withheld_nusd,
        )

    def _spent(self, since: float, until: float) -> int:
        """Money: what went over a plan is none."""
        return queries.spent_between(self._accounts.ledger.db, since, until, subscription=False)

    def _spent_before(self, since: float, until: float) -> int:
        """Spending of days that are over, asked for once a minute: little is added to them any more."""
        state = (self._accounts.now() // 60, self._accounts.restated)
        if state != self._past_state:
            self._past_state = state
            self._past.clear()
        span = (since, until)
        if span not in self._past:
            self._past[span] = self._spent(since, until)
        return self._past[span]


def _in_flight(entry: Entry) -> InFlight:
    ticket, opening = entry.ticket, entry.opening
    cost = entry.cost(None)
    return InFlight(
        id=ticket.id,
        started_at=ticket.started_at,
        phase=ticket.phase,
        upstream=opening.upstream,
        model=cost.model or opening.model,
        user=opening.user,
        project=opening.project,
        session=opening.session,
        client=opening.client,
        input_tokens=cost.usage.input_tokens,
        output_tokens=cost.usage.output_tokens,
        cost_nusd=cost.nusd,
        reserved_nusd=opening.reserved_nusd,
        asked_model=entry.case.replaced_model,
    )


def _held(waiting: Waiting) -> InFlight:
    case, limit = waiting.case, waiting.refused.window.limit
    return InFlight(
        id=case.id,
        started_at=waiting.since,
        phase="held",
        upstream=case.subject.upstream,
        model=case.subject.model,
        user=case.subject.user,
        project=case.subject.project,
        session=case.subject.session,
        client=case.subject.client,
        input_tokens=0,
        output_tokens=0,
        cost_nusd=0,
        reserved_nusd=waiting.refused.amount_nusd or 0,
        held_by=limit.name,
        held_subject=waiting.refused.window.subject,
        held_until=waiting.until,
    )


def _block(block: blocks.Block) -> Block:
    subject = block.subject
    return Block(
        request_id=block.request_id,
        by=block.by,
        at=block.at,
        until=block.until,
        upstream=subject.upstream,
        model=subject.model,
        user=subject.user,
        project=subject.project,
        session=subject.session,
        client=subject.client,
    )
