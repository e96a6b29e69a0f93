"""Days where the clock is odd: whatever the zone does with its midnight, a day ends there and counts its own.

The accounts run in this process, on a real ledger, with a clock that the test sets.
"""

import random
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
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
from budgetd.proxy.till import Candidate, Held, Ticket, Turned
from budgetd.steering import Steering

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

    async def admit(self, project: str = "") -> Ticket:
        """Of a request for which there is room."""
        who = msgspec.structs.replace(NOBODY, project=project)
        decided = self.accounts.admit(
            Candidate(route=ROUTE, who=who, ask=ASK, method="POST", request_bytes=350)
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

    async def spend(self, project: str = "") -> int:
        return self.settle(await self.admit(project))

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


# a clock that is far off

DAY = 86400.0
MONDAY = instant("2026-11-23T12:00Z")


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """It is noon, and the day's limit is far away."""
    books = Books(tmp_path, "UTC", MONDAY)
    books.limit = msgspec.structs.replace(books.limit, limit_nusd=10**12, thresholds_pct=(50,))
    books.restart()
    return books


def counters(books: Books) -> list[tuple]:
    """All that limits go by."""
    return sorted(
        (each.limit.name, each.subject, each.starts_at, each.ends_at or 0, each.spent_nusd, each.granted_nusd)
        for each in books.accounts.guard.windows
    )


def clock_alerts(books: Books) -> list[tuple[str, str]]:
    """Those that are not over."""
    found = books.accounts.desk.board.open_of("clock")
    return [(alert.severity, alert.subject) for alert in found]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_jump_ahead_that_is_taken_back_leaves_nothing(books: Books, restarted: bool) -> None:
    before = await books.spend()
    books.set_clock(MONDAY + 30 * DAY)
    assert books.daily.spent_nusd == 0
    meanwhile = await books.spend()
    books.now = MONDAY + 5
    if restarted:
        books.restart()
    books.set_clock(MONDAY + 5)
    assert (books.daily.starts_at, books.daily.spent_nusd) == (MONDAY - DAY / 2, before + meanwhile)
    assert books.spent_between(MONDAY - DAY / 2, MONDAY + DAY / 2) == before + meanwhile
    assert books.spent_between(MONDAY + DAY / 2, MONDAY + 60 * DAY) == 0
    assert clock_alerts(books) == [("warning", "")]
    later = await books.spend()
    books.restart()
    assert books.daily.spent_nusd == before + meanwhile + later


async def test_a_clock_that_was_never_right_before_is_believed_at_the_next_start(tmp_path: Path) -> None:
    books = Books(tmp_path, "UTC", MONDAY + 30 * DAY)
    cost = await books.spend()
    books.set_clock(MONDAY)
    assert books.daily.starts_at == MONDAY + 30 * DAY - DAY / 2
    assert books.is_full()
    assert clock_alerts(books) == [("critical", "behind")]
    books.restart()
    books.set_clock(MONDAY)
    assert (books.daily.starts_at, books.daily.spent_nusd) == (MONDAY - DAY / 2, cost)
    assert books.is_full()
    assert clock_alerts(books) == [("warning", "")]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("off", [2 * DAY, 3 * DAY, 300 * DAY], ids=["2 days", "3 days", "300 days"])
async def test_a_clock_that_is_set_back_for_a_while_opens_no_cap(
    tmp_path: Path, off: float, restarted: bool
) -> None:
    books = Books(tmp_path, "UTC", MONDAY - 5 * DAY)
    for _ in range(5):
        await books.spend()
        books.set_clock(books.now + DAY)
    await books.spend()

    def at(now: float) -> None:
        books.now = now
        if restarted:
            books.restart()
        books.set_clock(now)

    at(MONDAY - off)
    assert books.daily.starts_at == MONDAY - DAY / 2
    assert books.is_full()  # which is recorded as of the clock
    at(books.now + 1)
    assert books.is_full()
    assert clock_alerts(books) == [("critical", "behind")]
    at(MONDAY + 10)
    assert books.is_full()
    assert clock_alerts(books) == []
    books.set_clock(MONDAY + DAY)
    assert not books.is_full()


async def test_a_pause_of_days_before_the_clock_is_set_back_opens_no_cap(tmp_path: Path) -> None:
    books = Books(tmp_path, "UTC", MONDAY - 5 * DAY)
    await books.spend()
    for _ in range(5 * 24):
        books.set_clock(books.now + HOUR)
    await books.spend()
    books.set_clock(MONDAY - 2 * DAY)
    assert books.is_full()
    books.set_clock(MONDAY)
    assert books.is_full()


async def test_what_is_in_flight_while_the_clock_is_ahead_counts_when_it_is_right(books: Books) -> None:
    before = await books.admit()
    reserved = books.daily.reserved_nusd
    books.set_clock(MONDAY + 30 * DAY)
    meanwhile = await books.admit()
    books.set_clock(MONDAY + 5)
    assert books.daily.reserved_nusd == 2 * reserved
    assert meanwhile.started_at == MONDAY + 5
    cost = books.settle(before) + books.settle(meanwhile)
    assert (books.daily.spent_nusd, books.daily.reserved_nusd) == (cost, 0)
    assert books.spent_between(MONDAY - DAY / 2, MONDAY + DAY / 2) == cost
    books.restart()
    assert books.daily.spent_nusd == cost


async def test_what_a_kill_cut_while_the_clock_was_ahead_counts_when_it_is_right(books: Books) -> None:
    await books.spend()
    spent = books.daily.spent_nusd
    books.set_clock(MONDAY + 30 * DAY)
    await books.admit()
    reserved = books.daily.reserved_nusd
    books.now = MONDAY + 5
    books.restart()
    assert books.daily.spent_nusd == spent + reserved
    assert books.spent_between(MONDAY - DAY / 2, MONDAY + DAY / 2) == spent + reserved


async def test_a_grant_that_was_made_while_the_clock_was_ahead_holds_now(books: Books) -> None:
    await books.spend()
    books.set_clock(MONDAY + 30 * DAY)
    Steering(books.accounts).grant("daily", "", 1000)
    books.set_clock(MONDAY + 5)
    assert books.daily.granted_nusd == 1000
    books.restart()
    assert books.daily.granted_nusd == 1000


async def test_an_hours_burn_is_shown_again_after_a_jump(books: Books) -> None:
    first = await books.spend()
    books.set_clock(MONDAY + 30 * DAY)
    second = await books.spend()
    assert sum(books.accounts.burn.minutes(books.now)) == second
    books.set_clock(MONDAY + 5)
    assert sum(books.accounts.burn.minutes(books.now)) == first + second


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_thresholds_fire_for_the_day_that_it_is(tmp_path: Path, restarted: bool) -> None:
    books = Books(tmp_path, "UTC", MONDAY)
    cost = await books.spend()
    books.limit = msgspec.structs.replace(
        books.limit, limit_nusd=2 * cost, thresholds_pct=(50, 90), on_exceed="alert"
    )
    books.restart()

    def firing() -> list[tuple[str, int, str]]:
        kept = books.accounts.desk.board.kept()
        return [
            (alert.rule, alert.threshold_pct, "now" if alert.window_starts_at < MONDAY else "ahead")
            for alert in kept
            if alert.limit == "daily" and alert.resolved_at is None
        ]

    def tick() -> None:
        accounts = books.accounts
        accounts.desk.tick(accounts.budget.limits, accounts.guard, accounts.burn)

    assert firing() == [("threshold", 50, "now")]
    books.set_clock(MONDAY + 30 * DAY)
    tick()
    assert firing() == []
    await books.spend()
    assert firing() == [("threshold", 50, "ahead")]
    books.now = MONDAY + 5
    if restarted:
        books.restart()
    books.set_clock(MONDAY + 5)
    tick()
    assert firing() == [("cap", 100, "now")]
    assert all(alert.fired_at <= books.now for alert in books.accounts.desk.board.kept())
    books.set_clock(MONDAY + 30 * DAY)  # and when that day has come, it is a day like any other
    tick()
    await books.spend()
    assert firing() == [("threshold", 50, "ahead")]


async def test_what_is_held_waits_no_longer_than_its_limit_says(books: Books) -> None:
    books.limit = msgspec.structs.replace(books.limit, limit_nusd=0, on_exceed="hold", hold_seconds=60)
    books.restart()
    books.set_clock(MONDAY + 30 * DAY)
    held = books.accounts.admit(Candidate(route=ROUTE, who=NOBODY, ask=ASK, method="POST", request_bytes=350))
    assert isinstance(held, Held)
    books.set_clock(MONDAY)
    assert not held.decided.done()
    books.set_clock(MONDAY + 60)
    assert isinstance(held.decided.result(), Turned)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_clock_did_going_on_counts_as_a_restart_would(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    books = Books(tmp_path, "America/New_York", MONDAY)
    limits = (
        Limit("daily", "day", 10**12),
        Limit("weekly", "week", 10**12, per="project"),
        Limit("rolling", "5h", 10**12),
        Limit("ever", "total", 10**12),
    )

    def restart() -> None:
        books.restart()
        books.accounts.configure(Budget(limits=limits))

    restart()
    right = MONDAY
    for _ in range(12):
        right += rng.choice([1, 60, HOUR, 9 * HOUR])
        books.set_clock(right)
        await books.spend(rng.choice(["", "acme", "notes"]))
        jumps = rng.random() < 0.5
        if jumps:
            books.set_clock(right + rng.choice([2, 3, 9, 40, 400]) * DAY + rng.uniform(0, DAY))
            for _ in range(rng.randrange(3)):
                await books.spend(rng.choice(["", "acme", "notes"]))
                books.set_clock(books.now + rng.choice([0.5, 600]))
            if rng.random() < 0.3:
                Steering(books.accounts).grant("daily", "", 500)
            books.set_clock(right)
        running = counters(books)
        total = sum(each[4] for each in running if each[0] == "ever")
        assert books.spent_between(0, right + 1) == total
        restart()
        again = counters(books)
        if not jumps:  # a rolling window may let go later after a restart
            running, again = ([each for each in these if each[0] != "rolling"] for these in (running, again))
        assert again == running
