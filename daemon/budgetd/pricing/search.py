"""Looking through a sheet for a person: whose list a name is on, what is called almost like it. Pure."""

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from budgetd.pricing.table import Model, Provider, Sheet


def called(sheet: Sheet, name: str) -> Provider | None:
    """The provider of that name."""
    name = name.lower()
    return next((provider for provider in sheet.providers if _is_called(provider, name)), None)


def named(provider: Provider, name: str) -> Model | None:
    """The model that is meant by a name: by what its own clause says, else the one that has it as its id."""
    name = name.lower()
    found = next((model for model in provider.models if model.match.matches(name)), None)
    return found or next((model for model in provider.models if model.id.lower() == name), None)


def fits(wanted: str, *names: str) -> bool:
    """Whether one of the names fits a glob, or holds what is no glob."""
    pattern = wanted.lower() if is_glob(wanted) else f"*{wanted.lower()}*"
    return any(fnmatchcase(name.lower(), pattern) for name in names)


def is_glob(wanted: str) -> bool:
    """Whether it stands for many names."""
    return any(char in wanted for char in "*?[")


def nearest(ids: Iterable[str], wanted: str) -> list[str]:
    """The few names that are most like it."""
    return difflib.get_close_matches(wanted.lower(), list(ids), 4, 0.6)


def _is_called(provider: Provider, name: str) -> bool:
    known = name == provider.id or name in provider.names
    return known or (provider.match is not None and provider.match.matches(name))
