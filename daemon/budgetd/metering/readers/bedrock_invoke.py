"""Bedrock's InvokeModel: each maker's models answer in their own shape, here told by what is in it.

In a stream each message holds an event of the model in base64, and the last of them what Bedrock itself
counted, whichever model it was. Not streamed, the response's headers hold that, and some models (Cohere's,
older ones of Mistral) report nothing in the body.
"""

import binascii
from collections.abc import Callable

import msgspec

from budgetd.metering.decoder import Count, Decoder, count
from budgetd.metering.readers import anthropic, bedrock, openai_chat
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage

_RAW = msgspec.Raw()


class _Message(msgspec.Struct):
    bytes: str | None = None


class _Metrics(msgspec.Struct, rename="camel"):
    input_token_count: Count | None = None
    output_token_count: Count | None = None
    cache_read_input_token_count: Count | None = None
    cache_write_input_token_count: Count | None = None


class _Text(msgspec.Struct):
    text: str | None = None


class _Titan(msgspec.Struct, rename="camel"):
    """An event, or a part of a whole response."""

    output_text: str | None = None
    token_count: Count | None = None
    input_text_token_count: Count | None = None
    total_output_text_token_count: Count | None = None


class _Document(_Titan):
    """What tells the shapes apart, and what is read of those that have no reader of their own."""

    metrics: _Metrics | None = msgspec.field(default=None, name="amazon-bedrock-invocationMetrics")
    # Anthropic's
    type: str | None = None
    # OpenAI's, and whoever speaks its dialect
    choices: msgspec.Raw = _RAW
    # Nova: Converse's shape, but each event is within an object that names it
    output: msgspec.Raw = _RAW
    content_block_delta: msgspec.Raw = msgspec.field(default=_RAW, name="contentBlockDelta")
    metadata: msgspec.Raw = _RAW
    # Titan
    results: list[_Titan] | None = None
    # Llama
    prompt_token_count: Count | None = msgspec.field(default=None, name="prompt_token_count")
    generation_token_count: Count | None = msgspec.field(default=None, name="generation_token_count")
    generation: str | None = None
    # Mistral's and Cohere's
    outputs: list[_Text] | None = None
    generations: list[_Text] | None = None
    text: str | None = None


_MESSAGES = Decoder(_Message)
_DOCUMENTS = Decoder(_Document)


class Reader:
    """Gathers what one response reports."""

    def __init__(self, header: Callable[[bytes], str] | None = None) -> None:
        """``header`` gives one of the response's, by its lower-case name."""
        self._inner: anthropic.Reader | bedrock.Reader | openai_chat.Reader | None = None
        self._in_headers = _in_headers(header) if header else None
        self._metrics: _Metrics | None = None
        self._input: int | None = None
        self._output: int | None = None
        self._complete = False
        self._text = Text()

    def event(self, document: bytes) -> None:
        """Take one message of a streamed response."""
        message = _MESSAGES.decode(document)
        if message is None or message.bytes is None:
            return
        try:
            event = binascii.a2b_base64(message.bytes)
        except ValueError:
            return
        part = _DOCUMENTS.decode(event)
        if part is None:
            return
        self._metrics = part.metrics or self._metrics
        inner = self._reader(part)
        if inner is not None:
            inner.event(bytes(part.content_block_delta) or bytes(part.metadata) or event)
            return
        self._take(part)
        self._complete = self._complete or part.total_output_text_token_count is not None

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        self._metrics = self._in_headers
        part = _DOCUMENTS.decode(document)
        if part is None:
            return
        inner = self._reader(part)
        if inner is not None:
            inner.whole(document)
            return
        self._take(part)
        self._complete = self._input is not None

    @property
    def text(self) -> Text:
        """What is generated."""
        return self._text if self._inner is None else self._inner.text

    def reading(self) -> Reading:
        """All that is known so far. Prices go by the model in the path, so none is named."""
        if self._inner is not None:
            reading = self._inner.reading()
            if self._metrics is None or (reading.complete and reading.usage is not None):
                return msgspec.structs.replace(reading, model="")
        if self._metrics is not None:
            return Reading(usage=_counted(self._metrics), complete=True, output_bytes=self.text.length)
        reported = self._input is not None or self._output is not None
        usage = Usage(input_tokens=self._input or 0, output_tokens=self._output or 0)
        return Reading(
            usage=usage if reported else None, complete=self._complete, output_bytes=self.text.length
        )

    def _reader(self, part: _Document) -> "anthropic.Reader | bedrock.Reader | openai_chat.Reader | None":
        """Who reads this shape; the first document that tells decides."""
        if self._inner is None:
            if part.type is not None:
                self._inner = anthropic.Reader()
            elif part.choices:
                self._inner = openai_chat.Reader()
            elif part.output or part.content_block_delta or part.metadata:
                self._inner = bedrock.Reader()
        return self._inner

    def _take(self, part: _Document) -> None:
        into = part.prompt_token_count if part.input_text_token_count is None else part.input_text_token_count
        self._input = self._input if into is None else into
        results = part.results or ()
        out = part.generation_token_count
        if part.total_output_text_token_count is not None:
            out = part.total_output_text_token_count
        elif results:
            out = sum(each.token_count or 0 for each in results)
        self._output = self._output if out is None else out
        texts = [each.text for each in (*(part.outputs or ()), *(part.generations or ()))]
        self._text.add(part.output_text, part.generation, part.text, *texts)
        self._text.add(*(each.output_text for each in results))


def _in_headers(header: Callable[[bytes], str]) -> _Metrics | None:
    """What Bedrock counted of a response that is not streamed; None if it does not say."""
    names = (b"input", b"output", b"cache-read-input", b"cache-write-input")
    counts = [count(header(b"x-amzn-bedrock-%b-token-count" % each)) for each in names]
    return None if counts[0] is None else _Metrics(*counts)


def _counted(metrics: _Metrics) -> Usage:
    read, written = metrics.cache_read_input_token_count or 0, metrics.cache_write_input_token_count or 0
    return Usage(
        input_tokens=(metrics.input_token_count or 0) + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=metrics.output_token_count or 0,
    )
