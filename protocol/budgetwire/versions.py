"""Whether two sides may talk, and which to upgrade if not."""


def disagreement(*, daemon: str, client: str) -> str:
    """Say why two sides of these protocol versions cannot talk, and what to do; empty if they can."""
    older, newer = _major(daemon), _major(client)
    if older is None or newer is None:
        return (
            f"A version is written like 1.0; the daemon says {daemon[:20]!r} and the client {client[:20]!r}."
        )
    if older == newer:
        return ""
    advice = (
        "The daemon is older: upgrade budgettop where budgetd runs from, then restart budgetd."
        if older < newer
        else "The client is older: upgrade it (for budgettop, where it is started from)."
    )
    return f"The daemon speaks protocol {daemon} and the client {client[:20]}. {advice}"


def _major(version: str) -> int | None:
    head = version[:20].split(".", 1)[0]
    return int(head) if head.isascii() and head.isdigit() else None
