"""An HTTP endpoint: one POST a message, signed as Standard Webhooks says where there is a secret."""

import os
import ssl
from importlib.metadata import version

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientError,
    ClientHttpProxyError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    InvalidURL,
    ServerDisconnectedError,
)

from budgetd.alerts.backoff import retry_after
from budgetd.alerts.channels.channel import Delivered, Failed, Gone, Message, Retry, Verdict
from budgetd.alerts.channels.signature import key_of, sign
from budgetd.alerts.target import Kept, TargetError, is_local, is_safe, origin, plain, secrets_in
from budgetd.tls import client_context

USER_AGENT = f"budgetd/{version('budgettop')}"

MOST_ANSWER = 2048
"""Bytes of an answer that are read, for what it may say of an error."""

AGAIN = {408, 429}
"""Statuses below 500 that say nothing about the next attempt."""


class Webhook:
    """A `Channel`."""

    def __init__(self, url: Kept, secret: Kept | None, timeout_seconds: float) -> None:
        """
        Args:
            url: https, or http to this machine. Read at each attempt, as the secret is.
            secret: to sign with; None leaves messages unsigned.
            timeout_seconds: for an attempt as a whole.
        """
        self._url = url
        self._secret = secret
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """See `Channel`."""
        try:
            return origin(self._address())
        except TargetError:
            return f"{self._url.what} not found"

    async def deliver(self, message: Message, now: float) -> Verdict:
        """See `Channel`."""
        body = message.body.encode()
        try:
            url = self._address()
            headers = self._headers(message.id, body, int(now))
        except TargetError as error:
            return Failed(str(error))
        timeout = ClientTimeout(total=self._timeout_seconds)
        try:
            async with (
                ClientSession(timeout=timeout, trust_env=not is_local(url), auto_decompress=False) as session,
                session.post(
                    url, data=body, headers=headers, allow_redirects=False, ssl=client_context()
                ) as response,
            ):
                return await _judge(response, url, now)
        except (InvalidURL, UnicodeError):  # the second of a host name that cannot be one
            return Failed("its url is not valid")
        except TimeoutError:
            return Retry(f"did not answer within {self._timeout_seconds:g} s")
        except (ClientError, OSError) as error:
            return Retry(_why(error))

    def _address(self) -> str:
        """Raises TargetError."""
        url = self._url.read()
        if not is_safe(url):
            raise TargetError("its url is neither https:// nor http:// to this machine")
        return url

    def _headers(self, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
        """Raises TargetError."""
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._secret is not None:
            try:
                key = key_of(self._secret.read())
            except ValueError as error:
                raise TargetError(f"what is kept as its secret {error}") from None
            headers["webhook-signature"] = sign(key, message_id, timestamp, body)
        return headers


async def _judge(response: ClientResponse, url: str, now: float) -> Verdict:
    status = response.status
    if 200 <= status < 300:
        return Delivered(f"answered {status}")
    if 300 <= status < 400:
        return Failed(f"answered {status}, a redirect, which is not followed: set the url that it leads to")
    answered = f"answered {status}{await _said(response, url)}"
    if status == 410:
        return Gone(answered)
    if status in AGAIN or status >= 500:
        return Retry(answered, retry_after(response.headers.get("Retry-After", ""), now))
    return Failed(answered)


async def _said(response: ClientResponse, url: str) -> str:
    """What an answer says of itself, if that is a text and comes in time; nothing otherwise."""
    if response.content_type not in {"text/plain", "application/json"}:
        return ""
    try:
        said = await response.content.read(MOST_ANSWER)
    except (ClientError, OSError, TimeoutError):
        return ""
    words = plain(said.decode(errors="replace"), secrets_in(url))
    return f": {words}" if words else ""


def _why(error: Exception) -> str:
    """Why there was no answer. What aiohttp says may hold the url, so it is said anew."""
    match error:
        case ClientConnectorDNSError():
            return "its host name is not known"
        case ClientConnectorCertificateError() | ssl.SSLError():
            return "its certificate is not valid"
        case ServerDisconnectedError():
            return "closed the connection without an answer"
        case ClientHttpProxyError():
            return f"the proxy on the way to it answered {error.status}"
        case OSError(errno=int(number)) if number > 0:
            return f"cannot be reached: {os.strerror(number).lower()}"
        case OSError():
            return "cannot be reached"
        case _:
            return f"gave no valid answer ({type(error).__name__})"
