"""What the README says of caps: nothing over them where they are strict, and little left below them."""

from statistics import mean

import pytest

from bench.comparison import (
    BILLINGS,
    FITTING,
    Billing,
    after_a_session,
    calls,
    cap_for,
    rush,
    session,
    taught,
)
from budgetd.budget.limits import Guarantee

DOLLAR = 10**9


@pytest.mark.parametrize("fitting", FITTING)
@pytest.mark.parametrize("billing", BILLINGS)
@pytest.mark.parametrize("number", [20, 200])
def test_a_strict_limit_is_never_overshot(number: int, billing: Billing, fitting: str) -> None:
    for seed in range(5):
        for bounded in (True, False):
            wanted = calls(number, billing, seed, bounded=bounded)
            ended = rush(wanted, cap_for(wanted, fitting), "strict", None)
            assert ended.overshoot_pct == 0
            assert bounded or ended.admitted == 0


@pytest.mark.parametrize("fitting", FITTING)
@pytest.mark.parametrize("billing", BILLINGS)
def test_once_it_has_learned_a_rush_stays_about_the_cap(billing: Billing, fitting: str) -> None:
    learner = taught(calls(100, billing, seed=1_000))
    for seed in range(10):
        wanted = calls(200, billing, seed)
        ended = rush(wanted, cap_for(wanted, fitting), "expected", learner)
        assert ended.overshoot_pct < 10
        assert fitting != "all" or ended.admitted > 100


@pytest.mark.parametrize("bounded", [True, False])
def test_an_expected_limit_does_not_need_max_tokens(bounded: bool) -> None:
    wanted, other = (calls(20, "about the estimate", 1, bounded=each) for each in (bounded, True))
    cap_nusd = cap_for(wanted, "all")
    assert rush(wanted, cap_nusd, "expected", None) == rush(other, cap_nusd, "expected", None)


def percents(cap_nusd: int, guarantee: Guarantee = "expected") -> list[float]:
    return [session(cap_nusd, guarantee, after_a_session(), seed).spent_pct for seed in range(10)]


def test_an_agent_runs_to_within_a_few_per_cent_of_its_cap() -> None:
    small, large = percents(3 * DOLLAR), percents(10 * DOLLAR)
    assert mean(small) >= 95
    assert min(large) >= 95
    assert max(small + large) <= 102


def test_under_a_strict_limit_an_agent_stops_early_and_never_passes_it() -> None:
    assert max(percents(10 * DOLLAR, "strict")) <= 100
