"""Reading a TOML file into typed structs, with errors that name file, line and key."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.inspect import DictType, ListType, LiteralType, StructType, Type, UnionType, type_info

from budgetd.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

Keys = Sequence[str | int]
"""Where something stands: names of tables and keys, and places in lists (from 0)."""

Place = tuple[str | int, ...]
"""The same, as a key of a dict."""

_PATH = re.compile(r" - at (?:`key` in )?`\$?([^`]*)`")
_WORDS = {
    "int": "a whole number",
    "float": "a number with a point",
    "decimal": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
"""What msgspec's names of types are to a person. A null is never asked for: TOML has none."""


class UnreadableError(ConfigError):
    """A file is there, but the system does not give out its content."""


class TomlFile:
    """A TOML file as it was read at one moment."""

    def __init__(self, path: Path) -> None:
        """Read it; a file that does not exist counts as empty. Raises ConfigError if it cannot be read."""
        self.path = path
        self.text = ""
        self.exists = True
        try:
            self.text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            self.exists = False
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
        except OSError as error:
            raise UnreadableError(f"{path}: cannot be read: {error.strerror}.") from None

    @classmethod
    def of_text(cls, path: Path, text: str) -> "TomlFile":
        """A file as if it held this text."""
        file = cls.__new__(cls)
        file.path, file.text, file.exists = path, text, True
        return file

    def document(self) -> dict[str, Any]:
        """The file as plain maps. Raises ConfigError where it is not TOML."""
        try:
            return tomllib.loads(self.text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{self.path}{_syntax(str(error))}") from None
        except (ValueError, RecursionError):  # thousands of digits or brackets in a row
            raise ConfigError(f"{self.path}: not valid TOML: a number or a nesting has no end.") from None

    def parse(self, kind: type[T]) -> T:
        """The file as a struct. Raises ConfigError with file, line, key and, for a misspelt key, the nearest
        one that exists.
        """
        try:
            return msgspec.convert(self.document(), kind)
        except msgspec.ValidationError as error:
            raise _explain(self, str(error), kind) from None

    def rewritten(self, document: Mapping[str, Any]) -> str:
        """The text with what it says changed to ``document`` and nothing else of it. Raises ConfigError where
        that cannot be done.
        """
        from budgetd.toml_edit import EditError, rewrite  # needed for edits alone: it takes a while to import

        try:
            return rewrite(self.text, document)
        except EditError:
            problem = "is laid out in a way that cannot be edited from here; edit it by hand."
            raise ConfigError(f"{self.path}: {problem}") from None

    def error(self, keys: Keys, problem: str) -> ConfigError:
        """An error about the value of the nested keys; a number counts the entries of a list of tables."""
        line = self.line_of(keys)
        where = f", line {line}" if line else ""
        names = [key for key in keys if isinstance(key, str)]
        what = f" `{'.'.join(names)}`:" if names else ""
        return ConfigError(f"{self.path}{where}:{what} {problem}")

    def line_of(self, keys: Keys) -> int | None:
        """Line (from 1) on which the last of the nested keys is written, or the nearest table around it; None
        if there is neither.
        """
        lines = self._lines()
        for length in range(len(keys), 0, -1):
            if line := lines.get(tuple(keys[:length])):
                return line
        return None

    def _lines(self) -> dict[Place, int]:
        """The line of every table and key that begins one."""
        lines: dict[Place, int] = {}
        for place, line, _ in _places(self.text):
            if place[-1:] == (0,):
                lines.setdefault(place[:-1], line)
            lines.setdefault(place, line)
        return lines


_NAME = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_DOTTED = rf"({_NAME}(?:\s*\.\s*{_NAME})*)"


def headers(text: str) -> Iterator[tuple[Place, int]]:
    """The table of every header, with its line (from 1)."""
    return ((place, line) for place, line, is_header in _places(text) if is_header)


def _places(text: str) -> Iterator[tuple[Place, int, bool]]:
    """Every header and every key that begins a line, with its line (from 1), and whether it is a header."""
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(rf"\s*(\[\[?)\s*{_DOTTED}\s*\]", line):
            table = ()
            for name in _names(header[2]):
                if table in counts:
                    table = (*table, counts[table] - 1)
                table = (*table, name)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = (*table, counts[table] - 1)
            yield table, number, True
        elif key := re.match(rf"\s*{_DOTTED}\s*=", line):
            yield (*table, *_names(key[1])), number, False


def _names(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_NAME, dotted)]


def _syntax(message: str) -> str:
    found = re.search(r"(.*) \(at line (\d+), column (\d+)\)", message)
    if found:
        return f", line {found[2]}: not valid TOML: {found[1].lower()} (column {found[3]})."
    return f": not valid TOML: {message[:1].lower()}{message[1:]}."


def _explain(file: TomlFile, message: str, kind: type[msgspec.Struct]) -> ConfigError:
    """msgspec's complaint in the words of the file."""
    place = _PATH.search(message)
    keys, expected = _find(place[1] if place else "", kind, file.document())
    what = _PATH.sub("", message)
    if unknown := re.search(r"unknown field `([^`]+)`", what):
        known = [field.encode_name for field in getattr(expected, "fields", ())]
        return file.error([*keys, unknown[1]], f"unknown key; {_hint(unknown[1], known, '`')}")
    if missing := re.search(r"missing required field `([^`]+)`", what):
        return file.error(keys, f"needs a `{missing[1]}`.")
    if wrong := re.search(r"[Ii]nvalid enum value '(.*)'", what):
        values = [
            str(value) for each in _kinds(expected) if isinstance(each, LiteralType) for value in each.values
        ]
        return file.error(keys, f'"{wrong[1]}" is none of its values; {_hint(wrong[1], values, chr(34))}')
    what = re.sub(r"`([^`]+)`", lambda kind: _plain(kind[1]), what)
    return file.error(keys, f"{what[:1].lower()}{what[1:]}.")


def _hint(wrong: str, known: list[str], quote: str) -> str:
    near = difflib.get_close_matches(wrong, known, 1)
    return f"did you mean {quote}{near[0]}{quote}?" if near else f"known here: {', '.join(known)}."


def _plain(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null") or "null"


def _find(path: str, kind: type[msgspec.Struct], document: Any) -> tuple[list[str | int], Type]:
    """The keys of a path of msgspec's, which calls any entry of a map `...`, and what belongs there."""
    keys: list[str | int] = []
    expected = type_info(kind)
    for index, name in re.findall(r"\[(\d+|\.\.\.)\]|([^.\[\]]+)", path):
        expected = _inside(expected, name)
        if index == "...":
            key = next(key for key, value in document.items() if not _fits(value, expected))
        else:
            key = name or int(index)
        keys.append(key)
        document = document[key]
    return keys, expected


def _inside(kind: Type, name: str) -> Type:
    """What belongs into a table under this key, or into a list."""
    for each in _kinds(kind):
        match each:
            case StructType() if name:
                return next(field.type for field in each.fields if field.encode_name == name)
            case ListType() if not name:
                return each.item_type
            case DictType() if not name:
                return each.value_type
            case _:
                pass
    return kind


def _kinds(kind: Type) -> Sequence[Type]:
    return kind.types if isinstance(kind, UnionType) else (kind,)


def _fits(value: Any, kind: Type) -> bool:
    if not isinstance(kind, StructType):
        return False
    try:
        msgspec.convert(value, kind.cls)
    except msgspec.ValidationError:
        return False
    return True
