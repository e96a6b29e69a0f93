"""Opening the daemon's socket, with errors that say what to do."""

import asyncio
import os
from pathlib import Path

from budgetwire.errors import NoSocket, Unreachable
from budgetwire.peer import peer_of


async def reach(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the socket of a daemon of this user. Raises Unreachable."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSocket(
            f"budgetd is not running: there is no socket at {path}. Start it with: budgetd start"
        ) from None
    except ConnectionRefusedError:
        raise NoSocket(
            f"budgetd is not running: nothing listens at {path}. Start it with: budgetd start"
        ) from None
    except PermissionError:
        reason = f"The socket at {path} is not yours: the budgetd there belongs to another user."
    except OSError as error:
        reason = f"The socket at {path} cannot be used: {error.strerror or error}."
    else:
        uid = peer_of(writer).uid
        if uid == os.getuid():
            return reader, writer
        # Whoever else can lay a socket there must not be believed.
        writer.close()
        reason = f"The socket at {path} belongs to another user (uid {uid})."
    raise Unreachable(reason)
