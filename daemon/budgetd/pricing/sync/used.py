"""Which models the person uses, so that changes of their prices are told first."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from budgetd.pricing.search import called
from budgetd.pricing.table import Sheet, Table

Used = Sequence[tuple[str, str]]
"""(provider, model), the dearest first."""

_HOUR = 3600
_SECONDS = 30 * 24 * _HOUR


def used_models(ledger: Path, now: float) -> Used:
    """The models of the last 30 days; none where there is no ledger that can be read."""
    try:
        db = sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = db.execute(
                "select provider, model from rollups where hour >= ? and model <> ''"
                " group by provider, model order by sum(cost_nusd) desc",
                (int((now - _SECONDS) // _HOUR),),
            )
            return [(provider, model) for provider, model in rows]
        finally:
            db.close()
    except sqlite3.Error:
        return []


def in_use(sheet: Sheet, used: Used, at: float) -> set[tuple[str, str]]:
    """The models of a sheet that are used, by its own ids of providers and models. A model may stand on the
    list of another provider, from which its own borrows.
    """
    table = Table(sheet.encode())
    found: set[tuple[str, str]] = set()
    for name, model in used:
        provider, price = called(sheet, name), table.find(name, model, at)
        if provider and price:
            found.update((id, price.model) for id in (provider.id, *provider.borrows))
    return found
