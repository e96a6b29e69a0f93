"""Changing what TOML text says and nothing else of it: every comment, the order and the layout stay.

Each change is made in the lines under one header, by tomlkit, which would move the tables of a whole file
together. What comes out is read again and compared, so that an odd layout is refused and never damaged.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from budgetd.toml_file import Place, headers


class EditError(Exception):
    """The text is laid out in a way that cannot be edited in place."""


class _Change(NamedTuple):
    """What becomes of the value at a place. None: there is no value."""

    place: Place
    old: Any
    new: Any


class _Part(NamedTuple):
    """The lines of one table: its header and what stands under it, up to the next header."""

    place: Place
    """Of the table; empty for the lines above the first header."""
    first: int
    end: int


def rewrite(text: str, document: Mapping[str, Any]) -> str:
    """The text with as much changed that it says ``document``. Raises EditError."""
    try:
        for change in [*_changes((), _read(text), document)]:
            text = _apply(text, change)
        if _read(text) == document:
            return text
    except (TOMLKitError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise EditError from error
    raise EditError


def _read(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=Decimal)


def _changes(place: Place, old: Any, new: Any) -> Iterator[_Change]:
    if _is_table(old) and _is_table(new):
        for key in {**old, **new}:
            yield from _changes((*place, key), old.get(key), new.get(key))
    elif _is_tables(old) and _is_tables(new) and old != new:
        yield from _entry_changes(place, old, new)
    elif old != new:
        yield _Change(place, old, new)


def _entry_changes(place: Place, old: Sequence[Any], new: Sequence[Any]) -> Iterator[_Change]:
    """Entries are changed in place, one is removed, or one is added behind the others."""
    same = next((n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(new))
    if len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes((*place, number), before, after)
    elif len(old) > len(new):
        yield _Change((*place, same), old[same], None)
    else:
        yield _Change((*place, len(old)), None, new[-1])


def _is_table(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return bool(entries) and all(map(_is_table, entries))


def _apply(text: str, change: _Change) -> str:
    lines = text.splitlines(keepends=True)
    parts = _parts(text, len(lines))
    place, value = change.place, change.new
    own = [part for part in parts if part.place and part.place[: len(place)] == place]
    others = [part for part in parts if part.place and part.place[: len(place) - 1] == place[:-1]]
    if value is None and own:
        for part in reversed(own):
            _remove(lines, part)
    elif isinstance(place[-1], int) and change.old is None and others:
        _insert(lines, _end_of_content(lines, others[-1]), _written(place[0], [value]))
    elif isinstance(place[-1], str) and (_is_table(value) or _is_tables(value)):
        _insert(lines, len(lines), _written(place[0], value))
    else:
        around = (part for part in parts if place[: len(part.place)] == part.place)
        part = max(around, key=lambda part: len(part.place))
        lines[part.first : part.end] = [_edited("".join(lines[part.first : part.end]), part, change)]
    return "".join(lines)


def _parts(text: str, count: int) -> list[_Part]:
    found: list[tuple[Place, int]] = [((), 0), *((place, line - 1) for place, line in headers(text))]
    ends = [*(first for _, first in found[1:]), count]
    return [_Part(place, first, end) for (place, first), end in zip(found, ends, strict=True)]


def _end_of_content(lines: list[str], part: _Part) -> int:
    """Where the comments begin that close a part: they are about what follows."""
    end = part.end
    while end > part.first + 1 and re.fullmatch(r"\s*(#.*)?\s*", lines[end - 1]):
        end -= 1
    return end


def _remove(lines: list[str], part: _Part) -> None:
    first = part.first
    del lines[first : _end_of_content(lines, part)]
    if first and not lines[first - 1].strip() and not "".join(lines[first : first + 1]).strip():
        del lines[first - 1]  # one blank line is left of two


def _insert(lines: list[str], at: int, text: str) -> None:
    """Put the text in, with a blank line before it."""
    before = lines[at - 1] if at else "\n"
    lines[at:at] = ["\n" if before.endswith("\n") else "\n\n", text]


def _written(name: str | int, value: Any) -> str:
    """A table, or a list of tables, under headers of its own; tables inside stand in one line."""
    document = tomlkit.document()
    document[str(name)] = [_table(entry) for entry in value] if _is_tables(value) else _table(value)
    return tomlkit.dumps(document)


def _table(content: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in content.items():
        if _is_table(value):
            inline = tomlkit.inline_table()
            for name, each in value.items():
                inline[name] = each
            table[key] = inline
        else:
            table[key] = value
    return table


def _edited(text: str, part: _Part, change: _Change) -> str:
    """The lines of a part with a value in it changed."""
    document = tomlkit.parse(text)
    table: Any = document
    for depth, key in enumerate(change.place[:-1]):
        if depth < len(part.place) and isinstance(key, int):
            # By itself, an entry of a list is its first; and a table inside of an entry is in no list.
            table = table[0] if isinstance(table, AoT) else table
        else:
            table = table[key]
    key = change.place[-1]
    if change.new is None:
        del table[key]
    elif change.old is None:
        _add(table, key, change.new)
    else:
        table[key] = change.new
    return tomlkit.dumps(document)


def _add(table: Any, key: str | int, value: Any) -> None:
    """Add a key behind the others, and an entry to a list."""
    if isinstance(key, int):
        table.append(value)
        return
    body = table.value.body if isinstance(table, Table) else []
    closing = next((n for n in range(len(body), 0, -1) if body[n - 1][0] is not None), 0)
    comments = body[closing:]
    del body[closing:]
    table[key] = value
    body += comments
