"""What requests are likely to use, learned from those that were settled. Pure: the time is passed in.

Of each model: tokens per byte, and how long answers are. Of each session: what its last requests used, for
the next one is mostly the last one again with a little added, and most of it is read from a cache.
What has been learned lies in memory alone, within bounds; after a start it is learned again from the ledger.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import msgspec

from budgetd.metering.usage import Ask, Usage
from budgetd.pricing.answers import Answers, Writing
from budgetd.pricing.families import (
    EXPECTED_OUTPUT,
    answers,
    beside,
    capped,
    family_usage,
    tokens_per_byte,
)
from budgetd.pricing.means import Mean, Ratio

KEPT_MODELS = 256
KEPT_THREADS = 1_024
"""Sessions, once for each model they use."""
KEPT_REQUESTS = 8
"""Requests kept of a thread: as many conversations may take turns in it."""

KEPT_OUTPUTS = 64
OUTPUT_PCT = 75
"""Of a model's recent answers so many per cent were no longer than what is expected: reserving for fewer
would run over too often, reserving for the longest would keep others out."""
PRIOR_OUTPUTS = 3
"""As many answers of the usual length are taken to have come before a model's first one."""

PRIOR_BYTES = 8_192
"""What was known before weighs as much as so many bytes that were seen."""
LEAST_RATIO = 0.25
"""Bodies full of pictures make few tokens of their bytes, and the next one may be text: of a request that
continues none, no less is expected than this part of its family's tokens."""

CACHE_SECONDS = 300.0
LONG_CACHE_SECONDS = 3_600.0
"""How long a provider is sure to keep what it cached."""
SHRUNK = 1.05
"""A body smaller by this factor may still continue a conversation; a yet smaller one is a new one."""


class Settled(NamedTuple):
    """A row of the ledger to learn from, if the provider reported its usage, which its basis tells."""

    model: str
    session: str
    request_bytes: int
    settled_at: float
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    output_audio_tokens: int
    output_image_tokens: int
    output_bytes: int
    basis: str


class Learner:
    """Learns from every settled request and expects of the next one."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, _Model] = OrderedDict()
        self._threads: OrderedDict[tuple[str, str], _Thread] = OrderedDict()
        self._answers = Answers()

    def seed(self, rows: Iterable[Settled]) -> None:
        """Learn from the ledger; the newest row last. Bodies may have been compressed when they were counted,
        which the first request of a session puts right."""
        for row in rows:
            if row.basis not in {"reported", "billed"}:
                continue
            usage = Usage(
                input_tokens=row.input_tokens,
                cache_read_tokens=row.cache_read_tokens,
                cache_write_tokens=row.cache_write_tokens,
                output_tokens=row.output_tokens,
                reasoning_tokens=row.reasoning_tokens,
                output_audio_tokens=row.output_audio_tokens,
                output_image_tokens=row.output_image_tokens,
            )
            ask = Ask(model=row.model, body_bytes=row.request_bytes)
            self.observe(ask, row.session, usage, row.settled_at, row.output_bytes)

    def observe(self, ask: Ask, session: str, usage: Usage, at: float, output_bytes: int = 0) -> None:
        """Learn from a request whose usage was reported.

        Args:
            ask: what was asked for.
            session: of the client.
            usage: what was reported.
            at: when it was settled, UTC epoch seconds.
            output_bytes: of what was generated; 0 where that was not seen.
        """
        self._answers.observe(ask.model, usage, output_bytes)
        if not ask.understood or ask.body_bytes <= 0 or usage.input_tokens <= 0:
            return
        model = self._model(ask.model)
        model.observe_output(ask, usage.output_tokens)
        model.observe_input(ask, usage.input_tokens)
        self._thread(session, ask.model, model).observe(ask, usage, at, model)

    def expect(self, ask: Ask, session: str, at: float) -> Usage:
        """What a request is likely to use; what its family does while nothing has been learned of its model.

        A session's first request is expected to read nothing from a cache.
        """
        model = self._models.get(ask.model)
        if model is None or not ask.understood:
            return family_usage(ask)
        thread = self._threads.get((session, ask.model))
        before = thread and thread.before(ask.body_bytes)
        if thread and before:
            tokens = thread.input_after(before, ask.body_bytes)
            read = int(min(before.cached, tokens) * thread.hit(before, model)) if before.warm(ask, at) else 0
            written = int((tokens - read) * thread.written.value)
        else:
            tokens, read = model.input_of(ask), 0
            written = int(tokens * model.written.value)
        return msgspec.structs.replace(
            beside(ask),
            input_tokens=tokens,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=written if ask.cache_write_1h else 0,
            output_tokens=capped(model.output * answers(ask), ask.output_cap),
        )

    def writing(self, model: str, family: str) -> Writing:
        """What the bytes of a model's answers stand for: see `Answers.writing`."""
        return self._answers.writing(model, family)

    def correct(self, model: str, factor_pct: int) -> None:
        """An invoice showed how far off the estimates of a model's output are: see `Answers.correct`."""
        self._answers.correct(model, factor_pct)

    def _model(self, name: str) -> "_Model":
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = _Model(name)
            if len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(name)
        return model

    def _thread(self, session: str, name: str, model: "_Model") -> "_Thread":
        key = (session, name)
        thread = self._threads.get(key)
        if thread is None:
            thread = self._threads[key] = _Thread(model.ratio.value)
            if len(self._threads) > KEPT_THREADS:
                self._threads.popitem(last=False)
        self._threads.move_to_end(key)
        return thread


