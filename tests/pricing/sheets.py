"""Small sheets of prices for tests."""

from budgetd.pricing.rates import Rates, Tier
from budgetd.pricing.table import Clause, Listing, Model, Provider, Sheet

MILLIONTH = 10**18
"""A dollar for a million, as a rate for one."""


def rates(**dollars: float) -> Rates:
    """Rates by class, in dollars for a million tokens."""
    return Rates.of({name: round(value * MILLIONTH) for name, value in dollars.items()})


def listing(
    fresh: float, output: float, *, since: int = 0, tier: str = "", geo: str = "", long: float = 0
) -> Listing:
    """A price for text; ``long`` is the input's above 200,000 tokens."""
    tiers = (Tier(200_000, rates(fresh_input=long, output=output)),) if long else ()
    return Listing(
        rates=rates(fresh_input=fresh, output=output), since=since, service_tier=tier, geo=geo, tiers=tiers
    )


def model(id: str, *prices: Listing, match: Clause | None = None) -> Model:
    """A model that is called by its id, or by what matches."""
    return Model(id=id, match=match or Clause(equals=id), prices=prices)


def sheet(*models: Model, provider: str = "openai", as_of: int = 0) -> Sheet:
    """One provider's prices."""
    return Sheet(
        source="genai-prices", version="v", as_of=as_of, providers=(Provider(id=provider, models=models),)
    )
