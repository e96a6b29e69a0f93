import msgspec
import pytest

from budgetd.metering import Ask, Reading, Usage
from budgetd.pricing.book import load_book
from budgetd.pricing.learning import Learner
from budgetd.pricing.pricer import MOST_NUSD, Pricer

AT = 1_795_435_200.0
BOOK = load_book()
USED = Usage(input_tokens=1000, output_tokens=100)
ASK = Ask(model="claude-haiku-4-5", body_bytes=3500, output_cap=500)
HAIKU = 1000 * 1_000 + 100 * 5_000
"""What USED costs on claude-haiku-4-5: $1 and $5 a million tokens, in nanodollars."""


def pricer(*, free: bool = False) -> Pricer:
    return Pricer(BOOK, "anthropic", AT, free=free)


def tally(reading: Reading | None, ask: Ask = ASK, *, failed: bool = False, metered: bool = True):
    return pricer().tally(ask, reading, failed=failed, metered=metered)


def test_a_final_report_is_what_it_costs() -> None:
    cost = tally(Reading(usage=USED, complete=True, model="claude-haiku-4-5"))
    assert (cost.nusd, cost.basis, cost.model) == (HAIKU, "reported", "claude-haiku-4-5")
    assert "claude-haiku-4-5" in cost.price_id


def test_the_model_that_answered_is_the_one_that_bills() -> None:
    cost = tally(Reading(usage=USED, complete=True, model="claude-opus-4-5"))
    assert (cost.model, cost.nusd) == ("claude-opus-4-5", 5 * HAIKU)


def test_an_answering_model_without_a_price_bills_as_the_one_that_was_asked_for() -> None:
    cost = tally(Reading(usage=USED, complete=True, model="haiku-nightly-build"))
    assert (cost.model, cost.nusd) == ("claude-haiku-4-5", HAIKU)


def test_a_model_like_nobodys_bills_at_the_providers_dearest() -> None:
    ask = Ask(model="next-99", body_bytes=100)
    cost = tally(Reading(usage=USED, complete=True), ask)
    assert "ceiling" in cost.price_id
    assert cost.nusd == BOOK.ceiling("anthropic", AT).cost_nusd(USED)


def test_a_new_model_of_a_known_family_bills_as_its_nearest_member() -> None:
    ask = Ask(model="claude-haiku-4-9", body_bytes=100)
    cost = tally(Reading(usage=USED, complete=True, model="claude-haiku-4-9"), ask)
    assert (cost.nusd, cost.model, cost.basis) == (HAIKU, "claude-haiku-4-9", "reported")
    assert cost.price_id.endswith("claude-haiku-4-5 2026-11-23 nearest")
    assert (
        pricer().expect(ask).expected_nusd
        == pricer().expect(Ask(model="claude-haiku-4-5", body_bytes=100)).expected_nusd
    )


def test_a_new_model_behind_a_name_that_says_nothing_bills_by_its_own_name() -> None:
    ask = Ask(model="prod-chat", body_bytes=100)
    cost = tally(Reading(usage=USED, complete=True, model="claude-haiku-4-9"), ask)
    assert (cost.nusd, cost.model) == (HAIKU, "claude-haiku-4-9")


def test_who_does_not_want_the_nearest_is_billed_the_dearest() -> None:
    strict = Pricer(BOOK, "anthropic", AT, free=False, nearest=False)
    cost = strict.tally(Ask(model="claude-haiku-4-9"), Reading(usage=USED, complete=True), failed=False,
                        metered=True)  # fmt: skip
    assert cost.nusd == BOOK.ceiling("anthropic", AT).cost_nusd(USED)


def test_a_worst_case_of_a_model_without_a_price_is_still_bounded_by_the_dearest() -> None:
    ask = Ask(model="claude-haiku-4-9", body_bytes=100, output_cap=500)
    dearest = Pricer(BOOK, "anthropic", AT, free=False, nearest=False).expect(ask)
    assert pricer().expect(ask).worst_nusd == dearest.worst_nusd
    assert pricer().expect(ask).expected_nusd < dearest.expected_nusd


def test_what_the_provider_says_it_charges_wins() -> None:
    cost = tally(Reading(usage=USED, complete=True, cost_nusd=77))
    assert (cost.nusd, cost.basis) == (77, "billed")


@pytest.mark.parametrize("seen", [Reading(usage=USED), Reading(output_bytes=700, usage=USED)])
def test_a_charge_of_nothing_for_tokens_is_no_charge(seen: Reading) -> None:
    stated = msgspec.structs.replace(seen, complete=True, cost_nusd=0)
    cost = tally(stated)
    assert (cost.nusd, cost.basis) == (HAIKU, "reported")


