"""Hypotheses that the requests were priced as something they were not. Each is tried on the numbers. Pure."""

from collections.abc import Callable

import msgspec

from budgetd.metering.usage import Usage
from budgetd.reconcile.case import ROUNDING_PCT, Case, Cause, in_words
from budgetd.reconcile.compare import ESTIMATED, Compared
from budgetwire.money import format_usd

TIERS = ("batch", "flex", "priority", "fast")
PLAIN = frozenset(("", "standard", "default", "auto"))
"""What providers call no tier in particular."""


def _tier(case: Case) -> Cause | None:
    """Requests of some tier are not on the invoice, or were billed at another tier."""
    requests = case.row.requests
    for tier in sorted({portion.service_tier for portion in requests}.difference(PLAIN)):
        stated = [portion for portion in requests if portion.service_tier == tier]
        if case.fits(-sum(portion.cost_nusd for portion in stated)):
            return Cause(
                "tier",
                f"All of the drift fits {in_words(stated)} of tier {tier}: the invoice has none.",
            )
        if case.fits(case.repricing.difference(stated, service_tier="")):
            return Cause(
                "tier",
                f"All of the drift fits {in_words(stated)} of tier {tier}, billed as standard ones.",
            )
    silent = [portion for portion in requests if not portion.service_tier]
    plain = [portion for portion in requests if portion.service_tier in PLAIN]
    for portions, whose in ((silent, "without a stated tier"), (plain, "of the standard tier")):
        fitting = [
            tier for tier in TIERS if case.fits(case.repricing.difference(portions, service_tier=tier))
        ]
        if fitting:
            return Cause(
                "tier",
                f"All of the drift fits {in_words(portions)} {whose}, billed at tier {' or '.join(fitting)}.",
            )
    return None


def _cache(case: Case) -> Cause | None:
    """Tokens were billed as another cache class."""
    usages = [portion.usage for portion in case.row.requests]
    short = sum(usage.cache_write_tokens - usage.cache_write_1h_tokens for usage in usages)
    long = sum(usage.cache_write_1h_tokens for usage in usages)
    read = sum(usage.cache_read_tokens for usage in usages)
    for tokens, change, words in (
        (short, _all_1h, "cache writes priced as 5m instead of 1h"),
        (long, _all_5m, "cache writes priced as 1h instead of 5m"),
        (read, _unread, "input priced as read from a cache that was billed in full"),
        (short + long, _unwritten, "input priced as written to a cache that was billed as plain input"),
    ):
        if tokens and case.fits(case.repricing.difference(case.row.requests, change=change)):
            return Cause("cache", f"The drift equals {tokens:,} tokens of {words}.")
    return None


def _place(case: Case) -> Cause | None:
    """The place of inference was billed for."""
    elsewhere = [portion for portion in case.row.requests if portion.geo != "us"]
    if case.fits(case.repricing.difference(elsewhere, geo="us")):
        return Cause(
            "place", f"All of the drift fits {in_words(elsewhere)} billed as inference in the US only."
        )
    return None


def _searches(case: Case) -> Cause | None:
    """Web searches are not billed with the model."""
    searches = sum(portion.usage.web_searches for portion in case.row.requests)
    if searches and case.fits(case.repricing.difference(case.row.requests, change=_no_searches)):
        return Cause(
            "searches",
            f"The drift equals {searches:,} web searches, which the ledger counts with the model and the"
            " invoice does not.",
        )
    return None


def _prices(case: Case) -> Cause | None:
    """The book has been put right since."""
    difference = 0
    for portion in case.row.requests:
        now = case.repricing.cost(portion)
        difference += 0 if now is None or portion.basis in ESTIMATED else now - portion.cost_nusd
    if not case.fits(difference):
        return None
    ids = sorted({portion.price_id for portion in case.row.requests if portion.price_id})
    return Cause(
        "prices",
        "By the prices that are in force now the invoice is right; the requests were priced by"
        f" {', '.join(ids[:2]) or 'others'} at the time.",
    )


def _change(case: Case) -> Cause | None:
    """From some day on the invoice is higher or lower than the ledger, always by the same part."""
    days = [row for row in case.days if row.ledger_nusd > 0 and row.invoice_nusd > 0 and _tokens(row)]
    since = next((row for row in days if not _same(row.invoice_nusd, row.ledger_nusd)), None)
    if since is None:
        return None
    before = [row for row in days if row.day < since.day]
    after = [row for row in days if row.day >= since.day]
    steady = all(
        _same(row.invoice_nusd * since.ledger_nusd, since.invoice_nusd * row.ledger_nusd) for row in after
    )
    if not before or len(after) < 2 or not steady or case.row not in after:
        return None
    was, now = (
        format_usd(sum(row.invoice_nusd for row in rows) * 1_000_000 // sum(map(_tokens, rows)))
        for rows in (before, after)
    )
    return Cause(
        "change",
        f"Invoice per million tokens changed from {was} to {now} on {since.day}, and the ledger's did not:"
        " a price change; run `budgetd sync-pricing`.",
    )


HYPOTHESES: tuple[Callable[[Case], Cause | None], ...] = (_tier, _cache, _place, _searches, _prices, _change)
"""In the order in which they are tried."""


def _all_1h(usage: Usage) -> Usage:
    return msgspec.structs.replace(usage, cache_write_1h_tokens=usage.cache_write_tokens)


def _all_5m(usage: Usage) -> Usage:
    return msgspec.structs.replace(usage, cache_write_1h_tokens=0)


def _unread(usage: Usage) -> Usage:
    return msgspec.structs.replace(
        usage, cache_read_tokens=0, cache_read_audio_tokens=0, cache_read_image_tokens=0
    )


def _unwritten(usage: Usage) -> Usage:
    return msgspec.structs.replace(usage, cache_write_tokens=0, cache_write_1h_tokens=0)


def _no_searches(usage: Usage) -> Usage:
    return msgspec.structs.replace(usage, web_searches=0)


def _same(one: int, other: int) -> bool:
    """Within what rounding makes of a day's sum."""
    return abs(one - other) * 100 <= ROUNDING_PCT * max(abs(one), abs(other))


def _tokens(row: Compared) -> int:
    return sum(portion.usage.input_tokens + portion.usage.output_tokens for portion in row.requests)
