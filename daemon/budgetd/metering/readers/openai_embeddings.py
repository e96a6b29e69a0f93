"""OpenAI embeddings, also as Mistral, Azure and many others serve them: input is all that is used."""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.readers.openai_usage import InputDetails, Stated, stated_nusd, usage_of
from budgetd.metering.usage import Reading, Usage


class _Report(Stated):
    prompt_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None


class _Embeddings(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: _Report | None = None


_EMBEDDINGS = Decoder(_Embeddings)


class Reader:
    """Gathers what one response reports."""

    text = None

    def __init__(self) -> None:
        self._embeddings = _Embeddings()

    def event(self, document: bytes) -> None:
        """Nothing: embeddings are not streamed."""
        del document

    def whole(self, document: bytes) -> None:
        """Take the body of a response."""
        self._embeddings = _EMBEDDINGS.decode(document) or self._embeddings

    def reading(self) -> Reading:
        """All that is known so far."""
        report = self._embeddings.usage
        return Reading(
            usage=None if report is None else _usage(report),
            complete=report is not None,
            model=name(self._embeddings.model),
            cost_nusd=None if report is None else stated_nusd(report),
            response_id=name(self._embeddings.id),
        )


def _usage(report: _Report) -> Usage:
    tokens = report.total_tokens if report.prompt_tokens is None else report.prompt_tokens
    return usage_of(tokens, 0, 0, report.prompt_tokens_details, None)
