"""What the visible part of an answer says of the tokens it is billed for: learned of each model from answers
whose usage was reported, for those whose usage never comes. Pure.

Reasoning that is not shown leaves no bytes. It comes before the answer, so that an answer that broke off has
been billed for all of it: what is learned is how much an answer has, not how much to each visible token.
"""

from collections import OrderedDict
from typing import NamedTuple

from budgetd.metering.usage import Usage
from budgetd.pricing.families import answer_tokens_per_byte, family_hidden
from budgetd.pricing.means import Mean, Ratio

KEPT_MODELS = 256
PRIOR_BYTES = 2_048
"""What is known of a family weighs as much as so many bytes of a model's answers."""
PRIOR_ANSWERS = 3
"""And as so many answers, as to what they hide."""
LAST_ANSWERS = 32

LEAST_PCT, MOST_PCT = 25, 400
"""Bounds of a correction."""


class Writing(NamedTuple):
    """How a model's answers look when they are billed."""

    tokens_per_byte: float
    """Of what streams."""
    hidden: float
    """Tokens of an answer that never stream."""
    correction_pct: int = 100
    """What an invoice showed its estimates to be off by."""


class Answers:
    """Learns how each model writes."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, _Model] = OrderedDict()
        self._corrections: OrderedDict[str, int] = OrderedDict()

    def observe(self, model: str, usage: Usage, output_bytes: int) -> None:
        """Learn from an answer whose usage was reported, and of which so many bytes were seen."""
        tokens = usage.output_tokens - usage.output_audio_tokens - usage.output_image_tokens
        if output_bytes <= 0 or tokens <= 0:
            return
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = _Model(model)
            if len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(model)
        known.observe(tokens, min(usage.reasoning_tokens, tokens), output_bytes)

    def writing(self, model: str, family: str) -> Writing:
        """How a model writes, or its family while nothing was learned.

        Args:
            model: as it was asked for, which is the name that is learned by.
            family: the name it answered by: the other may be one's own word for it.
        """
        correction = self._corrections.get(model, 100)
        known = self._models.get(model)
        if known is None:
            return Writing(answer_tokens_per_byte(family), family_hidden(family), correction)
        return Writing(known.ratio.value, known.hidden.value, correction)

    def correct(self, model: str, factor_pct: int) -> None:
        """An invoice showed that what is estimated of a model's output is off by this factor, in per cent.

        Factors multiply: each is of estimates that the ones before it had already put right. All together
        stay within 25 and 400.
        """
        pct = self._corrections.pop(model, 100) * factor_pct // 100
        self._corrections[model] = min(max(pct, LEAST_PCT), MOST_PCT)
        if len(self._corrections) > KEPT_MODELS:
            self._corrections.popitem(last=False)


class _Model:
    """What is known of a model's answers."""

    __slots__ = ("hidden", "ratio")

    def __init__(self, name: str) -> None:
        self.ratio = Ratio(answer_tokens_per_byte(name), PRIOR_BYTES)
        self.hidden = Mean(LAST_ANSWERS, family_hidden(name), PRIOR_ANSWERS)

    def observe(self, tokens: int, reasoning: int, length: int) -> None:
        seen = length * self.ratio.value
        # Some models show their reasoning, some do not: what streamed tells, by how much it is.
        hidden = reasoning if abs(seen - (tokens - reasoning)) < abs(seen - tokens) else 0
        self.hidden.add(hidden)
        if tokens - hidden <= length:  # more can't be the text alone
            self.ratio.add(tokens - hidden, length)
