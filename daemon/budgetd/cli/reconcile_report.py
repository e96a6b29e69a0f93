"""A reckoning as it is shown: tables for 80 columns, or JSON. Pure."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from budgetd.cli.table import plain, table
from budgetd.reconcile.case import Cause, Kind
from budgetd.reconcile.compare import Compared
from budgetd.reconcile.days import days_between
from budgetd.reconcile.invoice import Line
from budgetd.reconcile.reckoning import Reckoning
from budgetd.reconcile.wording import percent, signed
from budgetwire.money import format_usd

WIDTH = 80
LONGEST_NAME = 34
MOST_REASONS = 20

LABELS: dict[Kind, str] = {
    "agrees": "",
    "unread": "amount missing",
    "before": "before the ledger",
    "apart": "billed apart",
    "bypass": "not by the proxy",
    "absent": "not on the invoice",
    "tier": "service tier",
    "cache": "cache classes",
    "place": "place of inference",
    "searches": "web searches",
    "two": "two causes",
    "prices": "old prices",
    "change": "price change",
    "midnight": "over midnight",
    "estimates": "estimates",
    "late": "not complete yet",
    "unknown": "unknown",
}
"""Causes in a word or two."""

AMOUNTS = (">LEDGER", ">INVOICE", ">DRIFT", ">%")


def describe(reckoning: Reckoning, by: str) -> str:
    """All of it, by ``day`` or by ``model``."""
    comparison = reckoning.comparison
    head = (
        f"{comparison.provider}, {reckoning.since} to {reckoning.until} (UTC days):"
        f" {plain(comparison.source)} beside the ledger"
    )
    sums = _by_day(reckoning) if by == "day" else _by_model(reckoning)
    reasons = _reasons(reckoning.explained)
    notes = "\n".join(_wrapped(note) for note in _notes(reckoning))
    return "\n\n".join(part for part in (head, sums, *reasons, notes) if part)


def describe_in_a_line(reckoning: Reckoning) -> str:
    """The sums, for a log."""
    comparison = reckoning.comparison
    return (
        f"{comparison.provider} {reckoning.since} to {reckoning.until}: ledger"
        f" {format_usd(comparison.ledger_nusd)}, invoice {format_usd(comparison.invoice_nusd)}, drift"
        f" {signed(reckoning.drift_nusd)} ({percent(reckoning.drift_nusd, comparison.invoice_nusd)})"
    )


def likely_cause(reckoning: Reckoning) -> str:
    """The cause of the greatest drift, in a sentence."""
    rows = [(row, cause) for row, cause in reckoning.complete if cause.evidence]
    if not rows:
        return ""
    row, cause = max(rows, key=lambda each: abs(each[0].drift_nusd))
    return f"{_name(row.model)} on {row.day}: {cause.evidence}"


def as_json(reckoning: Reckoning) -> dict[str, Any]:
    """All of it, for a program. Nanodollars."""
    comparison = reckoning.comparison
    return {
        "provider": comparison.provider,
        "source": comparison.source,
        "since": reckoning.since,
        "until": reckoning.until,
        "ledger_nusd": comparison.ledger_nusd,
        "invoice_nusd": comparison.invoice_nusd,
        "drift_nusd": reckoning.drift_nusd,
        "rows": [
            {
                "day": row.day,
                "model": row.model,
                "requests": row.count,
                "ledger_nusd": row.ledger_nusd,
                "estimated_nusd": row.estimated_nusd,
                "invoice_nusd": row.invoice_nusd,
                "drift_nusd": row.drift_nusd,
                "cause": cause.kind,
                "evidence": cause.evidence,
            }
            for row, cause in reckoning.explained
        ],
        "missing": list(comparison.missing),
        "subscription_nusd": comparison.subscription_nusd,
        "left_out_nusd": comparison.left_out_nusd,
        "credits": [{"day": line.day, "what": line.what, "nusd": line.nusd} for line in comparison.credits],
        "notes": _notes(reckoning),
    }


def _by_day(reckoning: Reckoning) -> str:
    rows: dict[str, list[tuple[Compared, Cause]]] = defaultdict(list)
    for row, cause in reckoning.explained:
        rows[row.day].append((row, cause))
    missing = set(reckoning.comparison.missing)
    lines = [
        (day, "", "", "", "", "no bucket")
        if day in missing
        else (day, *_amounts(row for row, _ in rows[day]), _label(rows[day]))
        for day in days_between(reckoning.since, reckoning.until)
    ]
    return table(("DAY", *AMOUNTS, "LIKELY CAUSE"), [*lines, ("in all", *_total(reckoning), "")])


def _by_model(reckoning: Reckoning) -> str:
    rows: dict[str, list[Compared]] = defaultdict(list)
    for row in reckoning.comparison.rows:
        rows[row.model].append(row)
    lines = [(_name(model), *_amounts(rows[model])) for model in sorted(rows)]
    return table(("MODEL", *AMOUNTS), [*lines, ("in all", *_total(reckoning))])


def _total(reckoning: Reckoning) -> tuple[str, ...]:
    return _amounts(reckoning.comparison.rows)


def _amounts(rows: Iterable[Compared]) -> tuple[str, ...]:
    ledger = invoice = 0
    for row in rows:
        ledger += row.ledger_nusd
        invoice += row.invoice_nusd
    drift = invoice - ledger
    return format_usd(ledger), format_usd(invoice), signed(drift), percent(drift, invoice)


def _label(rows: list[tuple[Compared, Cause]]) -> str:
    """The cause of the day's greatest drift."""
    kinds = {cause.kind for _, cause in rows if cause.kind != "agrees"}
    if not kinds:
        return ""
    _, cause = max(rows, key=lambda each: (each[1].kind != "agrees", abs(each[0].drift_nusd)))
    return LABELS[cause.kind] + (" …" if len(kinds) > 1 else "")


