"""One name for a model that each provider spells its own way. Pure.

OpenRouter's ``anthropic/claude-opus-4.8``, Bedrock's ``us.anthropic.claude-opus-4-8-v1:0``, Vertex AI's
``claude-opus-4-8@20260101`` and Anthropic's own ``claude-opus-4-8`` are one model. The price list of its
maker says so, once what a provider has put around the name is taken off.
"""

import re
from collections.abc import Callable

_MAKERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gpt-|chatgpt|codex|o\d|text-embedding|dall-e|whisper|tts-"), "openai"),
    (re.compile(r"gemini"), "google"),
    (re.compile(r"grok"), "x-ai"),
    (re.compile(r"(open-)?(mi(s|x|nis)tral|codestral|devstral|magistral|pixtral)"), "mistral"),
    (re.compile(r"command"), "cohere"),
    (re.compile(r"deepseek(?!.*(distill|:\d+b))"), "deepseek"),
)
"""How the names of models begin, and the provider whose price list says which model that is."""

_PATH = re.compile(r"^.*/")
_DOTTED = re.compile(r"^([a-z-]+\.)?(anthropic|cohere|deepseek|google|mistral|openai)\.")
"""A maker with a dot, perhaps behind a region: ``us.anthropic.``."""
_BEHIND = re.compile(r"(-v?\d+)?:\d+$|:[\w.-]+$")
"""The number of Bedrock's revision (``-v1:0``), or OpenRouter's variant (``:free``)."""
_SNAPSHOT = re.compile(r"([-@]20\d\d-?\d\d-?\d\d)?(-v\d+)?(@\w+)?(\[\w+\])?$")
"""What tells a snapshot, a revision or a window of a model that is on no price list yet."""


def canonical_name(provider: str, model: str, find: Callable[[str, str], str]) -> str:
    """The price book's name of a model, the same however it is spelt; the name itself where nobody knows it.

    Args:
        provider: whose request it is.
        model: as the request names it.
        find: gives the name by which a provider's price list has a model; empty if it has none.
    """
    listed = find(provider, model)
    if model.startswith("ft:"):
        return listed or model
    unlisted = ""
    for spelling in (model, listed):
        name = _DOTTED.sub("", _PATH.sub("", spelling.lower()))
        bare = _BEHIND.sub("", name)
        for begins, maker in _MAKERS:
            if begins.match(name):
                if known := find(maker, bare):
                    return known
                unlisted = unlisted or _unlisted(bare)
    return unlisted or listed or model


def _unlisted(bare: str) -> str:
    """A model that its maker's price list does not have yet. Anthropic's own names have no dots."""
    name = _SNAPSHOT.sub("", bare)
    return name.replace(".", "-") if name.startswith("claude") else name
