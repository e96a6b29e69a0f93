"""Commands about limits: limits (show, set, undo, release) and grant."""

import shlex
import sys

import click
import msgspec

from budgetd.cli.call import call, snapshot
from budgetd.cli.table import Dollars, clock, plain, table
from budgetwire.errors import CallError
from budgetwire.messages import (
    ForgetLimits,
    Grant,
    Limit,
    Release,
    ReleaseReply,
    SetLimit,
    UndoLimit,
    UndoLimitReply,
)
from budgetwire.money import cents_to_nusd, format_usd

AMOUNTS = {"ignore_unknown_options": True}
"""So that -5 is an amount, and answered as one."""


class _Cap(Dollars):
    """An amount, or none at all."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return -1 if value == "none" else super().convert(value, param, ctx)


@click.group(
    invoke_without_command=True,
    epilog="""
\b
Examples:
  budgetd limits                            every counter in its present window
  budgetd limits set daily 12.50            in force at once, and written to budget.toml
  budgetd limits set "opus per day" none    take the limit out of budget.toml
  budgetd limits undo                       take back the last edit or grant; again: redo
  budgetd limits release daily              count unknown ends at what is on record of them
  budgetd limits forget                     let go of limits that budget.toml has lost
""",
)
@click.pass_context
def limits(context: click.Context) -> None:
    """Show every counter, or change a limit."""
    if context.invoked_subcommand is None:
        _, state = snapshot()
        click.echo(describe(state.limits) if state.limits else "No limit is set (press e in budgettop).")


@limits.command("set", context_settings=AMOUNTS, epilog="Example: budgetd limits set daily 12.50")
@click.argument("name")
@click.argument("dollars", type=_Cap(), metavar="DOLLARS|none")
def set_limit(name: str, dollars: int) -> None:
    """Set the cap of a limit, or remove the limit."""
    cents = None if dollars < 0 else dollars
    call(lambda id: SetLimit(id=id, limit=name, limit_cents=cents))
    done = "is removed" if cents is None else f"is {format_usd(cents_to_nusd(cents))} now"
    click.echo(f"{name} {done}; `budgetd limits undo {shlex.quote(name)}` takes it back.")


@limits.command(epilog="Example: budgetd limits undo daily")
@click.argument("name", required=False)
@click.option("--yes", is_flag=True, help="Do not ask where that raises a cap.")
def undo(name: str | None, yes: bool) -> None:
    """Take back the last edit or grant, of the limit NAME or of any; again: make it again."""

    def take_back(*, allow_raise: bool) -> None:
        result = call(lambda id: UndoLimit(id=id, limit=name, allow_raise=allow_raise))
        click.echo(plain(msgspec.convert(result, UndoLimitReply).message))

    try:
        take_back(allow_raise=yes)
    except CallError as error:
        if error.field != "allow_raise":
            raise
        if not sys.stdin.isatty():
            raise CallError(error.code, f"{error.message} Repeat with --yes to do it.") from None
        if click.confirm(plain(f"{error.message} Do it?")):
            take_back(allow_raise=True)
        else:
            click.echo("Nothing is changed.")


@limits.command(epilog='Example: budgetd limits release "opus per project" --subject acme-api')
@click.argument("name")
@click.option("--subject", default="", metavar="S", help="Whose counter, where the limit has several.")
def release(name: str, subject: str) -> None:
    """Let go of what a strict limit keeps for unknown ends.

    These are requests that were sent and of which nobody stated the cost: they broke off, were killed, or a
    gateway gave up on them. They stay counted at what is on record, by every limit that they fall under.
    """
    reply = msgspec.convert(call(lambda id: Release(id=id, limit=name, subject=subject)), ReleaseReply)
    whose = f"{name} / {subject}" if subject else name
    if not reply.released:
        click.echo(f"{whose} keeps nothing for unknown ends.")
        return
    ends = "1 unknown end" if reply.released == 1 else f"{reply.released} unknown ends"
    click.echo(f"Released: {whose} kept {format_usd(reply.nusd)} for {ends}.")


@limits.command(epilog="Example: budgetd limits forget")
def forget() -> None:
    """Let go of limits that stay in force although budget.toml has lost them."""
    call(lambda id: ForgetLimits(id=id))
    click.echo("Forgotten: no limit is in force.")


@click.command(
    context_settings=AMOUNTS,
    epilog="""
\b
Examples:
  budgetd grant daily 5
  budgetd grant "opus per project" 2.50 --subject acme-api
""",
)
@click.argument("limit")
@click.argument("dollars", type=Dollars())
@click.option("--subject", default="", metavar="S", help="Whose counter, where the limit has several.")
def grant(limit: str, dollars: int, subject: str) -> None:
    """Raise a cap until its window ends."""
    call(lambda id: Grant(id=id, limit=limit, cents=dollars, subject=subject))
    whose = f"{limit} / {subject}" if subject else limit
    click.echo(f"Granted: {whose} may spend {format_usd(cents_to_nusd(dollars))} more in this window.")


def describe(counters: list[Limit]) -> str:
    """Counters as a table."""
    heads = ("LIMIT", ">SPENT", ">RESERVED", ">CAP", ">LEFT", ">USED", "RESETS", "")
    return table(heads, [_row(counter) for counter in counters])


def _row(limit: Limit) -> tuple[str, ...]:
    cap = limit.limit_nusd + limit.granted_nusd
    committed = limit.spent_nusd + limit.reserved_nusd + limit.unknown_nusd
    left = max(0, cap - limit.headroom_nusd - committed)
    percent = limit.spent_nusd * 100 // cap if cap else 100
    return (
        f"{limit.name} / {limit.subject or '(none)'}" if limit.per else limit.name,
        format_usd(limit.spent_nusd),
        format_usd(limit.reserved_nusd) if limit.reserved_nusd else "",
        format_usd(cap),
        format_usd(left),
        f"{percent} %",
        _resets(limit),
        ", ".join(_remarks(limit)),
    )


def _resets(limit: Limit) -> str:
    if limit.ends_at is not None:
        return clock(limit.ends_at)
    return "never" if limit.window == "total" else f"rolling {limit.window}"


def _remarks(limit: Limit) -> list[str]:
    """What is out of the ordinary."""
    to = f" to {limit.fallback_model}" if limit.fallback_model else ""
    return [
        *(["PAUSED"] if limit.paused else []),
        *([f"{limit.on_exceed}{to}"] if limit.on_exceed != "refuse" else []),
        *(["strict"] if limit.guarantee == "strict" else []),
        *([f"{format_usd(limit.unknown_nusd)} kept for unknown ends"] if limit.unknown_nusd else []),
        *([f"{format_usd(limit.granted_nusd)} granted"] if limit.granted_nusd else []),
        *([f"{limit.refused} refused"] if limit.refused else []),
    ]
