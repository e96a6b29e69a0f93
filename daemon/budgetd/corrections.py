"""Corrections: what an invoice says beyond the ledger, entered as rows of its own, and taken back.

One row for each UTC day and model holds the difference, so that limits, charts and exports see it like any
other spending. It is dated at noon of its day. Synchronous; a batch is one transaction, its audit included.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec

from budgetd.accounts import Accounts
from budgetd.budget.limits import Subject
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.ledger import correcting, invoicing
from budgetd.ledger.invoicing import Share
from budgetd.ledger.rows import SUBJECT, CorrectionRow, Opening, subject_of
from budgetd.ledger.schema import INSERT_AUDIT
from budgetd.ledger.writer import Statement
from budgetd.reconcile.compare import is_left_out
from budgetd.reconcile.days import DAY_SECONDS, starts_at
from budgetd.reconcile.models import family
from budgetd.reconcile.wording import signed
from budgetwire.messages import ApplyCorrections, ApplyCorrectionsReply, Correction, UndoCorrections

MOST_NUSD = 10**17
"""No day of a model is taken to cost more."""
MOST_TEXT = 200
"""Characters of a name that is taken from a client."""

MOST_BATCH = 2**63 - 1
"""No number beyond it can be asked for."""

LEARNT_DAYS = 90
"""Corrections of so many days bear on what is expected of the next requests."""
LEAST_PCT, MOST_PCT = 25, 400


_Key = tuple[str, str, str]
"""A day, provider and model."""


class _Entered(NamedTuple):
    """A difference in the ledger, and whom it counts on."""

    nusd: int
    estimated_nusd: int
    at: float
    subject: Subject
    unknown_nusd: int = 0
    """By how much more, or less, it may have cost beyond that."""


class Corrections:
    """Enters corrections and takes them back."""

    def __init__(self, accounts: Accounts) -> None:
        """Estimates learn at once from the corrections on record."""
        self._accounts = accounts
        self._ledger = accounts.ledger
        since = accounts.clock() - LEARNT_DAYS * DAY_SECONDS
        for model, estimated, difference in invoicing.estimate_errors(self._ledger.db, since):
            accounts.learner.correct(model, _factor_pct(estimated, difference))

    def apply(self, call: ApplyCorrections, peer: Peer) -> ApplyCorrectionsReply:
        """Enter the differences; one of nothing is checked and passed over. Raises CommandError, LedgerError,
        and then none was entered.
        """
        now = self._accounts.clock()
        self._ledger.flush()
        _check(call, now)
        batch, id = correcting.next_ids(self._ledger.db)
        statements: list[Statement] = []
        entered: list[_Entered] = []
        asked = {(correction.provider, correction.day) for correction in call.corrections}
        shares = {key: self._shares(*key) for key in asked}
        for correction in call.corrections:
            opening = self._opening(correction, shares[correction.provider, correction.day], now)
            nusd = correction.invoice_nusd - correction.ledger_nusd
            if nusd == 0:
                continue
            row = CorrectionRow(
                id=id + len(entered),
                batch=batch,
                at=now,
                source=call.source,
                request_id=opening.id,
                **msgspec.structs.asdict(correction),
            )
            statements += correcting.entry(opening, row)
            entered.append(_Entered(nusd, row.estimated_nusd, opening.admitted_at, _subject(opening)))
        if not entered:
            return ApplyCorrectionsReply(batch=0, applied=0, nusd=0)
        reply = _reply(batch, entered)
        after = f"{signed(reply.nusd)} in {_rows(reply.applied)}, by {call.source}"
        statements.append(_audit(now, peer, "apply_corrections", batch, "", after))
        known = {_key(each) for each in call.corrections if each.invoice_nusd != each.ledger_nusd}
        ends = self._release(statements, known, now)
        self._write(statements, [*entered, *ends])
        self._learn(entered)
        return reply

    def undo(self, call: UndoCorrections, peer: Peer) -> ApplyCorrectionsReply:
        """Take back a batch: its rows stay, at nothing. Raises CommandError, LedgerError."""
        now = self._accounts.clock()
        self._ledger.flush()
        batch = correcting.last_batch(self._ledger.db) if call.batch is None else min(call.batch, MOST_BATCH)
        found = correcting.in_force(self._ledger.db, batch)
        if not found:
            which = "No correction is" if call.batch is None else f"No corrections of batch {batch} are"
            raise CommandError("not_found", f"{which} on record that could be taken back.", "batch")
        statements: list[Statement] = []
        entered: list[_Entered] = []
        for row, opening in found:
            nusd = row.ledger_nusd - row.invoice_nusd
            statements += correcting.removal(opening, row, now)
            entered.append(_Entered(nusd, row.estimated_nusd, opening.admitted_at, _subject(opening)))
        reply = _reply(batch, entered)
        before = f"{signed(-reply.nusd)} in {_rows(reply.applied)}"
        statements.append(_audit(now, peer, "undo_corrections", batch, before, "taken back"))
        ends = self._release(statements, {_key(row) for row, _ in found}, now, undone=True)
        self._write(statements, [*entered, *ends])
        self._learn(entered, undone=True)
        return reply

    def _write(self, statements: Iterable[Statement], entered: Iterable[_Entered]) -> None:
        """Commit, then count. What is less comes first, so that no threshold fires that is not passed in the
        end; what makes room by ending what was unknown comes last, so that the room is really there.
        """
        self._ledger.write_all(statements)
        for each in sorted(entered, key=lambda each: (-each.unknown_nusd, each.nusd)):
            self._accounts.adjust(each.subject, each.nusd, each.at, each.unknown_nusd)

    def _release(
        self, statements: list[Statement], known: set[_Key], now: float, *, undone: bool = False
    ) -> list[_Entered]:
        """End what is unknown of the requests that an invoice accounts for in sum; with ``undone``, make it
        unknown again. A day that is not over may have more to come.
        """
        changed: list[_Entered] = []
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        for day, provider in sorted({(day, provider) for day, provider, _ in known if day < today}):
            since = starts_at(day)
            for end in correcting.unstated_ends(self._ledger.db, provider, since, since + DAY_SECONDS):
                left_nusd = end.most_nusd if undone else 0
                if left_nusd != end.unknown_nusd and (day, provider, family(end.model)) in known:
                    statements.append(correcting.set_unknown(end.id, left_nusd))
                    changed.append(_Entered(0, 0, end.admitted_at, end.subject, left_nusd - end.unknown_nusd))
        return changed

    def _learn(self, entered: Iterable[_Entered], *, undone: bool = False) -> None:
        """Let what is expected of a model follow what its estimated requests turned out to cost."""
        sums: dict[str, tuple[int, int]] = {}
        for each in entered:
            if each.estimated_nusd > 0:
                estimated, difference = sums.get(each.subject.model, (0, 0))
                sums[each.subject.model] = estimated + each.estimated_nusd, difference + each.nusd
        for model, (estimated, difference) in sums.items():
            pct = _factor_pct(estimated, -difference if undone else difference)
            self._accounts.learner.correct(model, 100 * 100 // pct if undone else pct)

    def _shares(self, provider: str, day: str) -> list[Share]:
        since = starts_at(day)
        return invoicing.shares(self._ledger.db, provider, since, since + DAY_SECONDS)

    def _opening(self, correction: Correction, shares: list[Share], now: float) -> Opening:
        """Its row, under the name and the upstream that most of the day's cost of the model is under. Raises
        CommandError if the ledger's side is not what the correction was made from.
        """
        own = [
            share
            for share in shares
            if family(share.name) == correction.model
            and not is_left_out(correction.provider, share.service_tier)
        ]
        if sum(share.cost_nusd for share in own) != correction.ledger_nusd:
            raise CommandError(
                "conflict",
                f"The ledger has changed meanwhile ({correction.model or 'no model'} on"
                f" {correction.day}); run it again.",
                "corrections",
            )
        most = max(own, key=lambda share: abs(share.cost_nusd), default=None)
        return Opening(
            id=self._ledger.next_request_id(),
            admitted_at=min(starts_at(correction.day) + DAY_SECONDS / 2, now),
            upstream=most.upstream if most else correction.provider,
            provider=correction.provider,
            dialect="",
            billing="api",
            method="",
            path="",
            model=most.model if most else correction.model,
            user="",
            project="",
            session="",
            key="",
            client="",
            stream=False,
            request_bytes=0,
            reserved_nusd=0,
            expected_nusd=0,
            worst_nusd=None,
        )


def _check(call: ApplyCorrections, now: float) -> None:
    """Refuse what no invoice says. Raises CommandError."""
    if len(call.source) > MOST_TEXT or not call.source.isprintable():
        raise CommandError("invalid", f"source is a short name, up to {MOST_TEXT} characters.", "source")
    keys: set[_Key] = set()
    for correction in call.corrections:
        key = _key(correction)
        if why := _objection(correction, now) or ("is there twice" if key in keys else ""):
            what = f"The correction of {correction.model[:40] or 'no model'} on {correction.day[:10]}"
            raise CommandError("invalid", f"{what} {why}.", "corrections")
        keys.add(key)


def _objection(correction: Correction, now: float) -> str:
    try:
        if date.fromisoformat(correction.day).isoformat() != correction.day:
            return "has a day that is not written like 2026-11-23"
    except ValueError:
        return "has a day that is not written like 2026-11-23"
    if correction.day > datetime.fromtimestamp(now, UTC).date().isoformat():
        return "is for a day that has not come"
    if not correction.provider or max(len(correction.provider), len(correction.model)) > MOST_TEXT:
        return "has no provider, or too long a name"
    if correction.model != family(correction.model):
        return "names a snapshot; corrections are by model"
    if correction.invoice_nusd < 0:
        return "is of a credit, which is no spending"
    amounts = (correction.ledger_nusd, correction.invoice_nusd, correction.estimated_nusd)
    return "has an amount beyond all bounds" if any(abs(each) > MOST_NUSD for each in amounts) else ""


def _audit(now: float, peer: Peer, action: str, batch: int, before: str, after: str) -> Statement:
    return INSERT_AUDIT, (now, peer.uid, peer.name, action, f"batch {batch}", before, after)


def _reply(batch: int, entered: list[_Entered]) -> ApplyCorrectionsReply:
    return ApplyCorrectionsReply(batch=batch, applied=len(entered), nusd=sum(each.nusd for each in entered))


def _factor_pct(estimated: int, difference: int) -> int:
    """By what estimates were off, in per cent of them."""
    return min(max((estimated + difference) * 100 // estimated, LEAST_PCT), MOST_PCT)


def _subject(opening: Opening) -> Subject:
    return subject_of([getattr(opening, name) for name in SUBJECT])


def _key(correction: Correction | CorrectionRow) -> _Key:
    return correction.day, correction.provider, correction.model


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
