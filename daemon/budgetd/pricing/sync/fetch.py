"""A published price list over HTTP. What its bytes mean is not known here.

Errors name the origin of the address only: what follows it may hold a token.
"""

import os
import ssl

import msgspec
from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
)
from yarl import URL

from budgetd.pricing.sync.errors import SyncError
from budgetd.tls import client_context

MOST_BYTES = 16 << 20
"""A longer list is not read; the longest published has a fifth of it."""

MOST_HOPS = 5
TOTAL_SECONDS = 120.0
SILENT_SECONDS = 20.0


class Fetched(msgspec.Struct, frozen=True):
    """A price list as it was sent."""

    content: bytes
    etag: str
    """Empty where the server gives none."""
    origin: str
    """Scheme and host it came from."""


async def fetch(
    url: str, etag: str = "", *, total_seconds: float = TOTAL_SECONDS, silent_seconds: float = SILENT_SECONDS
) -> Fetched | None:
    """What lies at the address; None if it still is what had this ``etag``. ``HTTPS_PROXY`` is honoured.

    Raises SyncError: no answer in time, no good one, one that is too long or broke off.
    """
    address = _address(url)
    where = origin(url)
    timeout = ClientTimeout(total=total_seconds, sock_connect=silent_seconds, sock_read=silent_seconds)
    try:
        connector = TCPConnector(ssl=client_context())
        async with ClientSession(trust_env=True, timeout=timeout, connector=connector) as session:
            return await _follow(session, address, etag)
    except TimeoutError:
        raise SyncError(f"{where} did not answer in time; try again later.") from None
    except ClientConnectorCertificateError as error:
        proof = error.certificate_error
        why = proof.verify_message if isinstance(proof, ssl.SSLCertVerificationError) else "not trusted"
        raise SyncError(f"{where} cannot prove who it is: {why}.") from None
    except (ClientError, OSError) as error:
        raise SyncError(f"{where} could not be read: {_reason(error)}.") from None


def origin(url: str) -> str:
    """Scheme and host of an address, which is all of it that may be shown."""
    return str(_address(url).origin())


async def _follow(session: ClientSession, address: URL, etag: str) -> Fetched | None:
    """Ask, and ask again where the same host says so."""
    headers = {"Accept": "application/json"} | ({"If-None-Match": etag} if etag else {})
    for _ in range(MOST_HOPS):
        async with session.get(address, headers=headers, allow_redirects=False) as response:
            if response.status == 304 and etag:
                return None
            if response.status == 200:
                content = await _content(response, address)
                return Fetched(content, response.headers.get("ETag", ""), str(address.origin()))
            address = _next(response, address)
    raise SyncError(f"{address.origin()} redirects without end.")


def _next(response: ClientResponse, address: URL) -> URL:
    """Where a redirection leads. Another host, or a way that others can read and change, is none of ours."""
    where = address.origin()
    target = response.headers.get("Location", "")
    if not (300 <= response.status < 400 and target):
        raise SyncError(f"{where} answered {response.status} {response.reason or ''}".rstrip() + ".")
    try:
        following = address.join(URL(target))
        same = following.scheme == "https" and following.origin() == where
    except ValueError:
        same = False
        following = address
    if not same:
        raise SyncError(
            f"{where} redirects elsewhere ({response.status}); if that is right, set the new address in"
            " `[pricing]` of config.toml."
        )
    return following


async def _content(response: ClientResponse, address: URL) -> bytes:
    pieces: list[bytes] = []
    length = 0
    async for piece in response.content.iter_any():
        length += len(piece)
        if length > MOST_BYTES:
            raise SyncError(
                f"{address.origin()} sends more than {MOST_BYTES >> 20} MiB, which is no price list."
            )
        pieces.append(piece)
    return b"".join(pieces)


def _address(url: str) -> URL:
    try:
        address = URL(url)
        if address.scheme in {"http", "https"} and address.host:
            return address
    except ValueError:
        pass
    raise SyncError("The address of a price list must begin with http:// or https://; see `[pricing]`.")


def _reason(error: ClientError | OSError) -> str:
    """What went wrong, without the address."""
    if not isinstance(error, OSError) or not error.strerror:
        return "the connection broke off"
    # asyncio puts an address into some of its words; those of name resolution have numbers below zero.
    words = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return words[:1].lower() + words[1:]
