"""`budget.toml`: the limits. Read by the daemon, written by hand and by the dashboard.

A program's edit is atomic, keeps the comments at the head of the file, and is refused if the file is no
longer the one that is in force. What may stand in the file is in `budget_toml`.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from budgetd.budget_toml import Budget, read_budget
from budgetd.config import WELL_KNOWN, Upstream
from budgetd.errors import BudgetdError, ConfigError
from budgetd.toml_file import TomlFile

__all__ = ["Budget", "BudgetFile", "EditRefusedError"]

HEADING = """\
# The limits of budgettop. Edit by hand or in the dashboard; changes are in force within a second.
# All amounts are US cents. Comments at the top of the file survive an edit from the dashboard.
"""

SHORT_FORM = {"daily": "daily_limit_cents", "monthly": "monthly_limit_cents"}
"""The limits of the short form and their keys."""

MOST_CENTS = 10**11


class EditRefusedError(BudgetdError):
    """An edit that was not made; `code` is the wire's error code."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class BudgetFile:
    """The file, and the text of it that is in force."""

    def __init__(self, path: Path) -> None:
        """Nothing is read until `load`."""
        self.path = path
        self.upstreams: Mapping[str, Upstream] = WELL_KNOWN
        """Those that are configured: a limit about any other is warned of."""
        self._text = ""

    def load(self) -> Budget:
        """The limits the file holds; none where there is no file. Raises ConfigError, and then the text last
        loaded stays the one that counts.
        """
        file = TomlFile(self.path)
        budget = read_budget(file, self.upstreams)
        self._text = file.text
        return budget

    def set_limit(self, name: str, limit_cents: int | None) -> Budget:
        """Write a cap (None removes it) and return the limits as they are now. Raises EditRefusedError, and
        then nothing has changed.
        """
        if limit_cents is not None and not 0 <= limit_cents <= MOST_CENTS:
            raise EditRefusedError(
                "invalid", "A limit is 0 cents or more, and at most a billion dollars.", "limit_cents"
            )
        document = self._document()
        entry = self.table(name)
        if entry is not None:
            place = next(each for each in document["limits"] if each["name"] == name)
            if limit_cents is None:
                document["limits"].remove(place)
                if not document["limits"]:
                    # An empty list in the file would forbid to write [[limits]] below it.
                    del document["limits"]
            else:
                place["limit_cents"] = limit_cents
        else:
            section, key = self._short_form(document, name)
            if limit_cents is None:
                section.pop(key, None)
            else:
                section[key] = limit_cents
        return self._write(document)

    def table(self, name: str) -> dict[str, Any] | None:
        """All that the file in force says of a limit of the long form; None of any other."""
        limits = TomlFile.of_text(self.path, self._text).document().get("limits", [])
        return next((each for each in limits if each["name"] == name), None)

    def add_limit(self, table: dict[str, Any]) -> Budget:
        """Put back a limit of the long form as `table` told it. Raises EditRefusedError."""
        document = self._document()
        document.setdefault("limits", []).append(table)
        return self._write(document)

    def _short_form(self, document: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
        """The table and the key in which a cap of the short forms stands."""
        if name in SHORT_FORM:
            return document.setdefault("budget", {}), SHORT_FORM[name]
        user, _, kind = name.rpartition(" ")
        if kind in SHORT_FORM and user in document.get("users", {}):
            return document["users"][user], SHORT_FORM[kind]
        users = [f"{user} {kind}" for user in document.get("users", {}) for kind in SHORT_FORM]
        known = ", ".join([*SHORT_FORM, *users, *(each["name"] for each in document.get("limits", []))])
        raise EditRefusedError("not_found", f"There is no limit {name!r}; there are {known}.", "limit")

    def _document(self) -> dict[str, Any]:
        try:
            file = TomlFile(self.path)
            document = file.document()
        except ConfigError as error:
            raise EditRefusedError("conflict", f"Not changed: {error}") from None
        if file.text != self._text:
            raise EditRefusedError(
                "conflict", f"{self.path} was changed meanwhile; look at the limits again, then repeat."
            )
        if document.get("budget", {}).get("enabled") is False:
            raise EditRefusedError(
                "conflict", f"{self.path} says enabled = false: no limit is in force. Change that first."
            )
        return document

    def _write(self, document: dict[str, Any]) -> Budget:
        """Put a document in the file's place if it is one that can be put in force."""
        text = _heading(self._text) + tomli_w.dumps(document)
        try:
            read_budget(TomlFile.of_text(self.path, text))
        except ConfigError as error:
            raise EditRefusedError("conflict", f"Not changed: {error}") from None
        try:
            _replace(self.path, text)
        except OSError as error:
            raise EditRefusedError("failed", f"{self.path} cannot be written: {error.strerror}.") from None
        return self.load()


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, where a link leads, with the permissions it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".budget-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            Path(temporary).chmod(target.stat().st_mode & 0o777)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _heading(text: str) -> str:
    """The comments and blank lines at the head of the file; ours where there is no file yet."""
    if not text.strip():
        return HEADING
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        kept.append(line)
    return "".join(kept)
