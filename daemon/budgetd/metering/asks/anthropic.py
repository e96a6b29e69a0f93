"""What a request to Anthropic Messages asks for."""

import re

import msgspec

from budgetd.metering.decoder import Count, Decoder, Strange, name
from budgetd.metering.tally import asked_tier, tier
from budgetd.metering.usage import Ask


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _UserId(msgspec.Struct):
    session_id: str | None = None
    account_uuid: str | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    max_uses: Count | None = None
    model: str | None = None
    max_tokens: Count | None = None


class _Fallback(msgspec.Struct):
    model: str | None = None
    max_tokens: Count | None = None


class _Edit(msgspec.Struct):
    type: str | None = None


class _ContextManagement(msgspec.Struct):
    edits: list[_Edit] | None = None


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    max_tokens: Count | None = None
    service_tier: str | None = None
    speed: str | None = None
    metadata: _Metadata | None = None
    tools: list[_Tool] | None = None
    mcp_servers: object = None
    container: object = None
    context_management: _ContextManagement | None = None
    fallbacks: list[_Fallback] | str | None = None


_REQUESTS = Decoder(_Request)
_USER_IDS = Decoder(_UserId)

_CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_", "browser_")
"""How the types of tools begin that the client runs; all other types run at Anthropic."""

_ADVISOR = "advisor_"
"""How the type of the tool begins that asks another model."""

_MARKS = re.compile(rb'"(?:url"\s*[,}]|(?:file_id|previous_message_id)"\s*:\s*"|ttl"\s*:\s*"1h")')
"""A source of type "url", a file or an earlier message by its id, a cache entry kept for an hour."""


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    marks = {bytes(mark[1:4]) for mark in _MARKS.findall(body)}
    refers = marks - {b"ttl"} or request.mcp_servers or request.container
    advisors = [tool for tool in request.tools or () if (tool.type or "").startswith(_ADVISOR)]
    fallbacks = _fallbacks(request, strange)
    session, account = _user(request.metadata)
    return Ask(
        model=name(request.model),
        others=tuple(name(each.model) for each in (*advisors, *fallbacks)),
        stream=bool(request.stream),
        output_cap=_output_cap(request, advisors, fallbacks, strange),
        open_input=bool(refers),
        server_tool_uses=_server_tool_uses(request, len(fallbacks), strange),
        service_tier=asked_tier(
            tier(request.service_tier, request.speed), strange=strange.within("service_tier", "speed")
        ),
        cache_write_1h=b"ttl" in marks,
        body_bytes=len(body),
        session=session,
        account=account,
    )


def _fallbacks(request: _Request, strange: Strange) -> list[_Fallback]:
    """The models to try where one declines. Which they are by default is not said."""
    if isinstance(request.fallbacks, str) or strange.within("fallbacks"):
        return [_Fallback()]
    return request.fallbacks or []


def _output_cap(
    request: _Request, advisors: list[_Tool], fallbacks: list[_Fallback], strange: Strange
) -> int | None:
    """What each call of a model may write at most, whichever model it is."""
    if strange.within("tools", "fallbacks"):
        return None
    caps = [request.max_tokens, *(each.max_tokens for each in advisors)]
    caps += [each.max_tokens for each in fallbacks if each.max_tokens is not None]
    known = [cap for cap in caps if cap is not None]
    return max(known) if len(known) == len(caps) else None


def _server_tool_uses(request: _Request, fallbacks: int, strange: Strange) -> int | None:
    if strange.within("tools", "fallbacks", "context_management"):
        return None
    uses = 0
    for tool in request.tools or ():
        if tool.type is None or tool.type.startswith(_CLIENT_TOOLS):
            continue
        if tool.max_uses is None:
            return None
        uses += tool.max_uses
    if request.mcp_servers:
        return None
    # A compaction reads the whole context once more, just as the result of a tool does; so does a fallback.
    uses += fallbacks
    edits = (request.context_management and request.context_management.edits) or ()
    return uses + any((edit.type or "").startswith("compact") for edit in edits)


def _user(metadata: _Metadata | None) -> tuple[str, str]:
    """The client's session and its account, as far as it names them: in a JSON object, or as older clients
    write it, user_HASH_account_UUID_session_UUID.
    """
    user_id = (metadata and metadata.user_id) or ""
    if user_id.startswith("{"):
        user = _USER_IDS.decode(user_id.encode()) or _UserId()
        return name(user.session_id), name(user.account_uuid)
    rest, _, session = user_id.partition("_session_")
    return name(session), name(rest.partition("_account_")[2])
