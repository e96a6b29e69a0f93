"""Invoices over HTTP, page by page to the end. What their bytes mean is in `invoices`.

A message names the host and what to do, never the address or the key.
"""

import ipaddress
import ssl
from typing import Protocol

from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
)
from yarl import URL

from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Invoice, Page, joined
from budgetd.reconcile.invoices import anthropic, openai, openrouter
from budgetd.tls import client_context

MOST_PAGES = 100
MOST_BYTES = 32 << 20
"""Of one page."""

TOTAL_SECONDS = 60.0
"""For one page."""
SILENT_SECONDS = 20.0


class Report(Protocol):
    """How one provider is asked for its invoice: a module of `invoices`."""

    HOST: str
    PATH: str

    def headers(self, key: str) -> dict[str, str]:
        """What a request carries."""
        ...

    def query(self, since: str, until: str) -> list[tuple[str, str]]:
        """What to ask for."""
        ...

    def parse(self, content: bytes) -> Page:
        """One page."""
        ...


REPORTS: dict[str, Report] = {"anthropic": anthropic, "openai": openai, "openrouter": openrouter}


async def fetch_invoice(
    provider: str,
    key: str,
    since: str,
    until: str,
    *,
    url: str = "",
    total_seconds: float = TOTAL_SECONDS,
    silent_seconds: float = SILENT_SECONDS,
) -> Invoice:
    """What a provider bills for these days, both included. ``HTTPS_PROXY`` is honoured.

    Args:
        provider: a name in `REPORTS`.
        key: its admin key.
        since: first UTC day.
        until: last UTC day.
        url: where to ask instead of the provider's own host; the path stays.
        total_seconds: how long a page may take.
        silent_seconds: how long nothing may come.

    Raises ReconcileError: a sentence with what to do.
    """
    report = REPORTS[provider]
    base = _base(url or report.HOST)
    where = base.host or ""
    timeout = ClientTimeout(total=total_seconds, sock_connect=silent_seconds, sock_read=silent_seconds)
    try:
        # A proxy must not read what goes to this machine, nor a key that is not encrypted.
        async with ClientSession(
            trust_env=base.scheme == "https",
            timeout=timeout,
            headers=report.headers(key),
            connector=TCPConnector(ssl=client_context()),
        ) as session:
            asking = _Asking(session, base, provider)
            invoice = joined(await asking.pages(report, since, until))
            notes = invoice.notes
            if provider == "openrouter":
                notes = (*notes, openrouter.parse_credits(await asking.get(openrouter.CREDITS_PATH, [])))
    except TimeoutError:
        raise ReconcileError(f"{where} did not answer in time; try again later.") from None
    except (ClientConnectorCertificateError, ssl.SSLError):
        raise ReconcileError(f"{where} cannot prove who it is; the key was not sent.") from None
    except (ClientError, OSError) as error:
        raise ReconcileError(f"{where} could not be read: {_reason(error)}. Try again later.") from None
    return Invoice(
        provider=provider, source=where, days=frozenset(invoice.days), lines=invoice.lines, notes=notes
    )


class _Asking:
    """One session with a provider."""

    def __init__(self, session: ClientSession, base: URL, provider: str) -> None:
        self._session = session
        self._base = base
        self._provider = provider

    async def pages(self, report: Report, since: str, until: str) -> list[Page]:
        """All pages, in order."""
        query, pages, seen = report.query(since, until), list[Page](), set[str]()
        following = ""
        while len(pages) < MOST_PAGES:
            asked = [*query, ("page", following)] if following else query
            page = report.parse(await self.get(report.PATH, asked))
            pages.append(page)
            following = page.following
            if not following:
                return pages
            if following in seen:
                raise ReconcileError(f"{self._base.host} sends the same page again and again.")
            seen.add(following)
        raise ReconcileError(f"{self._base.host} sends more than {MOST_PAGES} pages; ask for fewer days.")

    async def get(self, path: str, query: list[tuple[str, str]]) -> bytes:
        """One answer. It is not followed elsewhere: the key is for this host."""
        address = self._base.with_path(self._base.path.rstrip("/") + path).with_query(query)
        async with self._session.get(address, allow_redirects=False) as response:
            if response.status != 200:
                raise ReconcileError(self._refused(response))
            pieces: list[bytes] = []
            length = 0
            async for piece in response.content.iter_any():
                pieces.append(piece)
                length += len(piece)
                if length > MOST_BYTES:
                    raise ReconcileError(
                        f"{self._base.host} sends more than {MOST_BYTES >> 20} MiB in a page."
                    )
            return b"".join(pieces)

    def _refused(self, response: ClientResponse) -> str:
        where, status = self._base.host, response.status
        match status:
            case 401:
                return f"{where} does not know the key (401). {_kind_of_key(self._provider)}"
            case 403:
                return f"The key may not read invoices at {where} (403). {_kind_of_key(self._provider)}"
            case 404:
                return f"{where} has no invoices at this address (404); check --url."
            case 429:
                wait = response.headers.get("Retry-After", "")
                after = f"in {wait} s" if wait.isdecimal() and len(wait) < 6 else "in a few minutes"
                return f"{where} was asked too often (429); try again {after}."
            case _ if status >= 500:
                return f"{where} is in trouble ({status}); try again later."
            case _ if 300 <= status < 400:
                return f"{where} redirects elsewhere ({status}), where the key was not sent; check --url."
            case _:
                return f"{where} answered {status}; check the days and --url."


def _kind_of_key(provider: str) -> str:
    match provider:
        case "anthropic":
            return "It takes an admin key (sk-ant-admin…), which an admin of the organization makes."
        case "openai":
            return "It takes an admin key (sk-admin-…) with the scope api.usage.read."
        case _:
            return "It takes a management key, which is made apart from API keys."


def _base(url: str) -> URL:
    """Where to ask. Plain HTTP would show the key to others, unless nobody is in between."""
    try:
        base = URL(url)
        if base.scheme == "https" and base.host:
            return base
        if base.scheme == "http" and base.host and _is_loopback(base.host):
            return base
    except ValueError:
        pass
    raise ReconcileError("An invoice is asked for over https:// only (http:// on this machine): check --url.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """What went wrong, without the address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return "the connection broke off"
