"""Reading JSON as TOML is read: into typed structs, with errors that name file, line and key."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from budgetd.errors import ConfigError
from budgetd.toml_file import Place, TomlFile

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def file_class(path: Path) -> type[TomlFile]:
    """The class that reads a file of this name."""
    return JsonFile if path.suffix == ".json" else TomlFile


class JsonFile(TomlFile):
    """A JSON file as it was read at one moment, with the keys that a TOML file has."""

    def document(self) -> dict[str, Any]:
        """The file as plain maps. Raises ConfigError where it is not JSON, or says a key twice."""
        if not self.text.strip():
            return {}
        try:
            document: Any = json.loads(
                self.text, parse_float=Decimal, parse_constant=_reject, object_pairs_hook=self._unique
            )
        except json.JSONDecodeError as error:
            message = f"{error.msg[:1].lower()}{error.msg[1:]} (column {error.colno})"
            raise ConfigError(f"{self.path}, line {error.lineno}: not valid JSON: {message}.") from None
        except (ValueError, RecursionError):  # NaN, or thousands of digits or brackets in a row
            raise ConfigError(f"{self.path}: not valid JSON: no such number, or nested too deep.") from None
        if not isinstance(document, dict):
            raise ConfigError(f'{self.path}: must be an object, like {{"budget": {{…}}}}.')
        return cast("dict[str, Any]", document)

    def rewritten(self, document: Mapping[str, Any]) -> str:
        """The text with what it says changed to ``document``, indented as it was."""
        indent = re.search(r"\n([ \t]+)", self.text)
        end = "\n" if self.text.endswith("\n") else ""
        return json.dumps(document, indent=indent[1] if indent else None, ensure_ascii=False) + end

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys, line = _first_repeated(self.text)
            name = ".".join(key for key in keys if isinstance(key, str))
            raise ConfigError(f"{self.path}, line {line}: `{name}`: is there twice; keep one.")
        return found

    def _lines(self) -> dict[Place, int]:
        lines: dict[Place, int] = {}
        for keys, line in _places(self.text):
            lines.setdefault(keys, line)
        return lines


def _first_repeated(text: str) -> tuple[Place, int]:
    seen: set[Place] = set()
    for place, line in _places(text):
        if place in seen:
            return place, line
        seen.add(place)
    raise AssertionError("no key is there twice")


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Every key, and every object in a list, of valid JSON, with its line (from 1)."""
    path: list[str | int | None] = []  # None: an object whose key comes next
    line, last = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", last, token.start())
        last = token.start()
        match token[0][0]:
            case "{":
                if path and isinstance(path[-1], int):
                    yield _keys(path), line
                path.append(None)
            case "[":
                path.append(0)
            case "}" | "]":
                path.pop()
            case ",":
                path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
            case '"' if path and path[-1] is None:
                path[-1] = json.loads(token[0])
                yield _keys(path), line
            case _:
                pass


def _keys(path: list[str | int | None]) -> Place:
    return tuple(key for key in path if key is not None)


def _reject(constant: str) -> None:
    raise ValueError(constant)
