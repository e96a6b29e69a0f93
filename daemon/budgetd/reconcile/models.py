"""One name for a model that the invoice and the ledger call differently. Pure."""

import re

_DATES = re.compile(r"(\s*[-@]20\d\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01]))+$", re.ASCII)
"""The date of a snapshot: gpt-5.4-2026-03-05, claude-haiku-4-5-20251001, claude-haiku-4-5@20251001."""


def family(model: str) -> str:
    """The name that a model is compared by: in lower case, without the date of its snapshot.

    An invoice may say ``gpt-5.4`` where the provider answered with ``gpt-5.4-2026-03-05``. All snapshots of a
    name are therefore compared together, on both sides.
    """
    return _DATES.sub("", model.strip().lower())
