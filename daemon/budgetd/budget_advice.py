"""What of a budget can have no effect, going by the price list: limits about no known model, and fallbacks
that never stand in. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from budgetd.budget.limits import Limit
from budgetd.config import PLACED, WELL_KNOWN, Upstream
from budgetd.pricing.book import Sources
from budgetd.pricing.overrides import Overrides
from budgetd.pricing.rates import Price
from budgetd.pricing.search import is_glob, nearest

Prices = Mapping[str, Sequence[Price]]
"""Of models, by the provider that offers them."""


class KnownModels:
    """The models that have a price."""

    def __init__(
        self, sources: Sources, overrides: Overrides, ids: Mapping[str, Sequence[str]], at: float
    ) -> None:
        """Args:
        sources: the prices in force.
        overrides: what the person states.
        ids: the models that are on the list of each provider.
        at: now, UTC epoch seconds.
        """
        self._sources = sources
        self._overrides = overrides
        self._at = at
        self.ids = {**ids}
        for override in overrides.entries:
            provider, _, model = override.pattern.partition("/")
            self.ids[provider] = [*self.ids.get(provider, ()), model]

    def prices(self, wanted: str, providers: Sequence[str]) -> Prices:
        """Those of the models that a name or a glob means."""
        found = {provider: self._matching(provider, wanted) for provider in providers}
        return {provider: prices for provider, prices in found.items() if prices}

    def _matching(self, provider: str, wanted: str) -> list[Price]:
        names = [wanted]
        if is_glob(wanted):
            ids = self.ids.get(provider, ())
            names = [name for name in ids if fnmatchcase(name.lower(), wanted.lower())]
            # The list may have one entry for all the dated names of a model.
            names.append(wanted[: next(n for n, char in enumerate(wanted) if char in "*?[")])
        found = (self._price(provider, name) for name in names if name)
        return [price for price in found if price]

    def _price(self, provider: str, model: str) -> Price | None:
        found = self._sources.find(provider, model, self._at)
        price = found[0] if found else None
        override = self._overrides.find(provider, (model, price.model if price else ""))
        return override.over(price, model) if override else price


def advice(limits: Sequence[Limit], upstreams: Mapping[str, Upstream], models: KnownModels) -> Iterator[str]:
    """A sentence for each limit or fallback that can have no effect."""
    for limit in limits:
        providers = _providers(limit, upstreams)
        ids = [name for provider in providers for name in models.ids.get(provider, ())]
        globs = dict(limit.match).get("model", ())
        meant = {glob: models.prices(glob, providers) for glob in globs}
        for glob in globs:
            if ids and not meant[glob]:
                yield f"limit {limit.name!r}: no model that is known matches {glob!r}{_hint(glob, ids)}"
        if not limit.fallback_model or limit.on_exceed not in {"downgrade", "hold"}:
            continue
        about = f"limit {limit.name!r}: fallback_model {limit.fallback_model!r}"
        fallback = models.prices(limit.fallback_model, providers)
        if ids and not fallback:
            yield f"{about} is no model that is known{_hint(limit.fallback_model, ids)}"
        for glob, replaced in meant.items():
            if (
                fallback
                and replaced
                and (useless := _why_useless(glob, replaced, fallback, providers, models))
            ):
                yield f"{about} {useless}"


def _why_useless(
    glob: str, replaced: Prices, fallback: Prices, providers: Sequence[str], models: KnownModels
) -> str:
    """Why the fallback never stands in for any model that the glob matches; empty if it may."""
    both = replaced.keys() & fallback.keys()
    if not both and not {*models.ids, *WELL_KNOWN, *PLACED}.issuperset(providers):
        return ""  # a server of the person's own may offer anything
    if not both:
        return f"never stands in for {glob!r}: no provider that is known offers both."
    pairs = [(mine, other) for name in both for mine in fallback[name] for other in replaced[name]]
    if any(_is_cheaper(mine, other) for mine, other in pairs):
        return ""
    return f"saves nothing: no model that {glob!r} matches costs more."


def _providers(limit: Limit, upstreams: Mapping[str, Upstream]) -> list[str]:
    """Whose prices hold for what a limit is about."""
    match = dict(limit.match)
    places = {**{name: name for name in PLACED}, **{each.name: each.provider for each in upstreams.values()}}
    found = (provider for name, provider in places.items() if _fits(name, match.get("upstream", ("*",))))
    return [name for name in dict.fromkeys(found) if _fits(name, match.get("provider", ("*",)))]


def _is_cheaper(one: Price, other: Price) -> bool:
    """Whether some requests cost less."""
    return one.rates.fresh_input < other.rates.fresh_input or one.rates.output < other.rates.output


def _fits(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _hint(wanted: str, known: Sequence[str]) -> str:
    near = nearest(known, wanted.strip("*"))
    return f"; did you mean {near[0]}?" if near else "."
