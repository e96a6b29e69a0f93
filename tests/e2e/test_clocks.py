"""Days where the clock is odd: whatever the zone does with its midnight, a day ends there and counts its own.

The accounts run in this process, on a real ledger, with a clock that the test sets.
"""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from budgetd.accounts import Accounts
from budgetd.attribution.who import Who
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget
from budgetd.config import WELL_KNOWN
from budgetd.ledger import queries
from budgetd.ledger.writer import Ledger
from budgetd.metering import Ask, meter
from budgetd.pricing.book import load_book
from budgetd.pricing.pricer import Pricer
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Candidate, Ticket, Turned

BOOK = load_book()
NOBODY = Who(user="", project="", session="", key="", client="", subscription=False)
ROUTE = Route(WELL_KNOWN["anthropic"], "/v1/messages", "/v1/messages", "anthropic.messages", billable=True)
ASK = Ask(model="claude-haiku-4-5", output_cap=1000, body_bytes=350)
ANSWER = (
    b'{"id":"msg_1","type":"message","model":"claude-haiku-4-5","content":[],'
    b'"usage":{"input_tokens":1000,"output_tokens":100}}'
)
HOUR = 3600.0


def instant(text: str) -> float:
    """UTC epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


DAYS = {
    "New York, 23 hours": ("America/New_York", "2026-03-08T05:00Z", "2026-03-09T04:00Z"),
    "New York, 25 hours": ("America/New_York", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    "Lord Howe, 24.5 hours": ("Australia/Lord_Howe", "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
    "Lord Howe, 23.5 hours": ("Australia/Lord_Howe", "2026-10-03T13:30Z", "2026-10-04T13:00Z"),
    "Apia, the day before none": ("Pacific/Apia", "2011-12-29T10:00Z", "2011-12-30T10:00Z"),
    "Apia, the day after none": ("Pacific/Apia", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
    "Santiago, no midnight": ("America/Santiago", "2026-09-06T04:00Z", "2026-09-07T03:00Z"),
    "Cairo, no midnight": ("Africa/Cairo", "2026-04-23T22:00Z", "2026-04-24T21:00Z"),
}
"""A zone, and when a day of it begins and ends."""

each_day = pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [(zone, instant(begins), instant(ends)) for zone, begins, ends in DAYS.values()],
    ids=DAYS,
)


class Books:
    """Accounts with a strict daily limit that has room for one request, and then none."""

    def __init__(self, folder: Path, zone: str, now: float) -> None:
        self._path = folder / "ledger.db"
        self._zone = ZoneInfo(zone)
        self.now = now
        worst = Pricer(BOOK, "anthropic", now, free=False).expect(ASK).worst_nusd
        assert worst is not None
        self.limit = Limit("daily", "day", worst, guarantee="strict")
        self.start()

    def start(self) -> None:
        self._ledger = Ledger(self._path)
        self.accounts = Accounts(
            self._ledger, BOOK, self._zone, clock=lambda: self.now, changed=lambda *_: None
        )
        self.accounts.configure(Budget(limits=(self.limit,)))

    def restart(self) -> None:
        """Die, and begin again with what is committed."""
        self._ledger.flush()
        self._ledger.db.close()
        self.start()

    @property
    def daily(self):
        (window,) = self.accounts.guard.windows
        return window

    async def admit(self) -> Ticket:
        """Of a request for which there is room."""
        decided = self.accounts.admit(
            Candidate(route=ROUTE, who=NOBODY, ask=ASK, method="POST", request_bytes=350)
        )
        assert isinstance(decided, Ticket)
        await decided.committed
        return decided

    def settle(self, ticket: Ticket) -> int:
        """Answered; what it cost."""
        ticket.status = 200
        ticket.meter = meter("anthropic.messages", "application/json")
        ticket.meter.feed(ANSWER)
        self.accounts.settle(ticket, "ok")
        self._ledger.flush()
        row = self._ledger.db.execute("select cost_nusd from requests where id = ?", (ticket.id,)).fetchone()
        return row[0]

    def spent_between(self, begins: float, ends: float) -> int:
        """What the ledger has on record."""
        self._ledger.flush()
        return queries.spent_between(self._ledger.db, begins, ends, subscription=True)

    async def spend(self) -> int:
        return self.settle(await self.admit())

    def is_full(self) -> bool:
        decided = self.accounts.admit(
            Candidate(route=ROUTE, who=NOBODY, ask=ASK, method="POST", request_bytes=350)
        )
        return isinstance(decided, Turned)

    def set_clock(self, now: float) -> None:
        """As it is told by and by, whichever way it goes."""
        self.now = now
        self.accounts.tick()


@each_day
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_day_is_full_until_its_own_end(
    tmp_path: Path, zone: str, begins: float, ends: float, restarted: bool
) -> None:
    books = Books(tmp_path, zone, begins - 1)

    def at(now: float) -> None:
        books.set_clock(now)
        if restarted:
            books.restart()

    await books.spend()
    assert books.is_full()
    at(begins)  # which is another day than the second before
    assert (books.daily.starts_at, books.daily.ends_at, books.daily.spent_nusd) == (begins, ends, 0)
    cost = await books.spend()
    for now in (begins + HOUR, (begins + ends) / 2, ends - HOUR, ends - 1):
        at(now)
        assert books.is_full()
        assert (books.daily.starts_at, books.daily.ends_at, books.daily.spent_nusd) == (begins, ends, cost)
    at(ends)
    assert (books.daily.starts_at, books.daily.spent_nusd) == (ends, 0)
    await books.spend()


@each_day
async def test_what_is_in_flight_over_midnight_counts_where_it_was_admitted(
    tmp_path: Path, zone: str, begins: float, ends: float
) -> None:
    books = Books(tmp_path, zone, begins)
    books.set_clock(ends - 1)
    ticket = await books.admit()
    books.set_clock(ends + 1)
    assert (books.daily.spent_nusd, books.daily.reserved_nusd) == (0, 0)
    cost = books.settle(ticket)
    assert books.daily.spent_nusd == 0
    assert books.spent_between(begins, ends) == cost
    await books.spend()
    books.restart()
    assert books.daily.spent_nusd == cost
    assert books.spent_between(begins, ends) == cost


@each_day
async def test_what_a_kill_cuts_over_midnight_counts_where_it_was_admitted(
    tmp_path: Path, zone: str, begins: float, ends: float
) -> None:
    books = Books(tmp_path, zone, begins)
    books.set_clock(ends - 1)
    await books.admit()
    books.set_clock(ends + 1)
    books.restart()
    assert (books.daily.spent_nusd, books.daily.reserved_nusd) == (0, 0)
    assert books.spent_between(begins, ends) == books.limit.limit_nusd
    await books.spend()


@each_day
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_clock_that_is_set_back_an_hour_does_not_reopen_yesterday(
    tmp_path: Path, zone: str, begins: float, ends: float, restarted: bool
) -> None:
    books = Books(tmp_path, zone, begins)
    books.set_clock(ends + 60)
    cost = await books.spend()
    books.set_clock(ends + 60 - HOUR)
    if restarted:
        books.restart()
    assert (books.daily.starts_at, books.daily.spent_nusd) == (ends, cost)
    assert books.is_full()
    for minutes in range(0, 90, 5):  # the same hour once more
        books.set_clock(ends + 60 - HOUR + minutes * 60)
        assert (books.daily.starts_at, books.daily.spent_nusd) == (ends, cost)
    assert books.is_full()


async def test_a_month_ends_with_its_last_local_day(tmp_path: Path) -> None:
    books = Books(tmp_path, "America/New_York", instant("2026-11-01T03:59Z"))
    books.limit = Limit("daily", "month", books.limit.limit_nusd, guarantee="strict")
    books.restart()
    await books.spend()
    assert books.is_full()
    books.set_clock(instant("2026-11-01T04:00Z"))
    cost = await books.spend()
    books.set_clock(instant("2026-12-01T04:59:59Z"))
    books.restart()
    assert books.is_full()
    assert books.daily.spent_nusd == cost
    books.set_clock(instant("2026-12-01T05:00Z"))
    assert books.daily.spent_nusd == 0
