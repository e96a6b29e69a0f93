"""Where a request goes: from its path and its authentication headers to an upstream and an API. Pure.

Bare provider paths go by their shape, ``/NAME/…`` to the upstream of that name, and ``/@user…`` or
``/@user:project/…`` in front of either says who is spending (DESIGN 9).
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from budgetd.config import Upstream
from budgetd.metering import Api

FREE = re.compile(
    r"/count_tokens$|:countTokens$|/input_tokens$|/models(/[^:]*)?$|/files(/|$)|/uploads(/|$)|/moderations$"
    r"|/cancel$|/v1/organizations(/|$)|^/api/(?!v1/|chat|generate|embed)"
)
"""Paths below which a POST costs nothing: counting, listing, uploading, cancelling. What has one of the
`SHAPES` always costs.
"""

SHAPES: tuple[tuple[str, Api], ...] = (
    ("/messages", "anthropic.messages"),
    ("/chat/completions", "openai.chat"),
    ("/responses", "openai.responses"),
    (":generateContent", "gemini.generate"),
    (":streamGenerateContent", "gemini.generate"),
)
"""How a path ends and what it speaks then, whatever the upstream: many answer in another's shape."""

OPENAI = re.compile(
    r"/v1/(chat|responses|completions|embeddings|images|audio|moderations|models|files|uploads|batches"
    r"|fine_tuning|vector_stores|assistants|threads|realtime|conversations|containers|evals|videos)(/|$)"
)
ANTHROPIC = re.compile(r"/v1/(messages|complete|organizations|skills)(/|$)|/api/|/$")
GEMINI = re.compile(r"/(v1beta|v1alpha|upload/v1beta)/|:(generate|streamGenerate|embed|batchEmbed|count)")


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
        user, _, project = (unquote(part) for part in who.partition(":"))
    upstream = None
    name, slash, rest = target[1:].partition("/")
    if slash and name in upstreams:
        upstream = upstreams[name]
        target = slash + rest
    path = target.partition("?")[0]
    if upstream is None:
        family = _family(path, headers)
        if family is None or family not in upstreams:
            return None
        upstream = upstreams[family]
    api = _api(path)
    billable = method in {"POST", "PUT", "PATCH"} and (api is not None or not FREE.search(path))
    prefix = upstream.prefix
    return Route(upstream, prefix + target, path, api if billable else None, billable, user, project)


def _api(path: str) -> Api | None:
    for ending, api in SHAPES:
        if path.endswith(ending):
            return api
    return None


def _family(path: str, headers: Mapping[bytes, bytes]) -> str | None:
    """The provider whose paths look like this."""
    if GEMINI.search(path) or (b"x-goog-api-key" in headers and path.startswith("/v1/")):
        return "gemini"
    if ANTHROPIC.match(path):
        return "anthropic"
    if path.startswith("/v1/") and (b"anthropic-version" in headers or b"x-api-key" in headers):
        return "anthropic"
    return "openai" if OPENAI.match(path) else None
