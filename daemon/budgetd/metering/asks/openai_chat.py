"""What a request to OpenAI Chat Completions asks for."""

import re

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import asked_tier
from budgetd.metering.usage import Ask


class _Tool(msgspec.Struct):
    type: str | None = None


class _Plugin(msgspec.Struct):
    id: str | None = None


class _Request(msgspec.Struct):
    model: str | None = None
    models: list[str] | None = None
    """OpenRouter's: to be tried in turn."""
    stream: bool | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Count | None = None
    service_tier: str | None = None
    tools: list[_Tool] | None = None
    plugins: list[_Plugin] | None = None
    """OpenRouter's."""
    web_search_options: object = None
    prompt_cache_key: str | None = None


_REQUESTS = Decoder(_Request)

_CLIENT_TOOLS = (None, "function", "custom")

_ELSEWHERE = re.compile(
    rb'"(?:file_id"\s*:\s*"|audio"\s*:\s*\{\s*"id"|(?:url|image_url|file_data)"\s*:\s*"(?!data:))'
)
"""A file or earlier speech by its id, or content by a URL other than a data URL."""


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    choices = max(request.n or 1, 1)
    caps = [cap for cap in (request.max_tokens, request.max_completion_tokens) if cap is not None]
    bounded = caps and not strange.within("max_tokens", "max_completion_tokens", "n")
    runs_tools = any(tool.type not in _CLIENT_TOOLS for tool in request.tools or ())
    named = dict.fromkeys(name(each) for each in (request.model, *(request.models or ())) if each)
    model, *others = named or ("",)
    if strange.within("models"):
        others.append("")
    searches = request.web_search_options is not None or model.endswith(":online")
    searches = searches or any(plugin.id == "web" for plugin in request.plugins or ())
    unlimited = runs_tools or searches or strange.within("tools", "plugins")
    return Ask(
        model=model,
        others=tuple(others),
        stream=bool(request.stream),
        output_cap=max(caps) * choices if bounded else None,
        choices=choices,
        open_input=_ELSEWHERE.search(body) is not None,
        server_tool_uses=None if unlimited else 0,
        service_tier=asked_tier(request.service_tier, strange=strange.within("service_tier")),
        body_bytes=len(body),
        session=name(request.prompt_cache_key),
    )
