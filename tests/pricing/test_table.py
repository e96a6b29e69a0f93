"""A table of prices: what is written is read again, damage is seen, and the right listing holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.pricing.rates import Rates, Tier
from budgetd.pricing.table import FORMAT, Clause, DamagedTable, Listing, Model, Provider, Sheet, Table
from pricing.test_genai import NOW, SHEET

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2


def listing(output: int, **conditions: object) -> Listing:
    return Listing(rates=Rates(fresh_input=output, output=output), **conditions)  # pyright: ignore[reportArgumentType]


def table(*prices: Listing, **told: object) -> Table:
    """A table of one model, m of p."""
    model = Model(id="m", match=Clause(equals="m"), prices=prices, **told)  # pyright: ignore[reportArgumentType]
    return Table(sheet(Provider(id="p", models=(model,))).encode())


def sheet(*providers: Provider) -> Sheet:
    return Sheet(source="test", version="1", as_of=7, providers=providers)


def output(table: Table, at: float = NOON, tier: str = "", geo: str = "") -> int:
    price = table.find("p", "m", at, tier, geo)
    assert price
    return price.rates.output


def test_a_table_reads_what_a_sheet_wrote() -> None:
    table = Table(SHEET.encode())
    assert table.sheet() == SHEET
    assert (table.name, table.as_of) == ("genai-prices test", SHEET.as_of)


DATA = sheet(
    Provider(id="p", models=(Model(id="m", match=Clause(equals="m"), prices=(listing(5),)),))
).encode()


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_seen(place: int, bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1 << bit
    with pytest.raises(DamagedTable):
        Table(bytes(damaged))


@given(length=st.integers(0, len(DATA) - 1))
def test_a_cut_is_seen(length: int) -> None:
    with pytest.raises(DamagedTable):
        Table(DATA[:length])


def test_a_table_of_another_format_is_not_read() -> None:
    with pytest.raises(DamagedTable):
        Table(DATA.replace(b"prices %d " % FORMAT, b"prices %d " % (FORMAT + 1)))


def test_the_last_listing_that_has_begun_holds() -> None:
    prices = table(listing(1), listing(2, since=NOON), listing(3, since=NOON + DAY))
    assert [output(prices, at) for at in (0, NOON - 0.1, NOON, NOON + DAY)] == [1, 1, 2, 3]


def test_hours_may_pass_midnight() -> None:
    prices = table(listing(1), listing(2, hours=(79_200, 7_200)))
    midnight = 20_000 * DAY
    hours = (0, 7_199.9, 7_200, 79_199.9, 79_200, 86_399)
    assert [output(prices, midnight + second) for second in hours] == [2, 2, 1, 1, 2, 2]
    assert prices.slots == (0, 7_200, 79_200)


def test_a_tier_and_a_place_fall_back_on_what_is_known_of_them() -> None:
    prices = table(
        listing(1),
        listing(2, service_tier="fast"),
        listing(3, geo="us"),
        listing(4, service_tier="batch"),
        listing(5, service_tier="batch", geo="us"),
    )
    asked = [("", ""), ("auto", "eu"), ("fast", ""), ("fast", "us"), ("auto", "us"), ("batch", "us")]
    assert [output(prices, NOON, tier, geo) for tier, geo in asked] == [1, 1, 2, 2, 3, 5]


def test_a_tier_that_has_not_begun_costs_what_the_standard_does() -> None:
    prices = table(listing(1), listing(2, service_tier="flex", since=NOON))
    assert (output(prices, NOON - 1, "flex"), output(prices, NOON, "flex")) == (1, 2)


def test_a_price_says_what_made_it() -> None:
    prices = table(
        listing(1), listing(2, service_tier="fast", geo="us"), context_window=9, max_output_tokens=5
    )
    plain, special = prices.find("p", "m", NOON), prices.find("P", "M", NOON, "fast", "us")
    assert plain
    assert special
    assert (plain.id, special.id) == ("test 1 p m 2024-10-04", "test 1 p m 2024-10-04 fast us")
    assert (plain.model, plain.context_window, plain.max_output_tokens) == ("m", 9, 5)


def test_a_model_that_is_borrowed_has_standard_prices_only() -> None:
    lender = Provider(
        id="lender",
        models=(
            Model(id="m", match=Clause(equals="m"), prices=(listing(1), listing(2, service_tier="fast"))),
        ),
    )
    prices = Table(sheet(Provider(id="p", borrows=("lender",)), lender).encode())
    assert output(prices, tier="fast") == 1
    assert [price.rates.output for price in prices.listed("p", NOON)] == [1]


@pytest.mark.parametrize(
    ("clause", "fits", "fails"),
    [
        (Clause(equals="A-1"), "a-1", "a-12"),
        (Clause(starts_with="A-"), "a-1", "ba-1"),
        (Clause(ends_with="-B"), "a-b", "a-bc"),
        (Clause(contains="-B-"), "a-b-c", "a-bc"),
        (Clause(regex="^a+$"), "aaa", "aab"),
        (Clause(or_=(Clause(equals="a"), Clause(equals="b"))), "b", "c"),
        (Clause(and_=(Clause(starts_with="a"), Clause(ends_with="z"))), "abz", "ab"),
    ],
)
def test_a_clause_fits_whatever_the_case_of_its_own_words(clause: Clause, fits: str, fails: str) -> None:
    assert clause.matches(fits)
    assert not clause.matches(fails)


def test_a_provider_is_known_by_its_id_then_its_names_then_its_looks() -> None:
    def provider(id: str, output: int, **told: object) -> Provider:
        model = Model(id="m", match=Clause(equals="m"), prices=(listing(output),))
        return Provider(id=id, models=(model,), **told)  # pyright: ignore[reportArgumentType]

    prices = Table(
        sheet(
            provider("wide", 1, match=Clause(contains="o")),
            provider("other", 2, names=("openai",)),
            provider("google", 3),
        ).encode()
    )
    found = {name: prices.find(name, "m", NOON) for name in ("openai", "google", "bot", "nil")}
    assert {name: price and price.rates.output for name, price in found.items()} == {
        "openai": 2,
        "google": 3,
        "bot": 1,
        "nil": None,
    }


def test_a_zero_is_believed_only_of_a_name_that_promises_it() -> None:
    free = (Listing(rates=Rates(web_search=5)),)
    models = (Model(id="m", match=Clause(starts_with="m"), prices=free),)
    prices = Table(sheet(Provider(id="openrouter", models=models), Provider(id="p", models=models)).encode())
    assert prices.find("openrouter", "m", NOON) is None
    assert prices.find("openrouter", "m:free", NOON)
    assert prices.find("p", "m:free", NOON) is None


def test_what_is_not_billed_by_tokens_is_a_price_too() -> None:
    for rates in (Rates(character=1), Rates(audio_ms=1), Rates(image=1), Rates(search_unit=1)):
        assert table(Listing(rates=rates)).find("p", "m", NOON)
    assert table(Listing(rates=Rates(), request=1)).find("p", "m", NOON)
    assert table(Listing(rates=Rates(), tiers=(Tier(5, Rates(output=1)),))).find("p", "m", NOON)


def test_listed_are_text_models_only() -> None:
    assert len(table(listing(5)).listed("p", NOON)) == 1
    assert table(Listing(rates=Rates(fresh_input=5))).listed("p", NOON) == []
    assert table(listing(5)).listed("nobody", NOON) == []
    assert len(Table(SHEET.encode()).listed("", NOW)) > 1_500


def test_asking_for_one_provider_leaves_the_others_text() -> None:
    prices = Table(SHEET.encode())
    prices.find("anthropic", "claude-opus-4-8", NOW)
    assert [shelf.id for shelf in prices._shelves if shelf.__dict__] == ["anthropic"]
