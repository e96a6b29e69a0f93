"""The head that goes upstream, as a function of the one that came. Pure."""

import re

from hypothesis import given
from hypothesis import strategies as st

from budgetd.proxy.headers import HOP_BY_HOP, index, upstream_head

NAMES = st.from_regex(re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}"), fullmatch=True)
VALUES = st.binary(max_size=30).map(lambda value: bytes(b for b in value if b not in b"\r\n\0").strip(b" \t"))
SPECIAL = st.sampled_from([*sorted(HOP_BY_HOP), b"Host", b"X-Budget-User", b"X-A", b"x-a"])
RAW = st.lists(st.tuples(NAMES | SPECIAL, VALUES))


@given(raw=RAW)
def test_headers_that_stay_keep_bytes_case_and_order(raw: list[tuple[bytes, bytes]]) -> None:
    raw = [(name, value) for name, value in raw if name.lower() != b"connection"]
    head = upstream_head("POST", "/x?y", b"h:1", raw, index(raw))
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert lines[0] == b"POST /x?y HTTP/1.1"
    kept = [
        name + b": " + value
        for name, value in raw
        if name.lower() not in HOP_BY_HOP | {b"host"} and not name.lower().startswith(b"x-budget-")
    ]
    assert [line for line in lines[1:] if not line.lower().startswith(b"host: ")] == kept
    assert sum(line.lower() == b"host: h:1" for line in lines) == 1


@given(named=st.lists(NAMES, min_size=1), raw=RAW)
def test_headers_that_connection_names_go_no_further(
    named: list[bytes], raw: list[tuple[bytes, bytes]]
) -> None:
    framing = {b"host", b"content-length", b"transfer-encoding"}
    raw = [(b"Connection", b" , ".join(named)), *raw, (b"connection", b"X-A")]
    head = upstream_head("GET", "/", b"h", raw, index(raw))
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]}
    assert not names & ({name.lower() for name in named} | {b"x-a", b"connection"}) - framing
