"""A gauge tells the truth at every width."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from budgettop.widgets.gauge import OVERRUN, RESERVED, SPENT, gauge, solid

WIDTHS = st.integers(0, 200)
AMOUNTS = st.integers(0, 10**13)
FORECASTS = st.none() | AMOUNTS


def drawn(*args, **more) -> str:
    return "".join(run for run, _ in gauge(*args, **more))


def eighths(width: int, limit: int, spent: int, reserved: int) -> int:
    sizes = dict(zip("▏▎▍▌▋▊▉█", range(1, 9), strict=True))
    return sum(
        sizes.get(cell, 0)
        for run, part in gauge(width, limit, spent, reserved)
        if part in ("spent", "edge", "join")
        for cell in run
    )


def cells(part: str, *args) -> int:
    return sum(len(run) for run, of in gauge(*args) if of == part)


@given(WIDTHS, AMOUNTS, AMOUNTS, AMOUNTS, FORECASTS)
def test_the_cells_of_a_gauge_add_up_to_its_width(width, limit, spent, reserved, forecast):
    assert cell_len(drawn(width, limit, spent, reserved, forecast)) == width


@given(WIDTHS, AMOUNTS, AMOUNTS, AMOUNTS, FORECASTS)
def test_neighbouring_runs_differ_in_what_they_are(width, limit, spent, reserved, forecast):
    parts = [part for _, part in gauge(width, limit, spent, reserved, forecast)]
    assert all(one != other for one, other in pairwise(parts))


@given(WIDTHS, st.integers(1, 10**13), st.data())
def test_more_spent_never_looks_like_less(width, limit, data):
    more = data.draw(st.integers(0, limit))
    less = data.draw(st.integers(0, more))
    reserved = data.draw(st.integers(0, limit - more))
    assert eighths(width, limit, less, reserved) <= eighths(width, limit, more, reserved)


@given(st.integers(1, 200), st.integers(1, 10**13), st.data())
def test_only_a_cap_that_is_reached_looks_full(width, limit, data):
    spent = data.draw(st.integers(0, limit - 1))
    assert eighths(width, limit, spent, 0) < 8 * width
    assert eighths(width, limit, limit, 0) == 8 * width


@given(st.integers(1, 200), st.integers(1, 10**13))
def test_the_smallest_amount_spent_can_be_seen(width, limit):
    assert eighths(width, limit, 1, 0) >= 1


@given(st.integers(3, 200), st.integers(1, 10**13), st.data())
def test_what_is_reserved_can_be_seen_while_there_is_room(width, limit, data):
    spent = data.draw(st.integers(0, limit - limit // width - 1))
    reserved = data.draw(st.integers(1, limit - spent))
    if eighths(width, limit, spent, 0) <= 8 * (width - 1):
        assert cells("reserved", width, limit, spent, reserved) >= 1


@given(st.integers(2, 200), AMOUNTS, st.integers(1, 10**13), AMOUNTS)
def test_a_gauge_shows_overrun_beyond_its_end(width, limit, over, reserved):
    text = drawn(width, limit, limit + over, reserved)
    assert text.count("│") == 1
    assert OVERRUN in text[text.index("│") :]
    assert OVERRUN not in text[: text.index("│")]


@given(st.integers(2, 200), st.integers(1, 10**13), st.data())
def test_a_reservation_beyond_the_cap_is_no_overrun(width, limit, data):
    spent = data.draw(st.integers(0, limit))
    reserved = data.draw(st.integers(limit - spent + 1, 2 * limit + 1))
    text = drawn(width, limit, spent, reserved)
    assert OVERRUN not in text
    assert RESERVED in text[text.index("│") :]


def test_double_the_cap_stands_twice_as_far_as_the_mark():
    assert drawn(20, 10, 20, 0) == SPENT * 10 + "│" + OVERRUN * 9


def test_the_forecast_is_a_tick_and_an_arrow_when_it_lies_beyond_the_cap():
    assert drawn(10, 100, 20, 0, 75, free="·") == "██·····┃··"
    assert drawn(10, 100, 20, 0, 101, free="·") == "██·······›"
    assert drawn(10, 100, 20, 10, None, free="·") == "██▒·······"


def test_a_cap_of_nothing_is_a_gauge_too():
    assert drawn(4, 0, 0, 0, free="·") == "····"
    assert drawn(4, 0, 5, 0) == "│▚▚▚"


@given(AMOUNTS, AMOUNTS, WIDTHS)
def test_a_plain_bar_never_exceeds_its_width(part, whole, width):
    assert cell_len(solid(min(part, whole), whole, width)) <= width
