"""Commands about alerts and the channels they are sent to."""

import re
import time

import click
import msgspec

from budgetd.cli.call import call
from budgetd.cli.table import clock, plain, table
from budgetd.errors import BudgetdError
from budgetd.ledger.deliveries import KEPT_DAYS
from budgetwire.messages import (
    Acknowledge,
    AcknowledgeReply,
    Alert,
    Channel,
    Delivery,
    QueryAlerts,
    QueryAlertsReply,
    QueryChannels,
    QueryChannelsReply,
    QueryDeliveries,
    QueryDeliveriesReply,
    Redeliver,
    RedeliverReply,
    SendTest,
    SendTestReply,
    Snooze,
    SnoozeReply,
)

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class Length(click.ParamType[int]):
    """A length of time such as 30m, 1h or 2d, in seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        found = re.fullmatch(r"([1-9][0-9]{0,8})([mhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a time like 30m, 1h or 2d.", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


@click.group(
    invoke_without_command=True,
    epilog="""
\b
Examples:
  budgetd alerts                     what fires, and what did lately
  budgetd alerts show 17             one of them, and who was told
  budgetd alerts snooze 17 --for 2h  hear of it again then, if it is still so
  budgetd alerts test ops            send a test, and see what happens
  budgetd alerts redeliver ops       send again what could not be delivered
