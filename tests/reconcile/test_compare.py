"""An invoice held against the ledger's sums, by UTC day and model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Usage
from budgetd.reconcile.compare import Comparison, compare
from budgetd.reconcile.days import day_of, days_between, following, starts_at
from budgetd.reconcile.invoice import Invoice, Line
from budgetd.reconcile.models import family
from budgetd.reconcile.wording import percent, signed
from reconcile.cases import USD, portion

DAYS = days_between("2026-11-16", "2026-11-19")


def invoice(*lines: Line, days: list[str] | None = None, provider: str = "openai") -> Invoice:
    accounted = frozenset(DAYS if days is None else days)
    return Invoice(provider=provider, source="test", days=accounted, lines=lines)


def line(day: str, model: str, nusd: int) -> Line:
    return Line(day=day, model=model, nusd=nusd)


def spent(day: str, model: str, nusd: int, **more: object) -> object:
    return portion(Usage(), day=day, cost=nusd, model=model, **more)


def sums(comparison: Comparison) -> list[tuple[str, str, int, int]]:
    return [(row.day, row.model, row.ledger_nusd, row.invoice_nusd) for row in comparison.rows]


# names


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("gpt-5.4-2026-03-05", "gpt-5.4"),
        ("GPT-5.4 ", "gpt-5.4"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("openai/gpt-4.1-2025-04-14", "openai/gpt-4.1"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("claude-opus-4-8", "claude-opus-4-8"),
        ("command-r-2024-13-99", "command-r-2024-13-99"),
    ],
)
def test_snapshots_go_by_the_name_of_their_model(name: str, same_as: str) -> None:
    assert family(name) == same_as


@given(
    st.text(max_size=40)
    | st.from_regex(r"gpt(-?[@-]20[0-9]{2}-?[01][0-9]-?[0-3][0-9]){1,3} ?", fullmatch=True)
)
def test_the_name_of_a_name_is_itself(name: str) -> None:
    assert family(family(name)) == family(name)


# days and models


def test_lines_and_requests_of_a_day_and_model_are_added_up() -> None:
    found = compare(
        invoice(
            line(DAYS[0], "gpt-5.4", 2), line(DAYS[0], "gpt-5.4", 3), line(DAYS[1], "gpt-5.4", 4),
            line(DAYS[0], "", 7),
        ),
        [
            spent(DAYS[0], "gpt-5.4", 10, model_billed="gpt-5.4-2026-03-05"),
            spent(DAYS[0], "gpt-5.4-2026-03-05", 20), spent(DAYS[0], "o3", 30),
        ],
        DAYS,
    )  # fmt: skip
    assert sums(found) == [
        (DAYS[0], "", 0, 7),
        (DAYS[0], "gpt-5.4", 30, 5),
        (DAYS[0], "o3", 30, 0),
        (DAYS[1], "gpt-5.4", 0, 4),
    ]
    assert (found.ledger_nusd, found.invoice_nusd) == (60, 16)


def test_a_day_without_a_bucket_is_not_compared() -> None:
    found = compare(invoice(days=DAYS[1:]), [spent(DAYS[0], "o3", USD), spent(DAYS[1], "o3", USD)], DAYS)
    assert found.missing == (DAYS[0],)
    assert sums(found) == [(DAYS[1], "o3", USD, 0)]


def test_a_day_that_nobody_asked_for_is_left_out() -> None:
    early = following(DAYS[0], -1)
    found = compare(invoice(line(early, "o3", USD), days=[early, *DAYS]), [], DAYS)
    assert (found.rows, found.missing) == ((), ())


def test_a_subscription_is_on_no_invoice() -> None:
    found = compare(invoice(), [spent(DAYS[0], "o3", USD, billing="subscription")], DAYS)
    assert (found.rows, found.subscription_nusd) == ((), USD)


def test_corrections_are_part_of_what_the_ledger_says_but_no_requests() -> None:
    found = compare(
        invoice(line(DAYS[0], "o3", 5)),
        [spent(DAYS[0], "o3", 3), spent(DAYS[0], "o3", 2, basis="corrected", requests=1)],
        DAYS,
    )
    (row,) = found.rows
    assert (row.drift_nusd, row.count, row.estimated_nusd) == (0, 10, 0)


def test_a_tier_that_the_invoice_leaves_out_is_compared_on_neither_side() -> None:
    found = compare(
        invoice(line(DAYS[0], "claude-opus-4-8", 4), provider="anthropic"),
        [
            spent(DAYS[0], "claude-opus-4-8", 4, service_tier="standard"),
            spent(DAYS[0], "claude-opus-4-8", 60, service_tier="priority"),
            spent(DAYS[1], "claude-opus-4-8", 7, service_tier="priority"),
            spent(DAYS[1], "claude-opus-4-8", 500, service_tier="priority", billing="subscription"),
        ],
        DAYS,
    )
    assert sums(found) == [(DAYS[0], "claude-opus-4-8", 4, 4)]
    assert (found.left_out_nusd, found.subscription_nusd) == (67, 500)


def test_another_provider_bills_that_tier_with_the_rest() -> None:
    found = compare(
        invoice(line(DAYS[0], "gpt-5.4", 60)), [spent(DAYS[0], "gpt-5.4", 60, service_tier="priority")], DAYS
    )
    assert sums(found) == [(DAYS[0], "gpt-5.4", 60, 60)]
    assert found.left_out_nusd == 0


def test_a_credit_is_told_apart_from_what_is_billed() -> None:
    credit = line(DAYS[0], "", -5 * USD)
    refund = line(DAYS[1], "o3", -USD)
    found = compare(
        invoice(credit, line(DAYS[1], "o3", 3 * USD), refund, line(following(DAYS[0], -9), "", -USD)),
        [spent(DAYS[1], "o3", 3 * USD)],
        DAYS,
    )
    assert sums(found) == [(DAYS[1], "o3", 3 * USD, 3 * USD)]
    assert found.credits == (credit, refund)


@pytest.mark.parametrize(
    ("known_as", "row"),
    [
        ("anthropic/claude-4.5-sonnet-20250929", "anthropic/claude-4.5-sonnet"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"),
        ("openai/o3", "anthropic/claude-4.5-sonnet"),
    ],
)
def test_a_line_with_two_names_goes_by_the_one_that_the_ledger_has(known_as: str, row: str) -> None:
    billed = Line(
        day=DAYS[0],
        model="anthropic/claude-4.5-sonnet-20250929",
        alias="anthropic/claude-sonnet-4.5",
        nusd=5,
    )
    found = compare(invoice(billed, provider="openrouter"), [spent(DAYS[0], known_as, 4)], DAYS)
    assert (DAYS[0], row, 0 if known_as == "openai/o3" else 4, 5) in sums(found)


def test_a_line_without_an_amount_is_a_row_even_where_nothing_else_is() -> None:
    found = compare(invoice(Line(day=DAYS[0], model="o3", nusd=0, amount_missing=True)), [], DAYS)
    assert sums(found) == [(DAYS[0], "o3", 0, 0)]


# how it is written


@pytest.mark.parametrize(
    ("nusd", "of", "says"),
    [
        (0, 0, "0.0 %"),
        (5, 0, "-"),
        (1, 3, "+33.3 %"),
        (-1, 3, "-33.3 %"),
        (2, 3, "+66.7 %"),
        (1, 100_000, "0.0 %"),
        (15, -10, "+150.0 %"),
        (50_000, 10, "+500,000.0 %"),
    ],
)
def test_a_part_is_told_to_a_tenth_of_a_per_cent(nusd: int, of: int, says: str) -> None:
    assert percent(nusd, of) == says


def test_a_difference_says_which_way() -> None:
    assert [signed(nusd) for nusd in (3 * USD // 2, 0, -USD // 2)] == ["+$1.50", "$0.00", "-$0.50"]


def test_days_are_utc_whatever_the_machine_thinks() -> None:
    assert starts_at("2026-11-16") == 1_794_787_200
    assert day_of(1_794_787_199.9) == "2026-11-15"
    assert days_between("2026-02-28", "2026-03-01") == ["2026-02-28", "2026-03-01"]
