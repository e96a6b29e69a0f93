"""Anthropic's cost report: daily buckets, amounts in cents as decimal strings (``"123.45"`` is $1.23)."""

from decimal import Decimal

import msgspec

from budgetd.reconcile.days import day_in, following
from budgetd.reconcile.invoice import Line, Page, cents
from budgetd.reconcile.invoices.reading import decode, not_a_time

HOST: str = "https://api.anthropic.com"
PATH: str = "/v1/organizations/cost_report"
DAYS_A_PAGE = 31

PRIORITY = "Anthropic leaves requests of tier priority out of this report; they are billed apart."


class _Result(msgspec.Struct):
    amount: Decimal | None = None
    currency: str | None = None
    model: str | None = None
    description: str | None = None
    cost_type: str | None = None
    service_tier: str | None = None


class _Bucket(msgspec.Struct):
    starting_at: str
    results: list[_Result] | None


class _Report(msgspec.Struct):
    data: list[_Bucket]
    has_more: bool | None = None
    next_page: str | None = None


def headers(key: str) -> dict[str, str]:
    """What a request carries."""
    return {"x-api-key": key, "anthropic-version": "2023-06-01"}


def query(since: str, until: str) -> list[tuple[str, str]]:
    """What to ask for: the days from one to the other, both included, told apart by model."""
    return [
        ("starting_at", f"{since}T00:00:00Z"),
        ("ending_at", f"{following(until)}T00:00:00Z"),
        ("bucket_width", "1d"),
        ("group_by[]", "description"),
        ("limit", str(DAYS_A_PAGE)),
    ]


def parse(content: bytes) -> Page:
    """One page. Raises ReconcileError."""
    report = decode(content, _Report, "Anthropic")
    try:
        days = [day_in(bucket.starting_at) for bucket in report.data]
    except ValueError:
        raise not_a_time("Anthropic") from None
    lines = [
        Line(
            day=day,
            model=result.model or "",
            nusd=cents(result.amount or Decimal(0), result.currency or "USD"),
            amount_missing=result.amount is None,
            what=result.description or result.cost_type or "",
            service_tier=result.service_tier or "",
        )
        for day, bucket in zip(days, report.data, strict=True)
        for result in bucket.results or ()
    ]
    return Page(
        days=tuple(days),
        lines=tuple(lines),
        following=(report.next_page or "") if report.has_more else "",
        notes=(PRIORITY,),
    )
