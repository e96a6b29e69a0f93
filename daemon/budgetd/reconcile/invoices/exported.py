"""Invoices exported to a file: the providers' own JSON, or CSV from their consoles. Pure."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec

from budgetd.reconcile.days import day_in, day_of
from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Line, Page, cents, dollars, joined
from budgetd.reconcile.invoices import anthropic, openai, openrouter
from budgetd.reconcile.invoices.reading import decode

DAYS = ("usage_date_utc", "date", "day", "start_time_iso", "created_at", "start_time")
MODELS = ("model", "line_item", "model_permaslug")
AMOUNTS = ("cost_usd", "amount_value", "cost_total", "usage", "amount_usd", "cost", "amount")
CENTS = ("cost_cents", "amount_cents")
CURRENCIES = ("amount_currency", "currency")
"""What columns are called, in the order in which they are looked for."""

_SIGNS = (
    ("anthropic", {"usage_date_utc"}),
    ("openai", {"amount_value"}),
    ("openrouter", {"model_permaslug"}),
    ("openrouter", {"generation_id"}),
)
"""Columns that tell whose export it is."""

_WORDS = (("anthropic", b'"starting_at"'), ("openai", b'"start_time"'), ("openrouter", b'"usage"'))
"""What only one of the JSON shapes says."""

_PARSERS: dict[str, Callable[[bytes], Page]] = {
    "anthropic": anthropic.parse,
    "openai": openai.parse,
    "openrouter": openrouter.parse,
}


def parse_export(content: bytes, provider: str = "") -> tuple[str, Page]:
    """Whose invoice it is, and the invoice. Raises ReconcileError.

    Args:
        content: the file: JSON of the shape that the provider's API answers in, or CSV with a head.
        provider: who is to have sent it; empty if the file shall tell.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise ReconcileError("The export is empty.")
    return _parse_json(text, provider) if text[:1] in b"[{" else _parse_csv(text, provider)


def _parse_json(content: bytes, provider: str) -> tuple[str, Page]:
    """One page as the API sent it, or a list of them."""
    pages: list[bytes] = [content]
    if content[:1] == b"[":
        pages = [bytes(page) for page in decode(content, list[msgspec.Raw], "The export")]
    whose = provider or next((name for name, word in _WORDS if word in content), "")
    parse = _PARSERS.get(whose)
    if parse is None:
        raise ReconcileError(
            "The export has none of the shapes that are known: a cost report of Anthropic, costs of OpenAI,"
            " activity of OpenRouter, or CSV."
        )
    return whose, joined(map(parse, pages))


def _parse_csv(content: bytes, provider: str) -> tuple[str, Page]:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        columns = [(name or "").strip().lower() for name in rows.fieldnames or ()]
        rows.fieldnames = columns
        whose = provider or next((name for name, sign in _SIGNS if sign <= set(columns)), "")
        if not whose:
            raise ReconcileError(
                "The columns of the export do not tell whose it is; name the provider:"
                " `budgetd reconcile-spend anthropic --file …`."
            )
        read = _Columns(columns, whose)
        days: dict[str, None] = {}
        lines: list[Line] = []
        for row in rows:
            day, line = read.line(row, rows.line_num)
            days[day] = None
            if line is not None:
                lines.append(line)
    except UnicodeDecodeError:
        raise ReconcileError("The export is not UTF-8 text.") from None
    except csv.Error as error:
        raise ReconcileError(f"The export is not CSV: {error}.") from None
    return whose, Page(
        days=tuple(days), lines=tuple(lines), notes=(anthropic.PRIORITY,) if whose == "anthropic" else ()
    )


class _Columns:
    """Which column says what."""

    def __init__(self, columns: list[str], provider: str) -> None:
        def first(names: tuple[str, ...]) -> str:
            return next((name for name in names if name in columns), "")

        self._day, self._model = first(DAYS), first(MODELS)
        self._cents, self._currency = first(CENTS), first(CURRENCIES)
        self._amount = first(AMOUNTS)
        self._provider = provider
        if not self._day or not (self._amount or self._cents):
            raise ReconcileError(
                f"The export needs a column for the day ({', '.join(DAYS[:3])}) and one for the amount"
                f" ({', '.join(AMOUNTS[:2])} or {CENTS[0]})."
            )

    def line(self, row: dict[str, str | None], number: int) -> tuple[str, Line | None]:
        """A row's day and what it bills; None where it says only that the day is accounted for."""
        at, text = ((row[name] or "").strip() for name in (self._day, self._amount or self._cents))
        try:
            day = day_of(int(at)) if at.isdecimal() and len(at) > len("20261123") else day_in(at)
            amount = Decimal(text.removeprefix("$").replace(",", "")) if text else None
        except (ValueError, InvalidOperation):
            raise ReconcileError(
                f"Line {number} of the export has a day or an amount that cannot be read."
            ) from None
        if amount is None:
            return day, None
        currency = (row[self._currency] if self._currency else "") or "USD"
        nusd = dollars(amount, currency) if self._amount else cents(amount, currency)
        what = (row[self._model] or "") if self._model else ""
        return day, Line(
            day=day,
            model=self._named(what),
            nusd=nusd,
            what=what or (row.get("cost_type") or ""),
            service_tier="batch" if (row.get("usage_type") or "") == "batch" else "",
        )

    def _named(self, name: str) -> str:
        if self._provider == "openai":
            return openai.model_of(name)
        if self._provider == "anthropic" and name.startswith("Claude "):  # its console writes Claude Opus 4.8
            return name.lower().replace(" ", "-").replace(".", "-")
        return name
