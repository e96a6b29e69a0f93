"""How late the events of one quiet stream are while budgetd has something heavy to do.

A watcher, a process of its own, is client and upstream of a stream with an event every few milliseconds. The
upstream writes the time into each event and the client subtracts it. Meanwhile this process makes the load of
one case after the other. Run by `make bench`, or alone: `python -m tests.bench.lag [CASE…]`. `BUDGETTOP_BIN`
names the folder of another installation to measure.
"""

import asyncio
import contextlib
import gzip
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

SECONDS = float(os.environ.get("BENCH_SECONDS", "3")) * 2
"""How long each case lasts."""

GAP_SECONDS = 0.005
HELD = 1_000
LEFT = 20
BODY_MIB = 28

BIN = Path(os.environ.get("BUDGETTOP_BIN") or Path(sys.executable).parent)

CONFIG = """timezone = "UTC"
[proxy]
listen = "127.0.0.1:{port}"
[upstreams.anthropic]
url = "http://127.0.0.1:{upstream}"
[upstreams.watched]
url = "http://127.0.0.1:{watched}"
dialect = "anthropic"
[ledger]
durability = "{durability}"
"""
BUDGET = """
[budget]
daily_limit_cents = 100000000

[[limits]]
name = "full"
window = "day"
limit_cents = 0
match = { project = "held" }
on_exceed = "hold"
hold_seconds = 3600
"""

ASK: dict[str, object] = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": []}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWER = json.dumps(
    {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 9, "output_tokens": 2},
    }
).encode()  # fmt: skip
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
)
EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n'
)
FLOOD = b"".join(EVENT % b"some words and some more " for _ in range(400))

Load = Callable[[int], AbstractAsyncContextManager[None]]
"""Makes its load on the daemon at this port for as long as its context lasts."""


def main(names: list[str]) -> int:
    """Measure the cases of these names, or all, and print a line for each."""
    if names[:1] == ["watch"]:
        asyncio.run(_watch(*map(int, names[1:3])))
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    print(f"{'an event of a quiet stream is late by, ms':44}{'p50':>8}{'p95':>8}{'max':>8}")
    for name, (durability, load) in CASES.items():
        if not names or name in names:
            found = asyncio.run(_measure(durability, load))
            print(f"{name:44}" + "".join(f"{each:8.1f}" for each in found), flush=True)
    return 0


async def _measure(durability: str, load: Load) -> list[float]:
    port, upstream, watched = _free_ports(3)
    home = Path(tempfile.mkdtemp(prefix="bt"))
    os.environ["BUDGETD_HOME"] = str(home)
    places = {"port": port, "upstream": upstream, "watched": watched, "durability": durability}
    (home / "config.toml").write_text(CONFIG.format(**places))
    (home / "budget.toml").write_text(BUDGET)
    server = await asyncio.start_server(_serve, "127.0.0.1", upstream, limit=1 << 26, backlog=2048)
    command = [*_pinned(0), str(BIN / "budgetd"), "serve", "--log-file", str(home / "log")]
    with subprocess.Popen(command) as daemon:
        try:
            await _until_up(port)
            async with load(port):
                return await _watched(port, watched)
        finally:
            daemon.terminate()
            server.close()
            await asyncio.to_thread(daemon.wait)
            shutil.rmtree(home)


