"""Taking back the last thing that a person did to a limit, with real accounts and a real file."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from budgetd.accounts import Accounts
from budgetd.budget.counters import Window
from budgetd.budget_file import BudgetFile
from budgetd.control.audit import Audit
from budgetd.control.errors import CommandError
from budgetd.control.limit_commands import LimitCommands
from budgetd.control.needs import Peer
from budgetd.control.undo import UndoCommands
from budgetd.ledger.writer import Ledger
from budgetd.pricing.book import load_book
from budgetd.steering import Steering
from budgetwire.messages import Grant, SetLimit, UndoLimit, UndoLimitReply

NOON = 1_795_435_200.0
DAY = 86_400.0
USD = 10**9
ADA = Peer(pid=1, uid=1000, name="ada")
BUDGET = """\
[budget]
daily_limit_cents = 1000

[[limits]]
name = "per project"
window = "day"
limit_cents = 500
per = "project"
"""


class Desk:
    """A daemon's limits, as a person steers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        (folder / "budget.toml").write_text(BUDGET)
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(self.folder / "ledger.db")
        self.accounts = Accounts(
            self.ledger,
            load_book(),
            ZoneInfo("UTC"),
            clock=lambda: self.now,
            changed=lambda *_: None,
        )
        self.file = BudgetFile(self.folder / "budget.toml")
        self.accounts.configure(self.file.load())
        steering, audit = Steering(self.accounts), Audit(self.ledger, lambda: self.now)
        put = self.accounts.configure
        self.limits = LimitCommands(self.accounts, steering, audit, self.file, put)
        self.undoing = UndoCommands(self.accounts, steering, audit, self.file, put)

    async def restart(self) -> None:
        await self.ledger.close()
        self.start()

    def edit(self, text: str) -> None:
        """As a person does by hand."""
        (self.folder / "budget.toml").write_text(text)
        self.accounts.configure(self.file.load())

    def set(self, cents: int | None, limit: str = "daily") -> None:
        self.limits.set(SetLimit(id=1, limit=limit, limit_cents=cents), ADA)

    def grant(self, cents: int, limit: str = "daily", subject: str = "") -> None:
        self.limits.grant(Grant(id=1, limit=limit, cents=cents, subject=subject), ADA)

    def undo(self, limit: str | None = None, *, allow_raise: bool = False) -> UndoLimitReply:
        return self.undoing.undo(UndoLimit(id=1, limit=limit, allow_raise=allow_raise), ADA)

    def window(self, limit: str = "daily", subject: str = "") -> Window:
        return self.accounts.guard.find(limit, subject, self.now)

    @property
    def cap(self) -> int:
        """Of daily, with what is granted, in cents."""
        return self.window().cap_nusd // 10**7

    def audit(self) -> list[tuple]:
        return self.ledger.db.execute(
            "select action, subject, before, after from audit order by id"
        ).fetchall()

    async def refused(self, limit: str | None = None) -> CommandError:
        before = self.audit(), (self.folder / "budget.toml").read_text(), self.accounts.guard.windows
        with pytest.raises(CommandError) as caught:
            self.undo(limit)
        assert before == (
            self.audit(), (self.folder / "budget.toml").read_text(), self.accounts.guard.windows
        )  # fmt: skip
        return caught.value


@pytest.fixture
async def desk(tmp_path: Path):
    desk = Desk(tmp_path)
    yield desk
    await desk.ledger.close()


# grants end with their limit


async def test_a_limit_that_is_removed_and_set_again_has_no_grant(desk: Desk) -> None:
    desk.grant(500)
    assert desk.cap == 1500
    desk.set(None)
    desk.set(1000)
    assert desk.cap == 1000
    await desk.restart()
    assert desk.cap == 1000


async def test_so_it_is_with_a_limit_that_is_removed_by_hand(desk: Desk) -> None:
    desk.grant(500)
    desk.edit("[budget]\nmonthly_limit_cents = 5\n")
    desk.edit(BUDGET)
    assert desk.cap == 1000
    desk.grant(200)
    await desk.ledger.close()
    (desk.folder / "budget.toml").write_text("")
    desk.start()
    desk.edit(BUDGET)
    await desk.restart()
    assert desk.cap == 1000


async def test_a_limit_that_stays_keeps_its_grants(desk: Desk) -> None:
    desk.grant(500)
    desk.set(2000)
    desk.set(100, "per project")
    desk.set(None, "per project")
    assert desk.cap == 2500
    await desk.restart()
    assert desk.cap == 2500


async def test_an_undone_removal_brings_back_the_limit_without_its_grants(desk: Desk) -> None:
    desk.grant(500)
    desk.set(None)
    reply = desk.undo()
    assert (reply.before_nusd, reply.after_nusd) == (None, 10 * USD)
    assert reply.message == "daily is a limit again, with a cap of $10.00."
    assert desk.cap == 1000


