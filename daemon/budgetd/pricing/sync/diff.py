"""What a new edition of prices changes, model by model, and which of it needs a person's yes. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from budgetd.pricing.rate_names import NAMES
from budgetd.pricing.rates import Price, Rates, utc_day
from budgetd.pricing.search import named
from budgetd.pricing.table import Listing, Model, Provider, Sheet

_DAY = 86_400

Kind = Literal["new", "raised", "lowered", "removed", "zero"]


class Cell(msgspec.Struct, frozen=True):
    """One rate that changes."""

    label: str
    """The class in words, with the tier, the place, the length and the time it is about."""
    name: str
    """The class."""
    old: int
    new: int
    """In 1/SCALE nanodollars for one."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one model."""

    kind: Kind
    """zero: something of it would cost nothing; lowered: something of it becomes cheaper."""
    provider: str
    model: str
    successor: str = ""
    """The model of the new edition that its name means; empty where none does."""
    cells: tuple[Cell, ...] = ()
    """Those that change; of a new model or one that is removed, its standard rates."""

    @property
    def harmless(self) -> bool:
        """Whether nobody can be charged less than before because of it."""
        return self.kind in {"new", "raised"}


def compare(old: Sheet, new: Sheet, at: float) -> list[Change]:
    """What changes for requests from ``at`` on, announced prices included; past prices do not matter."""
    before = {provider.id: provider for provider in old.providers}
    after = {provider.id: provider for provider in new.providers}
    nobody = Provider(id="")
    changes: list[Change] = []
    for id in dict.fromkeys((*before, *after)):
        if before.get(id) != after.get(id):
            changes += _compare(id, before.get(id, nobody), after.get(id, nobody), at)
    return changes


def _compare(id: str, old: Provider, new: Provider, at: float) -> Iterator[Change]:
    before = {model.id: model for model in reversed(old.models)}
    after = {model.id: model for model in reversed(new.models)}
    by_id = [(model.id, model.match) for model in old.models] == [(m.id, m.match) for m in new.models]
    for model in old.models:
        # Where names or their patterns changed, a name may mean another model than it did.
        successor = after[model.id] if by_id else named(new, model.id)
        if change := _change(id, model, successor, at):
            yield change
    for model in new.models:
        if model.id not in before:
            kind: Kind = "zero" if _costs_nothing(model, at) else "new"
            cells = tuple(_standard(model, at))
            yield Change(kind=kind, provider=id, model=model.id, successor=model.id, cells=cells)


def _change(provider: str, old: Model, new: Model | None, at: float) -> Change | None:
    if new is None:
        if not any(map(_is_price, old.prices)):
            return None
        gone = tuple(msgspec.structs.replace(cell, old=cell.new, new=cell.old) for cell in _standard(old, at))
        return Change(kind="removed", provider=provider, model=old.id, cells=gone)
    cells = tuple(_cells(old, new, at))
    if not cells:
        return None
    kind: Kind = "raised"
    if any(cell.new < cell.old for cell in cells):
        kind = "lowered"
    if any(cell.new == 0 for cell in cells):
        kind = "zero"
    return Change(kind=kind, provider=provider, model=old.id, successor=new.id, cells=cells)


def _cells(old: Model, new: Model, at: float) -> Iterator[Cell]:
    """What differs, each once: at another time, tier or place only what does not change there in the same
    proportion as elsewhere.
    """
    if old.prices == new.prices:
        return
    both = (*old.prices, *new.prices)
    seen: list[Cell] = []
    for (words, time, before), (_, _, after) in zip(
        _in_force(both, old, at), _in_force(both, new, at), strict=True
    ):
        for cell in _listing_cells(before, after):
            if not any(_same_step(cell, other) for other in seen):
                seen.append(cell)
                yield msgspec.structs.replace(cell, label=" ".join(filter(None, (words, cell.label, time))))


def _in_force(
    listings: Sequence[Listing], model: Model, at: float
) -> Iterator[tuple[str, str, Listing | None]]:
    """What holds for the model at each time, tier and place that the listings tell of, in words."""
    variants = dict.fromkeys((("", ""), *((each.service_tier, each.geo) for each in listings)))
    for moment, time in _moments(listings, at):
        for tier, geo in variants:
            yield " ".join(filter(None, (tier, geo))), time, model.listing(moment, tier, geo)


def _listing_cells(before: Listing | None, after: Listing | None) -> Iterator[Cell]:
    starts = {0, *(tier.start for each in (before, after) if each for tier in each.tiers)}
    told: set[tuple[str, int, int]] = set()
    for start in sorted(starts):
        old, new = _rates(before, start), _rates(after, start)
        long = f" >{start // 1000}k" if start else ""
        names = old.own().keys() | new.own().keys()
        for name in NAMES:
            if name not in names or (step := (name, getattr(old, name), getattr(new, name))) in told:
                continue
            told.add(step)
            if step[1] != step[2]:
                yield Cell(f"{NAMES[name].label}{long}", *step)
    old_request, new_request = before.request if before else 0, after.request if after else 0
    if old_request != new_request:
        yield Cell(NAMES["request"].label, "request", old_request, new_request)


def _same_step(one: Cell, other: Cell) -> bool:
    """Whether two changes of a class are in the same proportion, at the same length of input."""
    same = one.label == other.label and bool(one.new) == bool(other.new)
    return same and one.old * other.new == one.new * other.old


def _rates(listing: Listing | None, start: int) -> Rates:
    if listing is None:
        return Rates()
    return next((tier.rates for tier in reversed(listing.tiers) if tier.start <= start), listing.rates)


def _standard(model: Model, at: float) -> Iterator[Cell]:
    return _listing_cells(None, model.listing(at))


def _costs_nothing(model: Model, at: float) -> bool:
    """Whether at some time, in some tier or place, nothing is asked for it, or only for what it puts out."""
    found = [listing for _, _, listing in _in_force(model.prices, model, at) if listing]
    return not found or not all(map(_bills, found))


def _bills(listing: Listing) -> bool:
    taken_in = listing.request or listing.rates.dearest_input(cache_write_1h=False)
    return _is_price(listing) and bool(taken_in or not listing.rates.output)


def _is_price(listing: Listing) -> bool:
    return Price(id="", rates=listing.rates, tiers=listing.tiers, request=listing.request).bills()


def _moments(listings: Iterable[Listing], at: float) -> list[tuple[float, str]]:
    """Now, each announced day, and each hour of such a day and of tomorrow from which other prices hold, in
    words where it is not now.
    """
    announced = sorted({listing.since for listing in listings if listing.since > at})
    hours = sorted({second for listing in listings if listing.hours for second in listing.hours})
    tomorrow = (at // _DAY + 1) * _DAY
    return [
        (at, ""),
        *((float(day), f"from {utc_day(day)}") for day in announced),
        *((tomorrow + hour, f"from {_clock(hour)}") for hour in hours),
        *((float(day + hour), f"from {utc_day(day)} {_clock(hour)}") for day in announced for hour in hours),
    ]


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02} UTC"
