"""What a request for OpenAI images asks for: JSON, or a form where it comes with pictures."""

import re

import msgspec

from budgetd.metering.decoder import Count, Decoder, count, name
from budgetd.metering.form import fields
from budgetd.metering.usage import Ask


class _Request(msgspec.Struct):
    model: str | None = None
    n: Count | None = None
    stream: bool | None = None


_REQUESTS = Decoder(_Request)

MOST_PICTURES = 1000
"""No request is taken to ask for more."""

_ELSEWHERE = re.compile(rb'"(?:file_id"\s*:\s*"|(?:image_url|url)"\s*:\s*"(?!data:))')
"""A picture by its id, or by a URL other than a data URL."""


def ask(target: str, body: bytes) -> Ask:
    """What a request with this plain body asks for."""
    del target
    form = fields(body)
    if form is not None:
        return Ask(
            model=name(form.get("model")),
            stream=form.get("stream") == "true",
            choices=(images := _pictures(count(form.get("n") or 1))),
            images=images,
            media=True,
            body_bytes=len(body),
        )
    read = _REQUESTS.read(body)
    if read is None:
        return Ask(understood=False, body_bytes=len(body))
    request, strange = read
    images = _pictures(None if strange.within("n") else request.n or 1)
    return Ask(
        model=name(request.model),
        stream=bool(request.stream),
        choices=images,
        images=images,
        open_input=_ELSEWHERE.search(body) is not None,
        body_bytes=len(body),
    )


def _pictures(n: int | None) -> int:
    """How many are asked for; None where what says so makes no sense."""
    return MOST_PICTURES if n is None else min(max(n, 1), MOST_PICTURES)
