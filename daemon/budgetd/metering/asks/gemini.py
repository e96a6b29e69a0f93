"""What a request to Gemini's generateContent, streamGenerateContent or embedContent asks for, at Google or at
Vertex AI.

The model, and whether it streams, stand in the path. Keys may be written in camel case or with underscores,
and one object instead of a list of it.
"""

import re
from urllib.parse import unquote

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import asked_tier
from budgetd.metering.usage import Ask


class _Generation(msgspec.Struct):
    max_output_tokens: Count | None = None
    camel_max_output_tokens: Count | None = msgspec.field(default=None, name="maxOutputTokens")
    candidate_count: Count | None = None
    camel_candidate_count: Count | None = msgspec.field(default=None, name="candidateCount")


class _Request(msgspec.Struct):
    generation_config: _Generation | None = None
    camel_generation_config: _Generation | None = msgspec.field(default=None, name="generationConfig")
    cached_content: object = None
    camel_cached_content: object = msgspec.field(default=None, name="cachedContent")
    service_tier: str | None = None
    camel_service_tier: str | None = msgspec.field(default=None, name="serviceTier")
    tools: list[dict[str, object]] | dict[str, object] | None = None


class _Parameters(msgspec.Struct, rename="camel"):
    sample_count: Count | None = None


class _Embedding(msgspec.Struct):
    parameters: _Parameters | None = None


_REQUESTS = Decoder(_Request)
_EMBEDDINGS = Decoder(_Embedding)

_CLIENT_TOOLS = {"functionDeclarations", "function_declarations", "computerUse", "computer_use"}
"""Tools that the client runs; all others run at Google."""

MOST_PICTURES = 8
"""No model makes more at once."""

_ELSEWHERE = re.compile(rb'"(?:file(?:Data|_data|Uri|_uri)|continuation(?:Token|_token))"\s*:')
"""A file that is not in the body, or an earlier response that is to be continued."""


def ask(target: str, body: bytes) -> Ask:
    """What a request for `target` with this plain body asks for."""
    model, verb = _model_and_verb(target)
    stream = verb == "streamGenerateContent"
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(model=model, stream=stream, understood=False, body_bytes=len(body))
    request, strange = read
    cap, choices = _output(request)
    cached = request.camel_cached_content or request.cached_content
    bounded = cap > 0 and not strange.within("generation_config", "camel_generation_config")
    return Ask(
        model=model,
        stream=stream,
        output_cap=cap * choices if bounded else None,
        choices=choices,
        open_input=bool(cached) or _ELSEWHERE.search(body) is not None,
        server_tool_uses=None if runs_tools(request.tools) or strange.within("tools") else 0,
        service_tier=asked_tier(
            request.camel_service_tier or request.service_tier,
            strange=strange.within("service_tier", "camel_service_tier"),
        ),
        body_bytes=len(body),
    )


def runs_tools(tools: list[dict[str, object]] | dict[str, object] | None) -> bool:
    """Whether some of these tools run at Google."""
    each = [tools] if isinstance(tools, dict) else tools or ()
    return any(set(tool) - _CLIENT_TOOLS for tool in each)


def _output(request: _Request) -> tuple[int, int]:
    """The most tokens an answer may have, 0 where that is not said, and how many answers there are. Of two
    spellings it is not known which one counts.
    """
    caps, choices = [0], [1]
    for config in filter(None, (request.camel_generation_config, request.generation_config)):
        caps += [config.camel_max_output_tokens or 0, config.max_output_tokens or 0]
        choices += [config.camel_candidate_count or 1, config.candidate_count or 1]
    return max(caps), max(choices)


def embed(target: str, body: bytes) -> Ask:
    """What a request to embed asks for, or to predict, as Vertex AI says for embeddings and for pictures."""
    model, verb = _model_and_verb(target)
    read = _EMBEDDINGS.read(body)
    if read is None:
        return Ask(model=model, understood=False, body_bytes=len(body))
    request, strange = read
    sent = request.parameters or _Parameters()
    pictures = MOST_PICTURES if strange.within("parameters") else max(sent.sample_count or 1, 1)
    images = pictures if "imag" in model else 0
    return Ask(
        model=model,
        # Other models that predict may write.
        output_cap=0 if images or verb != "predict" or "embed" in model else None,
        images=images,
        choices=max(images, 1),
        open_input=_ELSEWHERE.search(body) is not None,
        body_bytes=len(body),
    )


def _model_and_verb(target: str) -> tuple[str, str]:
    """From a path such as ``/v1beta/models/MODEL:VERB?query``."""
    last = unquote(target.partition("?")[0]).rpartition("/")[2]
    model, _, verb = last.partition(":")
    return name(model), verb
