"""Where a request goes: from its path and its authentication headers to an upstream and an API. Pure.

Bare provider paths go by their shape, ``/NAME/…`` to the upstream of that name, and ``/@user…`` or
``/@user:project/…`` in front of either says who is spending. What a path costs is in `metering.resources`.

A bare path without ``/v1`` is taken as with it, since some clients append it to their base URL and others do
not: the one path that is ever changed.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from budgetd.config import Upstream
from budgetd.metering import Api, resources

MAX_WHO = 4_096
"""Bytes of ``/@user:project`` that are read; names are cut shorter anyway."""

OPENAI = re.compile(
    r"/v1/(chat|responses|completions|embeddings|images|audio|moderations|models|files|uploads|batches"
    r"|fine_tuning|vector_stores|assistants|threads|realtime|conversations|containers|evals|videos|decisions)(/|$)"
)
ANTHROPIC = re.compile(r"/v1/(messages|complete|organizations|skills)(/|$)|/api/|/$")
UNVERSIONED = re.compile(
    r"/(messages|complete|chat|responses|completions|embeddings|images|audio|moderations|models|realtime)(/|\?|$)"
)
"""Targets that lack their ``/v1``: their clients were given a base URL for those that add it themselves."""
GEMINI = re.compile(
    r"^/ws/google\.ai\.|/(v1beta|v1alpha|upload/v1beta)/|:(generate|streamGenerate|embed|batchEmbed|count)"
)


class Route(msgspec.Struct, frozen=True):
    """Where a request goes and what it speaks."""

    upstream: Upstream
    target: str
    """Path and query to ask the upstream for, its own path prefix included."""
    path: str
    """The path without query or prefixes, for the record."""
    api: Api | None
    """The API that can be metered; None where it is not understood."""
    billable: bool
    """False for what no provider charges for."""
    user: str = ""
    project: str = ""
    late: str = ""
    """The provider's id of an earlier request, where the answer tells what that one used."""
    read_path: str = ""
    """The path as an upstream may read it: unquoted, without dot segments."""


def find_route(
    method: str, target: str, headers: Mapping[bytes, bytes], upstreams: Mapping[str, Upstream]
) -> Route | None:
    """The route of a request, or None where its path leads nowhere.

    Args:
        method: the HTTP method.
        target: path and query as they came.
        headers: by lower-case name.
        upstreams: by name.
    """
    user = project = ""
    if target.startswith("/@"):
        who, slash, rest = target[2:].partition("/")
        target = slash + rest or "/"
        user, _, project = (unquote(part) for part in who[:MAX_WHO].partition(":"))
    upstream = None
    name, slash, rest = target[1:].partition("/")
    if slash and name in upstreams:
        upstream = upstreams[name]
        target = slash + rest
    if target.startswith("/v1/v1/"):
        return None
    if upstream is None:
        family = _family(target, headers)
        if family is None and UNVERSIONED.match(target):
            target = f"/v1{target}"
            family = _family(target, headers)
        if family is None or family not in upstreams:
            return None
        upstream = upstreams[family]
    path = target.partition("?")[0]
    socket = wants_socket(headers)
    asked = resources.SOCKET if socket else method
    found = resources.find(upstream.provider, upstream.dialect, upstream.prefix, asked, path)
    api, billable = found.api, found.billable
    if socket and method != "GET":  # that is no handshake
        api, billable = None, False
    return Route(
        upstream,
        upstream.prefix + target,
        path,
        api,
        billable,
        user,
        project,
        found.late,
        found.path,
    )


def wants_socket(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request asks for a WebSocket, by its headers' lower-case names."""
    return b"websocket" in headers.get(b"upgrade", b"").lower()


def _family(target: str, headers: Mapping[bytes, bytes]) -> str | None:
    """The provider whose paths look like this."""
    path = target.partition("?")[0][: resources.MAX_PATH]
    if GEMINI.search(path) or (b"x-goog-api-key" in headers and path.startswith("/v1/")):
        return "gemini"
    if ANTHROPIC.match(path):
        return "anthropic"
    if path.startswith("/v1/") and (b"anthropic-version" in headers or b"x-api-key" in headers):
        return "anthropic"
    return "openai" if OPENAI.match(path) else None
