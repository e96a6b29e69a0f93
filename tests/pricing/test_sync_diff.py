"""What an edition changes, what of it needs a yes, and what is left when that is held back."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.pricing.rates import Rates
from budgetd.pricing.sync.check import check
from budgetd.pricing.sync.diff import Change, compare
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.sync.merge import merge
from budgetd.pricing.table import Clause, Listing, Model, Sheet, Table
from pricing.sheets import listing, model, rates, sheet

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
LATER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())

A = model("a", listing(1, 4))


def changes(old: Sheet, new: Sheet) -> list[tuple[str, str, list[str]]]:
    """Kind, model and labels of the rates that change."""
    return [(c.kind, c.model, [cell.label for cell in c.cells]) for c in compare(old, new, NOW)]


@pytest.mark.parametrize(
    ("new", "kind", "labels"),
    [
        (model("a", listing(2, 4)), "raised", ["input"]),
        (model("a", listing(1, 3)), "lowered", ["output"]),
        (model("a", listing(2, 3)), "lowered", ["input", "output"]),
        (model("a", listing(0, 4)), "zero", ["input"]),
        (model("a", listing(0, 0)), "zero", ["input", "output"]),
        (model("a", listing(1, 4, long=2)), "raised", ["input >200k"]),
        (
            model("a", listing(1, 4), listing(0.5, 2, tier="batch")),
            "lowered",
            ["batch input", "batch output"],
        ),
        (model("a", listing(1, 4), listing(1.1, 4.4, geo="us")), "raised", ["us input", "us output"]),
        (model("a", listing(1, 4), listing(1, 2, since=LATER)), "lowered", ["output from 2026-12-01"]),
        (model("a", listing(9, 9, since=1), listing(1, 4, since=2)), "", []),  # history is nobody's loss
        (msgspec.structs.replace(A, context_window=8), "", []),
    ],
)
def test_what_becomes_of_a_model(new: Model, kind: str, labels: list[str]) -> None:
    expected = [(kind, "a", labels)] if kind else []
    assert changes(sheet(A), sheet(new)) == expected


def test_new_and_removed_models_and_providers() -> None:
    b = model("b", listing(1, 1))
    assert changes(sheet(A), sheet(A, b)) == [("new", "b", ["input", "output"])]
    assert changes(sheet(A, b), sheet(A)) == [("removed", "b", ["input", "output"])]
    moved = compare(sheet(A), sheet(A, provider="groq"), NOW)
    assert [(c.kind, c.provider) for c in moved] == [("removed", "openai"), ("new", "groq")]


@pytest.mark.parametrize("free", [listing(0, 0), listing(0, 5)])
def test_a_new_model_at_no_price_needs_a_yes(free: Listing) -> None:
    (change,) = compare(sheet(A), sheet(A, model("b", free)), NOW)
    assert (change.kind, change.harmless) == ("zero", False)


def test_a_model_that_had_no_price_may_go() -> None:
    assert changes(sheet(A, model("b", listing(0, 0))), sheet(A)) == []


def test_a_price_by_the_hour_is_compared_at_every_hour() -> None:
    night = msgspec.structs.replace(listing(0.5, 2), hours=(59_400, 1_800))
    (change,) = compare(sheet(A), sheet(model("a", listing(1, 4), night)), NOW)
    assert change.kind == "lowered"
    assert [cell.label for cell in change.cells] == ["input from 16:30 UTC", "output from 16:30 UTC"]


def test_a_price_by_the_hour_that_is_announced_is_compared_at_its_hours() -> None:
    noon = msgspec.structs.replace(listing(0.5, 4, since=LATER), hours=(43_200, 46_800))
    (change,) = compare(sheet(A), sheet(model("a", listing(1, 4), noon)), NOW)
    assert change.kind == "lowered"
    assert [cell.label for cell in change.cells] == ["input from 2026-12-01 12:00 UTC"]


def test_a_tier_that_goes_along_with_the_standard_is_not_told_again() -> None:
    old = sheet(model("a", listing(1, 4), listing(0.5, 2, tier="batch")))
    new = sheet(model("a", listing(2, 8), listing(1, 4, tier="batch")))
    assert changes(old, new) == [("raised", "a", ["input", "output"])]


def test_classes_that_inherit_are_not_told_but_those_that_cease_to_are() -> None:
    cached = Listing(rates=rates(fresh_input=1, output=4, cache_read=0.1))
    assert changes(sheet(A), sheet(model("a", cached))) == [("lowered", "a", ["cache read"])]
    assert changes(sheet(model("a", cached)), sheet(A)) == [("raised", "a", ["cache read"])]


def test_a_name_that_comes_to_mean_a_cheaper_model_is_a_lower_price() -> None:
    any_a = model("any-a", listing(0.1, 0.1), match=Clause(starts_with="a"))
    (change, new) = compare(sheet(A), sheet(any_a, A), NOW)
    assert (change.kind, change.model, change.successor) == ("lowered", "a", "any-a")
    assert (new.kind, new.model) == ("new", "any-a")
    merged = Table(merge(sheet(A), sheet(any_a, A), [change]).encode())
    found = merged.find("openai", "a", NOW)
    assert found
    assert found.rates == A.prices[0].rates


def test_a_model_that_was_renamed_is_not_removed() -> None:
    renamed = model("a-2026", listing(1, 4), match=Clause(starts_with="a"))
    assert changes(sheet(A), sheet(renamed)) == [("new", "a-2026", ["input", "output"])]


def test_a_model_that_is_kept_stays_before_those_it_stood_before() -> None:
    rest = model("rest", listing(1, 1), match=Clause(starts_with="a"))
    old, new = sheet(A, rest), sheet(rest)
    held = [change for change in compare(old, new, NOW) if not change.harmless]
    assert [each.id for each in merge(old, new, held).providers[0].models] == ["a", "rest"]


IDS = ["a", "ab", "abc", "b", "ba"]
amounts = st.sampled_from([0, 1, 2, 3])
listings = st.builds(
    lambda fresh, output, tier, since: listing(fresh, output, tier=tier, since=since),
    amounts, amounts, st.sampled_from(["", "", "batch"]), st.sampled_from([0, 0, LATER]),
)  # fmt: skip


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    ids = draw(st.lists(st.sampled_from(IDS), unique=True))
    return sheet(*(model(id, *draw(st.lists(listings, min_size=1, max_size=3))) for id in ids))


@given(old=sheets(), new=sheets())
def test_without_what_needs_a_yes_no_model_becomes_cheaper(old: Sheet, new: Sheet) -> None:
    held = [change for change in compare(old, new, NOW) if not change.harmless]
    merged = merge(old, new, held)
    assert all(change.harmless for change in compare(old, merged, NOW))
    before, after = Table(old.encode()), Table(merged.encode())
    for id in IDS:
        for at in (NOW, LATER + 1):
            for tier in ("", "batch"):
                was, is_now = before.find("openai", id, at, tier), after.find("openai", id, at, tier)
                if was:
                    assert is_now
                    assert all(
                        getattr(is_now.rates, name) >= getattr(was.rates, name)
                        for name in Rates.__struct_fields__
                    )


@given(old=sheets(), new=sheets())
def test_with_a_yes_all_of_it_is_taken_over(old: Sheet, new: Sheet) -> None:
    assert merge(old, new, []) == new
    assert compare(new, new, NOW) == []
    assert {(c.provider, c.model) for c in compare(old, new, NOW)} >= {
        ("openai", each.id) for each in new.providers[0].models if each.id not in _ids(old)
    }


def _ids(one: Sheet) -> set[str]:
    return {each.id for each in one.providers[0].models}


def dear(*, request: int = 0, **dollars: float) -> Sheet:
    """An edition in which one price cannot be right; dollars for a million, a request's for one."""
    one = Listing(rates=rates(fresh_input=1, output=1, **dollars), request=request * 10**24)
    return sheet(*many(9, 1).providers[0].models, model("dear", one))


def many(count: int, dollars: float) -> Sheet:
    return sheet(*(model(f"m{number}", listing(dollars, dollars)) for number in range(count)))


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        (many(4, 1), "only 4 of the 10 models"),
        (many(10, 1e-6), "the unit is not the same"),
        (many(10, 20_000), "It asks $20,000.00 for input (M) of openai/m0"),
        (dear(cache_write=20_000), "$20,000.00 for cache write (M) of openai/dear"),
        (dear(web_search=10**8), "$100,000.00 for web search (1k) of openai/dear"),
        (dear(request=100), "$100.00 for request (each) of openai/dear"),
        (sheet(), "only 0 of the 10 models"),
    ],
)
def test_an_edition_that_cannot_be_right_is_refused(new: Sheet, complaint: str) -> None:
    with pytest.raises(SyncError) as caught:
        check(many(10, 1), new)
    assert complaint in str(caught.value)


def test_an_edition_that_may_be_right_is_not() -> None:
    check(many(10, 1), many(5, 3))
    check(sheet(), many(10, 1))
    assert Change(kind="new", provider="p", model="m").harmless
