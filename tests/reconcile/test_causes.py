"""Why an invoice and the ledger differ, cause by cause."""

import msgspec
import pytest

from budgetd.metering.usage import Usage
from budgetd.reconcile.days import following
from reconcile.cases import CENT, DAY, TODAY, USD, cause, costs, portion, row

PLAIN = Usage(input_tokens=1_000_000, output_tokens=200_000)
WRITTEN = Usage(input_tokens=1_000_000, cache_write_tokens=400_000, output_tokens=100_000)
READ = Usage(input_tokens=2_000_000, cache_read_tokens=1_500_000, output_tokens=50_000)


def test_the_same_sum_needs_no_explanation() -> None:
    requests = portion(PLAIN)
    for off in (0, CENT // 2, -CENT // 2):
        found = cause(row(requests, invoice=requests.cost_nusd + off))
        assert (found.kind, found.evidence) == ("agrees", "")


def test_a_cent_off_of_two_is_not_the_same() -> None:
    assert cause(row(portion(PLAIN, cost=2 * CENT), invoice=CENT)).kind != "agrees"


def test_cents_off_of_a_large_sum_are_rounding() -> None:
    assert cause(row(portion(PLAIN, cost=300 * USD), invoice=300 * USD + 2 * CENT)).kind == "agrees"
    assert cause(row(portion(PLAIN, cost=300 * USD), invoice=301 * USD)).kind != "agrees"


# what is not in the ledger


def test_a_model_without_a_request_went_past_the_proxy() -> None:
    found = cause(row(invoice=USD))
    assert found.kind == "bypass"
    assert "no request of this model on this day: traffic that did not pass the proxy" in found.evidence


def test_earlier_corrections_are_no_requests() -> None:
    entered = portion(Usage(), cost=USD // 2, basis="corrected")
    assert cause(row(entered, invoice=USD)).kind == "bypass"


def test_what_no_price_explains_went_past_the_proxy_in_part() -> None:
    requests = portion(PLAIN)
    found = cause(row(requests, invoice=requests.cost_nusd * 17 // 10))
    assert found.kind == "bypass"
    assert "41.2 % of what is billed would be traffic" in found.evidence


@pytest.mark.parametrize(("first_day", "says"), [(None, "nothing yet"), ("2026-11-17", "before 2026-11-17")])
def test_a_day_before_the_ledger_began_explains_itself(first_day: str | None, says: str) -> None:
    found = cause(row(invoice=USD), first_day=first_day)
    assert found.kind == "before"
    assert says in found.evidence


def test_the_ledgers_first_day_may_be_half_a_day() -> None:
    requests = portion(PLAIN)
    assert cause(row(requests, invoice=2 * requests.cost_nusd), first_day=DAY).kind == "before"
    assert cause(row(requests, invoice=requests.cost_nusd // 3), first_day=DAY).kind != "before"


def test_fees_are_billed_apart_from_models() -> None:
    found = cause(row(invoice=USD, model="", what="Web Search Usage"))
    assert found.kind == "apart"
    assert "Web Search Usage" in found.evidence


# what is not on the invoice


def test_a_model_that_is_not_billed_is_billed_elsewhere() -> None:
    found = cause(row(portion(PLAIN, service_tier="standard"), invoice=None))
    assert found.kind == "absent"
    assert "the ledger has 10 requests" in found.evidence


def test_a_line_without_an_amount_leaves_the_row_open() -> None:
    requests = portion(PLAIN)
    found = cause(row(requests, invoice=requests.cost_nusd, what="output", amount_missing=True))
    assert found.kind == "unread"
    assert "a line without an amount: output" in found.evidence


def test_requests_of_a_tier_that_is_left_out() -> None:
    paid, usual = portion(PLAIN, service_tier="priority", requests=3), portion(READ, service_tier="standard")
    found = cause(row(paid, usual, invoice=usual.cost_nusd))
    assert found.kind == "tier"
    assert "3 requests of tier priority, of which the invoice has none" in found.evidence


def test_a_day_that_is_not_over_is_not_complete() -> None:
    requests = portion(PLAIN, day=TODAY)
    found = cause(row(requests, invoice=requests.cost_nusd // 3, day=TODAY))
    assert found.kind == "late"
    assert "not over" in found.evidence
    yesterday = following(TODAY, -1)
    found = cause(row(portion(PLAIN, day=yesterday), invoice=requests.cost_nusd // 3, day=yesterday))
    assert "just over" in found.evidence


def test_less_than_the_ledger_for_no_known_reason_is_unknown() -> None:
    requests = portion(PLAIN)
    assert cause(row(requests, invoice=requests.cost_nusd * 83 // 100)).kind == "unknown"


# priced as something else


@pytest.mark.parametrize("tier", ["batch", "fast"])
def test_requests_that_state_no_tier_were_of_one(tier: str) -> None:
    silent, stated = portion(PLAIN), portion(READ, service_tier="standard")
    found = cause(row(silent, stated, invoice=costs(silent, service_tier=tier) + stated.cost_nusd))
    assert found.kind == "tier"
    assert f"10 requests without a stated tier, billed at tier {tier}" in found.evidence


def test_requests_of_the_standard_tier_were_billed_at_another() -> None:
    stated = portion(PLAIN, service_tier="standard")
    assert (
        "of the standard tier, billed at tier batch"
        in cause(row(stated, invoice=costs(stated, service_tier="batch"))).evidence
    )


def test_tiers_of_one_price_are_both_named() -> None:
    silent = portion(PLAIN, model="gpt-5.4", provider="openai")
    billed = costs(silent, "openai", service_tier="flex")
    found = cause(row(silent, invoice=billed, model="gpt-5.4"), provider="openai")
    assert "billed at tier batch or flex" in found.evidence


def test_a_tier_that_was_asked_for_and_not_given() -> None:
    asked = portion(PLAIN, service_tier="fast")
    found = cause(row(asked, invoice=costs(asked, service_tier="")))
    assert "10 requests of tier fast, billed as standard ones" in found.evidence


def as_if(usage: Usage, **more: int) -> int:
    return portion(msgspec.structs.replace(usage, **more)).cost_nusd


@pytest.mark.parametrize(
    ("recorded", "billed", "says"),
    [
        (
            WRITTEN,
            as_if(WRITTEN, cache_write_1h_tokens=400_000),
            "400,000 tokens of cache writes priced as 5m",
        ),
        (
            msgspec.structs.replace(WRITTEN, cache_write_1h_tokens=300_000),
            as_if(WRITTEN),
            "300,000 tokens of cache writes priced as 1h",
        ),
        (READ, as_if(READ, cache_read_tokens=0), "1,500,000 tokens of input priced as read from a cache"),
        (WRITTEN, as_if(WRITTEN, cache_write_tokens=0), "400,000 tokens of input priced as written"),
    ],
)
def test_tokens_were_billed_as_another_cache_class(recorded: Usage, billed: int, says: str) -> None:
    found = cause(row(portion(recorded), invoice=billed))
    assert found.kind == "cache"
    assert says in found.evidence


def test_a_long_sum_of_short_requests_is_not_priced_as_a_long_one() -> None:
    """Ten requests of 100,000 tokens are a million together, which has a dearer price than each."""
    usage = msgspec.structs.replace(WRITTEN, input_tokens=1_000_000)
    short = portion(usage, model="claude-sonnet-4-5", longest_input=100_000)
    long = portion(usage, model="claude-sonnet-4-5", longest_input=250_000)
    assert long.cost_nusd > short.cost_nusd
    in_full = 400_000 * (6_000 - 3_750)
    found = cause(row(short, invoice=short.cost_nusd + in_full, model="claude-sonnet-4-5"))
    assert found.kind == "cache"


def test_inference_in_one_country_costs_more() -> None:
    requests = portion(PLAIN)
    found = cause(row(requests, invoice=costs(requests, geo="us")))
    assert found.kind == "place"


def test_searches_are_billed_apart() -> None:
    requests = portion(msgspec.structs.replace(PLAIN, web_searches=25))
    found = cause(row(requests, invoice=requests.cost_nusd - 25 * CENT))
    assert found.kind == "searches"
    assert "25 web searches" in found.evidence


# prices


def test_prices_that_were_put_right_since_explain_it() -> None:
    right = portion(PLAIN)
    found = cause(
        row(msgspec.structs.replace(right, cost_nusd=right.cost_nusd // 3), invoice=right.cost_nusd)
    )
    assert found.kind == "prices"
    assert "genai-prices 0.2.3" in found.evidence


def test_a_price_change_shows_from_its_day_on() -> None:
    days = [following(DAY, ahead) for ahead in range(5)]
    factor = dict(zip(days, (100, 100, 133, 133, 133), strict=True))
    rows = [
        row(portion(PLAIN, day=day), invoice=portion(PLAIN, day=day).cost_nusd * factor[day] // 100, day=day)
        for day in days
    ]
    found = cause(rows[2], *rows[:2], *rows[3:])
    assert found.kind == "change"
    assert "changed from $8.33 to $11.08 on 2026-11-18" in found.evidence
    assert "budgetd sync-pricing" in found.evidence
    assert cause(rows[2], *rows[:2]).kind == "bypass"  # one day tells nothing
    assert cause(rows[0], *rows[1:]).kind == "agrees"


def test_a_price_that_was_never_right_is_no_traffic_past_the_proxy() -> None:
    days = [following(DAY, ahead) for ahead in range(3)]
    right = portion(PLAIN).cost_nusd
    rows = [row(portion(PLAIN, day=day), invoice=right * 133 // 100, day=day) for day in days]
    found = cause(rows[0], *rows[1:])
    assert found.kind == "change"
    assert "On each of 3 days the invoice is off by the same part" in found.evidence
    assert cause(*rows[:2]).kind == "bypass"  # two days may be chance


# two at once


def test_searches_that_are_billed_apart_do_not_hide_a_cache_class() -> None:
    requests = portion(msgspec.structs.replace(WRITTEN, web_searches=30))
    found = cause(row(requests, invoice=as_if(WRITTEN, cache_write_1h_tokens=400_000)))
    assert found.kind == "two"
    assert "400,000 tokens of cache writes priced as 5m instead of 1h, together with 30 web" in found.evidence


def test_a_tier_makes_a_cache_class_cheaper_too() -> None:
    silent = portion(WRITTEN)
    long = msgspec.structs.replace(
        silent, usage=msgspec.structs.replace(WRITTEN, cache_write_1h_tokens=400_000)
    )
    found = cause(row(silent, invoice=costs(long, service_tier="batch")))
    assert found.kind == "two"
    assert "billed at tier batch, together with 400,000 tokens of cache writes" in found.evidence


# time, and guesses


def test_requests_over_midnight_are_on_the_other_day() -> None:
    next_day = following(DAY)
    first, second = portion(PLAIN), portion(PLAIN, day=next_day)
    moved = first.cost_nusd * 31 // 100
    here = row(first, invoice=first.cost_nusd - moved)
    there = row(second, invoice=second.cost_nusd + moved, day=next_day)
    assert cause(here, there).kind == cause(there, here).kind == "midnight"
    assert next_day in cause(here, there).evidence


def test_a_drift_within_what_was_estimated_is_an_estimates() -> None:
    sure, guess = portion(PLAIN), portion(Usage(), cost=2 * USD, basis="estimated", requests=3)
    found = cause(row(sure, guess, invoice=sure.cost_nusd + USD))
    assert found.kind == "estimates"
    assert "3 requests were estimated, at $2.00 in all" in found.evidence
    assert cause(row(sure, guess, invoice=sure.cost_nusd + 5 * USD)).kind == "bypass"


def test_what_the_provider_billed_itself_is_not_priced_anew() -> None:
    billed = portion(PLAIN, cost=USD, basis="billed")
    assert cause(row(billed, invoice=USD // 2)).kind == "unknown"


def test_a_model_without_a_price_is_explained_by_no_price() -> None:
    unknown = portion(PLAIN, cost=USD, model="nobody-knows-it")
    assert cause(row(unknown, invoice=2 * USD, model="nobody-knows-it")).kind == "bypass"
