"""Limits: the rules a person writes, as values; and what of a request they look at."""

from typing import Literal

import msgspec

OnExceed = Literal["refuse", "alert", "downgrade", "hold"]
Guarantee = Literal["expected", "strict"]
Dimension = Literal["provider", "upstream", "model", "user", "project", "session", "key", "client"]


UNREAD = "?"
"""The model of a request that could not be read: it may be any, so every limit on models holds for it."""


class Subject(msgspec.Struct, frozen=True):
    """Who and what a request is, as far as limits can tell requests apart.

    Two dimensions, the model and the key, have a second name that a glob may fit as well. A limit ``per`` one
    of them counts under the name that stays the same.
    """

    provider: str = ""
    upstream: str = ""
    model: str = ""
    user: str = ""
    project: str = ""
    session: str = ""
    key: str = ""
    client: str = ""
    token: str = ""
    """Fingerprint of the token that was sent, where ``key`` is a subscription's account; else empty."""
    canonical_model: str = ""
    """The price book's name of the model; empty where that is ``model``."""

    def names(self, dimension: Dimension) -> tuple[str, ...]:
        """The values that a glob on a dimension may fit."""
        value: str = getattr(self, dimension)
        other = ""
        if dimension == "model":
            other = self.canonical_model
        elif dimension == "key":
            other = self.token
        return (value, other) if other else (value,)

    def counted_as(self, dimension: Dimension) -> str:
        """The value whose counter it falls under, where a limit counts ``per`` this dimension."""
        if dimension == "model":
            return self.canonical_model or self.model
        return getattr(self, dimension)


class Limit(msgspec.Struct, frozen=True):
    """A cap on what may be spent in each window."""

    name: str
    window: str
    """hour, day, week, month, total, or the length of a rolling window: 5h, 7d."""
    limit_nusd: int
    thresholds_pct: tuple[int, ...] = ()
    """Per cent of the cap at which an alert fires; reaching the cap itself always does."""
    on_exceed: OnExceed = "refuse"
    match: tuple[tuple[Dimension, tuple[str, ...]], ...] = ()
    """Globs by dimension: a request matches if for each of them one glob fits. Empty: all requests."""
    per: Dimension | None = None
    """A counter for each value of this; None: one for all that match."""
    guarantee: Guarantee = "expected"
    headroom_nusd: int = 0
    hold_seconds: int = 120
    fallback_model: str = ""

    @property
    def alerting_pct(self) -> tuple[int, ...]:
        """The thresholds, and the cap itself."""
        return self.thresholds_pct if 100 in self.thresholds_pct else (*self.thresholds_pct, 100)
