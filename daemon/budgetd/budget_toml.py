"""What may stand in `budget.toml`, and the limits it comes to. Errors name file, line and key."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from budgetd.alerts.checks import UNSAFE
from budgetd.alerts.target import is_safe
from budgetd.budget.fallback import same_dialect
from budgetd.budget.limits import Dimension, Guarantee, Limit, OnExceed
from budgetd.budget.matching import literal_glob
from budgetd.budget.windows import check_window
from budgetd.config import WELL_KNOWN, Upstream
from budgetd.toml_file import TomlFile
from budgetwire.money import NUSD_PER_CENT

Cents = Annotated[int, Meta(ge=0, le=10**11)]
Percent = Annotated[int, Meta(ge=1, le=1000)]
Percents = Percent | list[Percent]
Globs = str | list[str]
Match = tuple[tuple[Dimension, tuple[str, ...]], ...]

HOLD_SECONDS = 120


class BudgetSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[budget]`, the short form: two limits, "daily" and "monthly"."""

    enabled: bool = True
    """False: no limit of this file is in force."""
    daily_limit_cents: Cents | None = None
    monthly_limit_cents: Cents | None = None
    alert_threshold_pct: Percents = 80
    alert_webhook: str | None = None
    """Where alerts are posted; more channels, and of other kinds, are in config.toml."""
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
    hold_seconds: Annotated[int, Meta(ge=1, le=3600)] | None = None
    """How long a held request waits; silence refuses it. 120 where nothing is said."""
    fallback_model: str | None = None
    thresholds_pct: Percents = 80
    headroom_cents: Cents = 0
    guarantee: Guarantee = "expected"


class UserSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[users.NAME]`, the short form for people."""

    daily_limit_cents: Cents | None = None
    monthly_limit_cents: Cents | None = None
    keys: list[str] = []
    """Fingerprints of the API keys that are hers, and of the accounts of her subscriptions."""


class BudgetToml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `budget.toml`."""

    budget: BudgetSection = BudgetSection()
    limits: list[LimitSection] = []
    users: dict[str, UserSection] = {}


class Budget(msgspec.Struct, frozen=True):
    """The limits in force."""

    limits: tuple[Limit, ...] = ()
    enabled: bool = True
    """False: there are no limits because the file says so."""
    count_subscription: bool = False
    users: dict[str, str] = {}
    """Whose an API key or a subscription's account is, by its fingerprint."""
    alert_webhook: str | None = None
    """May hold a token: it is shown as scheme and host."""
    warnings: tuple[str, ...] = ()
    """What is odd, but may be meant."""


def read_budget(file: TomlFile, upstreams: Mapping[str, Upstream] = WELL_KNOWN) -> Budget:
    """The limits that a file comes to. Raises ConfigError.

    Args:
        file: budget.toml.
        upstreams: those that are configured, which a limit should be about.
    """
    content = file.parse(BudgetToml)
    budget = content.budget
    limits = [*_short(budget)]
    for name, user in content.users.items():
        limits += _of_user(file, name, user, budget)
    _check_names(file, content.limits, {limit.name for limit in limits})
    limits += [_long(file, number, section) for number, section in enumerate(content.limits)]
    if not budget.enabled:
        limits = []
    if budget.alert_webhook is not None and not is_safe(budget.alert_webhook):
        raise file.error(["budget", "alert_webhook"], UNSAFE)
    return Budget(
        limits=tuple(limits),
        enabled=budget.enabled,
        count_subscription=budget.count_subscription,
        users=_keys(file, content.users),
        alert_webhook=budget.alert_webhook,
        warnings=(
            *_short_warnings(file, budget),
            *(warning for section in content.limits for warning in _warnings(file, section, upstreams)),
        ),
    )


def _short(section: BudgetSection) -> list[Limit]:
    caps = (("daily", "day", section.daily_limit_cents), ("monthly", "month", section.monthly_limit_cents))
    return [_short_limit(section, name, window, cents) for name, window, cents in caps if cents is not None]


def _of_user(file: TomlFile, name: str, user: UserSection, budget: BudgetSection) -> list[Limit]:
    if not name.strip() or not name.isprintable():
        raise file.error(["users", name], "a user needs a name that can be shown.")
    caps = (("daily", "day", user.daily_limit_cents), ("monthly", "month", user.monthly_limit_cents))
    match: Match = (("user", (literal_glob(name),)),)
    return [
        _short_limit(budget, f"{name} {kind}", window, cents, match)
        for kind, window, cents in caps
        if cents is not None
    ]


def _short_limit(section: BudgetSection, name: str, window: str, cents: int, match: Match = ()) -> Limit:
    """A limit that goes by the settings of the short form."""
    on_exceed: OnExceed = "refuse" if section.reject_on_exceed else "alert"
    if section.reject_on_exceed and section.fallback_model_on_exceed:
        on_exceed = "downgrade"
    return Limit(
        name=name,
        window=window,
        limit_nusd=cents * NUSD_PER_CENT,
        thresholds_pct=_thresholds(section.alert_threshold_pct),
        on_exceed=on_exceed,
        match=match,
        fallback_model=section.fallback_model_on_exceed or "",
    )


def _long(file: TomlFile, number: int, section: LimitSection) -> Limit:
    try:
        check_window(section.window)
    except ValueError as error:
        raise file.error(["limits", number, "window"], f"limit {section.name!r}: {error}") from None
    if section.hold_seconds is not None and section.on_exceed != "hold":
        raise file.error(
            ["limits", number, "hold_seconds"],
            f'limit {section.name!r}: nothing is held unless on_exceed = "hold".',
        )
    for dimension, globs in _match(section.match):
        if not globs:
            at = ["limits", number, "match", dimension]
            raise file.error(at, f"limit {section.name!r}: an empty list matches nothing; leave it out.")
    _check_fallback(file, number, section)
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
        hold_seconds=section.hold_seconds or HOLD_SECONDS,
        fallback_model=section.fallback_model or "",
    )


def _check_fallback(file: TomlFile, number: int, section: LimitSection) -> None:
    at: list[str | int] = ["limits", number, "fallback_model"]
    if section.on_exceed == "downgrade" and not section.fallback_model:
        raise file.error(
            ["limits", number, "on_exceed"],
            f'limit {section.name!r}: "downgrade" needs a fallback_model, the model to ask for instead.',
        )
    match = section.match
    models = [(model, model, "") for model in _globs(match.model)]
    providers = [(provider, "", provider) for provider in (*_globs(match.provider), *_globs(match.upstream))]
    for glob, model, provider in models + providers:
        if not same_dialect(section.fallback_model or "", model, provider):
            raise file.error(
                at,
                f"limit {section.name!r}: {section.fallback_model} speaks another dialect than {glob};"
                " a request can only be downgraded to a model of its own provider.",
            )


def _check_names(file: TomlFile, sections: list[LimitSection], taken: set[str]) -> None:
    for number, section in enumerate(sections):
        if section.name in taken:
            problem = f"two limits are called {section.name!r}; give each its own name."
            raise file.error(["limits", number, "name"], problem)
        taken.add(section.name)


def _keys(file: TomlFile, users: dict[str, UserSection]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, user in users.items():
        for key in user.keys:
            if not re.fullmatch(r"[ak]_[0-9a-f]{6}", key):
                raise file.error(
                    ["users", name, "keys"],
                    "holds what is no key's fingerprint; they look like k_3f9a0c, or a_5b21e7 of an account,"
                    " the requests screen shows them. Never write a key itself here.",
                )
            if owners.setdefault(key, name) != name:
                raise file.error(["users", name, "keys"], f"{key} is already {owners[key]}'s.")
    return owners


def _short_warnings(file: TomlFile, section: BudgetSection) -> list[str]:
    if section.reject_on_exceed or not section.fallback_model_on_exceed:
        return []
    useless = "fallback_model_on_exceed is of no use while reject_on_exceed = false lets everything by."
    return [f"{file.path}: {useless}"]


def _warnings(file: TomlFile, section: LimitSection, upstreams: Mapping[str, Upstream]) -> list[str]:
    """What of a limit has no effect, or not the one it seems to have."""
    about = f"{file.path}: limit {section.name!r}:"
    names = {"provider": [each.provider for each in upstreams.values()], "upstream": [*upstreams]}
    found = [
        f"{about} no {dimension} that is known matches {glob!r}."
        for dimension, globs in (("provider", section.match.provider), ("upstream", section.match.upstream))
        for glob in _globs(globs)
        if not any(fnmatchcase(name, glob) for name in names[dimension])
    ]
    if section.fallback_model and section.on_exceed in {"refuse", "alert"}:
        found.append(f'{about} fallback_model is of no use unless on_exceed = "downgrade".')
    if section.guarantee == "strict" and section.on_exceed == "alert":
        found.append(f'{about} strict guarantees nothing where on_exceed = "alert" lets everything by.')
    if section.headroom_cents >= section.limit_cents > 0:
        found.append(f"{about} its headroom is as large as its cap, so it admits nothing that costs.")
    return found


def _match(section: MatchSection) -> Match:
    given: dict[Dimension, Any] = msgspec.structs.asdict(section)  # pyright: ignore[reportAssignmentType]
    return tuple((dimension, _globs(globs)) for dimension, globs in given.items() if globs is not None)


def _globs(globs: Globs | None) -> tuple[str, ...]:
    if globs is None:
        return ()
    return (globs,) if isinstance(globs, str) else tuple(globs)


def _thresholds(pct: Percents) -> tuple[int, ...]:
    return tuple(sorted(set(pct if isinstance(pct, list) else [pct])))
