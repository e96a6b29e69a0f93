"""Amounts as people write them and as they are shown."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetwire.money import (
    MAX_USD,
    NUSD_PER_CENT,
    NUSD_PER_USD,
    cents_to_nusd,
    exact_cents,
    exact_usd,
    format_usd,
    parse_usd,
)


@pytest.mark.parametrize(
    ("nusd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (123, "$0.00000012"),
        (4_200_000, "$0.0042"),
        (4_000_000, "$0.004"),
        (9_960_000, "$0.01"),
        (14_400_000, "$0.014"),
        (60_000_000, "$0.06"),
        (99_600_000, "$0.10"),
        (310_000_000, "$0.31"),
        (994_999_999, "$0.99"),
        (995_000_000, "$1.00"),
        (4_200_000_000, "$4.20"),
        (71_300_000_000, "$71.30"),
        (999_994_999_999, "$999.99"),
        (999_995_000_000, "$1,000"),
        (1_204_490_000_000, "$1,204"),
        (1_234_567_890_000_000, "$1,234,568"),
        (-4_200_000_000, "-$4.20"),
    ],
)
def test_an_amount_is_shown_with_the_digits_that_matter(nusd, text):
    assert format_usd(nusd) == text


@pytest.mark.parametrize(
    ("text", "nusd"),
    [
        ("4.20", 4_200_000_000),
        ("$4.20", 4_200_000_000),
        (" $ 4.2 ", 4_200_000_000),
        ("1,204", 1_204_000_000_000),
        ("1,204,000.5", 1_204_000_500_000_000),
        (".05", 50_000_000),
        ("5.", 5_000_000_000),
        ("0", 0),
        ("000000000000007", 7_000_000_000),
        ("0.000000001", 1),
        ("1000000000", MAX_USD * NUSD_PER_USD),
    ],
)
def test_amounts_are_read_as_people_write_them(text, nusd):
    assert parse_usd(text) == nusd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$",
        ".",
        ",",
        "4,20",
        "1,2,3",
        "12,34,567",
        "1e3",
        "nan",
        "five",
        "-5",
        "$-5",
        "--",
        "4.2.0",
        "٤",
        "1 000",
        "0.0000000001",
        "1000000000.01",
        "9" * 10_000,
    ],
)
def test_what_is_no_amount_is_told_in_a_sentence(text):
    with pytest.raises(ValueError, match=r"^[A-Z'].{10,100}\.$"):
        parse_usd(text)


@given(st.integers(0, MAX_USD * NUSD_PER_USD))
def test_a_shown_amount_reads_back_as_nearly_the_same(nusd):
    shown = parse_usd(format_usd(min(nusd, MAX_USD * NUSD_PER_USD)))
    bound = NUSD_PER_USD if nusd >= 999 * NUSD_PER_USD else max(nusd // 10, 0)
    assert abs(shown - nusd) <= bound


@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert parse_usd(text) >= 0


def test_a_cent_is_ten_million_nanodollars():
    assert cents_to_nusd(5) == 5 * NUSD_PER_CENT == 50_000_000
    assert NUSD_PER_USD == 100 * NUSD_PER_CENT


@pytest.mark.parametrize(
    ("nusd", "dollars", "cents"),
    [(0, "0", "0"), (1, "0.000000001", "0.0000001"), (3_125_000, "0.003125", "0.3125"),
     (4_200_000_000, "4.2", "420"), (-15_000_000, "-0.015", "-1.5")],
)  # fmt: skip
def test_amounts_for_programs_are_exact(nusd: int, dollars: str, cents: str) -> None:
    assert (exact_usd(nusd), exact_cents(nusd)) == (dollars, cents)


@given(st.integers(-(2**63), 2**63))
def test_an_exact_amount_reads_back(nusd: int) -> None:
    assert Decimal(exact_usd(nusd)) * 10**9 == nusd
    assert Decimal(exact_cents(nusd)) * 10**7 == nusd
