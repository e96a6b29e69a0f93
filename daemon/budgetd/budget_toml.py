"""What may stand in `budget.toml`, and the limits it comes to. Errors name file, line and key."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from budgetd.budget.limits import Dimension, Guarantee, Limit, OnExceed
from budgetd.budget.matching import literal_glob
from budgetd.budget.windows import check_window
from budgetd.config import PLACED, WELL_KNOWN
from budgetd.toml_file import TomlFile
from budgetwire.money import NUSD_PER_CENT

Cents = Annotated[int, Meta(ge=0, le=10**11)]
Percent = Annotated[int, Meta(ge=1, le=1000)]
Percents = Percent | list[Percent]
Globs = str | list[str]

FAMILIES = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gpt|o\d|chatgpt|codex"), "openai"),
    (re.compile(r"gemini|gemma"), "gemini"),
)
"""Whose dialect the models speak whose names begin so."""


class BudgetSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[budget]`, the short form: two limits, "daily" and "monthly"."""

    enabled: bool = True
    """False: no limit of this file is in force."""
    daily_limit_cents: Cents | None = None
    monthly_limit_cents: Cents | None = None
    alert_threshold_pct: Percents = 80
    reject_on_exceed: bool = True
    """False: alert only."""
    fallback_model_on_exceed: str | None = None
    """Downgrade to this model instead of refusing."""
    count_subscription: bool = False
    """Whether traffic that a subscription pays for counts against limits at its API-equivalent cost."""


class MatchSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`match` of a limit: one glob, or several of which one has to fit, by dimension."""

    provider: Globs | None = None
    upstream: Globs | None = None
    model: Globs | None = None
    user: Globs | None = None
    project: Globs | None = None
    session: Globs | None = None
    key: Globs | None = None
    client: Globs | None = None


class LimitSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[limits]]`, the long form."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    window: str
    limit_cents: Cents
    match: MatchSection = MatchSection()
    per: Dimension | None = None
    on_exceed: OnExceed = "refuse"
    hold_seconds: Annotated[int, Meta(ge=1, le=3600)] = 120
    fallback_model: str | None = None
    thresholds_pct: Percents = 80
    headroom_cents: Cents = 0
    guarantee: Guarantee = "expected"


class UserSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[users.NAME]`, the short form for people."""

    daily_limit_cents: Cents | None = None
    monthly_limit_cents: Cents | None = None
    keys: list[str] = []
    """Fingerprints of the API keys that are hers."""