def test_a_charge_of_nothing_is_believed_where_nothing_was_used_or_the_name_promises_it() -> None:
    assert tally(Reading(usage=Usage(), complete=True, cost_nusd=0)).basis == "billed"
    ask = Ask(model="acme/stealth:free", body_bytes=100)
    cost = tally(Reading(usage=USED, complete=True, cost_nusd=0), ask)
    assert (cost.nusd, cost.basis) == (0, "billed")


@pytest.mark.parametrize(("stated", "nusd"), [(0, HAIKU), (77, HAIKU), (2 * HAIKU, 2 * HAIKU)])
def test_what_an_answer_that_broke_off_had_stated_is_the_least_that_it_costs(stated: int, nusd: int) -> None:
    cost = tally(Reading(usage=USED, cost_nusd=stated))
    assert cost.basis == "estimated"
    assert cost.nusd >= nusd


def test_usage_of_another_model_in_the_same_response_bills_on_top() -> None:
    cost = tally(Reading(usage=USED, complete=True, others=(("claude-opus-4-5", USED),)))
    assert cost.nusd == 6 * HAIKU


def test_an_error_costs_nothing() -> None:
    cost = tally(None, failed=True)
    assert (cost.nusd, cost.basis) == (0, "reported")
    cost = tally(Reading(failed=True))  # which came with a status that said all was well
    assert (cost.nusd, cost.basis) == (0, "reported")


@pytest.mark.parametrize("seen", [Reading(), Reading(output_bytes=700), Reading(usage=USED)])
def test_a_response_that_broke_off_is_estimated_and_never_free(seen: Reading) -> None:
    cost = tally(seen)
    assert cost.basis == "estimated"
    assert cost.nusd > 0


def test_a_stream_that_never_told_its_usage_is_estimated_from_what_streamed() -> None:
    little, much = (tally(Reading(complete=True, output_bytes=size)) for size in (100, 1000))
    assert little.basis == much.basis == "estimated"
    assert little.nusd < much.nusd


def test_what_is_not_understood_is_recorded_as_unmetered_at_what_was_expected() -> None:
    cost = tally(None, metered=False)
    assert (cost.basis, cost.nusd) == ("unmetered", pricer().expect(ASK).expected_nusd)
    assert tally(None, Ask(understood=False, body_bytes=100)).basis == "unmetered"


def test_an_upstream_that_bills_nothing_costs_nothing_whatever_its_model() -> None:
    free = pricer(free=True)
    assert (free.expect(ASK).expected_nusd, free.expect(ASK).worst_nusd) == (0, 0)
    cost = free.tally(ASK, Reading(usage=USED, complete=True), failed=False, metered=True)
    assert (cost.nusd, cost.usage) == (0, USED)


def test_an_absurd_report_stays_within_what_the_ledger_can_add_up() -> None:
    absurd = Usage(input_tokens=10**12, output_tokens=10**12)
    assert tally(Reading(usage=absurd, complete=True)).nusd <= MOST_NUSD


def test_what_was_learned_of_a_session_is_expected_of_its_next_request() -> None:
    learner = Learner()
    learned = Pricer(BOOK, "anthropic", AT, free=False, learner=learner)
    first = learned.expect(ASK, "s").expected_nusd
    assert first == pricer().expect(ASK).expected_nusd
    learner.observe(ASK, "s", Usage(input_tokens=1_000, cache_write_tokens=1_000, output_tokens=10), AT)
    assert learned.expect(ASK, "s").expected_nusd < first
    assert learned.expect(ASK, "s").worst_nusd == pricer().expect(ASK).worst_nusd


def test_a_stream_without_a_report_is_estimated_by_what_was_learned_of_the_model() -> None:
    learner = Learner()
    learned = Pricer(BOOK, "anthropic", AT, free=False, learner=learner)
    seen = Reading(complete=True, output_bytes=1_000, model="claude-haiku-4-5")
    ask = Ask(model="claude-haiku-4-5", body_bytes=3_500, stream=True)

    def output() -> int:
        return learned.tally(ask, seen, failed=False, metered=True).usage.output_tokens

    family = output()
    for turn in range(100):
        used = Usage(input_tokens=1_000, output_tokens=200)
        learner.observe(ask, f"s{turn}", used, AT, output_bytes=1_000)
    assert family > 280
    assert output() == pytest.approx(200, abs=5)
    learner.correct("claude-haiku-4-5", 150)
    assert output() == pytest.approx(300, abs=8)


def test_an_absurd_request_is_expected_to_cost_what_the_ledger_can_add_up() -> None:
    absurd = pricer().expect(Ask(model="claude-opus-4-8", body_bytes=10**15, output_cap=10**15))
    assert absurd.worst_nusd == MOST_NUSD
    assert absurd.expected_nusd <= MOST_NUSD
