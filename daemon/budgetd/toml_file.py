"""Reading a TOML file into typed structs, with errors that name file, line and key."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from budgetd.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

_PATH = re.compile(r" - at (?:`key` in )?`\$?([^`]*)`")
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]", re.MULTILINE)
_WORDS = {
    "int": "a whole number",
    "float": "a number with a point",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
"""What msgspec's names of types are to a person. A null cannot be written in TOML."""


class TomlFile:
    """A TOML file as it was read at one moment."""

    def __init__(self, path: Path) -> None:
        """Read it; a file that does not exist counts as empty. Raises ConfigError if it cannot be read."""
        self.path = path
        self.text = ""
        try:
            self.text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None

    @classmethod
    def of_text(cls, path: Path, text: str) -> "TomlFile":
        """A file as if it held this text."""
        file = cls.__new__(cls)
        file.path, file.text = path, text
        return file

    def document(self) -> dict[str, Any]:
        """The file as plain maps. Raises ConfigError where it is not TOML."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{self.path}{_syntax(str(error))}") from None

    def parse(self, kind: type[T]) -> T:
        """The file as a struct. Raises ConfigError with file, line, key and, for a misspelt key, the nearest
        one that exists.
        """
        try:
            return msgspec.convert(self.document(), kind)
        except msgspec.ValidationError as error:
            raise _explain(self, str(error), kind) from None

    def error(self, keys: list[str | int], problem: str) -> ConfigError:
        """An error about the value of the nested keys; a number counts the entries of a list of tables."""
        keys = _written(keys, self.text)
        line = line_of(self.text, keys)
        where = f", line {line}" if line else ""
        names = [key for key in keys if isinstance(key, str)]
        what = f" `{'.'.join(names)}`:" if names else ""
        return ConfigError(f"{self.path}{where}:{what} {problem}")


def line_of(text: str, keys: list[str | int]) -> int | None:
    """Line (from 1) on which the last of the nested keys is written, or else what holds it; None if nothing
    of it is found. A number counts the entries of a list of tables.
    """
    if not keys:
        return None
    *tables, key = keys
    header_line = None
    counts: dict[tuple[str | int, ...], int] = {}
    inside: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            inside = _place(header, counts)
            if header_line is None and inside == tuple(keys):
                header_line = number
        elif inside == tuple(tables) and re.match(rf"\s*[\"']?{re.escape(str(key))}[\"']?\s*=", line):
            return number
    return header_line or line_of(text, tables)


def _place(header: re.Match[str], counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The keys that lead to a table, where its header stands; ``counts`` holds the lists met so far."""
    place: tuple[str | int, ...] = ()
    names = [name.strip().strip("\"'") for name in header[2].split(".")]
    for name in names[:-1]:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place] - 1)
    place = (*place, names[-1])
    if header[1] == "[[":
        counts[place] = counts.get(place, 0) + 1
        place = (*place, counts[place] - 1)
    return place


def _syntax(message: str) -> str:
    found = re.search(r"(.*) \(at line (\d+), column (\d+)\)", message)
    if found:
        return f", line {found[2]}: not valid TOML: {found[1].lower()} (column {found[3]})."
    return f": not valid TOML: {message[:1].lower()}{message[1:]}."


def _explain(file: TomlFile, message: str, kind: type[msgspec.Struct]) -> ConfigError:
    """msgspec's complaint in the words of the file."""
    place = _PATH.search(message)
    named = re.findall(r"\.\.\.(?=\])|[^.\[\]]+", place[1]) if place else []
    keys: list[str | int] = [int(key) if key.isdigit() else key for key in named]
    what = _PATH.sub("", message)
    if unknown := re.search(r"unknown field `([^`]+)`", what):
        known = _known_keys(kind, keys)
        near = difflib.get_close_matches(unknown[1], known, 1, 0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}."
        return file.error([*keys, unknown[1]], f"unknown key; {hint}")
    what = re.sub(r"`([^`]+)`", lambda kind: _plain(kind[1]), what)
    return file.error(keys, f"{what[:1].lower()}{what[1:]}.")


def _plain(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")


def _written(keys: list[str | int], text: str) -> list[str | int]:
    """The keys as they stand in the file: msgspec names an entry of a map `...`."""
    if "..." not in keys:
        return keys
    at = keys.index("...")
    for header in re.findall(_HEADER, text):
        names = [part.strip().strip("\"'") for part in header[1].split(".")]
        whole: list[str | int] = [*names, *keys[at + 1 :]]
        if names[:at] == keys[:at] and len(names) == at + 1 and line_of(text, whole) != line_of(text, names):
            return whole
    return keys


def _known_keys(kind: Any, tables: list[str | int]) -> list[str]:
    """Names of the keys that may stand in the named table."""
    info = msgspec.inspect.type_info(kind)
    for table in tables:
        if isinstance(info, msgspec.inspect.DictType):
            info = info.value_type
        elif isinstance(info, msgspec.inspect.StructType):
            info = next((field.type for field in info.fields if field.encode_name == table), info)
        if isinstance(info, msgspec.inspect.ListType):
            info = info.item_type
    return (
        [field.encode_name for field in info.fields] if isinstance(info, msgspec.inspect.StructType) else []
    )