class BudgetToml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `budget.toml`."""

    budget: BudgetSection = BudgetSection()
    limits: list[LimitSection] = []
    users: dict[str, UserSection] = {}


class Budget(msgspec.Struct, frozen=True):
    """The limits in force."""

    limits: tuple[Limit, ...] = ()
    count_subscription: bool = False
    users: dict[str, str] = {}
    """Whose an API key is, by its fingerprint."""
    warnings: tuple[str, ...] = ()
    """What is odd, but may be meant."""


def read_budget(file: TomlFile) -> Budget:
    """The limits that a file comes to. Raises ConfigError."""
    content = file.parse(BudgetToml)
    budget = content.budget
    limits = [*_short(budget)]
    for name, user in content.users.items():
        limits += _of_user(file, name, user, budget)
    limits += [_long(file, section) for section in content.limits]
    _check_names(file, limits)
    if not budget.enabled:
        limits = []
    return Budget(
        limits=tuple(limits),
        count_subscription=budget.count_subscription,
        users=_keys(file, content.users),
        warnings=tuple(warning for section in content.limits for warning in _warnings(file, section)),
    )


def _short(section: BudgetSection) -> list[Limit]:
    on_exceed: OnExceed = "refuse" if section.reject_on_exceed else "alert"
    if section.reject_on_exceed and section.fallback_model_on_exceed:
        on_exceed = "downgrade"
    caps = (("daily", "day", section.daily_limit_cents), ("monthly", "month", section.monthly_limit_cents))
    return [
        Limit(
            name=name,
            window=window,
            limit_nusd=cents * NUSD_PER_CENT,
            thresholds_pct=_thresholds(section.alert_threshold_pct),
            on_exceed=on_exceed,
            fallback_model=section.fallback_model_on_exceed or "",
        )
        for name, window, cents in caps
        if cents is not None
    ]


def _of_user(file: TomlFile, name: str, user: UserSection, budget: BudgetSection) -> list[Limit]:
    if not name.strip():
        raise file.error(["users"], "a user needs a name.")
    caps = (("daily", "day", user.daily_limit_cents), ("monthly", "month", user.monthly_limit_cents))
    return [
        Limit(
            name=f"{name} {kind}",
            window=window,
            limit_nusd=cents * NUSD_PER_CENT,
            thresholds_pct=_thresholds(budget.alert_threshold_pct),
            on_exceed="refuse" if budget.reject_on_exceed else "alert",
            match=(("user", (literal_glob(name),)),),
        )
        for kind, window, cents in caps
        if cents is not None
    ]


def _long(file: TomlFile, section: LimitSection) -> Limit:
    try:
        check_window(section.window)
    except ValueError as error:
        raise file.error(["limits", "window"], f"limit {section.name!r}: {error}") from None
    _check_fallback(file, section)
    return Limit(
        name=section.name,
        window=section.window,
        limit_nusd=section.limit_cents * NUSD_PER_CENT,
        thresholds_pct=_thresholds(section.thresholds_pct),
        on_exceed=section.on_exceed,
        match=_match(section.match),
        per=section.per,
        guarantee=section.guarantee,
        headroom_nusd=section.headroom_cents * NUSD_PER_CENT,
        hold_seconds=section.hold_seconds,
        fallback_model=section.fallback_model or "",
    )


def _check_fallback(file: TomlFile, section: LimitSection) -> None:
    at = ["limits", "fallback_model"]
    if (section.on_exceed == "downgrade") != (section.fallback_model is not None):
        raise file.error(
            at,
            f'limit {section.name!r}: on_exceed = "downgrade" and fallback_model go together.',
        )
    ours = _family(section.fallback_model or "")
    for glob in _globs(section.match.model):
        theirs = _family(glob)
        if ours and theirs and ours != theirs:
            raise file.error(
                at,
                f"limit {section.name!r}: {section.fallback_model} speaks another dialect than {glob};"
                " a request can only be downgraded to a model of its own provider.",
            )


def _check_names(file: TomlFile, limits: list[Limit]) -> None:
    seen: set[str] = set()
    for limit in limits:
        if limit.name in seen:
            raise file.error(
                ["limits", "name"], f"two limits are called {limit.name!r}; give each its own name."
            )
        seen.add(limit.name)


def _keys(file: TomlFile, users: dict[str, UserSection]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, user in users.items():
        for key in user.keys:
            if not re.fullmatch(r"k_[0-9a-f]{6}", key):
                raise file.error(
                    ["users", name, "keys"],
                    f"{key!r} is not a key's fingerprint; the requests screen shows them, like k_3f9a0c.",
                )
            if owners.setdefault(key, name) != name:
                raise file.error(["users", name, "keys"], f"{key} is already {owners[key]}'s.")
    return owners


def _warnings(file: TomlFile, section: LimitSection) -> list[str]:
    names = [*WELL_KNOWN, *PLACED]
    return [
        f"{file.path}: limit {section.name!r}: no well-known {dimension} matches {glob!r}"
        for dimension, globs in (("provider", section.match.provider), ("upstream", section.match.upstream))
        for glob in _globs(globs)
        if not any(fnmatchcase(name, glob) for name in names)
    ]


def _family(model: str) -> str | None:
    return next((family for pattern, family in FAMILIES if pattern.match(model)), None)


def _match(section: MatchSection) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    given: dict[Dimension, Any] = msgspec.structs.asdict(section)  # pyright: ignore[reportAssignmentType]
    return tuple((dimension, _globs(globs)) for dimension, globs in given.items() if globs is not None)


def _globs(globs: Globs | None) -> tuple[str, ...]:
    if globs is None:
        return ()
    return (globs,) if isinstance(globs, str) else tuple(globs)


def _thresholds(pct: Percents) -> tuple[int, ...]:
    return tuple(sorted(set(pct if isinstance(pct, list) else [pct])))
