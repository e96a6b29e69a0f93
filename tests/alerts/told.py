"""Alerts that channels are told of."""

import msgspec

from budgetd.ledger.rows import AlertRow
from ledger import rows


def alert(id: int, **fields: object) -> AlertRow:
    """One that has fired, with some of its fields otherwise."""
    return msgspec.structs.replace(rows.alert(id), **fields)
