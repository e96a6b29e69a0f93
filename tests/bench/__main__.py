"""`make bench`: budgetd beside nginx in one run, everything on. Ratios, since machines differ.

One core for the proxy, another for the load (wrk) and the upstream (nginx answering from memory). The two
proxies take turns, several rounds, and the medians are compared. Needs nginx, wrk and taskset. How late the
events of a stream are is measured in `streaming`.
"""

import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import psutil

from . import streaming

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))

ANSWER = (
    '{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-5","stop_reason":"end_turn",'
    '"content":[{"type":"text","text":"%s"}],'
    '"usage":{"input_tokens":520,"cache_read_input_tokens":0,"output_tokens":120}}'
) % ("All is well. " * 30)

NGINX_CONF = """
worker_processes 1; daemon off; pid {home}/{name}.pid; error_log {home}/{name}.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {home}/{name}-body; proxy_temp_path {home}/{name}-proxy;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  keepalive_requests 1000000000; client_body_buffer_size 1m;
  {rest}
}}
"""
AS_UPSTREAM = """server {{ listen 127.0.0.1:{port}; default_type application/json;
  location / {{ return 200 '{answer}'; }} }}"""
AS_PROXY = """upstream u {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}"""
AS_STREAM_PROXY = """server {{ listen 127.0.0.1:{port};
  location / {{ proxy_pass http://127.0.0.1:{upstream};
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}"""

LOAD = """
wrk.method = "POST"
wrk.path = "/v1/messages"
wrk.body = '{"model":"claude-sonnet-5","max_tokens":256,"messages":[{"role":"user","content":"' \
  .. string.rep("word ", 360) .. '"}]}'
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "sk-ant-bench"
wrk.headers["anthropic-version"] = "2023-06-01"
wrk.headers["user-agent"] = "Anthropic/Python 2.12.0"
"""


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


UPSTREAM, NGINX, BUDGETD, STREAM, NGINX_STREAM = _free_ports(5)


class Proxy(NamedTuple):
    """One of the two that are compared."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"

    def cpu_seconds(self) -> float:
        """What it and its children have used of the processor so far."""
        process = psutil.Process(self.process.pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return sum(each.user + each.system for each in times)


class Load(NamedTuple):
    """What one run of wrk found. Latencies and CPU in microseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float
    """Of the proxy, per request."""


def main() -> int:
    """Run the comparison and print it."""
    missing = [tool for tool in ("nginx", "wrk", "taskset") if not shutil.which(tool)]
    if missing:
        print(f"make bench needs {' and '.join(missing)}, from your system's packages.")
        return 1
    with tempfile.TemporaryDirectory(prefix="bt") as folder:
        home = Path(folder)
        home.chmod(0o755)  # nginx's worker is another user where its master is root
        (home / "load.lua").write_text(LOAD)
        as_proxy = AS_PROXY.format(port=NGINX, upstream=UPSTREAM)
        as_proxy += AS_STREAM_PROXY.format(port=NGINX_STREAM, upstream=STREAM)
        servers = [
            _nginx(home, "upstream", AS_UPSTREAM.format(port=UPSTREAM, answer=ANSWER), core=1),
            _nginx(home, "proxy", as_proxy, core=0),
            _budgetd(home, core=0),
        ]
        os.sched_setaffinity(0, {1})
        try:
            for port in (UPSTREAM, NGINX, BUDGETD):
                _await(port)
            proxies = Proxy("nginx", NGINX, servers[1]), Proxy("budgetd", BUDGETD, servers[2])
            _compare_load(home, *proxies)
            _compare_streams()
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait(20)
    return 0


def _compare_load(home: Path, nginx: Proxy, budgetd: Proxy) -> None:
    found: dict[tuple[Proxy, int], list[Load]] = {}
    for _ in range(ROUNDS):
        for connections in (1, 16):
            for proxy in (nginx, budgetd):
                found.setdefault((proxy, connections), []).append(_load(home, proxy, connections))
    medians = {
        key: Load(*(statistics.median(column) for column in zip(*rows, strict=True)))
        for key, rows in found.items()
    }
    print(f"{'':10}{'1 connection':>36}{'16 connections':>24}")
    print(f"{'':10}{'p50 µs':>12}{'p99 µs':>12}{'CPU µs':>12}{'requests/s':>12}{'CPU µs':>12}")
    for proxy in (nginx, budgetd):
        one, many = medians[proxy, 1], medians[proxy, 16]
        print(f"{proxy.name:10}{one.p50:>12,.0f}{one.p99:>12,.0f}{one.cpu:>12,.0f}", end="")
        print(f"{many.rate:>12,.0f}{many.cpu:>12,.0f}")
    throughput = medians[budgetd, 16].rate / medians[nginx, 16].rate
    latency = medians[budgetd, 1].p50 / medians[nginx, 1].p50
    print(f"throughput {throughput:.2f} x nginx (target >= 0.40), p50 {latency:.2f} x nginx (target <= 1.50)")


def _compare_streams() -> None:
    ports = {"direct": STREAM, "nginx": NGINX_STREAM, "budgetd": BUDGETD}
    found = {name: statistics.median(late) for name, late in asyncio.run(streaming.measure(ports)).items()}
    shown = ", ".join(f"{name} {late:,.0f}" for name, late in found.items())
    ratio = found["budgetd"] / found["nginx"]
    print(f"an event's way, p50 µs: {shown}; {ratio:.2f} x nginx (target <= 1.20)")


def _load(home: Path, proxy: Proxy, connections: int) -> Load:
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(home / "load.lua"), f"http://127.0.0.1:{proxy.port}"]
    before = proxy.cpu_seconds()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = proxy.cpu_seconds() - before
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"the load on {proxy.name} met errors:\n{text}")
    rate, total = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
    assert rate, text
    assert total, text
    return Load(float(rate[1]), _percentile(text, 50), _percentile(text, 99), used / int(total[1]) * 1e6)


def _percentile(text: str, which: int) -> float:
    found = re.search(rf"\s{which}%\s+([\d.]+)(us|ms|s)", text)
    assert found, text
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def _nginx(home: Path, name: str, rest: str, core: int) -> "subprocess.Popen[bytes]":
    path = home / f"{name}.conf"
    path.write_text(NGINX_CONF.format(home=home, name=name, rest=rest))
    return subprocess.Popen(["taskset", "-c", str(core), "nginx", "-c", str(path), "-p", str(home)])


def _budgetd(home: Path, core: int) -> "subprocess.Popen[bytes]":
    (home / "config.toml").write_text(
        f'[proxy]\nlisten = "127.0.0.1:{BUDGETD}"\n[upstreams.anthropic]\nurl = "http://127.0.0.1:{UPSTREAM}"\n'
        f'[upstreams.stream]\nurl = "http://127.0.0.1:{STREAM}"\ndialect = "anthropic"\n'
    )
    (home / "budget.toml").write_text(
        "[budget]\ndaily_limit_cents = 100000000\nmonthly_limit_cents = 1000000000\n"
    )
    budgetd = str(Path(sys.executable).with_name("budgetd"))
    return subprocess.Popen(
        ["taskset", "-c", str(core), budgetd, "serve", "--log-file", str(home / "log")],
        env={**os.environ, "BUDGETD_HOME": str(home)},
    )


def _await(port: int) -> None:
    path = "/-/health" if port == BUDGETD else "/"
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nothing answers on port {port}")


if __name__ == "__main__":
    sys.exit(main())
