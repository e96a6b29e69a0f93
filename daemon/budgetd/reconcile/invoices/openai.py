"""OpenAI's costs: daily buckets, amounts in dollars as floats, read by their digits and not as floats."""

from decimal import Decimal

import msgspec

from budgetd.reconcile.days import day_of, following, starts_at
from budgetd.reconcile.invoice import Line, Page, dollars
from budgetd.reconcile.invoices.reading import decode, not_a_time

HOST: str = "https://api.openai.com"
PATH: str = "/v1/organization/costs"
DAYS_A_PAGE = 180


class _Amount(msgspec.Struct):
    value: Decimal | None = None
    currency: str | None = None


class _Result(msgspec.Struct):
    amount: _Amount | None = None
    line_item: str | None = None


class _Bucket(msgspec.Struct):
    start_time: int
    results: list[_Result] | None


class _Costs(msgspec.Struct):
    data: list[_Bucket]
    has_more: bool | None = None
    next_page: str | None = None


def headers(key: str) -> dict[str, str]:
    """What a request carries."""
    return {"Authorization": f"Bearer {key}"}


def query(since: str, until: str) -> list[tuple[str, str]]:
    """What to ask for: the days from one to the other, both included, told apart by line item."""
    return [
        ("start_time", str(int(starts_at(since)))),
        ("end_time", str(int(starts_at(following(until))))),
        ("bucket_width", "1d"),
        ("group_by", "line_item"),
        ("limit", str(DAYS_A_PAGE)),
    ]


def parse(content: bytes) -> Page:
    """One page. Raises ReconcileError."""
    costs = decode(content, _Costs, "OpenAI")
    try:
        days = [day_of(bucket.start_time) for bucket in costs.data]
    except ValueError:
        raise not_a_time("OpenAI") from None
    lines = [
        _line(day, result)
        for day, bucket in zip(days, costs.data, strict=True)
        for result in bucket.results or ()
        if result.line_item or result.amount is not None
    ]
    return Page(
        days=tuple(days), lines=tuple(lines), following=(costs.next_page or "") if costs.has_more else ""
    )


def _line(day: str, result: _Result) -> Line:
    amount = result.amount or _Amount()
    return Line(
        day=day,
        model=model_of(result.line_item or ""),
        nusd=dollars(amount.value or Decimal(0), amount.currency or "USD"),
        amount_missing=amount.value is None,
        what=result.line_item or "",
    )


def model_of(line_item: str) -> str:
    """The model of a line item, which is the part before the comma: ``gpt-5.4, cached input``. A fee has
    spaces in that part (``web search tool calls``) and no model.
    """
    name = line_item.partition(",")[0].strip()
    return "" if " " in name else name
