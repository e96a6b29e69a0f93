"""How the classes of rates are called and shown to a person: dollars for a million, a thousand, one. Pure."""

from decimal import Decimal
from typing import NamedTuple

_DOLLAR = 24
"""A rate counts 10**-24 dollars."""


class RateName(NamedTuple):
    """A class of rates in words."""

    label: str
    exponent: int = 6
    """Its price is told for 10**exponent of them."""
    per: str = "M"
    """What that many are called."""


NAMES: dict[str, RateName] = {
    "fresh_input": RateName("input"),
    "cache_read": RateName("cache read"),
    "cache_write": RateName("cache write"),
    "cache_write_1h": RateName("cache write 1h"),
    "output": RateName("output"),
    "reasoning": RateName("reasoning"),
    "audio_input": RateName("audio input"),
    "audio_cache_read": RateName("audio cache read"),
    "audio_output": RateName("audio output"),
    "image_input": RateName("image input"),
    "image_cache_read": RateName("image cache read"),
    "image_output": RateName("image output"),
    "web_search": RateName("web search", 3, "1k"),
    "file_search": RateName("file search", 3, "1k"),
    "search_unit": RateName("rerank", 3, "1k"),
    "image": RateName("picture", 0, "each"),
    "character": RateName("speech", 6, "M chars"),
    "audio_ms": RateName("sound", 3, "second"),
    "request": RateName("request", 0, "each"),
}
"""Every class of `Rates`, and what a request costs on top, in the order in which they are shown."""


def dollars(rate: int, name: str) -> str:
    """A rate as an exact amount for as many as it is told for: ``$2.50``, ``$0.075``, ``$0``."""
    if not rate:
        return "$0"
    whole, _, part = f"{Decimal(rate).scaleb(NAMES[name].exponent - _DOLLAR).normalize():f}".partition(".")
    return f"${int(whole):,}.{part:0<2}"