async def _watched(port: int, watched: int) -> list[float]:
    """p50, p95 and the greatest lag, in milliseconds."""
    watcher = await asyncio.create_subprocess_exec(
        *_pinned(1),
        sys.executable,
        __file__,
        "watch",
        str(port),
        str(watched),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await watcher.communicate()
    late = sorted(json.loads(told))
    return [late[len(late) // 2], late[len(late) * 95 // 100], late[-1]]


# the loads


@asynccontextmanager
async def nothing(port: int) -> AsyncGenerator[None]:
    """To compare with."""
    del port
    yield


@asynccontextmanager
async def requests(port: int) -> AsyncGenerator[None]:
    """Sixteen clients that ask as fast as they are answered."""
    async with _all(_ask_again(port, json.dumps(ASK).encode()) for _ in range(16)):
        yield


@asynccontextmanager
async def long_bodies(port: int) -> AsyncGenerator[None]:
    """One long request after the other."""
    words = 'some words and "some" more ' * ((BODY_MIB << 20) // 29)
    body = json.dumps(ASK | {"messages": [{"role": "user", "content": words}]}).encode()
    async with _all([_ask_again(port, body, pause=0.2)]):
        yield


@asynccontextmanager
async def gzip_nests(port: int) -> AsyncGenerator[None]:
    """Some bytes that are a lot, four times over."""
    body = bytes(300 << 20)
    for _ in range(4):
        body = gzip.compress(body)
    async with _all([_ask_again(port, body, b"content-encoding: gzip, gzip, gzip, gzip\r\n", pause=0.2)]):
        yield


@asynccontextmanager
async def held(port: int) -> AsyncGenerator[None]:
    """Many that wait while others are answered."""
    body = json.dumps(ASK).encode()
    waiting = [asyncio.create_task(_ask(port, body, path="/@someone:held/v1/messages")) for _ in range(HELD)]
    await _until_held()
    async with _all(_ask_again(port, body, pause=0.02) for _ in range(2)):
        yield
    for each in waiting:
        each.cancel()


@asynccontextmanager
async def left(port: int) -> AsyncGenerator[None]:
    """Clients that are gone, and upstreams that do not mind."""
    body = json.dumps(ASK | {"stream": True, "model": "flood"}).encode()
    for _ in range(LEFT):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(port, body))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
    yield


@asynccontextmanager
async def read(port: int) -> AsyncGenerator[None]:
    """Clients that read as fast as their upstreams flood them."""
    body = json.dumps(ASK | {"stream": True, "model": "flood"}).encode()

    async def go_on() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(port, body))
        while await reader.read(1 << 18):
            pass

    async with _all(go_on() for _ in range(LEFT)):
        yield


CASES: dict[str, tuple[str, Load]] = {
    "nothing": ("process", nothing),
    "requests": ("process", requests),
    "requests, durability power": ("power", requests),
    f"bodies of {BODY_MIB} MiB": ("process", long_bodies),
    "gzip nests": ("process", gzip_nests),
    f"{HELD:,} held requests": ("process", held),
    f"{LEFT} left clients with floods": ("process", left),
    f"{LEFT} fast clients with floods": ("process", read),
}


@asynccontextmanager
async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    await asyncio.sleep(0.5)
    yield
    for task in tasks:
        if task.done():
            task.result()  # it should go on for ever
        task.cancel()


async def _ask_again(port: int, body: bytes, more: bytes = b"", pause: float = 0.0) -> None:
    while True:
        await _ask(port, body, more)
        await asyncio.sleep(pause)


async def _ask(port: int, body: bytes, more: bytes = b"", path: str = "/v1/messages") -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request(port, body, more, path))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            raise RuntimeError(head.decode())
        await reader.readexactly(len(ANSWER))
    finally:
        writer.transport.abort()


def _request(port: int, body: bytes, more: bytes = b"", path: str = "/v1/messages") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n".encode()
    return head + more + b"\r\n" + body


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that answers at once, and of one model without an end."""
    with contextlib.suppress(OSError, EOFError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(size)
            if b'"flood"' not in body[:200] + body[-200:]:
                writer.write(REPLY)
                continue
            writer.write(HEAD)
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(FLOOD), FLOOD))
                await writer.drain()
    writer.close()


# the watcher


async def _watch(port: int, watched: int) -> None:
    """Print how late each event was, in milliseconds, as JSON."""
    server = await asyncio.start_server(_tell, "127.0.0.1", watched)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(port, json.dumps(ASK | {"stream": True}).encode(), path="/watched/v1/messages"))
    await reader.readuntil(b"\r\n\r\n")
    late: list[float] = []
    while (line := await reader.readuntil(b"\n")) != b"0\r\n":
        if line.startswith(b"data: "):
            stamp = int(json.loads(line[6:])["delta"]["text"])
            late.append((time.perf_counter_ns() - stamp) / 1e6)
    writer.close()
    server.close()
    print(json.dumps(late))


async def _tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        event = EVENT % (b"%d" % time.perf_counter_ns())
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await asyncio.sleep(GAP_SECONDS)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    writer.close()


def _pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core % (os.cpu_count() or 1))] if shutil.which("taskset") else []


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


async def _until_up(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(OSError):
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/-/health", timeout=1)
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port}")


async def _until_held() -> None:
    while True:
        asked = await asyncio.create_subprocess_exec(
            str(BIN / "budgetd"), "status", "--json", stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asked.communicate()
        if sum(each["phase"] == "held" for each in json.loads(told)["in_flight"]) == HELD:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
