"""Batches of Anthropic Messages. Their results come later, one a line, each message with a usage of its own;
the answer to their creation has but their id.
"""

import msgspec

from budgetd.metering.asks.anthropic_batches import MOST_MODELS, TIER
from budgetd.metering.decoder import Decoder, name
from budgetd.metering.readers import anthropic
from budgetd.metering.tally import total
from budgetd.metering.usage import Reading, Usage


class _Result(msgspec.Struct):
    message: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    """A line of the results, or the batch itself."""

    type: str | None = None
    id: str | None = None
    result: _Result | None = None


_LINES = Decoder(_Line)


class Reader:
    """Gathers what the results of one batch report."""

    text = None

    def __init__(self) -> None:
        self._id = ""
        self._used: dict[str, Usage] = {}
        self._any = False
        self._geo = ""
        self._output_bytes = 0

    def event(self, document: bytes) -> None:
        """Take one line. What failed, expired or was cancelled bills nothing."""
        line = _LINES.decode(document)
        if line is None:
            return
        if line.result is None:
            self._id = (line.type == "message_batch" and line.id) or self._id
            return
        self._any = True
        message = anthropic.Reader()
        message.whole(bytes(line.result.message))
        self._add(message.reading())

    def whole(self, document: bytes) -> None:
        """Take a body of one document."""
        self.event(document)

    def reading(self) -> Reading:
        """All that is known so far. Complete once there are results: that all of them came, only the framing
        of the response tells.
        """
        (model, usage), *others = self._used.items() or (("", Usage()),)
        return Reading(
            usage=usage if self._any else None,
            others=tuple(others),
            complete=self._any,
            pending=not self._any and self._id != "",
            model=model,
            service_tier=TIER,
            geo=self._geo,
            response_id=name(self._id),
            output_bytes=self._output_bytes,
        )

    def _add(self, reading: Reading) -> None:
        self._output_bytes += reading.output_bytes
        self._geo = reading.geo or self._geo
        if reading.usage is None:
            return
        for model, usage in ((reading.model, reading.usage), *reading.others):
            known = model in self._used or len(self._used) < MOST_MODELS
            model = model if known else next(iter(self._used))
            self._used[model] = total(self._used.get(model, Usage()), usage)
