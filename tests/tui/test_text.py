"""Words and numbers fit where they are put."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from budgettop import text
from budgettop.widgets.spark import spark
from tui.states import NOW


@given(st.text(), st.integers(0, 60), st.booleans())
def test_a_fitted_text_takes_exactly_its_cells(words, width, right):
    assert cell_len(text.fit(words, width, right=right)) == width


@given(st.text(), st.integers(2, 60))
def test_wrapped_lines_stay_within_their_width_and_lose_nothing(words, width):
    lines = text.wrap(words, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.printable(words).replace(" ", "")


def test_a_per_cent_sign_stays_with_its_number():
    assert text.wrap("daily passed 50 % of it", 15) == ["daily passed", "50 % of it"]


@given(st.text())
def test_nothing_that_a_terminal_acts_upon_gets_through(words):
    assert text.printable(words).isprintable()


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0"), (999, "999"), (1_234, "1.2k"), (9_960, "10k"), (41_200, "41k"), (2_500_000, "2.5M")],
)
def test_token_counts_are_short(count, written):
    assert text.tokens(count) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(-1, "0:00"), (12, "0:12"), (724, "12:04"), (3_720, "1h02"), (273_600, "3d04")]
)
def test_ages_are_short(seconds, written):
    assert text.age(seconds) == written


def test_a_share_is_never_rounded_up_to_the_cap():
    assert text.share(9_999, 10_000) == "99 %"
    assert text.share(112, 100) == "112 %"
    assert text.share(1, 0) == "–"


def test_times_are_shown_in_the_daemons_zone_and_as_dates_when_far():
    assert text.clock(NOW, text.zone("UTC")) == "15:04"
    assert text.clock(NOW, text.zone("Asia/Tokyo")) == "00:04"
    assert text.when(NOW + 8 * 86400, NOW, text.zone("UTC")) == "Tue 1 Dec"
    assert text.zone("Nowhere/Else") is None


@given(st.lists(st.integers(0, 10**12), max_size=60), st.integers(0, 100), st.integers(0, 12))
def test_a_chart_fills_its_field(values, width, height):
    lines = spark(values, width, height)
    assert len(lines) == (height if width else 0)
    assert all(cell_len(line) == width for line in lines)


def test_a_chart_starts_at_zero_and_hides_no_spending():
    assert spark([0, 1, 50, 100], 4, 1) == [" ▁▄█"]
    assert spark([0, 100], 4, 2) == ["  ██", "  ██"]
