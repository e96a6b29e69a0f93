"""Request heads: what goes on to the upstream, byte for byte, and what was for us alone. Pure."""

from collections.abc import Sequence

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"upgrade",
        b"expect",
        b"http2-settings",
    )
)
"""Headers about one connection only. `Transfer-Encoding` stays: a chunked body goes on chunked. `Expect` is
answered here, since the body is read before anything is sent.
"""

RawHeaders = Sequence[tuple[bytes, bytes]]


def index(raw: RawHeaders) -> dict[bytes, bytes]:
    """Values by lower-case name; the last one wins where a name repeats."""
    return {name.lower(): value for name, value in raw}


def resized(raw: RawHeaders, length: int) -> RawHeaders:
    """The headers for a body of another length; of a chunked body they say nothing."""
    return [(name, b"%d" % length if name.lower() == b"content-length" else value) for name, value in raw]


UPGRADING = frozenset((b"connection", b"upgrade"))
"""What an upgrade needs of them."""


def upstream_head(
    method: str,
    target: str,
    host: bytes,
    raw: RawHeaders,
    seen: dict[bytes, bytes],
    *,
    upgrade: bool = False,
) -> bytes:
    """The head to send: the same names, case, order, duplicates and value bytes, `Host` replaced, hop-by-hop
    headers and our own `X-Budget-*` taken off.

    Args:
        method: as it came.
        target: path and query for the upstream.
        host: value of its `Host` header.
        raw: the headers as they came.
        seen: the same, from `index`.
        upgrade: another protocol is asked for, so that its headers go on too.
    """
    dropped = HOP_BY_HOP
    if b"connection" in seen:
        named = b",".join(value for name, value in raw if name.lower() == b"connection")
        options = {option.strip() for option in named.lower().split(b",")}
        dropped = HOP_BY_HOP | (options - {b"transfer-encoding", b"content-length", b"host"})
    if upgrade:
        dropped -= UPGRADING
    parts = [method.encode(), b" ", target.encode("utf-8", "surrogateescape"), b" HTTP/1.1\r\n"]
    hosted = False
    for name, value in raw:
        lower = name.lower()
        if lower in dropped or lower.startswith(b"x-budget-"):
            continue
        if lower == b"host":
            if hosted:
                continue
            hosted, value = True, host
        parts += (name, b": ", value, b"\r\n")
    if not hosted:
        parts += (b"Host: ", host, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
