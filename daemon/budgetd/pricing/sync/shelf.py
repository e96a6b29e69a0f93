"""The folder of fetched prices: for each source the edition in force, the one before, and where it came from.

A kill at any moment leaves each file as it was or as it was to become. What is known of an edition's origin
counts only while that very edition is in force.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import msgspec

from budgetd.pricing.book import Sources
from budgetd.pricing.compile import shipped
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.table import DamagedTable, Sheet, Table

Source = Literal["genai", "litellm"]
SOURCES: tuple[Source, ...] = ("genai", "litellm")

MOST_BYTES = 32 << 20
"""A longer table is not put in force, for the daemon keeps it in memory; LiteLLM's has a tenth of it."""

_DAY = 86_400
_SCRATCH = ".new-"


class Origin(msgspec.Struct, frozen=True):
    """Where an edition came from."""

    host: str
    """Scheme and host."""
    etag: str
    """Empty where the server gave none, or where not all that it sent was taken over."""
    seal: str
    """First line of the edition's file."""


class _Record(msgspec.Struct, frozen=True):
    """What the folder's files do not say of themselves."""

    origins: dict[str, Origin] = {}
    """By the name of the edition's file."""
    changed_at: dict[Source, float] = {}
    """When another edition of a source was put in force, UTC epoch seconds."""
    rolled_back: dict[Source, bool] = {}
    """Whether a source's last change was taken back."""


