"""Commands that show what is on record: audit, estimates."""

import json
import time

import click
import msgspec

from budgetd.cli.call import call
from budgetd.cli.table import clock, table
from budgetwire.messages import (
    Change,
    EstimateError,
    QueryAudit,
    QueryAuditReply,
    QueryEstimates,
    QueryEstimatesReply,
)
from budgetwire.money import cents_to_nusd, format_usd

DAY = 86400.0


@click.command(epilog="Example: budgetd audit --count 20")
@click.option("--count", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
def audit(count: int) -> None:
    """Show who changed what, newest first."""
    reply = msgspec.convert(call(lambda id: QueryAudit(id=id, count=count)), QueryAuditReply)
    if not reply.changes:
        click.echo("Nothing was changed yet.")
        return
    heads = ("WHEN", "WHO", "WHAT", "OF", "BEFORE", "AFTER")
    click.echo(table(heads, [_change(change) for change in reply.changes]))


@click.command(epilog="Example: budgetd estimates --since 1")
@click.option(
    "--since", "days", type=click.FloatRange(min=0), default=7, show_default=True, metavar="DAYS",
    help="Requests of so many days.",
)  # fmt: skip
def estimates(days: float) -> None:
    """Show how well costs were foretold, model by model.

    The last two columns are cost in per cent of what was expected: half the requests, and nine in ten, cost
    no more. A strict limit reserves the worst case, any other what is expected.
    """
    since = time.time() - days * DAY
    reply = msgspec.convert(call(lambda id: QueryEstimates(id=id, since=since)), QueryEstimatesReply)
    if not reply.models:
        click.echo("No request has been answered in this time.")
        return
    heads = ("MODEL", ">REQUESTS", ">EXPECTED", ">COST", ">WORST CASE", ">HALF", ">9 IN 10")
    click.echo(table(heads, [_estimate(model) for model in reply.models]))


def _change(change: Change) -> tuple[str, ...]:
    return (
        clock(change.at),
        f"{change.name} (uid {change.uid})",
        change.action.replace("_", " "),
        change.subject,
        _value(change, change.before),
        _value(change, change.after),
    )


def _value(change: Change, value: str) -> str:
    """The audit keeps amounts in nanodollars, and a limit that was removed as its whole entry."""
    if change.action == "snooze" and value.startswith("until "):
        return f"until {clock(float(value.removeprefix('until ')))}"
    if change.action not in {"set_limit", "undo_limit", "grant", "undo_grant", "release"}:
        return value
    if value.startswith("{"):
        return format_usd(cents_to_nusd(json.loads(value)["limit_cents"]))
    return format_usd(int(value)) if value else "none"


def _estimate(error: EstimateError) -> tuple[str, ...]:
    return (
        error.model or "(none)",
        f"{error.requests:,}",
        format_usd(error.expected_nusd),
        format_usd(error.cost_nusd),
        "no bound" if error.worst_nusd is None else format_usd(error.worst_nusd),
        f"{error.cost_pct_p50} %",
        f"{error.cost_pct_p90} %",
    )
