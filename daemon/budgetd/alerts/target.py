"""Where a channel's url or secret is kept, and what of it may be shown: it may hold a token."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from budgetd.errors import BudgetdError

MOST_BYTES = 16 << 10
"""Of a file that holds a url or a secret."""

MOST_TEXT = 160
"""Characters of what a receiver or a program said."""


SECRET_LENGTH = 6
"""Characters of the shortest secret that is taken out of a text; a shorter one could be any word."""


class TargetError(BudgetdError):
    """A url or a secret cannot be had."""


class Kept(msgspec.Struct, frozen=True):
    """A url or a secret: said outright, or the environment variable or the file that it is in."""

    what: str
    """What it is called in a message to a person."""
    value: str | None = None
    env: str | None = None
    file: str | None = None

    def __repr__(self) -> str:
        return f"Kept({self.what!r})"

    def read(self) -> str:
        """It, as it is now. Raises TargetError."""
        if self.env is not None:
            text, where = os.environ.get(self.env, ""), f"${self.env}"
        elif self.file is not None:
            text, where = _text(Path(self.file).expanduser(), self.what), self.file
        else:
            text, where = self.value or "", ""
        text = text.strip()
        if not text:
            raise TargetError(f"its {self.what} is to be in {where}, where budgetd finds nothing")
        return text


def mark(url: str) -> str:
    """What tells a url from another without saying it."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def origin(url: str) -> str:
    """Scheme, host and port, which is all of a web address that may be shown."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def scheme(url: str) -> str:
    """What stands before ``://``: to apprise, the name of a service. Empty where nothing does."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+-]*)://", url)
    return found[1].lower() if found else ""


def is_safe(url: str) -> bool:
    """Whether a web address is https, or of this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_local(url)))


def is_local(url: str) -> bool:
    """Whether an address is of this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def secrets_in(url: str) -> set[str]:
    """Every part of a url that may be a secret: whatever comes beside scheme and host."""
    parts = urlsplit(url)
    pieces = {url, parts.username or "", parts.password or "", parts.query, parts.fragment, parts.path}
    pieces.update(parts.path.split("/"))
    pieces.update(re.split("[&=]", parts.query))
    return pieces | {unquote(piece) for piece in pieces}


def plain(said: str, secrets: Iterable[str]) -> str:
    """What a stranger said, in one short line without secrets and control characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LENGTH:
            line = line.replace(secret, "…")
    return line if len(line) <= MOST_TEXT else f"{line[: MOST_TEXT - 1]}…"


def _text(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode()
    except OSError as error:
        raise TargetError(f"the file of its {what}, {path}, cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TargetError(f"the file of its {what}, {path}, is not text") from None
