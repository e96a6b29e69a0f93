"""Ollama's generate, chat and embed. A stream is a JSON document a line, the last of which holds the counts.

What of a prompt was still in memory is not counted, so that its count may be missing. Nothing is billed.
"""

import msgspec

from budgetd.metering.decoder import Count, Decoder, name
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading, Usage


class _Function(msgspec.Struct):
    arguments: msgspec.Raw = msgspec.Raw()


class _Call(msgspec.Struct):
    function: _Function | None = None


class _Text(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Document(msgspec.Struct):
    """A part of a stream, or a whole response."""

    model: str | None = None
    message: _Text | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    embeddings: msgspec.Raw = msgspec.Raw()


_DOCUMENTS = Decoder(_Document)


class Reader:
    """Gathers what one response reports."""

    def __init__(self) -> None:
        self._model = ""
        self._prompt: int | None = None
        self._output: int | None = None
        self._complete = False
        self.text = Text()

    def event(self, document: bytes) -> None:
        """Take one document of a stream, or the body of a response that is not streamed."""
        part = _DOCUMENTS.decode(document)
        if part is None:
            return
        self._model = part.model or self._model
        if part.prompt_eval_count is not None:
            self._prompt = part.prompt_eval_count
        if part.eval_count is not None:
            self._output = part.eval_count
        self._complete = self._complete or bool(part.done) or len(bytes(part.embeddings)) > 0
        self.text.add(part.response, part.thinking)
        if (message := part.message) is not None:
            self.text.add(message.content, message.thinking)
            for call in message.tool_calls or ():
                self.text.add_json(bytes(call.function.arguments) if call.function else b"")

    def whole(self, document: bytes) -> None:
        """Take the body of a response that is not streamed."""
        self.event(document)

    def reading(self) -> Reading:
        """All that is known so far."""
        counted = self._prompt is not None or self._output is not None
        usage = Usage(input_tokens=self._prompt or 0, output_tokens=self._output or 0)
        return Reading(
            usage=usage if counted else None,
            complete=self._complete,
            model=name(self._model),
            output_bytes=self.text.length,
        )
