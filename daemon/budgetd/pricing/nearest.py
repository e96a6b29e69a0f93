"""What a model's name says of it: who makes it, and which of the models on a list it is most like. Pure.

A name is split into words (``claude``, ``opus``; ``gpt``, ``mini``), which are its class, and the version in
between. Dates of snapshots, resource paths and vendors' prefixes are no part of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

import msgspec

MAKERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), provider)
    for pattern, provider in (
        (r"claude", "anthropic"),
        (
            r"(ft:)?(gpt|chatgpt|o[1-9](?![a-z0-9])|codex|computer-use|text-(embedding-(3|ada)|davinci)|davinci"
            r"|babbage|dall-e|whisper|tts-1|sora)",
            "openai",
        ),
        (r"gemini|gemma|imagen|veo", "google"),
        (r"grok", "xai"),
        (r"deepseek", "deepseek"),
        (r"(open-)?(mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral)", "mistral"),
        (r"command|embed-v|rerank|c4ai|aya", "cohere"),
        (r"kimi|moonshot", "moonshotai"),
        (r"glm", "zai"),
        (r"sonar|pplx", "perplexity"),
        (r"voyage", "voyageai"),
        (r"(nova|titan)-", "bedrock"),
    )
)
"""How the names of a maker's models begin, and the provider whose list has its prices."""

FALLBACK = "openrouter"
"""Whose list is looked through where no maker's is: it has models of nearly everyone."""

SAME_CLASS, WIDER_CLASS, GENERATION = range(3)
"""How near a relative is: a class and another version; a class with fewer words; any of the newest models of
the family."""

_VENDOR = re.compile(r"^([a-z][a-z0-9-]*/)*(models/)?([a-z][a-z-]*\.)*(?=[a-z])")
"""``us.anthropic.`` and ``publishers/anthropic/models/``: who offers a model, where."""
_TAIL = re.compile(r"(\[[^\]]*\]|@.*|-v\d+(:\d+)?|(?<!^ft):[^:]*)$")
"""``[1m]``, ``@20250929``, ``-v1:0``, ``:free``."""
_DATE = re.compile(r"(?<=[-_ ])(20\d\d-?\d\d-?\d\d|[01]\d-20\d\d|[01]\d-[0-3]\d|\d{4})(?=$|[-_@: ])")
_PART = re.compile(r"\d+(?:\.\d+)?(?:x\d+)?[bkm](?![a-z])|[a-z]+|\d+(?:\.\d+)*")
_NO_CLASS = frozenset(("beta", "chat", "codex", "exp", "experimental", "latest", "preview", "thinking", "v"))
"""Words that tell no models of different prices apart."""
_SPECIAL = frozenset(
    (
        *("audio", "computer", "embed", "embedding", "free", "image", "live", "moderation", "ocr", "oss"),
        *("realtime", "research", "robotics", "safeguard", "search", "speech", "transcribe", "translate"),
        *("tts", "video", "vision", "voice", "whisper"),
    )
)
"""Words of models that do something else than write: none is like a model without that word."""
_MOST_NUMBERS = 3


_Classes: TypeAlias = dict[frozenset[str], dict[tuple[int, ...], list[str]]]
"""Names of one family, by class and version."""


class _Name(msgspec.Struct, frozen=True):
    """A name, taken apart."""

    family: str
    words: frozenset[str]
    """The family among them."""
    version: tuple[int, ...]
    """Empty where it says none."""


def spellings(model: str) -> Iterator[tuple[str, str]]:
    """(provider, name) under which the list of a model's maker may have it; none where no maker is known."""
    bare = _bare(model)
    for pattern, provider in MAKERS:
        if pattern.match(bare):
            short = _trimmed(bare)
            for name in dict.fromkeys((bare, short, short.replace(".", "-"))):
                yield provider, name
            return


def maker(model: str) -> str:
    """The provider whose list has the prices of a model's maker; empty where its name tells no maker."""
    return next((provider for provider, _ in spellings(model)), "")


def relatives(model: str, names: Iterable[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Names of the models that one is most like, with how near they are, the nearest first; several where
    nothing tells which of them is meant. Of versions the next older one is the nearest, then the next newer.
    """
    wanted = _parsed(model)
    classes: _Classes = defaultdict(lambda: defaultdict(list))
    for name in names if wanted.family else ():
        other = _parsed(name)
        if other.family == wanted.family:
            classes[other.words][other.version].append(name)
    wider = [words for words in classes if len(words) > 1 and words < wanted.words]
    for words in (wanted.words, *sorted(wider, key=lambda words: (-len(words), sorted(words)))):
        how = SAME_CLASS if words == wanted.words else WIDER_CLASS
        versions = classes.get(words, {})
        yield from ((how, tuple(versions[each])) for each in _nearest_first(wanted.version, versions))
    yield from ((GENERATION, found) for found in _generations(wanted, classes))


def _generations(wanted: _Name, classes: _Classes) -> Iterator[tuple[str, ...]]:
    """Of each class that does the same kind of work the newest member, one generation after the other."""
    alike = [versions for words, versions in classes.items() if words & _SPECIAL == wanted.words & _SPECIAL]
    generations = {version[:1] for versions in alike for version in versions}
    for generation in _nearest_first(wanted.version[:1], generations):
        newest = [
            max((version for version in versions if version[:1] == generation), default=None)
            for versions in alike
        ]
        yield tuple(
            name
            for versions, version in zip(alike, newest, strict=True)
            if version is not None
            for name in versions[version]
        )


def _nearest_first(wanted: tuple[int, ...], versions: Iterable[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Those that are not newer, the newest first, then the newer ones; asked for none, the newest first."""
    ordered = sorted(versions)
    older = [version for version in ordered if version <= wanted] if wanted else ordered
    yield from reversed(older)
    yield from ordered[len(older) :]


@lru_cache(4_096)
def _parsed(model: str) -> _Name:
    parts = _PART.findall(_DATE.sub("", _trimmed(_bare(model))))
    words = [part for part in parts if not part[0].isdigit() or part[-1] in "bkm"]
    numbers = [
        int(number)
        for part in parts
        if part not in words
        # 4.20 is 4.2, not newer than 4.7.
        for number in (part.rstrip("0").rstrip(".") if "." in part else part).split(".")
    ][:_MOST_NUMBERS]
    while numbers and not numbers[-1]:
        numbers.pop()
    family = words[0] if words and words[0][0].isalpha() else ""
    return _Name(
        family, frozenset((family, *(word for word in words if word not in _NO_CLASS))), tuple(numbers)
    )


def _bare(model: str) -> str:
    """The name without what says who offers it."""
    return _VENDOR.sub("", model.lower().strip(), count=1)


def _trimmed(name: str) -> str:
    while (shorter := _TAIL.sub("", name, count=1)) != name:
        name = shorter
    return name