class _Model:
    """What is known of a model, whoever uses it."""

    __slots__ = ("_outputs", "beyond", "hit", "least_ratio", "output", "ratio", "written")

    def __init__(self, name: str) -> None:
        family = tokens_per_byte(name)
        self.ratio = Ratio(family, PRIOR_BYTES)
        self.least_ratio = family * LEAST_RATIO
        self.beyond = Mean(last=16)
        """Input tokens from outside the body, of the requests that refer to some."""
        self.written = Mean(last=16)
        """The part of a conversation's first request that is written to a cache."""
        self.hit = Mean(last=16)
        """The part of what a cache could give that it gives, where the provider caches unasked."""
        self._outputs = deque([EXPECTED_OUTPUT] * PRIOR_OUTPUTS, maxlen=KEPT_OUTPUTS)
        self.output = EXPECTED_OUTPUT
        """Output tokens expected of one choice."""

    def observe_output(self, ask: Ask, tokens: int) -> None:
        each = tokens // answers(ask)
        if ask.output_cap is not None and tokens >= ask.output_cap:
            each = max(each, self.output)  # it was cut off: how long it would have been is not known
        self._outputs.append(each)
        recent = sorted(self._outputs)
        quantile = recent[-(-len(recent) * OUTPUT_PCT // 100) - 1]
        # Where a few answers are very long, many requests at once come to the mean each, not to a quantile.
        self.output = max(quantile, sum(recent) // len(recent))

    def observe_input(self, ask: Ask, tokens: int) -> None:
        if _refers(ask):
            self.beyond.add(max(0, tokens - int(ask.body_bytes * self.ratio.value)))
        elif tokens <= ask.body_bytes:  # more can't be its text alone, or its bytes are compressed ones
            self.ratio.add(tokens, ask.body_bytes)

    def input_of(self, ask: Ask) -> int:
        tokens = ask.body_bytes * max(self.ratio.value, self.least_ratio)
        return ceil(tokens + self.beyond.value if _refers(ask) else tokens)


class _Request(NamedTuple):
    """What one request of a thread used."""

    body_bytes: int
    input_tokens: int
    cached: int
    """Input tokens that the next request can read from a cache."""
    asked: bool
    """They were written to the cache because the client asked for it."""
    at: float

    def warm(self, ask: Ask, at: float) -> bool:
        """Whether a request now finds them in the cache."""
        return abs(at - self.at) <= (LONG_CACHE_SECONDS if ask.cache_write_1h else CACHE_SECONDS)


class _Thread:
    """The last requests of a session to a model: one conversation, or a few that take turns."""

    __slots__ = ("_asked", "_growth", "_hit", "_requests", "written")

    def __init__(self, ratio: float) -> None:
        self._requests: deque[_Request] = deque(maxlen=KEPT_REQUESTS)
        self._growth = Ratio(ratio, PRIOR_BYTES)
        self._hit = Mean(last=4)
        self._asked = False
        self.written = Mean(last=4)
        """The part of the input not read from a cache that is written to it."""

    def before(self, body_bytes: int) -> _Request | None:
        """The request that a body continues: the longest of those no longer than it, the newest of equals."""
        most = body_bytes * SHRUNK
        fitting = (each for each in reversed(self._requests) if each.body_bytes <= most)
        return max(fitting, key=lambda each: each.body_bytes, default=None)

    def input_after(self, before: _Request, body_bytes: int) -> int:
        """Input tokens of a body that continues a request."""
        grown = body_bytes - before.body_bytes
        if grown <= 0:
            return ceil(before.input_tokens * body_bytes / before.body_bytes)
        return before.input_tokens + ceil(grown * self._growth.value)

    def hit(self, before: _Request, model: _Model) -> float:
        """The part of what a cache could give that it is expected to give."""
        if self._hit.count:
            return self._hit.value
        return 1.0 if before.asked else model.hit.value

    def observe(self, ask: Ask, usage: Usage, at: float, model: _Model) -> None:
        before = self.before(ask.body_bytes)
        fresh = usage.input_tokens - usage.cache_read_tokens
        written = min(1.0, usage.cache_write_tokens / fresh) if fresh > 0 else None
        if before is None:
            if written is not None:
                model.written.add(written)
        else:
            grown = ask.body_bytes - before.body_bytes
            added = usage.input_tokens - before.input_tokens
            if grown > 0 and 0 <= added <= grown:
                self._growth.add(added, grown)
            readable = min(before.cached, usage.input_tokens)
            if readable > 0 and before.warm(ask, at):
                hit = min(1.0, usage.cache_read_tokens / readable)
                self._hit.add(hit)
                if not before.asked:
                    model.hit.add(hit)
        if written is not None:
            self.written.add(written)
        self._asked = self._asked or usage.cache_write_tokens > 0
        cached = usage.cache_read_tokens + usage.cache_write_tokens if self._asked else usage.input_tokens
        self._requests.append(_Request(ask.body_bytes, usage.input_tokens, cached, self._asked, at))


def _refers(ask: Ask) -> bool:
    """Whether input may come from outside the body."""
    return ask.open_input or ask.server_tool_uses != 0
