"""OpenRouter's activity: one row a date, model and endpoint, amounts in dollars; and its credits."""

from decimal import Decimal

import msgspec

from budgetd.reconcile.days import day_in
from budgetd.reconcile.invoice import Line, Page, dollars
from budgetd.reconcile.invoices.reading import decode, not_a_time
from budgetwire.money import format_usd

HOST: str = "https://openrouter.ai"
PATH: str = "/api/v1/activity"
CREDITS_PATH = "/api/v1/credits"

DAYS_KEPT = 30
"""So many days, up to yesterday, are told."""


class _Item(msgspec.Struct):
    date: str
    model: str | None = None
    model_permaslug: str | None = None
    """The name that answers carry, and so the ledger."""
    usage: Decimal | None = None
    byok_usage_inference: Decimal | None = None
    provider_name: str | None = None


class _Activity(msgspec.Struct):
    data: list[_Item]


class _Credits(msgspec.Struct):
    total_credits: Decimal
    total_usage: Decimal


class _CreditsReply(msgspec.Struct):
    data: _Credits


def headers(key: str) -> dict[str, str]:
    """What a request carries."""
    return {"Authorization": f"Bearer {key}"}


def query(since: str, until: str) -> list[tuple[str, str]]:  # noqa: ARG001
    """Nothing can be asked for but one day or all that are kept: all."""
    return []


def parse(content: bytes) -> Page:
    """All of it, in one page. Raises ReconcileError."""
    activity = decode(content, _Activity, "OpenRouter")
    try:
        days = [day_in(item.date) for item in activity.data]
    except ValueError:
        raise not_a_time("OpenRouter") from None
    lines = [_line(day, item) for day, item in zip(days, activity.data, strict=True)]
    own_keys = sum(dollars(item.byok_usage_inference or Decimal(0)) for item in activity.data)
    notes = (
        [
            f"{format_usd(own_keys)} of it went over your own keys (BYOK): their providers bill it, and the"
            " ledger counts it too."
        ]
        if own_keys
        else []
    )
    return Page(days=tuple(dict.fromkeys(days)), lines=tuple(lines), notes=tuple(notes))


def _line(day: str, item: _Item) -> Line:
    slug, permaslug = item.model or "", item.model_permaslug or ""
    amount = (item.usage or Decimal(0)) + (item.byok_usage_inference or Decimal(0))
    return Line(
        day=day,
        model=permaslug or slug,
        alias=slug if permaslug and slug != permaslug else "",
        nusd=dollars(amount),
        amount_missing=item.usage is None,
        what=item.provider_name or "",
    )


def parse_credits(content: bytes) -> str:
    """The account's total, as a sentence. Raises ReconcileError."""
    credit = decode(content, _CreditsReply, "OpenRouter").data
    used, bought = dollars(credit.total_usage), dollars(credit.total_credits)
    return f"OpenRouter says {format_usd(used)} of {format_usd(bought)} in credits is used in all."
