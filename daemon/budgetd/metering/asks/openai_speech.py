"""What a request for OpenAI speech asks for."""

import msgspec

from budgetd.metering.decoder import Decoder, name
from budgetd.metering.usage import Ask


class _Request(msgspec.Struct):
    model: str | None = None
    input: str | None = None
    stream_format: str | None = None


_REQUESTS = Decoder(_Request)


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    return Ask(
        model=name(request.model),
        stream=request.stream_format == "sse",
        input_characters=len(body) if strange.within("input") else len(request.input or ""),
        body_bytes=len(body),
    )
