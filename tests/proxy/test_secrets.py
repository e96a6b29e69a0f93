"""Neither a key nor a word of a prompt or a completion is ever written, whatever goes wrong."""

from pathlib import Path

from proxy.setting import response
from support.daemon import process
from support.stream import Stream, chunked
from support.upstream import Upstream

KEY = b"mark-key-4711"
PROMPT = b"mark-prompt-4711"
ANSWER = b"mark-answer-4711"
HEADERS = (b"x-api-key: " + KEY, b"Authorization: Bearer " + KEY, b"Cookie: c=" + KEY)
BODY = b'{"model":"claude-opus-4-8","max_tokens":9,"messages":[{"role":"user","content":"%b"}]}' % PROMPT


async def answering(peer: Stream) -> None:
    while True:
        asked = await peer.request()
        match asked.target.partition(b"?")[2].partition(b"&")[0]:
            case b"garbage":
                await peer.send(b"HTTP/1.1 200 OK\r\nbroken " + ANSWER + b"\x01\r\n\r\n")
                return
            case b"bad-chunk":
                await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ANSWER)
                return
            case b"break":
                return
            case b"error":
                await peer.send(response(b'{"error":{"message":"%b"}}' % ANSWER, status=b"400 " + ANSWER))
            case _:
                body = b'{"type":"message","model":"claude-opus-4-8","content":[{"text":"%b"}]}' % ANSWER
                await peer.send(response(body, b"Set-Cookie: s=" + ANSWER))


async def test_no_file_of_the_home_holds_a_key_a_prompt_or_a_completion(home: Path) -> None:
    async with Upstream(answering) as upstream:
        nobody = "http://127.0.0.1:1"
        upstreams = {"anthropic": upstream.url, "gemini": upstream.url, "openai": nobody}
        async with process(home, upstreams) as daemon:

            async def send(data: bytes, *, answered: bool = True) -> None:
                async with daemon.connect() as client:
                    await client.send(data)
                    if answered:
                        await client.read_some()

            def post(target: str, *headers: bytes, body: bytes = BODY) -> bytes:
                return daemon.request("POST", f"{target}&key={KEY.decode()}", *HEADERS, *headers, body=body)

            for case in ("fine", "garbage", "bad-chunk", "break", "error"):
                await send(post(f"/v1/messages?{case}"))
                await send(post(f"/v1beta/models/gemini-3-pro:generateContent?{case}"))
            await send(post("/v1/chat/completions?refused"))
            await send(post("/v1/messages?not-json", body=PROMPT))
            await send(post("/nowhere?a"))
            await send(post("/v1/messages?origin", b"Origin: https://evil.example"))
            await send(post("/v1/messages?broken-head", b"X-Bad : " + KEY))
            await send(post("/v1/messages?control", b"X-Bad: \x01" + KEY))
            await send(KEY + b" / HTTP/1.1\r\n\r\n")
            await send(post("/v1/messages?left"), answered=False)
            await send(post("/v1/messages?half")[:-10], answered=False)
            chunks = daemon.request("POST", "/v1/messages", *HEADERS, b"Transfer-Encoding: chunked")
            await send(chunks + chunked(BODY)[:-5] + b"zz" + PROMPT + b"\r\n\r\n")
            await send(daemon.request("GET", f"/v1/models?key={KEY.decode()}", *HEADERS))
            rows = await daemon.rows(13)
            assert rows[0]["key"].startswith("k_")
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {"ledger.db", "budgetd.log"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for secret in (KEY, PROMPT, ANSWER):
            assert secret not in content, f"{secret!r} in {path.name}"
