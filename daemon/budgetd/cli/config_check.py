"""The command config-check: whether the files hold together, and what in them has no effect."""

import contextlib
import difflib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from budgetd.budget_advice import KnownModels, advice
from budgetd.budget_file import BudgetFile
from budgetd.budget_toml import BudgetToml, read_budget
from budgetd.config import WELL_KNOWN, Config, ConfigFile, load_config, read_config
from budgetd.errors import BudgetdError, ConfigError
from budgetd.json_file import JsonFile, file_class
from budgetd.pricing.overrides import Overrides
from budgetd.pricing.sync.shelf import SOURCES, Shelf
from budgetd.toml_file import TomlFile
from budgetwire.places import Places, find_places

_BUDGET_KEYS = [field.encode_name for field in msgspec.structs.fields(BudgetToml)]
_CONFIG_KEYS = [field.encode_name for field in msgspec.structs.fields(ConfigFile)]


@click.command(
    "config-check",
    epilog="""
\b
Examples:
  budgetd config-check                              the files that budgetd reads
  budgetd config-check team.json                    limits that are not in force
  budgetd config-check budget.yaml > budget.toml    the same limits as TOML
""",
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def config_check(file: Path | None) -> None:
    """Check config.toml and budget.toml (or budget.json), or one FILE.

    Nothing is run. What a FILE is for is told from its keys. budgetd does not read YAML: of a YAML file, the
    TOML that means the same is printed.
    """
    if file and not file.exists():
        raise BudgetdError(f"{file}: no such file.")
    check = _Check(find_places())
    checks = [lambda: check.file(file)] if file else [check.config, check.budget]
    passed = [_passes(each) for each in checks]
    if not all(passed):
        sys.exit(1)


def _passes(check: Callable[[], Path]) -> bool:
    try:
        path = check()
    except ConfigError as error:
        click.echo(f"budgetd: {error}", err=True)
        return False
    click.echo(f"{path}: {'fine' if path.exists() else 'not there; the defaults hold'}")
    return True


class _Check:
    """Each check says what is odd, and returns the path that it looked at. Raises ConfigError."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._budget = BudgetFile(places.budget)
        self._config: Config | None = None
        with contextlib.suppress(ConfigError):  # that of config.toml is told where that file is checked
            self._config = load_config(places.config)

    def config(self) -> Path:
        load_config(self._places.config)
        return self._places.config

    def budget(self) -> Path:
        file = self._budget.read()
        self._limits(file)
        return file.path

    def file(self, path: Path) -> Path:
        """Check a file as the daemon would if it were in its place."""
        file = _open(path)
        document = _translated(file)
        if document is not None:
            self._suggest(file, document)
        elif path.absolute() == self._places.config:
            return self.config()
        elif path.absolute() in self._budget.candidates:
            return self.budget()
        elif _is_budget(file.document()):
            self._limits(file)
        else:
            read_config(file)
        return path

    def _limits(self, file: TomlFile) -> None:
        upstreams = self._config.upstreams if self._config else WELL_KNOWN
        budget = read_budget(file, upstreams)
        useless = [f"{file.path}: {each}" for each in advice(budget.limits, upstreams, self._models())]
        for warning in (*budget.warnings, *useless):
            click.echo(f"warning: {warning}", err=True)

    def _models(self) -> KnownModels:
        overrides = self._config.overrides if self._config else Overrides()
        shelf = Shelf(self._places.prices)
        providers = [each for source in SOURCES for each in shelf.sheet(source).providers]
        ids: dict[str, list[str]] = {}
        for provider in providers:
            for name in (provider.id, *provider.names):
                ids[name] = [*ids.get(name, ()), *(model.id for model in provider.models)]
        return KnownModels(shelf.sources(), overrides, ids, time.time())

    def _suggest(self, file: TomlFile, document: Mapping[str, Any]) -> None:
        """Print a file as TOML, check that, and raise ConfigError, for as it is the file is not read."""
        from budgetd.yaml_file import as_toml

        text = as_toml(document)
        click.echo(text, nl=False)
        toml = TomlFile.of_text(Path(f"{file.path} as TOML"), text)
        if _is_budget(document):
            place = self._places.budget
            self._limits(toml)
        else:
            place = self._places.config
            read_config(toml)
        problem = "only limits are read from JSON" if isinstance(file, JsonFile) else "YAML is not read"
        raise ConfigError(f"{file.path}: {problem}. What is printed is the same as TOML; save it as {place}.")


def _open(path: Path) -> TomlFile:
    file = file_class(path)(path)
    looks_like_json = path.suffix != ".toml" and file.text.lstrip().startswith("{")
    return JsonFile(path) if looks_like_json else file


def _translated(file: TomlFile) -> dict[str, Any] | None:
    """What a file says that budgetd reads in another format only; None of one that it reads as it is."""
    from budgetd.yaml_file import read_yaml

    if file.path.suffix in {".yaml", ".yml"}:
        return read_yaml(file.path, file.text)
    if isinstance(file, JsonFile):
        document = file.document()
        return None if _is_budget(document) else document
    with contextlib.suppress(ConfigError):
        file.document()
        return None
    with contextlib.suppress(ConfigError):
        document = read_yaml(file.path, file.text)
        if {*document} & {*_BUDGET_KEYS, *_CONFIG_KEYS}:
            return document
    return None


def _is_budget(document: Iterable[str]) -> bool:
    """Whether keys are a budget's rather than a configuration's: they, else what they are nearly called."""
    keys = [*document]

    def familiar(known: list[str]) -> tuple[int, int]:
        near = [key for key in keys if difflib.get_close_matches(key, known, 1)]
        return len({*keys} & {*known}), len(near)

    return familiar(_BUDGET_KEYS) >= familiar(_CONFIG_KEYS)
