"""LiteLLM's published map of prices as a source: its JSON, read as decimals, turned into a `Sheet`. Pure.

The map has a flat entry for each model, in dollars for one token. Not read, because a usage does not count
them: pages, pixels, video, sessions, off-peak hours, and prices of tiers nobody here can be billed by.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, cast

import msgspec

from budgetd.pricing.errors import PricesError
from budgetd.pricing.rates import FEES, MOST_TOKENS, Rates, Tier, rate
from budgetd.pricing.table import Clause, Listing, Model, Provider, Sheet

SOURCE = "LiteLLM"

_OURS = (
    ("azure", "azure"),
    ("bedrock", "bedrock"),
    ("cohere", "cohere"),
    ("fireworks_ai", "fireworks"),
    ("text-completion-openai", "openai"),
    ("together_ai", "together"),
    ("vertex_ai", "vertex"),
)
"""How the map's names of providers begin, and what we call them; any other is called the same."""

_CLASSES = {
    "input_cost_per_token": "fresh_input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "cache_read_input_audio_token_cost": "audio_cache_read",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "cache_read_input_image_token_cost": "image_cache_read",
    "output_cost_per_image_token": "image_output",
    "input_cost_per_character": "character",
}
"""Keys of what is billed one by one, with the class of `Rates` they price."""

_TIERS = {"batches": "batch", "priority": "priority", "flex": "flex", "ultrafast": "ultrafast"}
"""Endings of keys, and the service tier each is about."""

_KEY = re.compile(
    rf"(?P<cls>{'|'.join(sorted(_CLASSES, key=len, reverse=True))})"
    rf"(?:_above_(?P<start>\d{{1,9}})k_tokens)?(?:_(?P<tier>{'|'.join(_TIERS)}))?"
)

_PLACES = ("us", "eu")
_MOST_UPLIFT = 100

_Entry = Mapping[str, Any]
_Cells = dict[str, int]
"""Rates by class, as far as they are told; what costs nothing counts as not told."""


def read_litellm(content: bytes, *, version: str, as_of: int) -> Sheet:
    """The map as a sheet. An entry that has no price for anything we count is left out.

    Args:
        content: the JSON as it was published.
        version: what to call it, for the map has no number.
        as_of: when it was fetched, UTC epoch seconds.

    Raises PricesError: it is no such map, or a price in it is negative or no number.
    """
    try:
        loaded = json.loads(content, parse_float=_number, parse_int=_number, parse_constant=_no_number)
        return _sheet(loaded, version, as_of)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise PricesError("LiteLLM's map is not understood: it is not JSON, or was cut short.") from None
    except ValueError as error:
        raise PricesError(f"LiteLLM's map cannot be used: {error}.") from None


def _sheet(loaded: object, version: str, as_of: int) -> Sheet:
    models: dict[str, dict[str, Model]] = {}
    for name, told in _map(loaded).items():
        entry = _map(told)
        provider = str(entry.get("litellm_provider", ""))
        if name == "sample_spec" or not (name + provider).isprintable():
            continue
        if model := _model(_id(name, provider), name, entry):
            models.setdefault(_ours(provider), {}).setdefault(model.id, model)
    if not models:
        raise ValueError("it has no price that can be read")
    return Sheet(
        source=SOURCE,
        version=version,
        as_of=as_of,
        providers=tuple(
            Provider(id=id, models=tuple(listed.values())) for id, listed in sorted(models.items())
        ),
    )


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("it has a number out of all bounds") from None


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"it has {constant} for a price")


def _ours(provider: str) -> str:
    return next((ours for start, ours in _OURS if provider.startswith(start)), provider)


def _id(name: str, provider: str) -> str:
    """The model's name as a request says it: without the provider's in front."""
    first, slash, rest = name.partition("/")
    is_prefix = slash and (provider == first or re.match(re.escape(first) + "[-_]", provider))
    return (rest if is_prefix else name).lower()


def _model(id: str, name: str, entry: _Entry) -> Model | None:
    every = _cells(name, entry)
    standard = every.setdefault("", {})
    beside = _beside(name, entry, standard.setdefault(0, {}))
    request = _rate(name, entry, "input_cost_per_request")
    if not _bills(standard[0], beside, request):
        return None
    prices = [_listing(tier, every, beside, request) for tier in every]
    uplifts = dict(_uplifts(name, entry))
    if fast := uplifts.pop("fast", None):
        prices.append(_scaled(_listing("", every, beside, request), fast, tier="fast"))
    prices += [_scaled(each, factor, geo=geo) for geo, factor in uplifts.items() for each in tuple(prices)]
    own = Clause(equals=id)
    return Model(
        id=id,
        match=Clause(or_=(own, Clause(starts_with=f"{id}:"))) if id.startswith("ft:") else own,
        prices=tuple(prices),
        context_window=_tokens(entry, "max_input_tokens"),
        max_output_tokens=_tokens(entry, "max_output_tokens"),
    )


