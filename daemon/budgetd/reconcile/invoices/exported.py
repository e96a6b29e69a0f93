"""Invoices exported to a file: the providers' own JSON, or CSV from their consoles. Pure."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from budgetd.reconcile.days import day_in, day_of
from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Line, Page, cents, dollars, joined
from budgetd.reconcile.invoices import anthropic, openai, openrouter
from budgetd.reconcile.invoices.reading import decode

DAYS = (
    *("usage_date", "date", "day", "start_time_iso", "created_at", "start_time", "usage_day", "start_date"),
    "timestamp",
)
MODELS = ("model_permaslug", "model", "line_item", "model_name", "model_id", "model_version")
AMOUNTS = (
    *("cost_usd", "amount_value", "cost_total", "total_cost", "usage", "amount_usd", "cost", "amount"),
    *("total_amount", "total", "spend"),
)
CENTS = ("cost_cents", "amount_cents", "total_cost_cents")
CURRENCIES = ("amount_currency", "currency")
"""What columns are called, in the order in which they are looked for. A column of a day may say ``_utc``
behind that, one of an amount ``_usd``.
"""

_SIGNS = (
    ("anthropic", {"usage_date_utc"}),
    ("openai", {"amount_value"}),
    ("openrouter", {"model_permaslug"}),
    ("openrouter", {"generation_id"}),
)
"""Columns that tell whose export it is."""

_NO_AMOUNT = frozenset(("", "-", "null", "none", "n/a"))
_NO_DAY = frozenset(("", "total", "totals", "sum"))
_POINT = re.compile(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+|)(\.\d*)?(e[+-]?\d+)?", re.ASCII)
"""A number with a decimal point, its thousands perhaps parted by commas."""

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
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # how a spreadsheet writes Unicode text
        content = content.decode("utf-16", "replace").encode()
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
        table = _Table(content.decode("utf-8"))
        whose = provider or next((name for name, sign in _SIGNS if sign <= set(table.columns)), "")
        if not whose:
            raise ReconcileError(
                "The columns of the export do not tell whose it is; name the provider:"
                " `budgetd reconcile-spend anthropic --file …`."
            )
        return whose, _page(table, whose)
    except UnicodeDecodeError:
        raise ReconcileError("The export is not UTF-8 text.") from None
    except csv.Error as error:
        raise ReconcileError(f"The export is not CSV: {error}.") from None


def _page(table: "_Table", provider: str) -> Page:
    read = _Columns(table, provider)
    days: dict[str, None] = {}
    lines: list[Line] = []
    without_day = 0
    for number, row in table.rows():
        if not read.has_day(row):
            without_day += 1
            continue
        day, line = read.line(row, number)
        days[day] = None
        if line is not None:
            lines.append(line)
    notes = [anthropic.PRIORITY] if provider == "anthropic" else []
    if without_day:
        rows = "1 row of the export has" if without_day == 1 else f"{without_day} rows of the export have"
        notes.append(f"{rows} no day and {'was' if without_day == 1 else 'were'} left out.")
    return Page(days=tuple(days), lines=tuple(lines), notes=tuple(notes))


class _Table:
    """A CSV text: its columns, their names in one spelling, and its rows."""

    def __init__(self, text: str) -> None:
        first, end, rest = text.partition("\n")
        self._skipped = 0
        if first.lower().startswith("sep="):  # tells a spreadsheet what parts the columns
            first, end, rest = rest.partition("\n")
            self._skipped = 1
        self._text = first + end + rest
        heads = {mark: next(csv.reader([first], delimiter=mark), list[str]()) for mark in ",;\t|"}
        self.delimiter = max(heads, key=lambda mark: len(heads[mark]))
        self.columns = [_column(name) for name in heads[self.delimiter]]

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row with the number of its line."""
        rows = csv.reader(io.StringIO(self._text, newline=""), delimiter=self.delimiter, strict=True)
        next(rows)
        for values in rows:
            if values:
                padded = values + [""] * (len(self.columns) - len(values))
                yield (
                    rows.line_num + self._skipped,
                    dict(zip(self.columns, map(str.strip, padded), strict=False)),
                )


