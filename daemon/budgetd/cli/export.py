"""Commands for programs: export, and what one request cost."""

import csv
import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO, cast
from zoneinfo import ZoneInfo

import click
import msgspec

from budgetd.cli.call import call
from budgetd.cli.table import clock, plain
from budgetd.config import load_config
from budgetd.errors import LedgerError
from budgetd.ledger.exporting import (
    GROUPS,
    ROW_COLUMNS,
    SUM_COLUMNS,
    Column,
    Group,
    export_groups,
    export_rows,
)
from budgetd.ledger.reports import reading
from budgetwire.messages import Cost, QueryCost
from budgetwire.money import format_usd
from budgetwire.places import find_places

EXAMPLES = """
\b
Examples:
  budgetd export --since 2026-11-01 > november.csv          every request
  budgetd export --by day,model --format json                sums
  budgetd export --by project --since 2026-11-01 --until 2026-12-01
"""


class Moment(click.ParamType[datetime]):
    """A date, or a date and a time; of the configured time zone where it names none."""

    name = "DATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """As it was written."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date like 2026-11-23 or 2026-11-23T14:00.", param, ctx)


class Groups(click.ParamType[tuple[Group, ...]]):
    """Names of what to group by, joined by commas."""

    name = "GROUPS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Group, ...]:
        """In the order given, each once."""
        names = dict.fromkeys(part.strip() for part in str(value).split(","))
        for name in names:
            if name not in GROUPS:
                self.fail(f"{name!r} is none of {', '.join(GROUPS)}.", param, ctx)
        return cast("tuple[Group, ...]", tuple(names))


@click.command(epilog=EXAMPLES)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--since", type=Moment(), help="From this date on; else from the beginning.")
@click.option("--until", type=Moment(), help="Up to this date, which is left out; else to the end.")
@click.option(
    "--by", type=Groups(), help=f"Sums instead of requests, by one or several of {', '.join(GROUPS)}."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; else it is printed.")
def export(
    form: str,
    since: datetime | None,
    until: datetime | None,
    by: tuple[Group, ...] | None,
    output: Path | None,
) -> None:
    """Write the ledger out for other programs. No daemon has to run.

    docs/export.md tells every column. Times are UTC; days are those of the configured time zone.
    """
    places = find_places()
    config = load_config(places.config)
    zone = ZoneInfo(config.timezone)
    span = (_seconds(since, zone, 0.0), _seconds(until, zone, math.inf))
    if span[0] >= span[1]:
        raise click.UsageError("--since has to be before --until.")
    path = config.ledger_path or places.ledger
    if not path.exists():
        raise LedgerError(f"{path}: there is no ledger yet; it begins with the first `budgetd start`.")
    with ExitStack() as stack:
        try:
            db = stack.enter_context(reading(path))
            file = stack.enter_context(_open(output)) if output else sys.stdout
            rows = export_groups(db, *span, by, zone) if by else export_rows(db, *span)
            _write(file, form, (*by, *SUM_COLUMNS) if by else ROW_COLUMNS, rows)
            file.flush()
        except BrokenPipeError:  # whoever read has had enough
            sys.stderr.close()
            raise SystemExit(1) from None
        except OSError as error:
            raise LedgerError(f"{output or 'the output'}: cannot be written: {error.strerror}.") from None


@click.command(epilog="Example: budgetd cost req_011CSHoEeqs5C35K2UUqR7Fy")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def cost(id: str, as_json: bool) -> None:
    """Show what one request cost, or has cost so far.

    ID is the provider's own (the request-id or x-request-id of its answer, or the id in its body), or the
    number of the request here.
    """
    found = msgspec.convert(call(lambda call_id: QueryCost(id=call_id, request=id)), Cost)
    click.echo(msgspec.json.encode(found).decode() if as_json else _describe(found))


def _describe(cost: Cost) -> str:
    ids = ", ".join(filter(None, (cost.provider_request_id, cost.response_id)))
    rows = [
        ("cost", f"{format_usd(cost.cost_nusd)} ({cost.cost_cents} cents)"),
        ("basis", cost.basis if cost.settled else "it still runs"),
        ("outcome", cost.outcome),
        ("model", f"{cost.model} at {cost.upstream}"),
        ("asked", clock(cost.admitted_at)),
        ("tokens", ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in cost.tokens.items())),
        ("limits", ", ".join(cost.limits) or "none"),
        ("price", cost.price_id),
        ("ids", ids),
    ]
    return "\n".join([f"request {cost.id}", *(f"  {name:<8} {plain(text)}" for name, text in rows if text)])


def _seconds(at: datetime | None, zone: ZoneInfo, otherwise: float) -> float:
    if at is None:
        return otherwise
    return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()


def _open(path: Path) -> IO[str]:
    return path.open("w", encoding="utf-8", newline="")


def _write(file: IO[str], form: str, columns: Sequence[str], rows: Iterator[tuple[Column, ...]]) -> None:
    if form == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    # One object a line, so that it can be read line by line as well as in one piece.
    file.write("[")
    for separator, row in zip(itertools.chain(["\n"], itertools.repeat(",\n")), rows, strict=False):
        file.write(separator + msgspec.json.encode(dict(zip(columns, row, strict=True))).decode())
    file.write("\n]\n")
