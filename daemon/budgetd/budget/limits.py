"""Limits: the rules a person writes, as values."""

from typing import Literal

import msgspec

WindowKind = Literal["day", "month"]
OnExceed = Literal["refuse", "alert"]


class Limit(msgspec.Struct, frozen=True):
    """A cap on what may be spent in each window."""

    name: str
    window: WindowKind
    limit_nusd: int
    thresholds_pct: tuple[int, ...] = ()
    """Per cent of the cap at which an alert fires; reaching the cap itself always does."""
    on_exceed: OnExceed = "refuse"

    @property
    def alerting_pct(self) -> tuple[int, ...]:
        """The thresholds, and the cap itself."""
        return self.thresholds_pct if 100 in self.thresholds_pct else (*self.thresholds_pct, 100)