class _Columns:
    """Which column says what."""

    def __init__(self, table: _Table, provider: str) -> None:
        def first(names: tuple[str, ...], unit: str = "") -> str:
            spelled = [each for name in names for each in (name + unit, name)]
            return next((name for name in spelled if name in table.columns), "")

        self._day, self._model = first(DAYS, "_utc"), first(MODELS)
        self._cents, self._currency = first(CENTS), first(CURRENCIES)
        self._amount = first(AMOUNTS, "_usd")
        self._provider = provider
        if not self._day or not (self._amount or self._cents):
            raise ReconcileError(
                f"The export needs a column for the day ({', '.join(DAYS[:3])}) and one for the amount"
                f" ({', '.join(AMOUNTS[:2])} or {CENTS[0]}). It has: {', '.join(table.columns)[:200]}."
            )
        self._comma_is_point = table.delimiter != "," and any(
            _has_decimal_comma(row[self._amount or self._cents]) for _, row in table.rows()
        )

    def has_day(self, row: dict[str, str]) -> bool:
        """False for a row of totals."""
        return row[self._day].lower() not in _NO_DAY

    def line(self, row: dict[str, str], number: int) -> tuple[str, Line | None]:
        """A row's day and what it bills; None where it says only that the day is accounted for."""
        text = row[self._amount or self._cents]
        what = row[self._model] if self._model else ""
        try:
            day = _day(row[self._day])
            missing = text.lower() in _NO_AMOUNT
            amount = Decimal(0) if missing else _number(text, comma_is_point=self._comma_is_point)
        except (ValueError, InvalidOperation):
            raise ReconcileError(
                f"Line {number} of the export has a day or an amount that cannot be read."
            ) from None
        if missing and not what:
            return day, None
        currency = (row[self._currency] if self._currency else "") or "USD"
        batch = row.get("usage_type", "") == "batch"
        slug = row.get("model", "") if self._model == "model_permaslug" else ""
        model = self._named(what or slug)
        return day, Line(
            day=day,
            model=model,
            alias=slug if slug != model else "",
            nusd=dollars(amount, currency) if self._amount else cents(amount, currency),
            amount_missing=missing,
            what=what or row.get("cost_type", ""),
            service_tier="batch" if batch else row.get("service_tier", "").lower(),
        )

    def _named(self, name: str) -> str:
        if self._provider == "openai":
            return openai.model_of(name)
        if self._provider == "anthropic" and name.startswith("Claude "):  # its console writes Claude Opus 4.8
            return name.lower().replace(" ", "-").replace(".", "-")
        return name


def _column(name: str) -> str:
    """The name of a column as a program would write it: ``cost_usd`` for ``Cost (USD)`` or ``Cost in $``."""
    text = name.lower().replace("¢", " cents ")
    for dollar in ("us$", "$usd", "$"):
        text = text.replace(dollar, " usd ")
    return "_".join(word for word in re.findall(r"[^\W_]+", text) if word != "in")


def _day(text: str) -> str:
    if text.isdecimal() and len(text) > len("20261123"):
        return day_of(int(text))
    return day_in(text.removesuffix(" UTC").replace("/", "-"))


def _has_decimal_comma(text: str) -> bool:
    return text.rfind(",") > text.rfind(".")


def _number(text: str, *, comma_is_point: bool) -> Decimal:
    """An amount as people write it, signs of the dollar included. Raises ValueError where what a comma or a
    point means cannot be told, for dropping it would change the amount.
    """
    text = text.lower().replace("\N{MINUS SIGN}", "-")
    if text.startswith("(") and text.endswith(")"):
        text = f"-{text[1:-1]}"
    for word in ("us$", "usd", "$", " ", "\N{NO-BREAK SPACE}"):
        text = text.replace(word, "")
    if comma_is_point:
        text = text.translate(str.maketrans(",.", ".,"))
    if not _POINT.fullmatch(text):
        raise ValueError(text)
    return Decimal(text.replace(",", ""))
