"""The command line of the daemon: one group a file."""

import os
import sys

import click

from budgetd.cli.alerts import ack, alerts
from budgetd.cli.config_check import config_check
from budgetd.cli.export import cost, export
from budgetd.cli.limits import grant, limits
from budgetd.cli.prices import prices
from budgetd.cli.reach import describe
from budgetd.cli.reconcile import reconcile_spend
from budgetd.cli.record import audit, estimates
from budgetd.cli.requests import approve, kill, refuse
from budgetd.cli.run import serve, start, stop
from budgetd.cli.show import env, status
from budgetd.cli.steer import pause, resume
from budgetd.cli.sync_pricing import sync_pricing
from budgetd.errors import BudgetdError
from budgetwire.errors import NoSocket, Unreachable, WireError

EXAMPLES = """
\b
Examples:
  budgetd start                      run in the background
  budgetd status                     limits, burn and alerts at a glance
  eval "$(budgetd env --shell)"      point this shell's clients at budgetd
  budgetd limits set daily 12.50     change a limit while everything runs
  budgetd approve 4202               let a held request through
  budgetd pause                      let nothing through that costs
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="budgettop", prog_name="budgetd")
def budgetd() -> None:
    """Forward LLM requests unchanged, know what they cost, and stop at the budget.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon to talk to.
    """


for command in (
    *(serve, start, stop, status, env, config_check),
    *(limits, grant, pause, resume, approve, refuse, kill),
    *(alerts, ack, audit, estimates, cost, export),
    *(prices, sync_pricing, reconcile_spend),
):
    budgetd.add_command(command)


def main() -> None:
    """Entry point of the `budgetd` script."""
    if sys.platform == "win32":
        click.echo("budgetd runs on Linux and macOS; on Windows, run it inside WSL.", err=True)
        sys.exit(1)
    _have_an_output()
    try:
        sys.exit(budgetd(prog_name="budgetd", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C, which is how watching ends
        sys.exit(130)
    except NoSocket as error:
        click.echo(f"budgetd: {describe(error)}", err=True)
        sys.exit(3)
    except Unreachable as error:
        click.echo(f"budgetd: {error}", err=True)
        sys.exit(3)
    except (BudgetdError, WireError, OSError) as error:
        click.echo(f"budgetd: {error}", err=True)
        sys.exit(1)


def _have_an_output() -> None:
    """Where standard output is closed, write nowhere, and not into the next file that is opened."""
    try:
        os.fstat(1)
    except OSError:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
