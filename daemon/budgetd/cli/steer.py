"""Commands that steer the running daemon: pause, resume."""

import click

from budgetd.cli.call import call
from budgetwire.messages import Pause, Resume

PAUSE_EXAMPLES = """
\b
Examples:
  budgetd pause                  all that costs
  budgetd pause "opus per day"   only what this limit is about
"""


@click.command(epilog=PAUSE_EXAMPLES)
@click.argument("limit", required=False)
def pause(limit: str | None) -> None:
    """Refuse all that costs, or what one LIMIT is about.

    It lasts until `budgetd resume`, also over a restart.
    """
    call(lambda id: Pause(id=id, limit=limit))
    if limit is None:
        click.echo("Paused. Nothing that costs is let through; `budgetd resume` ends it.")
    else:
        click.echo(
            f"Paused. Nothing that {limit} is about is let through; `budgetd resume` with its name ends it."
        )


@click.command(epilog=PAUSE_EXAMPLES.replace("pause ", "resume "))
@click.argument("limit", required=False)
def resume(limit: str | None) -> None:
    """Let all through again, or what one LIMIT is about."""
    call(lambda id: Resume(id=id, limit=limit))
    click.echo("Resumed." if limit is None else f"Resumed: {limit}.")
