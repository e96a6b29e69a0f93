"""An invoice and a real ledger: what is entered of the difference, and what is told."""

from pathlib import Path

import pytest

from budgetd.reconcile.invoice import Invoice, Line
from budgetd.reconcile.reckoning import Reckoning, reckon
from reconcile.cases import BOOK, DAY, TODAY
from reconcile.seeded import Spent, seed

YESTERDAY, MODEL = "2026-11-22", "claude-sonnet-5"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """60 cents a day."""
    seed(tmp_path / "ledger.db", [Spent(day, MODEL) for day in ("2026-11-15", DAY, YESTERDAY)])
    return tmp_path / "ledger.db"


def reckoned(ledger: Path, **billed: int) -> Reckoning:
    """With this many cents billed on two days."""
    lines = [Line(day=day, model=MODEL, nusd=billed[which] * 10**7) for which, day in
             (("day", DAY), ("yesterday", YESTERDAY))]  # fmt: skip
    invoice = Invoice(
        provider="anthropic", source="test", days=frozenset((DAY, YESTERDAY)), lines=tuple(lines)
    )
    return reckon(invoice, ledger, BOOK, DAY, YESTERDAY, TODAY)


def test_what_is_not_complete_yet_is_shown_but_neither_entered_nor_told(ledger: Path) -> None:
    reckoning = reckoned(ledger, day=60, yesterday=7)
    assert [cause.kind for cause in reckoning.causes] == ["agrees", "late"]
    assert reckoning.drift_nusd == -53 * 10**7
    assert reckoning.corrections == []
    assert not reckoning.exceeds(0)


def test_what_is_complete_is_entered_and_told_whatever_is_not(ledger: Path) -> None:
    reckoning = reckoned(ledger, day=113, yesterday=7)
    assert reckoning.drift_nusd == 0
    assert [(each.day, each.invoice_nusd) for each in reckoning.corrections] == [(DAY, 113 * 10**7)]
    assert reckoning.exceeds(46.8)
    assert not reckoning.exceeds(47)


def test_what_a_line_without_an_amount_bills_is_not_entered_as_nothing(ledger: Path) -> None:
    invoice = Invoice(
        provider="anthropic",
        source="test",
        days=frozenset((DAY,)),
        lines=(
            Line(day=DAY, model=MODEL, nusd=10**7, what="input"),
            Line(day=DAY, model=MODEL, nusd=0, what="output", amount_missing=True),
        ),
    )
    reckoning = reckon(invoice, ledger, BOOK, DAY, DAY, TODAY)
    assert [cause.kind for cause in reckoning.causes] == ["unread"]
    assert "without an amount: output" in reckoning.causes[0].evidence
    assert reckoning.corrections == []
