"""`make bench`: budgetd beside nginx in one run, everything on. Ratios, since machines differ.

One core for the proxy, another for the load (wrk) and the upstream (nginx answering from memory). The two
proxies take turns, several rounds, and the medians are compared. Needs nginx, wrk and taskset.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
UPSTREAM, NGINX, BUDGETD = 18801, 18802, 18803

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
        servers = [
            _nginx(home, "upstream", AS_UPSTREAM.format(port=UPSTREAM, answer=ANSWER), core=1),
            _nginx(home, "proxy", AS_PROXY.format(port=NGINX, upstream=UPSTREAM), core=0),
            _budgetd(home, core=0),
        ]
        try:
            for port in (UPSTREAM, NGINX, BUDGETD):
                _await(port)
            _compare(home)
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait(20)
    return 0


def _compare(home: Path) -> None:
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for _ in range(ROUNDS):
        for connections in (1, 16):
            for name, port in (("nginx", NGINX), ("budgetd", BUDGETD)):
                found.setdefault((name, connections), []).append(_load(home, port, connections))
    medians = {
        key: [statistics.median(column) for column in zip(*rows, strict=True)] for key, rows in found.items()
    }
    print(f"{'':10}{'1 connection':>28}{'16 connections':>18}")
    print(f"{'':10}{'p50 µs':>14}{'p99 µs':>14}{'requests/s':>18}")
    for name in ("nginx", "budgetd"):
        _, p50, p99 = medians[name, 1]
        print(f"{name:10}{p50:>14,.0f}{p99:>14,.0f}{medians[name, 16][0]:>18,.0f}")
    throughput = medians["budgetd", 16][0] / medians["nginx", 16][0]
    latency = medians["budgetd", 1][1] / medians["nginx", 1][1]
    print(f"throughput {throughput:.2f} x nginx (target >= 0.40), p50 {latency:.2f} x nginx (target <= 1.50)")


def _load(home: Path, port: int, connections: int) -> tuple[float, float, float]:
    """Requests a second, and the 50th and 99th percentile in microseconds."""
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(home / "load.lua"), f"http://127.0.0.1:{port}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"the load on port {port} met errors:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate, text
    return float(rate[1]), _percentile(text, 50), _percentile(text, 99)


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
