"""`budget.toml`, or `budget.json`: the limits. Read by the daemon, written by hand and by the dashboard.

A program's edit is atomic, changes nothing but what it is about, and is refused if the file is no longer the
one that is in force. A file that is gone, empty or unreadable, or that has lost all of its limits, leaves
those in force that were. What may stand in the file is in `budget_toml`.
"""

import codecs
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from budgetd.budget_toml import Budget, read_budget
from budgetd.config import WELL_KNOWN, Upstream
from budgetd.errors import BudgetdError, ConfigError
from budgetd.json_file import file_class
from budgetd.toml_file import TomlFile, UnreadableError

__all__ = ["Budget", "BudgetFile", "EditRefusedError"]

HEADING = """\
# The limits of budgettop. Edit by hand or in the dashboard; changes are in force within a second.
# All amounts are US cents. An edit from the dashboard keeps your comments and layout.
"""

WEBHOOK_LEFT_OUT = """\
# alert_webhook in [budget] is left out here, because it may hold a token. Write it in again.
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
        """Nothing is read until `load`.

        Args:
            path: of budget.toml; a file beside it that ends in .json counts where this one is not there.
        """
        self.candidates = (path, path.with_suffix(".json"))
        """Where the file may be."""
        self.upstreams: Mapping[str, Upstream] = WELL_KNOWN
        """Those that are configured: a limit about any other is warned of."""
        self.in_force = Budget()
        self.lost = ""
        """Why the limits in force are not those of the file but the ones before: a sentence. Empty when they
        are.
        """
        self._file = TomlFile.of_text(path, "")
        """The text in force."""

    @property
    def path(self) -> Path:
        """Where the file was when it was last put in force."""
        return self._file.path

    def load(self, is_whole: Callable[[], bool] = lambda: True) -> Budget:
        """Read the file; the limits to be in force. Those before, where they are lost: see `lost`. Raises
        ConfigError if the file is invalid, and then nothing has changed.

        Args:
            is_whole: asked once the file has been read, and False if somebody wrote meanwhile. Then nothing
                has changed either.
        """
        try:
            file = self.read()
            budget = read_budget(file, self.upstreams)
        except UnreadableError as error:
            if not self.in_force.limits:
                raise
            self.lost = f"{error} {_stay(self.in_force)}"
            return self.in_force
        if not is_whole():
            return self.in_force
        if self.in_force.limits and not budget.limits and budget.enabled:
            self.lost = f"{file.path} {_what_happened(file)}. {_stay(self.in_force)}"
            return self.in_force
        return self._take(file, budget)

    def resume(self, text: str) -> None:
        """Take over what an earlier daemon had in force: what `to_remember` told. Raises ConfigError."""
        file = TomlFile.of_text(self.candidates[0], text)
        self._take(file, read_budget(file, self.upstreams))

    def to_remember(self) -> str:
        """What is in force, as the ledger may keep it: as TOML without comments, and without the address of
        the webhook, for either may hold a token.
        """
        document = self._file.document()
        webhook = document.get("budget", {}).pop("alert_webhook", None)
        return (WEBHOOK_LEFT_OUT if webhook else "") + tomli_w.dumps(document)

    def forget(self) -> Budget:
        """Let go of limits that the file has lost; the budget as the file has it. Raises EditRefusedError."""
        if not self.lost:
            message = f"The limits in force are those of {self.path}: remove them there."
            raise EditRefusedError("conflict", message)
        try:
            file = self.read()
            budget = read_budget(file, self.upstreams)
        except ConfigError as error:
            raise EditRefusedError("conflict", f"Not forgotten: {error}") from None
        if budget.limits:
            message = f"{file.path} has limits again, which will be in force in a second."
            raise EditRefusedError("conflict", message)
        return self._take(file, budget)

    def read(self) -> TomlFile:
        """The file as it is now. Raises ConfigError if it cannot be read."""
        path = self.find()
        return file_class(path)(path)

    def find(self) -> Path:
        """Where the file is now; where it belongs if there is none. Raises ConfigError if there are two."""
        toml, json = self.candidates
        if not json.exists():
            return toml
        if toml.exists() or toml.is_symlink():
            raise ConfigError(f"{toml} and {json} are both there; only one can count. Remove one of them.")
        return json

    def is_unchanged(self) -> bool:
        """Whether the file still holds what was last loaded."""
        try:
            return self._is_in_force(self.read())
        except ConfigError:
            return False

    def _is_in_force(self, file: TomlFile) -> bool:
        return (file.path, file.text) == (self._file.path, self._file.text)

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
        limits = self._file.document().get("limits", [])
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

    def _take(self, file: TomlFile, budget: Budget) -> Budget:
        """Go by a text that was read or written."""
        self._file, self.in_force, self.lost = file, budget, ""
        return budget

    def _document(self) -> dict[str, Any]:
        """What an edit begins with. Raises EditRefusedError."""
        try:
            file = self.read()
            if self.lost and not file.text.strip():
                # Nothing is lost by writing the file anew, with all the limits that are in force.
                return self._file.document()
            document = file.document()
        except ConfigError as error:
            raise EditRefusedError("conflict", f"Not changed: {error}") from None
        if self.lost:
            raise EditRefusedError("conflict", f"Not changed: {self.lost} Put them back in the file first.")
        if not self._is_in_force(file):
            raise EditRefusedError(
                "conflict", f"{file.path} was changed meanwhile; look at the limits again, then repeat."
            )
        if document.get("budget", {}).get("enabled") is False:
            raise EditRefusedError(
                "conflict", f"{file.path} says enabled = false: no limit is in force. Change that first."
            )
        return document

    def _write(self, document: dict[str, Any]) -> Budget:
        """Put a document in the file's place if it is one that can be put in force."""
        try:
            path = self.find()
            read = file_class(path)
            text = self._file.text if type(self._file) is read else ""
            file = read.of_text(path, read.of_text(path, text or HEADING).rewritten(document))
            budget = read_budget(file, self.upstreams)
        except ConfigError as error:
            raise EditRefusedError("conflict", f"Not changed: {error}") from None
        try:
            _replace(path, file.text)
        except OSError as error:
            raise EditRefusedError("failed", f"{path} cannot be written: {error.strerror}.") from None
        return self._take(file, budget)


def _what_happened(file: TomlFile) -> str:
    """To a file without a limit."""
    if not file.exists:
        return "is a link to nothing" if file.path.is_symlink() else "is gone"
    return "has no limits any more" if file.text.strip() else "is empty"


def _stay(budget: Budget) -> str:
    count = len(budget.limits)
    return (
        "The limit that was in force stays." if count == 1 else f"The {count} limits that were in force stay."
    )


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, where a link leads, with the permissions and line ends it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()
    before = target.read_bytes() if target.exists() else b""
    encoding = "utf-8-sig" if before.startswith(codecs.BOM_UTF8) else "utf-8"
    newline = "\r\n" if b"\r\n" in before else "\n"
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".budget-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "w", encoding=encoding, newline=newline) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            Path(temporary).chmod(target.stat().st_mode & 0o777)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
