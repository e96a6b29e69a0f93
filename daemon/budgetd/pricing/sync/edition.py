"""One source's new edition, from its address to the shelf: fetched, checked, compared, and put in force.

What needs a person's yes is put in force only with it; without it those models keep their prices.
"""

from datetime import UTC, datetime

import msgspec

from budgetd.pricing.compile import published
from budgetd.pricing.errors import PricesError
from budgetd.pricing.litellm import SOURCE, read_litellm
from budgetd.pricing.rates import Price, Rates
from budgetd.pricing.sync.check import check
from budgetd.pricing.sync.diff import Change, compare
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.sync.fetch import Fetched, fetch
from budgetd.pricing.sync.merge import merge
from budgetd.pricing.sync.shelf import Shelf, Source
from budgetd.pricing.sync.used import Used
from budgetd.pricing.table import Sheet, Table

NAMES: dict[Source, str] = {"genai": "genai-prices", "litellm": SOURCE}
"""What people call the sources."""

URLS: dict[Source, str] = {
    "genai": "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json",
    "litellm": "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json",
}
"""Where the sources are published."""


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """A new edition that waits to be put in force."""

    source: Source
    old: Sheet
    new: Sheet
    fetched: Fetched
    changes: list[Change]

    @property
    def questions(self) -> list[Change]:
        """What needs a yes."""
        return [change for change in self.changes if not change.harmless]


async def get_edition(shelf: Shelf, source: Source, url: str, now: float) -> Edition | None:
    """What is published, compared with what is in force; None if that is the same, which is noted.

    Raises SyncError, or PricesError where the shipped prices are not to be had: nothing changed.
    """
    origin = shelf.origin(source)
    fetched = await fetch(url, origin.etag if origin else "")
    if fetched is None:
        shelf.confirm(source, now)
        return None
    old = shelf.sheet(source)
    try:
        new = _read(source, fetched.content, now)
        check(old, new)
    except (PricesError, SyncError) as error:
        raise SyncError(f"What {fetched.origin} sent is not used. {error}") from None
    edition = Edition(source=source, old=old, new=new, fetched=fetched, changes=compare(old, new, now))
    if origin and old.providers == new.providers:
        put_in_force(shelf, edition, now, accepted=True)
        return None
    return edition


def put_in_force(shelf: Shelf, edition: Edition, now: float, *, accepted: bool, used: Used = ()) -> bool:
    """Put an edition on the shelf, all of it if it was accepted, else without what needs a yes. Whether any
    price or pattern of it is in force now that was not.

    Raises SyncError: nothing changed.
    """
    held = [] if accepted else edition.questions
    sheet = merge(edition.old, edition.new, held) if held else edition.new
    if held:
        _make_sure(edition.old, sheet, used, now)
    # With its etag the next fetch would bring nothing, and what is held back would never be asked again.
    etag = "" if held else edition.fetched.etag
    return shelf.put(edition.source, sheet, over=edition.old, host=edition.fetched.origin, etag=etag, now=now)


def _read(source: Source, content: bytes, now: float) -> Sheet:
    version = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%MZ}"
    if source == "genai":
        return published(content, version=version, as_of=int(now))
    return read_litellm(content, version=version, as_of=int(now))


def _make_sure(old: Sheet, merged: Sheet, used: Used, now: float) -> None:
    """See that the part that is taken over makes no model cheaper that is in use: patterns of names belong
    together, and a part of them may mean something else than the whole.
    """
    before, after = Table(old.encode()), Table(merged.encode())
    for provider, model in used:
        was, becomes = before.find(provider, model, now), after.find(provider, model, now)
        if was and (becomes is None or _cheaper(was, becomes)):
            raise SyncError(
                "Only a part of it may be taken over without a yes, and that part by itself would make"
                f" {provider}/{model} cheaper; nothing is taken over. See `budgetd sync-pricing`."
            )


def _cheaper(was: Price, becomes: Price) -> bool:
    """Whether any class is, at any length of input."""
    starts = {-1, *(tier.start for price in (was, becomes) for tier in price.tiers)}
    return becomes.request < was.request or any(
        getattr(becomes.above(start), name) < getattr(was.above(start), name)
        for start in starts
        for name in Rates.__struct_fields__
    )