class Shelf:
    """The folder, which need not exist before something is put into it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder

    def sources(self) -> Sources:
        """What a book reads: the younger of the fetched and the shipped prices, and the second opinion."""
        return Sources(self.primary(), self.table("litellm"))

    def primary(self) -> Table:
        """The fetched prices, unless the shipped ones are younger. Raises PricesError where those are not to
        be had.
        """
        return self.table("genai") or shipped(self._folder)

    def table(self, source: Source) -> Table | None:
        """The fetched edition in force; None if there is none that is whole, or the shipped is younger."""
        table = _table(self._read(self._path(source)))
        if table and source == "genai" and table.as_of < shipped(self._folder).as_of:
            return None
        return table

    def sheet(self, source: Source) -> Sheet:
        """All that is in force of a source; nothing where it was never fetched. Raises PricesError."""
        table = self.primary() if source == "genai" else self.table(source)
        return table.sheet() if table else Sheet(source="", version="", as_of=0)

    def origin(self, source: Source) -> Origin | None:
        """Where the fetched edition in force came from, if it is known."""
        path = self._path(source)
        origin = self._record().origins.get(path.name)
        is_its = origin is not None and origin.seal == _seal(self._read(path))
        return origin if is_its and self.table(source) else None

    def rolled_back(self, source: Source) -> bool:
        """Whether its last change was taken back, and no sync has followed."""
        return self._record().rolled_back.get(source, False)

    def stamp(self) -> object:
        """What changes when the editions in force do."""
        return tuple(_stamp(self._path(source)) for source in SOURCES)

    def put(self, source: Source, sheet: Sheet, *, over: Sheet, host: str, etag: str, now: float) -> bool:
        """Put an edition in force, and keep the one before. Whether it says anything else than that; where it
        does not, that one becomes younger and stays.

        Args:
            source: whose edition it is.
            sheet: the edition.
            over: what it was compared with, which must still be in force.
            host: scheme and host it came from.
            etag: the server's tag of it; empty where another fetch is to bring it again.
            now: UTC epoch seconds.

        Raises SyncError: nothing changed.
        """
        path, data = self._path(source), sheet.encode()
        if len(data) > MOST_BYTES:
            raise SyncError(f"It makes a table of {len(data) >> 20} MiB, which is no price list.")
        with self._writing():
            current = self.sheet(source)
            if current.providers != over.providers:
                raise SyncError("Other prices came in force meanwhile, and stay; try again.")
            if self.origin(source) and sheet.providers == current.providers:
                self._renew(source, current, host, etag, now)
                return False
            before = self._record().origins.get(path.name)
            self._replace(self._previous(source), self._read(path))
            self._replace(path, data)
            self._note(source, now, before=before, after=Origin(host, etag, _seal(data)), rolled_back=False)
        return True

    def confirm(self, source: Source, now: float) -> None:
        """Note that the fetched edition in force is still right. Raises SyncError."""
        with self._writing():
            if origin := self.origin(source):
                self._renew(source, self.sheet(source), origin.host, origin.etag, now)

    def roll_back(self, now: float) -> list[Source]:
        """Put back what the last change replaced, which is kept in its stead; the sources it was about.

        Raises SyncError: there is nothing to put back.
        """
        with self._writing():
            record = self._record()
            latest = max(record.changed_at.values(), default=None)
            if latest is None:
                raise SyncError("No prices have been synced yet, so that there is nothing to go back to.")
            changed: list[Source] = [source for source in SOURCES if record.changed_at.get(source) == latest]
            for source in changed:
                path, previous = self._path(source), self._previous(source)
                current, before = self._read(path), self._read(previous)
                self._replace(path, before)
                self._replace(previous, current)
                self._note(
                    source,
                    now,
                    before=record.origins.get(path.name),
                    after=record.origins.get(previous.name),
                    rolled_back=not record.rolled_back.get(source, False),
                )
        return changed

    def _renew(self, source: Source, sheet: Sheet, host: str, etag: str, now: float) -> None:
        """Make what is in force younger."""
        data = msgspec.structs.replace(sheet, as_of=int(now)).encode()
        path = self._path(source)
        self._replace(path, data)
        record = self._record()
        origins = record.origins | {path.name: Origin(host, etag, _seal(data))}
        rolled_back: dict[Source, bool] = {**record.rolled_back, source: False}
        self._write_record(msgspec.structs.replace(record, origins=origins, rolled_back=rolled_back))

    def _note(
        self, source: Source, now: float, *, before: Origin | None, after: Origin | None, rolled_back: bool
    ) -> None:
        """Record what took the place of what."""
        record = self._record()
        found = record.origins | {self._previous(source).name: before, self._path(source).name: after}
        origins = {name: origin for name, origin in found.items() if origin}
        changed_at: dict[Source, float] = {**record.changed_at, source: now}
        taken_back: dict[Source, bool] = {**record.rolled_back, source: rolled_back}
        self._write_record(_Record(origins, changed_at, taken_back))

    def _record(self) -> _Record:
        try:
            return msgspec.json.decode(self._read(self._folder / "record.json"), type=_Record)
        except msgspec.DecodeError:
            return _Record()

    def _write_record(self, record: _Record) -> None:
        self._replace(self._folder / "record.json", msgspec.json.encode(record))

    def _path(self, source: Source) -> Path:
        return self._folder / f"{source}.table"

    def _previous(self, source: Source) -> Path:
        return self._folder / f"previous-{source}.table"

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        """Alone, and with errors for a person."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for scratch in self._folder.glob(f"{_SCRATCH}*"):
                    scratch.unlink()  # of a process that was killed
                yield
        except OSError as error:
            raise SyncError(f"{self._folder} cannot be written: {error.strerror}.") from None

    def _replace(self, path: Path, data: bytes) -> None:
        """Put a file in place whole, on the disk, readable by its owner alone; without data, take it away."""
        if not data:
            path.unlink(missing_ok=True)
            return
        handle, scratch = tempfile.mkstemp(dir=self._folder, prefix=_SCRATCH)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""


def age_days(as_of: float, now: float) -> int:
    """Whole days since prices were last right."""
    return max(0, int((now - as_of) // _DAY))


def _table(data: bytes) -> Table | None:
    try:
        return Table(data) if data else None
    except DamagedTable:
        return None


def _seal(data: bytes) -> str:
    return data.partition(b"\n")[0].decode("ascii", "replace")


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
