"""YAML as plain maps: budgetd reads none, but says what it would be as TOML."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import tomlkit
import yaml

from budgetd.errors import ConfigError


def read_yaml(path: Path, text: str) -> dict[str, Any]:
    """The settings in a YAML text, without those that are null. Raises ConfigError."""
    try:
        document = yaml.safe_load(text)
        if not isinstance(document, dict):
            raise ConfigError(f"{path}: holds no settings, like `budget:` with keys below it.")
        return _plain(cast("dict[object, object]", document))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error).partition(chr(10))[0]}.") from None


def as_toml(document: Mapping[str, Any]) -> str:
    """The TOML that says the same."""
    return tomlkit.dumps(document)


def _plain(value: object) -> Any:
    match value:
        case dict():
            items = cast("dict[object, object]", value).items()
            return {str(key): _plain(each) for key, each in items if each is not None}
        case list():
            return [_plain(each) for each in cast("list[object]", value)]
        case bool() | int() | float() | str() | datetime() | date():
            return value
        case _:
            raise ValueError(f"{type(value).__name__} is no kind of value that settings have")
