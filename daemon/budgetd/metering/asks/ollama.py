"""What a request to Ollama's generate, chat or embed asks for."""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.usage import Ask


class _Options(msgspec.Struct):
    num_predict: Count | None = None
    """Below 0 (which is no count) it is as much as the model likes."""


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    options: _Options | None = None


_REQUESTS = Decoder(_Request)


def ask(target: str, body: bytes) -> Ask:
    """What a request for `target` with this plain body asks for. It streams unless told not to."""
    embeds = "/embed" in target
    request = _REQUESTS.decode(body)
    if request is None:
        return Ask(understood=False, body_bytes=len(body))
    return Ask(
        model=name(request.model),
        stream=not embeds and request.stream is not False,
        output_cap=0 if embeds else request.options and request.options.num_predict,
        media=b'"images"' in body,
        body_bytes=len(body),
    )
