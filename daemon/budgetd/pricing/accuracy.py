"""How well costs were foretold, by model. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from budgetwire.messages import EstimateError

MOST_PCT = 1_000_000
MOST_NUSD = 2**63 - 1
"""What a message can hold; single bounds may be very high, and their sum more than that."""


class Outturn(NamedTuple):
    """What a request was expected to cost, and did. Nanodollars."""

    model: str
    expected_nusd: int
    cost_nusd: int
    worst_nusd: int | None


def estimate_errors(rows: Iterable[Outturn]) -> list[EstimateError]:
    """The sums and the spread of each model, the dearest model first."""
    sums: dict[str, _Sums] = {}
    for row in rows:
        sums.setdefault(row.model, _Sums()).add(row)
    errors = [each.error(model) for model, each in sums.items()]
    return sorted(errors, key=lambda error: (-error.cost_nusd, error.model))


class _Sums:
    """What has been seen of one model."""

    def __init__(self) -> None:
        self._expected = self._cost = self._worst = 0
        self._bounded = True
        self._pct: list[int] = []

    def add(self, row: Outturn) -> None:
        self._expected += row.expected_nusd
        self._cost += row.cost_nusd
        if row.worst_nusd is None:
            self._bounded = False
        else:
            self._worst += row.worst_nusd
        self._pct.append(_pct(row.cost_nusd, row.expected_nusd))

    def error(self, model: str) -> EstimateError:
        ascending = sorted(self._pct)
        return EstimateError(
            model=model,
            requests=len(ascending),
            expected_nusd=min(self._expected, MOST_NUSD),
            cost_nusd=min(self._cost, MOST_NUSD),
            worst_nusd=min(self._worst, MOST_NUSD) if self._bounded else None,
            cost_pct_p50=_quantile(ascending, 50),
            cost_pct_p90=_quantile(ascending, 90),
        )


def _pct(cost_nusd: int, expected_nusd: int) -> int:
    """Cost in per cent of what was expected, rounded up; a cost of which nothing was expected counts most."""
    if expected_nusd <= 0:
        return MOST_PCT if cost_nusd > 0 else 100
    return min(-(-cost_nusd * 100 // expected_nusd), MOST_PCT)


def _quantile(ascending: list[int], pct: int) -> int:
    """The least value that so many per cent do not exceed."""
    return ascending[max(0, -(-len(ascending) * pct // 100) - 1)]
