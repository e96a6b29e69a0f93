"""Whether a model can take the place of another: only where both speak one dialect. Pure."""

import re

FAMILIES = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gpt|o\d|chatgpt|codex"), "openai"),
    (re.compile(r"gemini|gemma"), "gemini"),
)
"""What the names of models begin with, and the provider whose dialect they speak at home."""

PROVIDERS = {provider for _, provider in FAMILIES}


def same_dialect(fallback: str, model: str, provider: str) -> bool:
    """False if the models are known to be of different families; where the model's name tells none, if the
    provider is known to serve only another. Names may be globs.
    """
    ours = _family(fallback)
    theirs = _family(model) or (provider if provider in PROVIDERS else None)
    return ours is None or theirs is None or ours == theirs


def _family(model: str) -> str | None:
    return next((family for pattern, family in FAMILIES if pattern.match(model)), None)