""",
)
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option(
    "--state", type=click.Choice(["firing", "snoozed", "acknowledged", "resolved"]), help="Only these."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON; protocol/README.md tells the fields.")
@click.pass_context
def alerts(context: click.Context, count: int, state: str | None, as_json: bool) -> None:
    """Show alerts, newest first, or act on them."""
    if context.invoked_subcommand is not None:
        return
    found = _query(QueryAlerts(id=0, count=count, state=state))  # pyright: ignore[reportArgumentType]
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif not found:
        click.echo("No alert is on record." if state is None else f"No alert is {state}.")
    else:
        click.echo(table((">ID", "LAST", "STATE", "WHAT"), [_row(alert) for alert in found]))


@alerts.command(epilog="Example: budgetd alerts show 17")
@click.argument("id", type=int)
def show(id: int) -> None:
    """Show one alert: what it is, what to do, what became of it, who was told."""
    found = _query(QueryAlerts(id=0, count=1, before_id=id + 1))
    if not found or found[0].id != id:
        raise BudgetdError(f"There is no alert {id}; `budgetd alerts` lists them.")
    click.echo(_describe(found[0]))
    reply = msgspec.convert(
        call(lambda call_id: QueryDeliveries(id=call_id, alert_id=id)), QueryDeliveriesReply
    )
    if reply.deliveries:
        heads = ("CHANNEL", "WHAT", "WHEN", ">ATTEMPTS", "STATE", "")
        click.echo(table(heads, [_delivery(each) for each in reply.deliveries]))
    else:
        click.echo(f"No channel was told of it in the last {KEPT_DAYS} days.")


@alerts.command(epilog="Example: budgetd alerts snooze 17 18 --for 2h")
@click.argument("ids", nargs=-1, type=int, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="Every alert that fires.")
@click.option("--for", "seconds", type=Length(), default="1h", show_default=True, help="Like 30m, 1h, 2d.")
def snooze(ids: tuple[int, ...], everything: bool, seconds: int) -> None:
    """Say no more of alerts for a while. What is still so then fires again."""
    if bool(ids) == everything:
        raise click.UsageError("Name the ids, or say --all.")
    until = time.time() + seconds
    result = call(lambda id: Snooze(id=id, alert_ids=None if everything else list(ids), until=until))
    count = msgspec.convert(result, SnoozeReply).snoozed
    click.echo(f"{count} snoozed until {clock(until)}." if count else "None of these was firing.")


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON; protocol/README.md tells the fields.")
def channels(as_json: bool) -> None:
    """Show where alerts are sent, and how that goes."""
    found = msgspec.convert(call(lambda id: QueryChannels(id=id)), QueryChannelsReply).channels
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif not found:
        click.echo("No channel is configured: alerts show in budgettop and `budgetd alerts` only.")
    else:
        heads = ("NAME", "KIND", "TO", "FROM", ">PENDING", ">GIVEN UP", "HOW IT GOES")
        click.echo(table(heads, [_channel(each) for each in found]))


@alerts.command(epilog="Example: budgetd alerts test ops")
@click.argument("channel", required=False)
def test(channel: str | None) -> None:
    """Send a test to one CHANNEL or to all, and say what happened."""
    tests = msgspec.convert(call(lambda id: SendTest(id=id, channel=channel)), SendTestReply).tests
    if not tests:
        click.echo("No channel is configured: see [[alerts.channels]] in docs/alerts.md.")
    for each in tests:
        click.echo(f"{each.channel}: {'delivered' if each.delivered else 'FAILED'}: {plain(each.detail)}")
    if not all(each.delivered for each in tests):
        raise SystemExit(1)


@alerts.command(epilog="Example: budgetd alerts redeliver ops")
@click.argument("channel", required=False)
def redeliver(channel: str | None) -> None:
    """Send again what was given up on, to one CHANNEL or to all; a disabled one is enabled again."""
    count = msgspec.convert(call(lambda id: Redeliver(id=id, channel=channel)), RedeliverReply).deliveries
    click.echo(f"{count} will be sent again." if count else "Nothing was given up on.")


@click.command(epilog="Example: budgetd ack 17 18")
@click.argument("ids", nargs=-1, type=int, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="Acknowledge every alert.")
def ack(ids: tuple[int, ...], everything: bool) -> None:
    """Acknowledge alerts by their ids.

    `budgetd alerts` shows them.
    """
    if bool(ids) == everything:
        raise click.UsageError("Name the ids, or say --all.")
    result = call(lambda id: Acknowledge(id=id, alert_ids=None if everything else list(ids)))
    count = msgspec.convert(result, AcknowledgeReply).acknowledged
    click.echo(f"{count} acknowledged." if count else "None of these was waiting.")


def _query(query: QueryAlerts) -> list[Alert]:
    reply = call(lambda id: msgspec.structs.replace(query, id=id))
    return msgspec.convert(reply, QueryAlertsReply).alerts


def _row(alert: Alert) -> tuple[str, ...]:
    times = f" ({alert.count:,} times)" if alert.count > 1 else ""
    return str(alert.id), clock(alert.last_at or alert.fired_at), alert.state, alert.message + times


def _describe(alert: Alert) -> str:
    rows = [
        ("what", alert.message),
        ("do", alert.advice),
        ("rule", f"{alert.rule}, {alert.severity}"),
        ("limit" if alert.limit else "about", " / ".join(filter(None, (alert.limit, alert.subject)))),
        ("fired", clock(alert.fired_at)),
        ("count", f"{alert.count:,}, the last at {clock(alert.last_at)}" if alert.count > 1 else ""),
        ("state", alert.state),
    ]
    if alert.acknowledged_at is not None:
        by = f"{alert.acknowledged_by} with {alert.acknowledged_from}"
        rows.append(("acknowledged", f"{clock(alert.acknowledged_at)} by {by}"))
    if alert.snoozed_until is not None:
        rows.append(("snoozed", f"until {clock(alert.snoozed_until)}"))
    if alert.resolved_at is not None:
        rows.append(("resolved", f"{clock(alert.resolved_at)}: {alert.resolved_by}"))
    return "\n".join([f"alert {alert.id}", *(f"  {name:<12} {plain(text)}" for name, text in rows if text)])


def _delivery(delivery: Delivery) -> tuple[str, ...]:
    if delivery.state == "pending":
        at, state = delivery.due_at, "due"
    else:
        at, state = delivery.delivered_at or delivery.created_at, delivery.state
    error = "" if delivery.state == "delivered" else delivery.error
    return delivery.channel, delivery.event, clock(at), str(delivery.attempts), state, error


def _channel(channel: Channel) -> tuple[str, ...]:
    if channel.disabled_at is not None:
        how = f"disabled {clock(channel.disabled_at)}: {channel.disabled_reason}"
    elif channel.disabled_reason:
        how = channel.disabled_reason
    elif channel.error:
        how = f"failing: {channel.error}"
    elif channel.delivered_at is not None:
        how = f"last delivered {clock(channel.delivered_at)}"
    else:
        how = "nothing was sent yet"
    if channel.by_default:
        how += "; there by default, [alerts] desktop = false removes it"
    waiting = (str(channel.pending), str(channel.dead))
    return channel.name, channel.kind, channel.target, channel.severity, *waiting, how
