"""Commands about one request: approve, refuse, kill. Their ids are those that `budgetd status` shows."""

import click

from budgetd.cli.call import call
from budgetwire.messages import Approve, Kill, Refuse


@click.command(epilog="Example: budgetd approve 4202")
@click.argument("id", type=int)
def approve(id: int) -> None:
    """Let a held request through, this once, or the session of a killed one go on."""
    call(lambda call_id: Approve(id=call_id, request_id=id))
    click.echo(f"Request {id} may go on.")


@click.command(epilog="Example: budgetd refuse 4202")
@click.argument("id", type=int)
def refuse(id: int) -> None:
    """Refuse a held request."""
    call(lambda call_id: Refuse(id=call_id, request_id=id))
    click.echo(f"Request {id} is refused.")


@click.command(epilog="Example: budgetd kill 4201")
@click.argument("id", type=int)
def kill(id: int) -> None:
    """Cut a running request; what it cost is counted, and its repeats are refused for a minute."""
    call(lambda call_id: Kill(id=call_id, request_id=id))
    click.echo(
        f"Request {id} is cut. Its repeats are refused for a minute; `budgetd approve {id}` lets them go on."
    )
