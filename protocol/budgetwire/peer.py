"""Who is at the other end of a Unix socket, as the kernel says."""

import asyncio
import os
import socket
import struct
import sys
from typing import NamedTuple


class Credentials(NamedTuple):
    """A process and the user it ran as when it connected, or listened."""

    pid: int
    uid: int


def peer_of(writer: asyncio.StreamWriter) -> Credentials:
    """Return who is at the other end of a stream. Raises OSError if the kernel does not say."""
    # A socket of our own on the same descriptor: what event loops hand out is not always a whole one.
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connection:
        return _credentials(connection)


def _credentials(connection: socket.socket) -> Credentials:
    if sys.platform == "linux":
        pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Credentials(pid, uid)
    # macOS, <sys/un.h>: SOL_LOCAL 0, LOCAL_PEERCRED 1 (struct xucred: version, uid, groups), LOCAL_PEERPID 2.
    _version, uid = struct.unpack_from("Ii", connection.getsockopt(0, 1, 76))
    (pid,) = struct.unpack("i", connection.getsockopt(0, 2, 4))
    return Credentials(pid, uid)
