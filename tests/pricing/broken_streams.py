"""Recorded streams cut off on their way, what they had used by then, and what is guessed of it."""

import base64
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from budgetd.metering import Api, Ask, Reading, meter, peek
from budgetd.metering.decompress import inflate
from budgetd.pricing.answers import Answers, Writing
from budgetd.pricing.estimate import streamed_usage
from budgetd.pricing.families import answer_tokens_per_byte
from metering.corpus import Exchange
from metering.corpus import recorded as lines
from metering.test_corpus import APIS, header

ENDPOINTS = APIS | {
    "bedrock.converse": "bedrock.converse",
    "bedrock.converse-stream": "bedrock.converse",
    "bedrock.invoke": "bedrock.invoke",
    "cohere.v1.chat": "cohere.chat",
    "cohere.v2.chat": "cohere.chat",
    "ollama.chat": "ollama.generate",
    "ollama.generate": "ollama.generate",
}

LEAST_TOKENS = 20
"""Shorter answers are mostly envelope, and cost nothing to speak of."""

STEP = 16
"""Bytes of a stream that are fed at once: it is cut at the nearest of these."""


class Recorded(NamedTuple):
    """A response whose usage was reported."""

    exchange: Exchange
    ask: Ask
    reading: Reading
    body: bytes

    @property
    def tokens(self) -> int:
        """Output tokens that were billed."""
        return self.reading.usage.output_tokens


class Cut(NamedTuple):
    """A stream that ended before its report."""

    of: Recorded
    reading: Reading
    true_tokens: float


def recorded() -> list[Recorded]:
    """Every recorded answer of some length whose usage is known."""
    found: list[Recorded] = []
    for exchange in lines(*ENDPOINTS):
        api = ENDPOINTS[exchange["endpoint"]]
        if exchange["status"] != 200 or exchange["method"] != "POST":
            continue
        body = inflate(
            base64.b64decode(exchange["response_body"]), header(exchange, "content-encoding"), 1 << 26
        )
        assert body is not None
        reading = _read(api, body)
        ask = peek(api, exchange["path"], exchange["request_body"].encode())
        if reading.usage is not None and reading.usage.output_tokens >= LEAST_TOKENS and reading.output_bytes:
            found.append(Recorded(exchange, ask, reading, body))
    return found


def cuts(answer: Recorded, share: float) -> Iterator[Cut]:
    """The stream cut where so much of its text has come; nothing if its usage has come with it.

    What it had used by then nobody reported: all of its hidden reasoning, and of the rest a share like that
    of the bytes.
    """
    api = ENDPOINTS[answer.exchange["endpoint"]]
    total = answer.reading.output_bytes
    running = meter(api, "")
    for start in range(0, len(answer.body), STEP):
        running.feed(answer.body[start : start + STEP])
        if running.progress().output_bytes >= share * total:
            break
    reading = running.finish()
    if reading.complete and reading.usage is not None:
        return
    hidden = _hidden(answer)
    yield Cut(answer, reading, hidden + (answer.tokens - hidden) * reading.output_bytes / total)


def guesses(cut: Cut, others: Answers) -> dict[str, int]:
    """Each way's guess of the output; `others` is what was learned of all other answers."""
    ask = cut.of.ask
    learned = others.writing(ask.model, cut.reading.model or ask.model)
    by_bytes = msgspec.structs.replace(cut.reading, text_tokens=None)

    def guess(reading: Reading, writing: Writing | None) -> int:
        return streamed_usage(ask, reading, None, writing).output_tokens

    return {
        "bytes": guess(by_bytes, None),
        "bytes, learned": guess(by_bytes, learned),
        "tokens": guess(cut.reading, None),
        "tokens, learned": guess(cut.reading, learned),
    }


def learned_from(answers: list[Recorded], but: Recorded) -> Answers:
    """What all other answers teach."""
    learnt = Answers()
    for each in answers:
        if each is not but:
            learnt.observe(each.ask.model, each.reading.usage, each.reading.output_bytes)
    return learnt


def quantile(values: list[float], pct: int) -> float:
    """The least value that so many per cent do not exceed."""
    return sorted(values)[max(0, -(-len(values) * pct // 100) - 1)]


SHARES = {"a quarter": 0.25, "half": 0.5, "three quarters": 0.75, "all but the report": 1.0}
"""Where streams are cut, by how much of their text has come."""


def table() -> Iterator[str]:
    """The table of docs/estimates.md."""
    answers = recorded()
    streams = [each for each in answers if each.exchange["wire"] != "json"]
    yield "| had come | streams | guessed from | p10 | p50 | p90 | error p50 | error p90 | all together |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|"
    for name, share in SHARES.items():
        made = [cut for each in streams for cut in cuts(each, share)]
        known = [guesses(cut, learned_from(answers, cut.of)) for cut in made]
        for way in known[0]:
            yield _row(name, way, [guess[way] for guess in known], [cut.true_tokens for cut in made])


def _row(name: str, way: str, guessed: list[int], true: list[float]) -> str:
    pct = [100 * guess / tokens for guess, tokens in zip(guessed, true, strict=True)]
    errors = [abs(each - 100) for each in pct]
    figures = [quantile(pct, 10), quantile(pct, 50), quantile(pct, 90)]
    figures += [quantile(errors, 50), quantile(errors, 90), 100 * sum(guessed) / sum(true)]
    cells = " | ".join(f"{figure:.0f} %" for figure in figures)
    return f"| {name} | {len(pct)} | {way} | {cells} |"


def _read(api: Api, body: bytes) -> Reading:
    reader = meter(api, "")
    reader.feed(body)
    return reader.finish()


def _hidden(answer: Recorded) -> int:
    """Tokens of reasoning that did not stream: as `Answers` tells them apart."""
    seen = answer.reading.output_bytes * answer_tokens_per_byte(answer.ask.model)
    reasoning = answer.reading.usage.reasoning_tokens
    return reasoning if abs(seen - (answer.tokens - reasoning)) < abs(seen - answer.tokens) else 0
