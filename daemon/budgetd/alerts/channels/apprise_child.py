"""The process that calls apprise: a note on standard input, the outcome as exit code."""

# Only half of what apprise has is typed.
# pyright: reportUnknownMemberType=false

import logging
import re
import sys

import msgspec

NOT_SENT, NO_SERVICE, NOT_INSTALLED = 10, 11, 12
"""Exit codes. With `NOT_SENT` the HTTP status is written to standard error, where there was one."""


class Note(msgspec.Struct, frozen=True):
    """What is to be sent."""

    url: str
    title: str
    body: str
    kind: str
    timeout_seconds: float


class _Statuses(logging.Handler):
    """Takes every line of apprise's log, and keeps nothing of it but the last HTTP status."""

    status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"error=(\d{3})\b", record.getMessage()):
            self.status = found[1]


def main() -> int:
    """Send the note."""
    note = msgspec.json.decode(sys.stdin.buffer.read(), type=Note)
    statuses = _Statuses()
    logging.basicConfig(level=logging.WARNING, handlers=[statuses])
    try:
        from apprise import Apprise
    except ModuleNotFoundError:
        return NOT_INSTALLED
    service = Apprise.instantiate(note.url)
    if service is None:
        return NO_SERVICE
    service.socket_connect_timeout = service.socket_read_timeout = note.timeout_seconds
    sender = Apprise()
    sender.add(service)
    if sender.notify(title=note.title, body=note.body, notify_type=note.kind):
        return 0
    sys.stderr.write(statuses.status)
    return NOT_SENT


if __name__ == "__main__":
    sys.exit(main())
