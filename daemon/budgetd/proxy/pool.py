"""Connections to the upstreams: opened (through `HTTPS_PROXY` where that is set), kept alive, handed out."""

import asyncio
import base64
import ssl
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from budgetd import tls
from budgetd.errors import BudgetdError
from budgetd.proxy.connection import Connection
from budgetd.proxy.read_queue import LEFT_PAUSE_SECONDS, ReadQueue

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 20.0
"""How long an unused connection is kept: less than the time-outs of the providers' front ends, so that a
request rarely meets a connection that is just being closed (it could not be sent again)."""


class ConnectError(BudgetdError):
    """No connection could be made; nothing was sent."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Pool:
    """Idle connections by origin, the newest first. Any number may be in use."""

    def __init__(self) -> None:
        """Reads the proxy settings of the environment (on macOS, also of the system). Nothing is opened."""
        self._idle: dict[str, list[Connection]] = {}
        self._proxies = getproxies()
        self._sweeper: asyncio.TimerHandle | None = None
        self._queues = ReadQueue(), ReadQueue(LEFT_PAUSE_SECONDS)

    def take(self, url: str) -> Connection | None:
        """An idle connection that still stands, if there is one."""
        idle = self._idle.get(url)
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def open(self, url: str) -> Connection:
        """A new connection. Raises ConnectError with the reason."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect(parts.scheme == "https", host, port)
        except TimeoutError:
            raise ConnectError(
                f"{host}:{port} did not accept a connection within {CONNECT_SECONDS:.0f} s", timed_out=True
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise ConnectError(
                f"the certificate of {host} is not to be trusted: {error.verify_message}. {tls.advice()}"
            ) from None
        except UnicodeError:
            raise ConnectError(f"{host} is not the name of a host") from None
        except ValueError:  # from reading its address: the upstream's own was checked
            raise ConnectError("HTTPS_PROXY must be an http:// address") from None
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise ConnectError(f"no connection to {host}:{port}: {reason}") from None

    def put(self, url: str, connection: Connection) -> None:
        """Take a connection back after a complete exchange; one that cannot be used again is closed."""
        if not connection.keep:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(url, []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(IDLE_SECONDS, self._sweep)

    def close(self) -> None:
        """Close what is idle."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_SECONDS
        for url, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.idle_since > oldest]
            for connection in idle:
                if connection.idle_since <= oldest:
                    connection.abort()
            if kept:
                self._idle[url] = kept
            else:
                del self._idle[url]
        self._sweeper = loop.call_later(IDLE_SECONDS / 4, self._sweep) if self._idle else None

    async def _connect(self, secure: bool, host: str, port: int) -> Connection:
        loop = asyncio.get_running_loop()
        proxy = self._proxies.get("https") if secure else None
        if proxy and not proxy_bypass(host):
            return await self._tunnel(proxy, host, port)
        _, connection = await loop.create_connection(
            lambda: Connection(*self._queues),
            host,
            port,
            ssl=tls.client_context() if secure else None,
            server_hostname=host if secure else None,
        )
        return connection

    async def _tunnel(self, proxy: str, host: str, port: int) -> Connection:
        """A TLS connection through an HTTP proxy's CONNECT."""
        loop = asyncio.get_running_loop()
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            raise ConnectError(
                f"HTTPS_PROXY must be an http:// address, not {parts.scheme}://{parts.hostname}"
            )
        ask = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            ask += f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
        transport, tunnel = await loop.create_connection(_Tunnel, parts.hostname, parts.port or 80)
        transport.write(ask.encode() + b"\r\n")
        try:
            answer = await tunnel.answer
            if answer.split(b" ", 2)[1:2] != [b"200"]:
                line = answer.partition(b"\r\n")[0].decode("latin-1")
                raise ConnectError(f"the proxy {parts.hostname} did not let us through to {host}: {line}")
            connection = Connection(*self._queues)
            secured = await loop.start_tls(transport, connection, tls.client_context(), server_hostname=host)
        except BaseException:
            transport.abort()
            raise
        if secured is None:
            raise ConnectionResetError("the proxy closed the connection")
        connection.connection_made(secured)
        return connection


class _Tunnel(asyncio.Protocol):
    """Reads the proxy's answer to CONNECT."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self.answer.done():
            return
        if b"\r\n\r\n" in self._got:
            self.answer.set_result(self._got)
        elif len(self._got) > 65536:
            self.answer.set_exception(ConnectionError("the proxy's answer has no end"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError("the proxy closed the connection"))
