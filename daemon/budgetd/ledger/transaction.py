"""A transaction that is over whatever happens: committed, or rolled back."""

import contextlib
import sqlite3
from collections.abc import Generator


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Generator[None]:
    """Do what is done inside in one transaction. Raises what that raises, and then nothing was done."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        # Not only sqlite3.Error: a value that cannot be passed on raises OverflowError or UnicodeError.
        if db.in_transaction:
            # Where the disk fails so does this; SQLite then rolls back by itself.
            with contextlib.suppress(sqlite3.Error):
                db.execute("rollback")
        raise
