"""Complete responses of every kind an upstream may send that leaves its connection open."""

import gzip

import brotli

from proxy.setting import response
from support.stream import chunked

HEADERS = (
    b"sErVeR: odd",
    b"Set-Cookie: a=1; Path=/",
    b"X-Dup: 1",
    b"set-cookie: b=2",
    b"x-dup: 1",
    b"Set-Cookie: a=1; Path=/",
    b"X-Latin: caf\xe9 \xff\x80",
    b"X-Empty:",
    b"X-Spaces:   two  inside  ",
    b"X-NoSpace:x",
    b'Alt-Svc: h3=":443"',
    b"Strict-Transport-Security: max-age=1",
    b"Location: https://elsewhere.example/v1",
    b"Content-Encoding: x-unheard-of",
)
CHUNKED = b"Transfer-Encoding: chunked"


def streamed(*headers: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *headers, CHUNKED)) + b"\r\n\r\n" + body


ANSWERS = {
    "odd headers": response(b"hello", *HEADERS),
    "empty": response(b""),
    "binary": response(b"\x00" * 100_000, b"Content-Type: application/octet-stream"),
    "empty reason": response(b"x", status=b"200 "),
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
    "odd reason": response(b"x", status=b"200 caf\xe9 \xff!"),
    "odd status": response(b"x", status=b"299 Any Thing At All"),
    "redirect": response(b"", b"Location: /v1/elsewhere", status=b"307 Temporary Redirect"),
    "400": response(b'{"type":"error"}', status=b"400 Bad Request"),
    "401": response(b"{}", b"WWW-Authenticate: Bearer", status=b"401 Unauthorized"),
    "429": response(b"{}", b"retry-after: 7", b"x-should-retry: true", status=b"429 Too Many Requests"),
    "500": response(b"<html>", status=b"500 Internal Server Error"),
    "503": response(b"", status=b"503 Service Unavailable"),
    "529": response(b'{"type":"error","error":{"type":"overloaded_error"}}', status=b"529 "),
    "599": response(b"x", status=b"599 Last"),
    "204": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 12\r\n\r\n',
    "gzip": response(gzip.compress(b"hello" * 100), b"Content-Encoding: gzip"),
    "brotli": response(brotli.compress(b"hello" * 100), b"Content-Encoding: br"),
    "not gzip": response(b"this is not gzip", b"Content-Encoding: gzip"),
    "chunks": streamed(*HEADERS, body=chunked(b"hel", b"lo", b"x" * 70_000)),
    "small chunks": streamed(*HEADERS, body=chunked(*[b"a", b"\r\n", b"0"] * 50)),
    "no chunks": streamed(body=chunked()),
    "odd chunks": streamed(body=b'00A;n="v"\r\n0123456789\r\n0000;x\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n'),
    "gzip in chunks": streamed(body=chunked(gzip.compress(b"hello")), status=b"201 Created"),
    "529 in chunks": streamed(body=chunked(b'{"type":"error"}'), status=b"529 Overloaded"),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\n" + response(b"late"),
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + streamed(body=chunked(b"x")),
    "http/1.0": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
}