def _reasons(explained: list[tuple[Compared, Cause]]) -> list[str]:
    """The evidence, the greatest drift first; what is said of several days is said once."""
    alike: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for row, cause in explained:
        if cause.evidence:
            alike[row.model, cause.evidence].append(row)
    ordered = sorted(alike.items(), key=lambda each: -abs(sum(row.drift_nusd for row in each[1])))
    reasons = [_reason(model, evidence, rows) for (model, evidence), rows in ordered[:MOST_REASONS]]
    more = len(ordered) - MOST_REASONS
    return [*reasons, f"and {more} more; --json has them all."] if more > 0 else reasons


def _reason(model: str, evidence: str, rows: list[Compared]) -> str:
    drift = signed(sum(row.drift_nusd for row in rows))
    when = rows[0].day if len(rows) == 1 else f"{len(rows)} days from {rows[0].day}"
    return f"{_name(model)}  {drift}  {when}\n{_wrapped(plain(evidence), '  ')}"


def _notes(reckoning: Reckoning) -> list[str]:
    comparison = reckoning.comparison
    notes = [*comparison.notes]
    if comparison.missing:
        notes.append(
            f"The invoice has no bucket for {_listed(comparison.missing)}, which is not the same as zero:"
            " nothing was compared."
        )
    if comparison.subscription_nusd:
        notes.append(
            f"{format_usd(comparison.subscription_nusd)} at API prices went over a subscription and is on no"
            " invoice of the API: left out."
        )
    if comparison.left_out_nusd:
        notes.append(
            f"{format_usd(comparison.left_out_nusd)} in the ledger is of service tiers that this invoice does"
            " not have: left out."
        )
    if comparison.credits:
        notes.append(_credited(comparison.credits))
    if reckoning.until >= reckoning.today:
        notes.append(f"{reckoning.today} is not over, and providers lag: its invoice will grow.")
    return notes


def _credited(credits: tuple[Line, ...]) -> str:
    nusd = sum(line.nusd for line in credits)
    what = sorted({line.what or line.model for line in credits} - {""})
    named = f" ({plain(', '.join(what[:3]))})" if what else ""
    return (
        f"Credits of {format_usd(-nusd)}{named} are on the invoice: shown, not entered, for they pay for"
        " requests and make none cheaper."
    )


def _listed(days: tuple[str, ...]) -> str:
    if len(days) <= 3:
        return ", ".join(days)
    return f"{len(days)} days from {days[0]} to {days[-1]}"


def _name(model: str) -> str:
    name = model or "(no model)"
    return plain(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH - 1, initial_indent=indent, subsequent_indent=indent)
