"""Commands that steer the running daemon: pause, resume, ack."""

import click
import msgspec

from budgetd.cli.call import call
from budgetwire.messages import Acknowledge, AcknowledgeReply, Pause, Resume


@click.command()
def pause() -> None:
    """Refuse everything that can cost, until resumed (also after a restart)."""
    call(lambda id: Pause(id=id))
    click.echo("Paused. Nothing that costs is let through; `budgetd resume` ends it.")


@click.command()
def resume() -> None:
    """Let requests through again."""
    call(lambda id: Resume(id=id))
    click.echo("Resumed.")


@click.command()
@click.argument("ids", nargs=-1, type=int, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="Acknowledge every alert.")
def ack(ids: tuple[int, ...], everything: bool) -> None:
    """Acknowledge alerts by the ids that `budgetd status` shows."""
    if bool(ids) == everything:
        raise click.UsageError("Name the ids, or say --all.")
    result = call(lambda id: Acknowledge(id=id, alert_ids=None if everything else list(ids)))
    count = msgspec.convert(result, AcknowledgeReply).acknowledged
    click.echo(f"{count} acknowledged." if count else "None of these was waiting.")
