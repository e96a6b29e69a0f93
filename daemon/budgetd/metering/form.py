"""The fields of a multipart form. Its files are passed over, not copied."""

import re

from budgetd.metering.decoder import NAME_LENGTH

MAX_PARTS = 64
"""Parts beyond these are not read."""

MAX_DELIMITER = 80
_MAX_HEAD = 4096
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)', re.IGNORECASE)
_FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)


def fields(body: bytes) -> dict[str, str] | None:
    """The fields that are no files, their values cut to the length of names; None if `body` is no form.

    The delimiter is taken from the body's first line, for that is where every client puts it.
    """
    line_end = body.find(b"\r\n", 0, MAX_DELIMITER)
    if not body.startswith(b"--") or line_end < 3:
        return None
    delimiter = b"\r\n" + body[:line_end].rstrip()
    found: dict[str, str] = {}
    at = line_end
    for _ in range(MAX_PARTS):
        head_end = body.find(b"\r\n\r\n", at, at + _MAX_HEAD)
        if head_end < 0:
            break
        end = body.find(delimiter, head_end + 4)
        head = body[at:head_end]
        named = _NAME.search(head)
        if named is not None and _FILE.search(head) is None:
            stop = len(body) if end < 0 else end
            value = body[head_end + 4 : min(stop, head_end + 4 + NAME_LENGTH)]
            found.setdefault(named[1].decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        if end < 0:
            break
        at = end + len(delimiter)
    return found