# undoing what lowers a cap


async def test_an_undo_of_a_raise_names_the_amounts(desk: Desk) -> None:
    desk.set(2000)
    assert desk.undo() == UndoLimitReply(
        limit="daily", action="set_limit", before_nusd=20 * USD, after_nusd=10 * USD,
        message="The cap of daily is $10.00 again; it was $20.00.",
    )  # fmt: skip
    assert desk.cap == 1000


async def test_an_undo_takes_back_a_grant_if_that_came_last(desk: Desk) -> None:
    desk.set(2000)
    desk.grant(300)
    desk.grant(500)
    assert desk.undo() == UndoLimitReply(
        limit="daily", action="grant", before_nusd=8 * USD, after_nusd=3 * USD,
        message="The grant of $5.00 to daily is taken back: it may spend $23.00 in this window; it was"
        " $28.00.",
    )  # fmt: skip
    assert desk.cap == 2300
    assert desk.audit()[-1] == ("undo_grant", "daily", str(8 * USD), str(3 * USD))
    await desk.restart()
    assert desk.cap == 2300


async def test_without_a_name_it_is_the_last_thing_done_to_any_limit(desk: Desk) -> None:
    await asyncio.sleep(0)
    desk.set(2000)
    desk.set(600, "per project")
    assert desk.undo("daily").limit == "daily"
    desk.set(700, "per project")
    assert desk.undo().message == "The cap of per project is $6.00 again; it was $7.00."


async def test_an_undo_of_a_few_cents_of_a_large_cap_shows_them(desk: Desk) -> None:
    desk.set(100_000)
    desk.set(100_007)
    assert desk.undo().message == "The cap of daily is $1,000.00 again; it was $1,000.07."


# undoing what raises a cap


async def test_an_undo_that_would_raise_a_cap_asks_first(desk: Desk) -> None:
    desk.set(500)
    error = await desk.refused()
    assert (error.code, error.field) == ("conflict", "allow_raise")
    assert error.message == "That would raise the cap of daily from $5.00 to $10.00."
    assert desk.cap == 500
    assert desk.undo(allow_raise=True).message == "The cap of daily is $10.00 again; it was $5.00."
    assert desk.cap == 1000


async def test_so_does_one_that_would_take_a_limit_away(desk: Desk) -> None:
    desk.set(30_000, "monthly")
    error = await desk.refused()
    assert error.message == "That would remove the limit monthly, whose cap is $300.00."
    assert desk.undo(allow_raise=True).message == "monthly is no limit any more; its cap was $300.00."


async def test_so_does_one_that_would_grant_again(desk: Desk) -> None:
    desk.grant(500)
    desk.undo()
    error = await desk.refused()
    assert (
        error.message == "That would grant $5.00 to daily again, which then may spend $15.00 in this window."
    )
    reply = desk.undo(allow_raise=True)
    assert (reply.action, reply.before_nusd, reply.after_nusd) == ("undo_grant", 0, 5 * USD)
    assert desk.cap == 1500
    desk.undo()
    assert desk.cap == 1000


async def test_so_does_an_undo_of_an_undone_raise(desk: Desk) -> None:
    desk.set(2000)
    desk.undo()
    assert (await desk.refused()).message == "That would raise the cap of daily from $10.00 to $20.00."


# what cannot be undone


async def test_a_grant_whose_window_is_over_is_not_taken_back_nor_what_came_before_it(desk: Desk) -> None:
    desk.set(2000)
    desk.grant(500)
    desk.now += DAY
    desk.accounts.tick()
    error = await desk.refused()
    assert (error.code, error.field) == ("not_found", "limit")
    assert error.message == (
        "The last thing done was to grant $5.00 to daily, and that has ended: nothing is left to take back."
    )


async def test_a_grant_to_one_counter_of_many_is_taken_back_from_that_one(desk: Desk) -> None:
    for project in ("acme", "acme / api"):
        window = desk.accounts.guard._rules["per project"].window_of(project, desk.now)
        desk.accounts.guard._rules["per project"].keep(window)
        desk.grant(100, "per project", project)
    desk.grant(50, "per project", "acme")
    reply = desk.undo("per project")
    assert (reply.limit, reply.subject) == ("per project", "acme")
    assert desk.window("per project", "acme").granted_nusd == USD
    desk.grant(50, "per project", "acme / api")
    assert desk.undo().subject == "acme / api"
    assert desk.window("per project", "acme / api").granted_nusd == USD


async def test_nothing_was_done_to_a_limit(desk: Desk) -> None:
    for limit in (None, "daily", "of nobody"):
        assert (await desk.refused(limit)).code == "not_found"
    desk.grant(100)
    assert (await desk.refused("per project")).code == "not_found"
