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
        fetched, own = self.table("genai"), shipped(self._folder)
        return fetched if fetched and fetched.as_of >= own.as_of else own

    def table(self, source: Source) -> Table | None:
        """The edition in force; None if there is none that is whole."""
        return _table(self._read(self._path(source)))

    def origin(self, source: Source) -> Origin | None:
        """Where the edition in force came from, if it is known."""
        path = self._path(source)
        origin = self._record().origins.get(path.name)
        return origin if origin and origin.seal == _seal(self._read(path)) else None

    def stamp(self) -> object:
        """What changes when the editions in force do."""
        return tuple(_stamp(self._path(source)) for source in SOURCES)

    def put(self, source: Source, sheet: Sheet, *, host: str, etag: str, now: float) -> None:
        """Put an edition in force, and keep the one before. Raises SyncError: nothing changed."""
        path, data = self._path(source), sheet.encode()
        with self._writing():
            record = self._record()
            before = record.origins.get(path.name)
            self._replace(self._previous(source), self._read(path))
            self._replace(path, data)
            self._note(source, now, before=before, after=Origin(host, etag, _seal(data)))

    def confirm(self, source: Source, now: float, *, host: str = "", etag: str = "") -> None:
        """Note that the edition in force is still right; ``host`` and ``etag`` where it was sent again.

        Raises SyncError.
        """
        table, origin = self.table(source), self.origin(source)
        if table is None or origin is None:
            return
        data = msgspec.structs.replace(table.sheet(), as_of=int(now)).encode()
        if not host:
            host, etag = origin.host, origin.etag
        with self._writing():
            self._replace(self._path(source), data)
            record = self._record()
            origins = record.origins | {self._path(source).name: Origin(host, etag, _seal(data))}
            self._write_record(msgspec.structs.replace(record, origins=origins))

    def roll_back(self, now: float) -> list[Source]:
        """Put back what the last change replaced, which is kept in its stead; the sources it was about.

        Raises SyncError: there is nothing to put back.
        """
        changed_at = self._record().changed_at
        latest = max(changed_at.values(), default=None)
        changed: list[Source] = [source for source in SOURCES if changed_at.get(source) == latest]
        if latest is None:
            raise SyncError("No prices have been synced yet, so that there is nothing to go back to.")
        with self._writing():
            for source in changed:
                path, previous = self._path(source), self._previous(source)
                current, before = self._read(path), self._read(previous)
                origins = self._record().origins
                self._replace(path, before)
                self._replace(previous, current)
                self._note(source, now, before=origins.get(path.name), after=origins.get(previous.name))
        return changed

    def _note(self, source: Source, now: float, *, before: Origin | None, after: Origin | None) -> None:
        """Record what took the place of what."""
        record = self._record()
        found = record.origins | {self._previous(source).name: before, self._path(source).name: after}
        origins = {name: origin for name, origin in found.items() if origin}
        changed_at: dict[Source, float] = {**record.changed_at, source: now}
        self._write_record(_Record(origins, changed_at))

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
