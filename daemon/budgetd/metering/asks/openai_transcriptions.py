"""What a request for OpenAI transcriptions or translations asks for: a form with a sound in it, or JSON."""

import msgspec

from budgetd.metering.decoder import Decoder, name
from budgetd.metering.form import fields
from budgetd.metering.usage import Ask


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    file_url: object = None
    file_id: object = None


_REQUESTS = Decoder(_Request)

_ELSEWHERE = ("file_url", "file_id")
"""Sound that is not in the body."""


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    form = fields(body)
    if form is not None:
        return Ask(
            model=name(form.get("model")),
            stream=form.get("stream") == "true",
            open_input=any(form.get(field) for field in _ELSEWHERE),
            media=True,
            body_bytes=len(body),
        )
    request = _REQUESTS.decode(body)
    if request is None:
        return Ask(understood=False, body_bytes=len(body))
    return Ask(
        model=name(request.model),
        stream=bool(request.stream),
        open_input=bool(request.file_url or request.file_id),
        media=True,
        body_bytes=len(body),
    )
