"""`budget.toml`: the limits. Read by the daemon, written by hand and by the dashboard.

A program's edit is atomic, keeps the comments at the head of the file, and is refused if the file is no
longer the one that is in force.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tomli_w
from msgspec import Meta

from budgetd.budget.limits import Limit, WindowKind
from budgetd.errors import BudgetdError, ConfigError
from budgetd.toml_file import TomlFile
from budgetwire.money import NUSD_PER_CENT

Cents = Annotated[int, Meta(ge=0, le=10**11)]
Percent = Annotated[int, Meta(ge=1, le=1000)]

HEADING = """\
# The limits of budgettop. Edit by hand or in the dashboard; changes are in force within a second.
# All amounts are US cents. Comments at the top of the file survive an edit from the dashboard.
"""

SHORT_FORM: dict[str, tuple[str, WindowKind]] = {
    "daily": ("daily_limit_cents", "day"),
    "monthly": ("monthly_limit_cents", "month"),
}
"""The limits of the short form: name, its key, its window."""


class BudgetSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[budget]`, the short form: two limits, "daily" and "monthly"."""

    enabled: bool = True
    daily_limit_cents: Cents | None = None
    monthly_limit_cents: Cents | None = None
    alert_threshold_pct: Percent | list[Percent] = 80
    reject_on_exceed: bool = True
    """False: alert only."""
    count_subscription: bool = False
    """Whether traffic that a subscription pays for counts against limits at its API-equivalent cost."""


class BudgetToml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `budget.toml`."""

    budget: BudgetSection = BudgetSection()


class Budget(msgspec.Struct, frozen=True):
    """The limits in force."""

    limits: tuple[Limit, ...] = ()
    count_subscription: bool = False


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
        self._text = ""

    def load(self) -> Budget:
        """The limits the file holds; none where there is no file. Raises ConfigError, and then the text last
        loaded stays the one that counts.
        """
        file = TomlFile(self.path)
        section = file.parse(BudgetToml).budget
        self._text = file.text
        return _budget(section)

    def set_limit(self, name: str, limit_cents: int | None) -> Budget:
        """Write a cap (None removes it) and return the limits as they are now. Raises EditRefusedError, and
        then nothing has changed.
        """
        if name not in SHORT_FORM:
            known = " and ".join(SHORT_FORM)
            raise EditRefusedError("not_found", f"There is no limit {name!r}; there are {known}.", "limit")
        if limit_cents is not None and not 0 <= limit_cents <= 10**11:
            raise EditRefusedError(
                "invalid", "A limit is 0 cents or more, and at most a billion dollars.", "limit_cents"
            )
        document = self._document()
        section = document.setdefault("budget", {})
        if section.get("enabled") is False:
            raise EditRefusedError(
                "conflict", f"{self.path} says enabled = false: no limit is in force. Change that first."
            )
        key = SHORT_FORM[name][0]
        if limit_cents is None:
            section.pop(key, None)
        else:
            section[key] = limit_cents
        self._write(_heading(self._text) + tomli_w.dumps(document))
        return self.load()

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
        return document

    def _write(self, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            target = self.path.resolve()
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
        except OSError as error:
            raise EditRefusedError("failed", f"{self.path} cannot be written: {error.strerror}.") from None


def _budget(section: BudgetSection) -> Budget:
    if not section.enabled:
        return Budget(count_subscription=section.count_subscription)
    pct = section.alert_threshold_pct
    thresholds = tuple(sorted(set(pct if isinstance(pct, list) else [pct])))
    cents = {"daily": section.daily_limit_cents, "monthly": section.monthly_limit_cents}
    return Budget(
        limits=tuple(
            Limit(
                name=name,
                window=window,
                limit_nusd=amount * NUSD_PER_CENT,
                thresholds_pct=thresholds,
                on_exceed="refuse" if section.reject_on_exceed else "alert",
            )
            for name, (_, window) in SHORT_FORM.items()
            if (amount := cents[name]) is not None
        ),
        count_subscription=section.count_subscription,
    )


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
