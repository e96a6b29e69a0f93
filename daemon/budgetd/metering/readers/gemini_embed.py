"""Gemini's embedContent and batchEmbedContents, and Vertex AI's predict, which embeds and also draws.

Vertex AI counts the tokens of each embedding; Google's own API may report nothing at all.
"""

from decimal import Decimal
from math import ceil

import msgspec

from budgetd.metering.decoder import MOST, Count, Decoder
from budgetd.metering.readers.gemini import Modality, tokens_of
from budgetd.metering.tally import tally
from budgetd.metering.usage import Reading, Usage


class _Statistics(msgspec.Struct):
    """Counted with a decimal point, under two names."""

    token_count: Decimal | None = None
    camel_token_count: Decimal | None = msgspec.field(default=None, name="tokenCount")


class _Embedding(msgspec.Struct):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Embedding | None = None
    picture: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="bytesBase64Encoded")
    stored: str | None = msgspec.field(default=None, name="gcsUri")


class _Report(msgspec.Struct, rename="camel"):
    prompt_token_count: Count | None = None
    prompt_tokens_details: list[Modality] | None = None


class _Response(msgspec.Struct, rename="camel"):
    embedding: _Embedding | None = None
    embeddings: list[_Embedding] | None = None
    predictions: list[_Prediction] | None = None
    usage_metadata: _Report | None = None


_RESPONSES = Decoder(_Response)


class Reader:
    """Gathers what one response reports."""

    text = None

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._complete = False

    def event(self, document: bytes) -> None:
        """Nothing: embeddings are not streamed."""
        del document

    def whole(self, document: bytes) -> None:
        """Take the body of a response."""
        response = _RESPONSES.decode(document)
        if response is None:
            return
        self._usage = _usage(response)
        given = (response.embedding, response.embeddings, response.predictions)
        self._complete = self._usage is not None or any(each is not None for each in given)

    def reading(self) -> Reading:
        """All that is known so far. Complete without a usage where nothing is reported."""
        return Reading(usage=self._usage, complete=self._complete)


def _usage(response: _Response) -> Usage | None:
    report = response.usage_metadata
    if report is not None and report.prompt_token_count is not None:
        return _tokens(report.prompt_token_count, report.prompt_tokens_details or [])
    predictions = response.predictions or []
    images = sum(bool(bytes(each.picture)) or each.stored is not None for each in predictions)
    if images:
        return Usage(images=images)
    embeddings = [
        response.embedding,
        *(response.embeddings or ()),
        *(each.embeddings for each in predictions),
    ]
    counts = [each.statistics for each in embeddings if each is not None and each.statistics is not None]
    return _tokens(sum(map(_count, counts)), []) if counts else None


def _tokens(tokens: int, details: list[Modality]) -> Usage:
    return tally(
        input_tokens=tokens,
        cache_read=0,
        cache_write=0,
        input_audio=tokens_of("AUDIO", details),
        cache_read_audio=0,
        output_tokens=0,
        reasoning=0,
        output_audio=0,
        web_searches=0,
        input_image=tokens_of("IMAGE", details),
    )


def _count(statistics: _Statistics) -> int:
    given = statistics.camel_token_count if statistics.token_count is None else statistics.token_count
    if given is None or not given.is_finite() or given < 0:
        return 0
    return ceil(min(given, Decimal(MOST)))