def _bills(standard: _Cells, beside: _Cells, request: int) -> bool:
    """Whether a price can be made of it: of what is put out alone, it cannot."""
    if "output" in standard and not request:
        return any("input" in cell for cell in standard)
    return bool(standard or request or beside.keys() - FEES)


def _cells(name: str, entry: _Entry) -> dict[str, dict[int, _Cells]]:
    """Rates by service tier, and in it by the length of the input that they begin above."""
    every: dict[str, dict[int, _Cells]] = {}
    for key in entry:
        if (match := _KEY.fullmatch(key)) and (told := _rate(name, entry, key)):
            tier, start = _TIERS.get(match["tier"], ""), int(match["start"] or 0) * 1000
            every.setdefault(tier, {}).setdefault(start, {})[_CLASSES[match["cls"]]] = told
    return every


def _beside(name: str, entry: _Entry, standard: _Cells) -> _Cells:
    """Rates of what is not billed by tokens. A fee that depends on how much is searched counts at its most;
    a picture or a second is billed only where tokens are not.
    """
    found = {"file_search": _rate(name, entry, "file_search_cost_per_1k_calls", 3)}
    fees = _map(entry.get("search_context_cost_per_query"))
    found["web_search"] = max((_rate(name, fees, key) for key in fees), default=0)
    mode = entry.get("mode")
    if mode == "rerank":
        found["search_unit"] = _rate(name, entry, "input_cost_per_query")
    if mode == "audio_transcription" and not standard:
        found["audio_ms"] = _rate(name, entry, "input_cost_per_second", 3)
    if mode in {"image_generation", "image_edit"} and not standard:
        found["image"] = _rate(name, entry, "output_cost_per_image")
    return {name: told for name, told in found.items() if told}


def _listing(tier: str, every: dict[str, dict[int, _Cells]], beside: _Cells, request: int) -> Listing:
    """The prices of a service tier. What it does not tell is as at the standard; for a long input that is not
    told either, whatever is dearer.
    """
    standard, own = every[""], every[tier]
    base = standard[0] | own.get(0, {})
    tiers: list[Tier] = []
    for start in sorted({*standard, *own} - {0}):
        long = {key: max(base.get(key, 0), told) for key, told in standard.get(start, {}).items()}
        tiers.append(Tier(start, Rates.of(base | long | own.get(start, {}) | beside)))
    return Listing(service_tier=tier, rates=Rates.of(base | beside), tiers=tuple(tiers), request=request)


def _uplifts(name: str, entry: _Entry) -> Iterator[tuple[str, Decimal]]:
    """By how much speed or a place makes every token dearer."""
    told = dict(_map(entry.get("provider_specific_entry")))
    told |= {geo: entry.get(f"regional_processing_uplift_multiplier_{geo}", told.get(geo)) for geo in _PLACES}
    for key in ("fast", *_PLACES):
        factor = told.get(key)
        if isinstance(factor, Decimal):
            if not 0 < factor <= _MOST_UPLIFT:
                raise ValueError(f"it multiplies the price of {name} by {factor:.12g}")
            yield key, factor


def _scaled(listing: Listing, factor: Decimal, *, tier: str = "", geo: str = "") -> Listing:
    """The listing with every token so much dearer."""
    return msgspec.structs.replace(
        listing,
        service_tier=tier or listing.service_tier,
        geo=geo,
        rates=_times(listing.rates, factor),
        tiers=tuple(Tier(each.start, _times(each.rates, factor)) for each in listing.tiers),
    )


def _times(rates: Rates, factor: Decimal) -> Rates:
    changed = {key: round(told * factor) for key, told in msgspec.structs.asdict(rates).items()}
    return Rates(**(changed | {fee: getattr(rates, fee) for fee in FEES}))


def _rate(name: str, entry: _Entry, key: str, exponent: int = 0) -> int:
    """Dollars for 10**exponent as a rate; 0 where nothing is told."""
    value = entry.get(key)
    if not isinstance(value, Decimal):
        return 0
    try:
        return rate(value, exponent)
    except ValueError as error:
        raise ValueError(f"it has {error} for {name} ({key})") from None


def _map(value: object) -> _Entry:
    """The value if it is a map, else an empty one."""
    return cast("_Entry", value) if isinstance(value, dict) else {}


def _tokens(entry: _Entry, key: str) -> int | None:
    value = entry.get(key)
    return int(value) if isinstance(value, Decimal) and 1 <= value < MOST_TOKENS else None
