"""The command that holds the ledger against what providers bill: reconcile-spend."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from budgetd.cli.call import call, with_client
from budgetd.cli.reconcile_report import as_json, describe, describe_in_a_line, likely_cause
from budgetd.cli.table import Day
from budgetd.config import load_config
from budgetd.errors import BudgetdError
from budgetd.pricing.book import Book
from budgetd.pricing.sync.shelf import Shelf
from budgetd.reconcile.days import days_between, following
from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Invoice
from budgetd.reconcile.invoices.exported import parse_export
from budgetd.reconcile.keys import PROVIDERS, find_key, keys_at_hand
from budgetd.reconcile.reckoning import Reckoning, reckon
from budgetd.reconcile.wording import signed
from budgetwire.client import Client
from budgetwire.errors import WireError
from budgetwire.messages import ApplyCorrections, ApplyCorrectionsReply, ReportDrift, UndoCorrections
from budgetwire.places import find_places

DAYS = 7
MOST_DAYS = 366
MOST_HOURS = 24 * 366
MOST_FILE_BYTES = 256 << 20

EXAMPLES = """
\b
Examples:
  budgetd reconcile-spend anthropic              the last 7 full UTC days
  budgetd reconcile-spend openai --since 2026-11-01 --by model
  budgetd reconcile-spend --file costs.csv       an export instead of the API
  budgetd reconcile-spend anthropic --apply      enter the differences
  budgetd reconcile-spend --undo                 take the last ones back
  budgetd reconcile-spend --watch 6 --threshold 3

