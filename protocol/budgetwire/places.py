"""Where both programs keep and find their files: the platform's own places, or all under ``$BUDGETD_HOME``.

Nothing is created here.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "budgettop"
MAX_SOCKET_BYTES = 100
"""Longest path of a Unix socket we use; systems allow 103 (macOS) or 107 (Linux)."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one installation. The socket lies in a folder of its own, which must be private (0700)."""

    config: Path
    budget: Path
    ledger: Path
    log: Path
    socket: Path
    prices: Path
    """A folder."""


def find_places(environ: Mapping[str, str] = os.environ) -> Places:
    """Return the files of this user, or of ``$BUDGETD_HOME`` if that is set."""
    named = environ.get("BUDGETD_HOME", "")
    if named:
        home = Path(named)
        home = home.expanduser() if home.parts[:1] == ("~",) else home.absolute()
        return Places(
            config=home / "config.toml",
            budget=home / "budget.toml",
            ledger=home / "ledger.db",
            log=home / "budgetd.log",
            socket=_short(home / "run" / "budgetd.sock"),
            prices=home / "prices",
        )
    config = platformdirs.user_config_path(APP)
    return Places(
        config=config / "config.toml",
        budget=config / "budget.toml",
        ledger=platformdirs.user_data_path(APP) / "ledger.db",
        log=platformdirs.user_log_path(APP) / "budgetd.log",
        # Not the runtime folder: sessions of one user differ in it, and a logout may empty it under a daemon.
        socket=_short(platformdirs.user_state_path(APP) / "run" / "budgetd.sock"),
        prices=platformdirs.user_data_path(APP) / "prices",
    )


def _short(path: Path) -> Path:
    """Return the path if a socket can have it, else one in a short folder of this user for this path."""
    if len(os.fsencode(path)) <= MAX_SOCKET_BYTES:
        return path
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    # Not tempfile.gettempdir(): $TMPDIR may be long too, and may differ between the two programs.
    return Path("/tmp") / f"{APP}-{os.getuid()}-{key}" / "budgetd.sock"  # noqa: S108
