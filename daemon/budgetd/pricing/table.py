"""One source's prices as a flat table: what is written to a file, and what is asked of it. Pure.

How a source's own data becomes a `Sheet` is in the source's file (`genai`); how layers of tables become one
answer is in `book`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec
from msgspec import field

from budgetd.pricing.rates import Price, Rates, Tier, utc_day

FORMAT = 2
"""Number of the layout below, and of how a source's data is read. A file of another one is not read."""

_DAY = 86_400
_COMPACT_DATE = re.compile(r"(?<=-)(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class DamagedTable(ValueError):  # noqa: N818 - it names what is wrong, not that something is
    """The bytes are not a table as it was written, or of another format."""


class Clause(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a name has to look like; exactly one of the fields is set. Case does not matter, but to `regex`,
    which sees the name in lower case.
    """

    equals: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    regex: str | None = None
    or_: tuple["Clause", ...] | None = field(name="or", default=None)
    and_: tuple["Clause", ...] | None = field(name="and", default=None)

    def matches(self, name: str) -> bool:
        """Whether the name, which is in lower case, fits."""
        if self.equals is not None:
            return name == self.equals.lower()
        if self.or_ is not None:
            return any(clause.matches(name) for clause in self.or_)
        if self.starts_with is not None:
            return name.startswith(self.starts_with.lower())
        if self.contains is not None:
            return self.contains.lower() in name
        if self.ends_with is not None:
            return name.endswith(self.ends_with.lower())
        if self.regex is not None:
            return re.search(self.regex, name) is not None
        return self.and_ is not None and all(clause.matches(name) for clause in self.and_)


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model costs from a day on, perhaps in some hours of the day, a service tier or a place."""

    since: int = 0
    """First UTC second, a midnight; 0: always."""
    hours: tuple[int, int] | None = None
    """Seconds after UTC midnight, from the first until before the second; over midnight if that is less."""
    service_tier: str = ""
    """The provider's word (``priority``, ``flex``, ``batch``, ``fast``); empty: the standard price."""
    geo: str = ""
    """The provider's word for where it runs (``us``); empty: anywhere."""
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    """Rates of long inputs, by ascending start."""
    request: int = 0
    """What each exchange costs on top, in 1/SCALE nanodollars."""

    def holds(self, at: float) -> bool:
        """Whether it is in force at a time, UTC epoch seconds."""
        if at < self.since:
            return False
        if self.hours is None:
            return True
        start, end = self.hours
        second = at % _DAY
        return start <= second < end if start <= end else second >= start or second < end


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model of a provider and all its prices, past, present and announced."""

    id: str
    match: Clause
    prices: tuple[Listing, ...] = ()
    """Of those that hold at a time for the same tier and place, the last one counts."""
    context_window: int | None = None
    """The most tokens it takes in."""
    max_output_tokens: int | None = None
    """The most tokens it puts out."""

    def listing(self, at: float, service_tier: str = "", geo: str = "") -> Listing | None:
        """The price in force: of tier and place, else of the tier, else of the place, else the standard."""
        for tier, place in ((service_tier, geo), (service_tier, ""), ("", geo), ("", "")):
            for listing in reversed(self.prices):
                if listing.service_tier == tier and listing.geo == place and listing.holds(at):
                    return listing
        return None


class Provider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who bills, and for what."""

    id: str
    models: tuple[Model, ...] = ()
    """The first one that matches a name is meant."""
    names: tuple[str, ...] = ()
    """What else it is called, above all by our upstreams."""
    match: Clause | None = None
    """What yet other names of it look like."""
    borrows: tuple[str, ...] = ()
    """Ids of providers whose models it offers too, at their standard prices."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All prices of one source, as they are written."""

    source: str
    version: str
    as_of: int
    """When the source was last right, as far as it says, UTC epoch seconds."""
    providers: tuple[Provider, ...] = ()

    def encode(self) -> bytes:
        """The bytes that a `Table` reads."""
        body = msgspec.json.encode(_Written(sheet=self, slots=tuple(sorted({0, *_clock_times(self)}))))
        return _seal(body) + body


class Table:
    """One source's prices, ready to be asked. A provider's models are decoded when first needed."""

    def __init__(self, data: bytes) -> None:
        """Raises DamagedTable if these are not bytes that `Sheet.encode` made."""
        head, _, body = data.partition(b"\n")
        if head + b"\n" != _seal(body):
            raise DamagedTable("these are no prices as they were written, or of another format")
        read = msgspec.json.decode(body, type=_Read)
        self.slots = read.slots
        """Seconds after UTC midnight at which some price changes, ascending, from 0."""
        self.as_of = read.sheet.as_of
        """When the source was last right, UTC epoch seconds."""
        self.name = f"{read.sheet.source} {read.sheet.version}"
        """The source and its version."""
        self._shelves = read.sheet.providers

    def find(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of a model at a time; None if it is unknown, or zero where nothing says that it is free.

        A model borrowed from another provider has only standard prices.
        """
        shelf = self._shelf(provider)
        found = shelf and self._model(shelf, model)
        if not shelf or not found:
            return None
        if not any(found is own for own in shelf.models):
            service_tier = geo = ""
        listing = found.listing(at, service_tier, geo)
        if listing is None:
            return None
        price = self._named(shelf, found, listing, at)
        return price if price.bills() or _is_free(shelf.id, model) else None

    def members(self, provider: str, at: float, service_tier: str = "", geo: str = "") -> list[Price]:
        """The prices at a time of every model that the provider offers, those that are zero apart."""
        shelf = self._shelf(provider)
        if shelf is None:
            return []
        listings = [(model, model.listing(at, service_tier, geo)) for model in shelf.models]
        listings += [(model, model.listing(at)) for lender in self._lenders(shelf) for model in lender.models]
        prices = [self._named(shelf, model, listing, at) for model, listing in listings if listing]
        return [price for price in prices if price.bills()]

    def listed(self, provider: str, at: float) -> list[Price]:
        """The standard prices at a time of every text model the provider offers; of everyone's for ""."""
        if provider:
            shelf = self._shelf(provider)
            shelves = [shelf, *self._lenders(shelf)] if shelf else []
        else:
            shelves = list(self._shelves)
        return list(_text_prices(shelves, at))

    def sheet(self) -> Sheet:
        """All of it, to be compared with another."""
        source, _, version = self.name.partition(" ")
        providers = (
            Provider(
                id=shelf.id, models=shelf.models, names=shelf.names, match=shelf.match, borrows=shelf.borrows
            )
            for shelf in self._shelves
        )
        return Sheet(source=source, version=version, as_of=self.as_of, providers=tuple(providers))

    def _named(self, shelf: "_Shelf", model: Model, listing: Listing, at: float) -> Price:
        words = (self.name, shelf.id, model.id, utc_day(at), listing.service_tier, listing.geo)
        return _price(" ".join(filter(None, words)), model, listing)

    def _shelf(self, name: str) -> "_Shelf | None":
        name = name.lower().strip()
        return (
            self._first(lambda shelf: shelf.id == name)
            or self._first(lambda shelf: name in shelf.names)
            or self._first(lambda shelf: shelf.match is not None and shelf.match.matches(name))
        )

    def _first(self, fits: "Callable[[_Shelf], bool]") -> "_Shelf | None":
        return next((shelf for shelf in self._shelves if fits(shelf)), None)

    def _lenders(self, shelf: "_Shelf") -> "list[_Shelf]":
        lenders = (self._first(lambda other, id=id: other.id == id) for id in shelf.borrows)
        return [lender for lender in lenders if lender]

    def _model(self, shelf: "_Shelf", name: str) -> Model | None:
        """By the name as it is, with its date spelt with dashes, or without the path of a resource."""
        spellings = [name.lower(), _COMPACT_DATE.sub(r"\1-\2-\3", name.lower())]
        if "models/" in name:
            spellings.append(name.lower().rpartition("models/")[2])
        for spelling in dict.fromkeys(spellings):
            for each in (shelf, *self._lenders(shelf)):
                if found := each.model(spelling):
                    return found
        return None


class _Written(msgspec.Struct, frozen=True):
    sheet: Sheet
    slots: tuple[int, ...]


class _Shelf(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A provider whose models are still text."""

    id: str
    models_json: msgspec.Raw = field(name="models", default=msgspec.Raw(b"[]"))
    names: tuple[str, ...] = ()
    match: Clause | None = None
    borrows: tuple[str, ...] = ()

    @cached_property
    def models(self) -> tuple[Model, ...]:
        return msgspec.json.decode(self.models_json, type=tuple[Model, ...])

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.match.matches(name)), None)


class _Shelves(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    version: str
    as_of: int
    providers: tuple[_Shelf, ...] = ()


class _Read(msgspec.Struct, frozen=True):
    sheet: _Shelves
    slots: tuple[int, ...]


def _seal(body: bytes) -> bytes:
    """The first line of a table: what it is, and the sum that shows whether it is whole."""
    return b"budgettop prices %d %s\n" % (FORMAT, hashlib.blake2b(body, digest_size=16).hexdigest().encode())


def _clock_times(sheet: Sheet) -> Iterator[int]:
    for provider in sheet.providers:
        for model in provider.models:
            for listing in model.prices:
                yield from listing.hours or ()


def _price(id: str, model: Model, listing: Listing) -> Price:
    return Price(
        id=id,
        model=model.id,
        rates=listing.rates,
        tiers=listing.tiers,
        request=listing.request,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
    )


def _text_prices(shelves: "list[_Shelf]", at: float) -> Iterator[Price]:
    for shelf in shelves:
        for model in shelf.models:
            listing = model.listing(at)
            if listing and listing.rates.fresh_input and listing.rates.output:
                yield _price("", model, listing)


def _is_free(provider: str, model: str) -> bool:
    """A zero is believed only where the name asked for promises it; else it means that nobody knows."""
    return provider == "openrouter" and model.lower().endswith(":free")
