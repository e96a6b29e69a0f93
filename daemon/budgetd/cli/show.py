"""Commands that show: status, env."""

import shlex
from datetime import datetime

import click
import msgspec

from budgetd.cli.call import snapshot, with_client
from budgetwire.client import Client
from budgetwire.messages import Limit, Snapshot
from budgetwire.money import format_usd


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole state as one JSON object.")
@click.option("--watch", is_flag=True, help="Print again whenever something changes, until interrupted.")
def status(as_json: bool, watch: bool) -> None:
    """Show limits, burn, requests in flight and alerts."""

    def show(client: Client, state: Snapshot) -> None:
        click.echo(msgspec.json.encode(state).decode() if as_json else _describe(client, state))

    if not watch:
        show(*snapshot())
        return

    async def follow(client: Client) -> None:
        async for state in await client.subscribe():
            if not as_json:
                click.clear()
            show(client, state)

    with_client(follow)


@click.command()
@click.option("--shell", is_flag=True, help="As lines for a shell to eval.")
def env(shell: bool) -> None:
    """Show the settings that point clients at the running daemon."""
    client, _ = snapshot()
    base = f"http://{client.welcome.listen}"
    settings = {
        "ANTHROPIC_BASE_URL": base,
        "OPENAI_BASE_URL": f"{base}/v1",
        "GOOGLE_GEMINI_BASE_URL": base,
    }
    for name, value in settings.items():
        click.echo(f"export {name}={shlex.quote(value)}" if shell else f"{name}={value}")


def _describe(client: Client, state: Snapshot) -> str:
    welcome, daemon, burn = client.welcome, state.daemon, state.burn
    lines = [f"budgetd {welcome.daemon} on http://{daemon.listen}, process {welcome.pid}"]
    if daemon.paused_at is not None:
        lines.append(f"PAUSED by {daemon.paused_by} at {_clock(daemon.paused_at)}; `budgetd resume` ends it")
    lines += [f"! {error}" for error in (daemon.config_error, daemon.ledger_error) if error]
    lines += [_limit(limit) for limit in state.limits] or ["no limit is set (press e in budgettop)"]
    lines.append(
        f"burn {format_usd(burn.nusd_per_hour)}/h, today {format_usd(burn.today_nusd)},"
        f" yesterday {format_usd(burn.yesterday_nusd)}, this month {format_usd(burn.month_nusd)};"
        f" {len(state.in_flight)} in flight"
    )
    lines += [
        f"alert {alert.id}  {_clock(alert.fired_at)}  {alert.message}"
        for alert in state.alerts
        if alert.acknowledged_at is None
    ]
    return "\n".join(lines)


def _limit(limit: Limit) -> str:
    percent = limit.spent_nusd * 100 // limit.limit_nusd if limit.limit_nusd else 100
    held = f" + {format_usd(limit.reserved_nusd)} reserved" if limit.reserved_nusd else ""
    return (
        f"{limit.name:<10} {percent:>4} %  {format_usd(limit.spent_nusd)}{held} of"
        f" {format_usd(limit.limit_nusd)}, resets {_clock(limit.ends_at)}"
    )


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%a %d %b %H:%M}"
