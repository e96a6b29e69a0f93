"""What is wrong with the `[[alerts.channels]]` of config.toml. No error tells a url: it may hold a token."""

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from budgetd.alerts.finding import Rule
from budgetd.alerts.settings import SHORT_FORM, ChannelSection
from budgetd.alerts.target import is_safe, scheme
from budgetd.toml_file import TomlFile

RULES: tuple[str, ...] = get_args(Rule)

URLS = ("url", "url_env", "url_file")
SECRETS = ("secret_env", "secret_file")

USES: Mapping[str, tuple[str, ...]] = {
    "webhook": URLS + SECRETS,
    "apprise": URLS,
    "exec": ("command",),
    "desktop": (),
}
"""The keys that only some kinds have a use for."""

UNSAFE = "is neither an https:// address nor an http:// one of this machine."

Problem = tuple[str, str]
"""The key, empty for the channel as a whole, and what is wrong."""


def check_channels(file: TomlFile, channels: Sequence[ChannelSection]) -> None:
    """Raises ConfigError with the first thing that is wrong."""
    for number, section in enumerate(channels):
        for key, problem in _problems(section, channels, channels[:number]):
            at: list[str | int] = ["alerts", "channels", number]
            raise file.error([*at, key] if key else at, f"channel {section.name!r}: {problem}")


def _problems(
    section: ChannelSection, channels: Sequence[ChannelSection], before: Sequence[ChannelSection]
) -> Iterator[Problem]:
    yield from _of_name(section, before)
    yield from _of_keys(section)
    yield from _of_values(section)
    yield from _of_fallback(section, channels)


def _of_name(section: ChannelSection, before: Sequence[ChannelSection]) -> Iterator[Problem]:
    if any(each.name == section.name for each in before):
        yield "name", "there is another of this name; give each its own."
    if section.name == SHORT_FORM:
        yield "name", "this is the channel that the key of this name in budget.toml makes; take another name."


def _of_keys(section: ChannelSection) -> Iterator[Problem]:
    """Every key has a use, and nothing that is needed is missing."""
    uses = USES[section.kind]
    special = (key for keys in USES.values() for key in keys)
    given = [key for key in dict.fromkeys(special) if getattr(section, key) is not None]
    for key in given:
        if key not in uses:
            yield key, f"a channel of the kind {section.kind} has no use for it; leave it out."
    for keys in (URLS, SECRETS):
        both = [key for key in given if key in keys]
        if len(both) > 1:
            yield both[1], f"`{both[0]}` is there already; keep one of them."
    if "url" in uses and not set(given) & set(URLS):
        yield "", "needs a `url`, or `url_env` or `url_file` that says where to find it."
    if "command" in uses and not (section.command and section.command[0]):
        yield "command", 'needs a program, like command = ["/usr/bin/logger", "-t", "budget"].'


def _of_values(section: ChannelSection) -> Iterator[Problem]:
    for key in ("url_file", "secret_file"):
        path = getattr(section, key)
        if path is not None and not path.startswith(("/", "~/")):
            yield key, "is no path that begins with / or ~/."
    if section.kind == "webhook" and section.url is not None and not is_safe(section.url):
        yield "url", UNSAFE
    if section.kind == "apprise" and section.url is not None and not scheme(section.url):
        yield "url", "is none of apprise's; they begin like slack:// or mailto://."
    if section.rules == []:
        yield "rules", "an empty list lets no alert by; leave it out for all of them."
    for rule in section.rules or ():
        if rule not in RULES:
            yield "rules", f"no rule is called {rule!r}; known here: {', '.join(RULES)}."


def _of_fallback(section: ChannelSection, channels: Sequence[ChannelSection]) -> Iterator[Problem]:
    """A fallback is there, and falls back on another until one does not."""
    fallbacks = {each.name: each.fallback for each in channels}
    passed, name = [section.name], section.fallback
    while name is not None:
        if name not in fallbacks:
            yield "fallback", f"no channel is called {name!r}."
        passed.append(name)
        if name in passed[:-1]:
            yield "fallback", f"goes round in a circle: {' → '.join(passed)}."
            return
        name = fallbacks.get(name)
