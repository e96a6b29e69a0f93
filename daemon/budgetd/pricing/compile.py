"""The shipped prices as a table, compiled once and kept beside the code, as Python keeps its own.

genai-prices takes 0.15 s and 31 MB to import, so the daemon never does: ``python -m budgetd.pricing.compile
TARGET`` does it for it, in a process of its own.
"""

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from budgetd.pricing.errors import PricesError
from budgetd.pricing.genai import read_json, read_plain
from budgetd.pricing.supplement import supplement
from budgetd.pricing.table import FORMAT, DamagedTable, Sheet, Table

_BESIDE = Path(__file__).parent / "__pycache__"
_COMPILE_SECONDS = 60


def shipped(cache: Path | None = None) -> Table:
    """The table of the prices that are installed, from its file if that is there and whole.

    Args:
        cache: a folder to keep the file in where the one beside the code cannot be written.

    Raises PricesError where the installed prices are not understood.
    """
    name = f"prices-{metadata.version('genai-prices')}-{FORMAT}.table"
    targets = [folder / name for folder in (_BESIDE, cache) if folder]
    for target in targets:
        if table := _load(target):
            return table
    for target in targets:
        if _writable(target.parent):
            return _compile(target)
    with tempfile.TemporaryDirectory(prefix="budgetd-") as folder:
        return _compile(Path(folder) / name)


def published(data: bytes, *, version: str, as_of: int) -> Sheet:
    """The sheet of genai-prices' published data file, as it came over the network. Raises PricesError."""
    return supplement(read_json(data, version=version, as_of=as_of))


def installed() -> Sheet:
    """The sheet of the installed package. Imports it."""
    import genai_prices
    from genai_prices.data import providers

    return supplement(read_plain(_plain(providers), version=genai_prices.__version__, now=time.time()))


def write(data: bytes, target: Path) -> None:
    """Put a file in place at once: readers see the old one or the new one, never a part."""
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        scratch.write_bytes(data)
        scratch.replace(target)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


def _load(path: Path) -> Table | None:
    try:
        return Table(path.read_bytes())
    except (OSError, DamagedTable):
        return None


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _compile(target: Path) -> Table:
    command = [sys.executable, "-m", "budgetd.pricing.compile", str(target)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            command, capture_output=True, timeout=_COMPILE_SECONDS, check=False, env=_environment()
        )
    # Where no process of its own could do it (a full disk, a frozen program), this one does.
    return _load(target) or Table(installed().encode())


def _environment() -> dict[str, str]:
    """Ours, with our own import path: the daemon may run from a source tree."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def _plain(value: Any) -> Any:
    """The package's objects in the shape of its published file."""
    if isinstance(value, list):
        return [_plain(each) for each in cast(list[Any], value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name.rstrip("_"): _plain(each) for name, each in _fields(value)}
    if type(value).__name__ == "ModelPrice":
        return {name: _plain(each) for name, each in vars(value).items()}
    return value


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        if field.name != "extractors":
            yield field.name, getattr(value, field.name)


def main() -> None:
    """Write the installed package's prices to the file named on the command line."""
    try:
        write(installed().encode(), Path(sys.argv[1]))
    except (PricesError, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
