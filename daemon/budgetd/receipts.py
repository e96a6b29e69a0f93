"""What one request cost or, while it runs, has cost so far. Knows what runs and what is on record."""

import msgspec

from budgetd.accounts import Accounts
from budgetd.case import Entry
from budgetd.ledger.problems import reading_errors
from budgetd.ledger.receipts import find_receipt
from budgetwire.messages import Cost
from budgetwire.money import exact_cents


class Receipts:
    """Finds requests by the ledger's id, or by either id that the provider gave."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def find(self, id: str) -> Cost | None:
        """The request of this id, if there is one. Raises LedgerError."""
        running = self._accounts.in_flight.values()
        for entry in running:
            if id and id in {str(entry.opening.id), entry.ticket.provider_request_id}:
                return _running(entry)
        found = self._on_record(id)
        if found is None and id:
            found = next((each for each in map(_running, running) if each.response_id == id), None)
        return found

    def find_json(self, id: str) -> bytes | None:
        """The same as JSON."""
        receipt = self.find(id)
        return None if receipt is None else msgspec.json.encode(receipt)

    def _on_record(self, id: str) -> Cost | None:
        ledger = self._accounts.ledger
        ledger.flush()
        id = id.encode("utf-8", "replace").decode()  # a path can hold bytes that are no text
        with reading_errors(ledger.path):
            return find_receipt(ledger.db, id)


def _running(entry: Entry) -> Cost:
    cost, opening = entry.cost(None), entry.opening
    return Cost(
        id=opening.id,
        provider_request_id=entry.ticket.provider_request_id,
        response_id=cost.response_id,
        settled=False,
        outcome="",
        basis=cost.basis,
        cost_nusd=cost.nusd,
        cost_cents=exact_cents(cost.nusd),
        model=cost.model,
        upstream=opening.upstream,
        admitted_at=opening.admitted_at,
        settled_at=None,
        tokens={name: count for name, count in msgspec.structs.asdict(cost.usage).items() if count},
        limits=msgspec.json.decode(opening.limits, type=list[str]),
        price_id=cost.price_id,
    )
