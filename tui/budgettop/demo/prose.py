"""Invented text of a wanted length: what the agents send and the provider answers. It means nothing.

It is plain ASCII at four bytes a token, so that sizes, speeds and usage can be exact.
"""

from random import Random

BYTES_PER_TOKEN = 4

_SUBJECTS = (
    "The handler", "This test", "The retry loop", "Each worker", "The parser", "The cache",
    "A request", "The migration", "The queue", "The scheduler", "The new index", "Our client",
)  # fmt: skip
_VERBS = ("reads", "keeps", "checks", "writes", "skips", "returns", "holds", "counts", "sorts", "drops")
_OBJECTS = (
    "the pending rows", "an empty batch", "the last cursor", "every invoice line", "the open sessions",
    "one message at a time", "a stale entry", "the deadline of a request", "both time zones",
)  # fmt: skip
_ENDS = (
    "before the lock is released", "when the page is full", "as the specification asks", "only once",
    "until the stream ends", "so that the order stays stable", "which the old code did twice",
)  # fmt: skip


def _stock(length: int) -> str:
    rng = Random(2)  # noqa: S311 - variety, not secrecy
    sentences: list[str] = []
    size = 0
    while size < length:
        choices = (_SUBJECTS, _VERBS, _OBJECTS, _ENDS)
        sentence = " ".join(rng.choice(words) for words in choices) + ". "
        sentences.append(sentence)
        size += len(sentence)
    return "".join(sentences)


_STOCK = _stock(64 * 1024)


def prose(rng: Random, tokens: int) -> str:
    """Return text of exactly that many tokens, cut from one long stock (which is cheap)."""
    length = tokens * BYTES_PER_TOKEN
    start = rng.randrange(len(_STOCK))
    text = _STOCK[start : start + length]
    while len(text) < length:
        text += _STOCK[: length - len(text)]
    return text


def token_count(size: int) -> int:
    """Return how many tokens that many bytes are."""
    return -(-size // BYTES_PER_TOKEN)
