"""What can be told of a daemon whose socket cannot be reached: it holds the lock of its ledger."""

from pathlib import Path

from budgetd.config import Config, ProxySection, load_config
from budgetd.errors import ConfigError
from budgetd.ledger.lock import holder
from budgetwire.errors import NoSocket
from budgetwire.places import find_places


def find_ledger() -> Path:
    """Where the running daemon's ledger is; a configuration that was spoilt since does not matter."""
    config = _config()
    return (config and config.ledger_path) or find_places().ledger


def find_drain_seconds() -> int:
    """How long a daemon that is stopped waits for requests that run."""
    config = _config()
    return config.drain_seconds if config else ProxySection().drain_seconds


def describe(error: NoSocket) -> str:
    """Why no daemon answers, and what to do."""
    pid = holder(find_ledger())
    if pid is None:
        return str(error)
    which = f" (process {pid})" if pid else ""
    return (
        f"budgetd is running{which}, but there is no socket at {find_places().socket}. It is just starting or"
        " stopping, or the socket was removed: then it makes a new one within a second. Try again; if that"
        " does not help: budgetd stop, then budgetd start"
    )


def _config() -> Config | None:
    try:
        return load_config(find_places().config)
    except ConfigError:
        return None
