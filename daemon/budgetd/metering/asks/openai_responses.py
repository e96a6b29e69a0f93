"""What a request to OpenAI Responses asks for."""

import re

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import asked_tier
from budgetd.metering.usage import Ask


class _Tool(msgspec.Struct):
    type: str | None = None


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    max_tool_calls: Count | None = None
    service_tier: str | None = None
    tools: list[_Tool] | None = None
    previous_response_id: object = None
    conversation: object = None
    context_management: list[object] | None = None
    prompt: object = None
    prompt_cache_key: str | None = None


_REQUESTS = Decoder(_Request)

_CLIENT_TOOLS = (
    None,
    "function",
    "custom",
    "namespace",
    "local_shell",
    "apply_patch",
    "computer",
    "computer_use_preview",
)
"""Types of tools that the client runs; all other types run at OpenAI, or may."""

_ELSEWHERE = re.compile(
    rb'"(?:file_id"\s*:\s*"|type"\s*:\s*"item_reference"|(?:image_url|file_url)"\s*:\s*"(?!data:))'
)
"""A file or an earlier item by its id, or content by a URL other than a data URL."""


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    runs_tools = any(tool.type not in _CLIENT_TOOLS for tool in request.tools or ())
    calls = request.max_tool_calls if runs_tools or strange.within("tools") else 0
    # A compaction reads the whole context once more, just as the result of a tool does.
    compactions = len(request.context_management or ())
    refers = request.previous_response_id or request.conversation or request.prompt
    return Ask(
        model=name(request.model),
        stream=bool(request.stream),
        output_cap=request.max_output_tokens,
        open_input=bool(refers) or _ELSEWHERE.search(body) is not None,
        server_tool_uses=None
        if calls is None or strange.within("context_management")
        else calls + compactions,
        service_tier=asked_tier(request.service_tier, strange=strange.within("service_tier")),
        body_bytes=len(body),
        session=name(request.prompt_cache_key),
    )
