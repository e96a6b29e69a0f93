"""Commands that show: status, env."""

import click
import msgspec

from budgetd.cli.call import snapshot, with_client
from budgetd.cli.limits import describe
from budgetd.cli.table import clock, plain
from budgetwire import setup
from budgetwire.client import Client
from budgetwire.messages import Block, InFlight, Snapshot
from budgetwire.money import format_usd


@click.command(epilog="Example: budgetd status --watch")
@click.option("--json", "as_json", is_flag=True, help="The whole state, as protocol/README.md tells it.")
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


@click.command(epilog='Example: eval "$(budgetd env --shell)"')
@click.option("--shell", is_flag=True, help="As lines for a shell to eval.")
def env(shell: bool) -> None:
    """Print the environment of clients of the running daemon, and how to start Codex."""
    client, _ = snapshot()
    base = f"http://{client.welcome.listen}"
    for name, value in setup.environment(base).items():
        click.echo(setup.exports(base, name) if shell else f"{name}={value}")
    click.echo(f"# Codex with an API key: {setup.CODEX.format(base)}")
    click.echo(f"# Codex with a ChatGPT login: {setup.CODEX_CHATGPT.format(base)}")
    click.echo(f"# Gemini CLI, in ~/.gemini/settings.json: {setup.GEMINI_SETTINGS}")


def _describe(client: Client, state: Snapshot) -> str:
    welcome, daemon, burn = client.welcome, state.daemon, state.burn
    lines = [f"budgetd {welcome.daemon} on http://{daemon.listen}, process {welcome.pid}"]
    if daemon.paused_at is not None:
        lines.append(f"PAUSED by {daemon.paused_by} at {clock(daemon.paused_at)}; `budgetd resume` ends it")
    if daemon.stopping_until is not None:
        lines.append(
            f"STOPPING: requests that still run may go on until {clock(daemon.stopping_until)[-5:]};"
            " `budgetd stop --now` cuts them"
        )
    lines += [f"! {error}" for error in (daemon.config_error, daemon.ledger_error) if error]
    lines.append(describe(state.limits) if state.limits else "no limit is set (press e in budgettop)")
    lines += [_held(request) for request in state.in_flight if request.phase == "held"]
    lines += [_block(block, state.at) for block in daemon.blocks]
    plan = f" (and {format_usd(burn.today_plan_nusd)} over plans)" if burn.today_plan_nusd else ""
    lines.append(
        f"burn {format_usd(burn.nusd_per_hour)}/h, today {format_usd(burn.today_nusd)}{plan},"
        f" yesterday {format_usd(burn.yesterday_nusd)}, this month {format_usd(burn.month_nusd)};"
        f" {sum(request.phase != 'held' for request in state.in_flight)} in flight"
    )
    lines += [
        f"alert {alert.id}  {clock(alert.fired_at)}  {alert.message}"
        for alert in state.alerts
        if alert.state == "firing"
    ]
    return "\n".join(lines)


def _held(request: InFlight) -> str:
    whose = " / ".join(filter(None, (request.held_by, request.held_subject)))
    until = "" if request.held_until is None else f" until {clock(request.held_until)[-5:]}"
    return plain(
        f"HELD {request.id}{until}: {request.model} for {request.project or request.client or 'someone'},"
        f" about {format_usd(request.reserved_nusd)}, by {whose};"
        f" `budgetd approve {request.id}` or `budgetd refuse {request.id}`"
    )


def _block(block: Block, now: float) -> str:
    whose = f"its session {block.session} is" if block.session else "its repeats are"
    return plain(
        f"KILLED {block.request_id} by {block.by}: {whose} refused for {max(0.0, block.until - now):.0f} s"
        f" more; `budgetd approve {block.request_id}` lets it go on"
    )
