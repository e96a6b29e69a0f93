"""What a request to OpenAI's Completions, the older ones, asks for."""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.usage import Ask


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    max_tokens: Count | None = None
    n: Count | None = None
    best_of: Count | None = None
    prompt: msgspec.Raw = msgspec.Raw()


_REQUESTS = Decoder(_Request)
_PROMPTS = msgspec.json.Decoder(list[msgspec.Raw])


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    choices = max(request.n or 1, request.best_of or 1, 1) * _prompts(bytes(request.prompt))
    most = None if strange.within("n", "best_of") else request.max_tokens
    return Ask(
        model=name(request.model),
        stream=bool(request.stream),
        output_cap=None if most is None else most * choices,
        choices=choices,
        body_bytes=len(body),
    )


def _prompts(prompt: bytes) -> int:
    """How many prompts there are: each text or list of tokens in a list is one."""
    if not prompt.startswith(b"["):
        return 1
    try:
        items = _PROMPTS.decode(prompt)
    except (ValueError, RecursionError):
        return 1
    return max(1, sum(bytes(item[:1]) in (b'"', b"[") for item in map(bytes, items)))