Keys: ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY, OPENROUTER_PROVISIONING_KEY, or
the system's keyring (service budgettop). They are never stored.
"""


class _Asked(msgspec.Struct, frozen=True):
    """Which invoice is to be held against the ledger."""

    provider: str
    """Empty: of every provider whose key is at hand."""
    days: int | None
    """So many, up to yesterday; None: those that are named."""
    since: str
    until: str
    url: str
    file: Path | None

    def span(self) -> tuple[str, str, str]:
        """First and last day, and today."""
        today = datetime.now(UTC).date().isoformat()
        if self.days is None:
            return self.since, self.until, today
        return following(today, -self.days), following(today, -1), today


@click.command("reconcile-spend", epilog=EXAMPLES)
@click.argument("provider", type=click.Choice(PROVIDERS), required=False)
@click.option("--since", type=Day(), help="First UTC day; without it, 7 days up to the last one.")
@click.option("--until", type=Day(), help="Last UTC day; without it, yesterday, for providers lag.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="EXPORT", help="A CSV or JSON export, of its own days."
)
@click.option("--by", type=click.Choice(("day", "model")), default="day", show_default=True, help="Rows.")
@click.option("--apply", "applying", is_flag=True, help="Enter the differences into the ledger.")
@click.option(
    "--undo", is_flag=False, flag_value="last", metavar="[BATCH]", help="Take back what was applied last."
)
@click.option(
    "--watch", type=click.FloatRange(0, MOST_HOURS, min_open=True), metavar="HOURS", help="Again and again."
)
@click.option(
    "--threshold", type=click.FloatRange(min=0), default=5, show_default=True, metavar="PCT",
    help="With --watch: drift beyond it fires an alert.",
)  # fmt: skip
@click.option("--url", default="", help="Ask there, not at the provider's own address.")
@click.option("--json", "json_", is_flag=True, help="One JSON object for each provider.")
def reconcile_spend(
    provider: str | None,
    since: str | None,
    until: str | None,
    file: Path | None,
    by: str,
    applying: bool,
    undo: str | None,
    watch: float | None,
    threshold: float,
    url: str,
    json_: bool,
) -> None:
    """Hold the ledger against what a provider bills.

    Day by day and model by model, with the likely cause of what differs.

    Without a PROVIDER: every one whose key is at hand.
    """
    if undo is not None:
        _undo(undo)
        return
    if url and not provider:
        raise click.UsageError("--url needs the name of the provider.")
    asked = _asked(provider or "", since, until, url, file)
    if watch is None:
        _reconcile(asked, by, applying=applying, json_=json_)
    elif applying or json_ or file:
        raise click.UsageError("--watch only looks and tells; use --apply, --json and --file without it.")
    else:
        _watch(asked, watch, threshold)


def _asked(provider: str, since: str | None, until: str | None, url: str, file: Path | None) -> _Asked:
    if since is None and until is None:
        return _Asked(provider, DAYS, "", "", url, file)
    today = datetime.now(UTC).date().isoformat()
    last = until or following(today, -1)
    first = since or following(last, 1 - DAYS)
    if not first <= last <= today:
        raise click.UsageError(f"{first} to {last} are not days that have been.")
    if len(days_between(first, last)) > MOST_DAYS:
        raise click.UsageError(f"At most {MOST_DAYS} days at once.")
    return _Asked(provider, None, first, last, url, file)


def _reconcile(asked: _Asked, by: str, *, applying: bool, json_: bool) -> None:
    """Once. Where one of several providers fails, the others are told all the same."""
    book, failed = _book(), False
    for number, provider in enumerate(_providers(asked)):
        try:
            reckoning = _reckon(asked, provider, book)
            reply = _apply(reckoning) if applying else None
        except ReconcileError as error:
            if asked.provider or asked.file:
                raise
            click.echo(f"{provider}: {error}", err=True)
            failed = True
            continue
        if json_:
            applied = None if reply is None else msgspec.to_builtins(reply)
            click.echo(json.dumps(as_json(reckoning) | {"applied": applied}))
        else:
            click.echo("\n" * (number > 0) + describe(reckoning, by))
            click.echo("\n" + _conclusion(reckoning, reply))
    if failed:
        raise ReconcileError("not every invoice could be compared.")


def _watch(asked: _Asked, hours: float, threshold: float) -> None:
    """Until interrupted. An invoice that cannot be had, or a daemon that is away, may be there next time."""
    with_client(_greet)  # who watches wants to be told, so that there has to be somebody to tell
    providers = _providers(asked)
    while True:
        for provider in providers:
            try:
                click.echo(_look(asked, provider, threshold))
            except (BudgetdError, WireError) as error:
                click.echo(f"{_now()}  {provider}: {error}", err=True)
        time.sleep(hours * 3600)


def _look(asked: _Asked, provider: str, threshold: float) -> str:
    reckoning = _reckon(asked, provider, _book())
    line = f"{_now()}  {describe_in_a_line(reckoning)}"
    if not reckoning.exceeds(threshold):
        return line
    rows = [row for row, _ in reckoning.complete]
    call(
        lambda id: ReportDrift(
            id=id,
            provider=provider,
            since=reckoning.since,
            until=reckoning.until,
            ledger_nusd=sum(row.ledger_nusd for row in rows),
            invoice_nusd=sum(row.invoice_nusd for row in rows),
            cause=likely_cause(reckoning),
        )
    )
    return f"{line}, beyond {threshold:g} %: an alert is fired"


def _reckon(asked: _Asked, provider: str, book: Book) -> Reckoning:
    since, until, today = asked.span()
    places = find_places()
    if asked.file is None:
        invoice = _fetched(asked, provider, since, until)
    else:
        invoice = _exported(asked.file, provider)
        days = [day for day in invoice.days if day <= until]
        if asked.days is not None and days:  # nobody said which: those that are in the file
            until = max(days)
            since = max(min(days), following(until, 1 - MOST_DAYS))
    return reckon(invoice, load_config(places.config).ledger_path or places.ledger, book, since, until, today)


def _book() -> Book:
    """The prices as the daemon has them."""
    places = find_places()
    return Book(Shelf(places.prices).sources, load_config(places.config).overrides)


def _fetched(asked: _Asked, provider: str, since: str, until: str) -> Invoice:
    # Imported here, for the other commands need no aiohttp and shall begin at once.
    from budgetd.reconcile.fetch import fetch_invoice

    key = find_key(provider, os.environ)
    return asyncio.run(fetch_invoice(provider, key, since, until, url=asked.url))


def _exported(file: Path, provider: str) -> Invoice:
    try:
        if file.stat().st_size > MOST_FILE_BYTES:
            raise ReconcileError(f"{file}: larger than {MOST_FILE_BYTES >> 20} MiB.")
        whose, page = parse_export(file.read_bytes(), provider)
    except OSError as error:
        raise ReconcileError(f"{file}: cannot be read: {error.strerror}.") from None
    return Invoice(
        provider=whose,
        source=file.name,
        days=frozenset(page.days),
        lines=page.lines,
        notes=page.notes,
    )


def _providers(asked: _Asked) -> list[str]:
    if asked.provider or asked.file:
        return [asked.provider]
    return keys_at_hand(os.environ)


def _apply(reckoning: Reckoning) -> ApplyCorrectionsReply:
    source = reckoning.comparison.source[:200]
    corrections = reckoning.corrections
    result = call(lambda id: ApplyCorrections(id=id, source=source, corrections=corrections))
    return msgspec.convert(result, ApplyCorrectionsReply)


def _undo(which: str) -> None:
    if which != "last" and not which.isdecimal():
        raise click.UsageError(f"--undo takes the number of a batch, not {which!r}.")
    batch = None if which == "last" else int(which)
    reply = msgspec.convert(call(lambda id: UndoCorrections(id=id, batch=batch)), ApplyCorrectionsReply)
    click.echo(f"Batch {reply.batch} is taken back: {signed(reply.nusd)} in {_corrections(reply)}.")


def _conclusion(reckoning: Reckoning, reply: ApplyCorrectionsReply | None) -> str:
    count = len(reckoning.corrections)
    waiting = len(reckoning.complete) < len(reckoning.explained)
    said: list[str] = []
    if reply is not None and reply.applied:
        said += [
            f"Entered: {signed(reply.nusd)} in {_corrections(reply)}. To take it back:",
            f"  budgetd reconcile-spend --undo {reply.batch}",
        ]
    elif len(reckoning.comparison.missing) == len(days_between(reckoning.since, reckoning.until)):
        said.append("Nothing was compared.")
    elif count:
        said.append(f"--apply enters {'this difference' if count == 1 else f'these {count} differences'}.")
    elif not waiting:
        said.append("The ledger says what the invoice says.")
    if waiting:
        said.append("What is not complete yet is not entered: run it again later.")
    return "\n".join(said)


def _corrections(reply: ApplyCorrectionsReply) -> str:
    return "1 correction" if reply.applied == 1 else f"{reply.applied} corrections"


async def _greet(client: Client) -> None:
    """There is a daemon."""


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
