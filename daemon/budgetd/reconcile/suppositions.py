"""What could be otherwise about requests than the ledger has it, so that they cost something else. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from budgetd.ledger.invoicing import Portion
from budgetd.metering.usage import Usage
from budgetd.reconcile.case import Case, Kind, in_words
from budgetd.reconcile.repricing import Change

TIERS = ("batch", "flex", "priority", "fast")
PLAIN = frozenset(("", "standard", "default", "auto"))
"""What providers call no tier in particular."""


class Supposition(NamedTuple):
    """One thing that could be otherwise."""

    kind: Kind
    words: str
    """What the drift would be then."""
    change: Change


def suppositions(case: Case) -> Iterator[Supposition]:
    """All that there is to suppose, the surest first."""
    requests = case.row.requests
    yield from _stated_tiers(requests)
    yield from _unstated_tiers(case)
    yield from _cache_classes(requests)
    elsewhere = [portion for portion in requests if portion.geo != "us"]
    yield Supposition("place", f"{in_words(elsewhere)} billed as inference in the US only", _in_the_us)
    yield Supposition(
        "searches",
        f"{sum(portion.usage.web_searches for portion in requests):,} web searches, which the ledger counts"
        " with the model and the invoice does not",
        _using(_no_searches),
    )


def _stated_tiers(requests: tuple[Portion, ...]) -> Iterator[Supposition]:
    """Requests of some tier are not on the invoice, or were billed as any other."""
    for tier in sorted({portion.service_tier for portion in requests}.difference(PLAIN)):
        of = frozenset((tier,))
        who = f"{in_words(portion for portion in requests if portion.service_tier in of)} of tier {tier}"
        yield Supposition("tier", f"{who}, of which the invoice has none", _without(of))
        yield Supposition("tier", f"{who}, billed as standard ones", _at_tier(of, ""))


def _unstated_tiers(case: Case) -> Iterator[Supposition]:
    """Requests of no tier in particular were billed at one. Tiers of one price cannot be told apart."""
    for of, whose in ((frozenset(("",)), "without a stated tier"), (PLAIN, "of the standard tier")):
        who = in_words(portion for portion in case.row.requests if portion.service_tier in of)
        alike: dict[int, list[str]] = defaultdict(list)
        for tier in TIERS:
            alike[case.difference(_at_tier(of, tier))].append(tier)
        for tiers in alike.values():
            at = " or ".join(tiers)
            yield Supposition("tier", f"{who} {whose}, billed at tier {at}", _at_tier(of, tiers[0]))


def _cache_classes(requests: tuple[Portion, ...]) -> Iterator[Supposition]:
    """Tokens were billed as another cache class."""
    usages = [portion.usage for portion in requests]
    written = sum(usage.cache_write_tokens for usage in usages)
    long = sum(usage.cache_write_1h_tokens for usage in usages)
    read = sum(usage.cache_read_tokens for usage in usages)
    for tokens, other, words in (
        (written - long, _all_1h, "cache writes priced as 5m instead of 1h"),
        (long, _all_5m, "cache writes priced as 1h instead of 5m"),
        (read, _unread, "input priced as read from a cache that was billed in full"),
        (written, _unwritten, "input priced as written to a cache that was billed as plain input"),
    ):
        yield Supposition("cache", f"{tokens:,} tokens of {words}", _using(other))


def _without(tiers: frozenset[str]) -> Change:
    return lambda portion: None if portion.service_tier in tiers else portion


def _at_tier(tiers: frozenset[str], other: str) -> Change:
    return lambda portion: replace(portion, service_tier=other) if portion.service_tier in tiers else portion


def _using(other: Callable[[Usage], Usage]) -> Change:
    return lambda portion: replace(portion, usage=other(portion.usage))


def _in_the_us(portion: Portion) -> Portion:
    return replace(portion, geo="us")


def _all_1h(usage: Usage) -> Usage:
    return replace(usage, cache_write_1h_tokens=usage.cache_write_tokens)


def _all_5m(usage: Usage) -> Usage:
    return replace(usage, cache_write_1h_tokens=0)


def _unread(usage: Usage) -> Usage:
    return replace(usage, cache_read_tokens=0, cache_read_audio_tokens=0, cache_read_image_tokens=0)


def _unwritten(usage: Usage) -> Usage:
    return replace(usage, cache_write_tokens=0, cache_write_1h_tokens=0)


def _no_searches(usage: Usage) -> Usage:
    return replace(usage, web_searches=0)
