"""`[pricing]` of config.toml: where prices come from and what an unknown model counts as."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from budgetd.pricing.overrides import OverrideSection

UnknownModel = Literal["nearest", "ceiling", "refuse", "allow"]


class PricingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[pricing]`."""

    unknown_model: UnknownModel = "nearest"
    """nearest: it counts at the price of the model that its name is most like (else at the provider's
    dearest), and an alert says so; ceiling: it counts at the provider's dearest; refuse: it is refused;
    allow: it passes, and counts at the ceiling once it is answered.
    """
    sync: Literal["off", "daily"] = "off"
    """daily: new models and higher prices are taken over by themselves; the rest waits for a person."""
    genai_url: str | None = None
    litellm_url: str | None = None
    stale_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """Prices older than this fire an alert."""
    overrides: dict[str, OverrideSection] = {}
    """By provider/model, globs allowed."""
