"""What a request to Bedrock asks for: by Converse, the same for all models, or by InvokeModel, where the body
is what the model's maker wants it to be.

The model, and whether it streams, stand in the path.
"""

import re
from urllib.parse import unquote

import msgspec

from budgetd.metering.asks import anthropic
from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.tally import asked_tier
from budgetd.metering.usage import Ask


class _Inference(msgspec.Struct):
    max_tokens: Count | None = msgspec.field(default=None, name="maxTokens")
    max_new_tokens: Count | None = None


class _Tier(msgspec.Struct):
    type: str | None = None


class _Tools(msgspec.Struct):
    tools: list[dict[str, object]] | None = None


class _Converse(msgspec.Struct, rename="camel"):
    inference_config: _Inference | None = None
    tool_config: _Tools | None = None
    service_tier: _Tier | None = None


class _Titan(msgspec.Struct):
    max_token_count: Count | None = msgspec.field(default=None, name="maxTokenCount")


class _Invoke(msgspec.Struct):
    """The caps of every maker's models."""

    anthropic_version: str | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    max_gen_len: Count | None = None
    inference_config: _Inference | None = msgspec.field(default=None, name="inferenceConfig")
    titan: _Titan | None = msgspec.field(default=None, name="textGenerationConfig")


_CAPS = ("max_tokens", "max_completion_tokens", "max_gen_len", "inference_config", "titan")

_CONVERSE = Decoder(_Converse)
_INVOKE = Decoder(_Invoke)

_NAMED = re.compile(r"arn:[^/]*:(?:inference-profile|foundation-model)/(.+)")
"""A full name around one that also goes by itself. Others' last parts are only good for their account."""
_CLIENT_TOOLS = {"toolSpec", "cachePoint"}
"""What a list of tools holds besides tools that run at Amazon."""
_ELSEWHERE = re.compile(rb'"s3Location"\s*:')
_MEDIA = re.compile(rb'"(?:bytes|image|images|inputImage|video|audio)"\s*:')
_CACHED_1H = re.compile(rb'"ttl"\s*:\s*"1h"')


def converse(target: str, body: bytes) -> Ask:
    """What a request to Converse for `target` with this plain body asks for."""
    model, stream = _model(target)
    read = _CONVERSE.read(body)
    if read is None:
        return Ask(model=model, stream=stream, understood=False, body_bytes=len(body))
    request, strange = read
    tools = (request.tool_config and request.tool_config.tools) or ()
    runs_tools = any(set(tool) - _CLIENT_TOOLS for tool in tools) or strange.within("tool_config")
    return Ask(
        model=model,
        stream=stream,
        output_cap=request.inference_config and request.inference_config.max_tokens,
        # A prompt that is kept at Amazon is called like a model.
        open_input=":prompt/" in model or _ELSEWHERE.search(body) is not None,
        media=_MEDIA.search(body) is not None,
        server_tool_uses=None if runs_tools else 0,
        service_tier=asked_tier(
            request.service_tier and request.service_tier.type, strange=strange.within("service_tier")
        ),
        cache_write_1h=_CACHED_1H.search(body) is not None,
        body_bytes=len(body),
    )


def invoke(target: str, body: bytes) -> Ask:
    """What a request to InvokeModel for `target` with this plain body asks for."""
    model, stream = _model(target)
    read = _INVOKE.read(body)
    if read is None:
        return Ask(model=model, stream=stream, understood=False, body_bytes=len(body))
    request, strange = read
    if request.anthropic_version is not None or strange.within("anthropic_version"):
        return msgspec.structs.replace(anthropic.ask(target, body), model=model, stream=stream)
    inference, titan = request.inference_config or _Inference(), request.titan or _Titan()
    caps = (
        request.max_tokens,
        request.max_completion_tokens,
        request.max_gen_len,
        inference.max_tokens,
        inference.max_new_tokens,
        titan.max_token_count,
    )
    bounded = not strange.within(*_CAPS)
    return Ask(
        model=model,
        stream=stream,
        output_cap=max((cap for cap in caps if cap is not None), default=None) if bounded else None,
        open_input=_ELSEWHERE.search(body) is not None,
        media=_MEDIA.search(body) is not None,
        body_bytes=len(body),
    )


def _model(target: str) -> tuple[str, bool]:
    """The model of a path such as ``/model/MODEL/converse-stream``, and whether its answer streams."""
    front, _, verb = target.partition("?")[0].rpartition("/")
    model = unquote(front.partition("/model/")[2])
    named = _NAMED.fullmatch(model)
    return name(named[1] if named else model), verb.endswith("-stream")
