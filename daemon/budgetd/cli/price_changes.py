"""How changes of prices are shown: model by model, each rate from what to what."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from budgetd.cli.table import plain, table
from budgetd.pricing.rate_names import NAMES, dollars
from budgetd.pricing.sync.diff import Cell, Change

FEW = 12
"""As many changes of models that are not used are shown one by one."""

KINDS = {"raised": "dearer", "lowered": "cheaper", "removed": "removed", "zero": "at no price", "new": "new"}
"""What becomes of a model, in a word."""


def describe(changes: Sequence[Change], used: set[tuple[str, str]], *, everything: bool) -> str:
    """The changes of used models, what needs a yes first, and the others if they are few or all are asked
    for; else how many they are.
    """
    ours = [change for change in changes if used & {(change.provider, name) for name in _names(change)}]
    others = [change for change in changes if change not in ours]
    shown = [*ours, *(others if everything or len(others) <= FEW else ())]
    lines = list(_table(sorted(shown, key=_place))) if shown else []
    if hidden := len(changes) - len(shown):
        told = f"and {models(hidden)} you do not use: {counts(others)}" if shown else "None that you use"
        lines.append(f"{told} (--all shows them)")
    return "\n".join(lines)


def counts(changes: Sequence[Change]) -> str:
    """How many of which kind: ``2 cheaper, 14 new``."""
    of_a_kind = Counter(change.kind for change in changes)
    return ", ".join(f"{of_a_kind[kind]:,} {word}" for kind, word in KINDS.items() if of_a_kind[kind])


def models(count: int) -> str:
    """So many models."""
    return "1 model" if count == 1 else f"{count:,} models"


def _names(change: Change) -> tuple[str, str]:
    return change.model, change.successor


def _place(change: Change) -> bool:
    return change.harmless


def _table(changes: Sequence[Change]) -> Iterator[str]:
    """Each change in a line, however long its name, with its rates in columns below."""
    rows = [_row(change, cell) for change in changes for cell in change.cells]
    head, *lines = table(("$ PER MILLION TOKENS", ">OLD", ">NEW", ">"), rows).splitlines()
    yield head
    rates = iter(lines)
    for change in changes:
        mark = "" if change.harmless else " !"
        yield plain(f"{change.provider}/{change.model}  {KINDS[change.kind]}{mark}")
        yield from itertools.islice(rates, len(change.cells))


def _row(change: Change, cell: Cell) -> tuple[str, ...]:
    per = NAMES[cell.name].per
    return (
        f"  {cell.label}" + ("" if per == "M" else f", {per}"),
        "" if change.kind == "new" else dollars(cell.old, cell.name),
        "" if change.kind == "removed" else dollars(cell.new, cell.name),
        _percent(cell),
    )


def _percent(cell: Cell) -> str:
    if not cell.old or not cell.new:
        return ""
    percent = Decimal(cell.new - cell.old) * 100 / cell.old
    return f"{percent:+,.0f} %" if abs(percent) >= 10 else f"{percent:+.1f} %"
