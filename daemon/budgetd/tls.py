"""Whom budgetd trusts when it asks over TLS.

Those are the certificate authorities of the system, or of `SSL_CERT_FILE` in their place, and besides them
those of `NODE_EXTRA_CA_CERTS`: clients honour that too, so that one setting serves both where TLS is
inspected on the way. A file that cannot be read adds nobody, and never makes budgetd check less.
"""

import os
import ssl
from functools import lru_cache

IN_PLACE, BESIDES = "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"


def client_context() -> ssl.SSLContext:
    """What to connect with. Not to be changed by its user."""
    return _context(os.environ.get(IN_PLACE, ""), os.environ.get(BESIDES, ""))


def problems() -> list[str]:
    """What is wrong with the files that the environment names, a sentence each."""
    found: list[str] = []
    for name in (IN_PLACE, BESIDES):
        path = os.environ.get(name, "")
        if why := _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path):
            found.append(f"{name} names {path}, which {why}. Correct it and start budgetd again")
    return found


def advice() -> str:
    """What to do where a certificate is not trusted."""
    return ". ".join(problems()) or (
        f"If your network inspects TLS, set {BESIDES} to the file of its certificate authority"
        " and start budgetd again"
    )


@lru_cache(maxsize=1)
def _context(in_place: str, besides: str) -> ssl.SSLContext:
    """It takes a while to make, so that it is made once."""
    del in_place  # which OpenSSL itself reads
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    _load(context, besides)
    return context


def _load(context: ssl.SSLContext, path: str) -> str:
    """Trust the authorities of a file too, if one is named; why they cannot be read."""
    try:
        if path:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "does not hold certificates in PEM form"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return ""
