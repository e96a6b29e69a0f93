"""The keys that invoices are asked for with: found when they are needed, never kept, never shown."""

import importlib
from collections.abc import Mapping

from budgetd.reconcile.errors import ReconcileError

SERVICE = "budgettop"
"""What they are filed under in the system's keyring, with the provider as user."""

VARIABLES = {
    "anthropic": ("ANTHROPIC_ADMIN_KEY",),
    "openai": ("OPENAI_ADMIN_KEY",),
    "openrouter": ("OPENROUTER_PROVISIONING_KEY", "OPENROUTER_API_KEY"),
}
"""Where they are looked for first, by provider."""

PROVIDERS = tuple(VARIABLES)


def find_key(provider: str, environ: Mapping[str, str]) -> str:
    """The key of a provider, from the environment or the system's keyring. Raises ReconcileError that says
    how to give one.
    """
    for name in VARIABLES[provider]:
        if key := environ.get(name, "").strip():
            return _checked(key, f"${name}")
    if key := _from_keyring(provider).strip():
        return _checked(key, "the keyring")
    raise ReconcileError(_missing(provider))


def keys_at_hand(environ: Mapping[str, str]) -> list[str]:
    """The providers that have a key in the environment or, if none has, in the keyring. Raises ReconcileError
    where there is none at all.
    """
    named = [
        provider
        for provider, names in VARIABLES.items()
        if any(environ.get(name, "").strip() for name in names)
    ]
    if found := named or [provider for provider in PROVIDERS if _from_keyring(provider)]:
        return found
    names = ", ".join(names[0] for names in VARIABLES.values())
    raise ReconcileError(f"No key for anybody's invoices: set one of {names}, or give an export with --file.")


def _missing(provider: str) -> str:
    name = VARIABLES[provider][0]
    return (
        f"No key for invoices of {provider}: set {name}, or file it in the system's keyring with"
        f" `keyring set {SERVICE} {provider}` (which needs the package `keyring`). A key that sends requests"
        " does not do: it takes an admin key. Or give an exported invoice with --file."
    )


def _checked(key: str, where: str) -> str:
    if key.isascii() and key.isprintable() and " " not in key:
        return key
    raise ReconcileError(f"The key in {where} holds characters that no key has; set it anew.")


def _from_keyring(provider: str) -> str:
    """Empty where there is none, or no keyring."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return ""
    try:
        return keyring.get_password(SERVICE, provider) or ""
    except keyring.errors.KeyringError as error:
        raise ReconcileError(
            f"The system's keyring cannot be read ({type(error).__name__}); set"
            f" {VARIABLES[provider][0]} instead."
        ) from None
