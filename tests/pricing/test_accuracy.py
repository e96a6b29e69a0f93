from hypothesis import given
from hypothesis import strategies as st

from budgetd.pricing.accuracy import MOST_PCT, Outturn, estimate_errors

NUSD = st.integers(0, 10**17)


def test_models_are_summed_apart_the_dearest_first() -> None:
    rows = [Outturn("cheap", 10, 5, 20), Outturn("dear", 100, 200, 300), Outturn("cheap", 10, 15, None)]
    dear, cheap = estimate_errors(rows)
    assert (dear.model, dear.requests, dear.expected_nusd, dear.cost_nusd, dear.worst_nusd) == (
        "dear", 1, 100, 200, 300,
    )  # fmt: skip
    assert (cheap.model, cheap.requests, cheap.expected_nusd, cheap.cost_nusd, cheap.worst_nusd) == (
        "cheap", 2, 20, 20, None,
    )  # fmt: skip
    assert (cheap.cost_pct_p50, cheap.cost_pct_p90) == (50, 150)


def test_a_cost_of_which_nothing_was_expected_is_the_greatest_error() -> None:
    (error,) = estimate_errors([Outturn("m", 0, 1, None)])
    assert error.cost_pct_p90 == MOST_PCT


@given(st.lists(st.tuples(NUSD, NUSD, st.none() | NUSD), min_size=1, max_size=50))
def test_half_and_nine_tenths_of_the_requests_cost_no_more_than_said(rows) -> None:
    (error,) = estimate_errors([Outturn("m", *row) for row in rows])
    for pct, share in ((error.cost_pct_p50, 50), (error.cost_pct_p90, 90)):
        within = [pct == MOST_PCT or cost * 100 <= pct * expected for expected, cost, _ in rows]
        assert sum(within) * 100 >= share * len(rows)
