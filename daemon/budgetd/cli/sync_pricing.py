"""The command sync-pricing: published prices are fetched, shown, and put in force."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

from budgetd.cli.price_changes import counts, describe, models
from budgetd.cli.table import plain
from budgetd.config import load_config
from budgetd.errors import BudgetdError
from budgetwire.places import find_places

if TYPE_CHECKING:
    from budgetd.pricing.sync.shelf import Shelf, Source
    from budgetd.pricing.sync.used import Used


@click.command(
    "sync-pricing",
    epilog="""
\b
Examples:
  budgetd sync-pricing              fetch, show what changes, ask where money is at stake
  budgetd sync-pricing --accept     the same without asking
  budgetd sync-pricing --rollback   back to the prices before the last sync
""",
)
@click.option("--accept", is_flag=True, help="Take over lower prices, removals and zeros without asking.")
@click.option("--all", "everything", is_flag=True, help="Show each model, also those that are not used.")
@click.option("--rollback", is_flag=True, help="Put back the prices that the last sync replaced.")
def sync_pricing(accept: bool, everything: bool, rollback: bool) -> None:
    """Fetch the published prices and put them in force.

    New models and higher prices are taken over at once. What would make a model cheaper, takes it away or
    gives it for nothing is asked, or kept at its old price where nobody can be asked.
    """
    # Imported here: reading the lists and fetching them is needed by this command alone.
    from budgetd.pricing.sync.daily import urls
    from budgetd.pricing.sync.edition import NAMES
    from budgetd.pricing.sync.shelf import Shelf
    from budgetd.pricing.sync.used import used_models

    places = find_places()
    config = load_config(places.config)
    shelf, now = Shelf(places.prices), time.time()
    if rollback:
        _roll_back(shelf, now, daily=config.pricing.sync == "daily")
        return
    used = used_models(config.ledger_path or places.ledger, now)
    failed = 0
    for source, url in urls(config.pricing).items():
        try:
            _sync(shelf, source, url, now, used, accept=accept, everything=everything)
        except BudgetdError as error:
            click.echo(f"budgetd: {NAMES[source]} was not synced: {plain(str(error))}", err=True)
            failed += 1
    if failed:
        raise click.exceptions.Exit(1)


def _sync(
    shelf: "Shelf", source: "Source", url: str, now: float, used: "Used", *, accept: bool, everything: bool
) -> None:
    """Bring one source in. Raises SyncError: nothing changed."""
    from budgetd.pricing.sync.edition import NAMES, get_edition, put_in_force
    from budgetd.pricing.sync.used import in_use

    edition = asyncio.run(get_edition(shelf, source, url, now))
    if edition is None:
        click.echo(f"{NAMES[source]}: nothing has changed.")
        return
    click.echo(f"{NAMES[source]}, from {edition.fetched.origin}: {counts(edition.changes) or 'as before'}")
    ours = in_use(edition.old, used, now) | in_use(edition.new, used, now)
    if told := describe(edition.changes, ours, everything=everything):
        click.echo(told)
    questions = len(edition.questions)
    accepted = accept or not questions or _ask(questions)
    changed = put_in_force(shelf, edition, now, accepted=accepted, used=used)
    if changed:
        click.echo(f"{edition.new.source} {edition.new.version} is in force.")
    if not accepted:
        click.echo(f"Left as before: {models(questions)}, marked with !; --accept takes them over too.")


def _ask(questions: int) -> bool:
    """Whether what costs nothing or less from now on is taken over too; no where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return click.confirm(f"Take over also what is marked with ! ({models(questions)})?")


def _roll_back(shelf: "Shelf", now: float, *, daily: bool) -> None:
    from budgetd.pricing.sync.edition import NAMES

    changed = shelf.roll_back(now)
    for source in changed:
        table = shelf.primary() if source == "genai" else shelf.table(source)
        click.echo(f"{NAMES[source]}: back to {plain(table.name) if table else 'none'}.")
    click.echo("The same command again takes this back.")
    if daily and any(map(shelf.rolled_back, changed)):
        click.echo("The daily sync leaves it so until you run budgetd sync-pricing.")
