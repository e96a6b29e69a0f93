"""A client that asks as Claude Code does: whether anyone is there, then one long streamed question.

It sends the same sequence, headers and body as the real one (FACTS 1), and takes a refusal for final.
"""

import json

from support.stream import Message, connected

MODEL = "claude-sonnet-4-6"
SESSION = "6a3f0e8c-5c0b-4a51-9f4c-0d9a1c4be7a2"
PROMPT = "You are an agent that works in a repository. Keep to what is asked, and say what you did. "
"""Said again and again, this is as long as the real one's."""

AGENT = "claude-cli/2.1.0 (external, cli)"


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, response: Message) -> None:
        self.status_code = response.status
        self.error = json.loads(response.body)["error"]
        self.response = response
        super().__init__(self.error["message"])


def body() -> bytes:
    """About 76 KB, as the real one sends them, the model first."""
    user = {"device_id": "d", "account_uuid": "a", "session_id": SESSION}
    tools = [
        {"name": f"Tool{number}", "description": PROMPT * 20, "input_schema": {"type": "object"}}
        for number in range(20)
    ]
    text = {"type": "text", "cache_control": {"type": "ephemeral"}}
    question = {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{**text, "text": "Say hello."}]}],
        "system": [{**text, "text": PROMPT * 450}],
        "tools": tools,
        "metadata": {"user_id": json.dumps(user)},
        "max_tokens": 64000,
        "stream": True,
    }
    return json.dumps(question, separators=(",", ":"), ensure_ascii=False).encode()


def request(address: str, headers: dict[str, str]) -> bytes:
    """The bytes of its question."""
    content = body()
    lines = [
        "POST /v1/messages?beta=true HTTP/1.1",
        f"Host: {address}",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Content-Type: application/json",
        f"User-Agent: {AGENT}",
        "X-Api-Key: sk-ant-test",
        f"X-Claude-Code-Session-Id: {SESSION}",
        "Anthropic-Version: 2023-06-01",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def ask(port: int, headers: dict[str, str]) -> None:
    """Ask, and read the answer to its end. Raises RefusedError, or what breaks the connection."""
    address = f"127.0.0.1:{port}"
    async with connected("127.0.0.1", port) as stream:
        await stream.send(f"HEAD / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {AGENT}\r\n\r\n".encode())
        assert (await stream.response("HEAD")).status == 200
        await stream.send(request(address, headers))
        response = await stream.response()
        if response.status >= 400:
            raise RefusedError(response)
