"""What the provider does in every dialect."""

import aiohttp
import pytest

from budgettop.demo.provider.prompt_cache import PromptCache

PATHS = ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/gemini:generateContent"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_is_no_request_is_refused(provider: str, path: str) -> None:
    async with aiohttp.ClientSession() as http:
        for body in (b"", b"{", b"[]", b'{"model": 3}'):
            async with http.post(provider + path, data=body) as response:
                assert response.status == 400
                assert (await response.json())["error"]["message"]


def test_the_prompt_cache_knows_the_beginning_of_a_body_in_whole_blocks() -> None:
    cache = PromptCache()
    assert cache.seen_tokens(b"a" * 8_000) == 0
    assert cache.seen_tokens(b"b" * 8_000) == 0
    assert cache.seen_tokens(b"a" * 6_000 + b"c" * 9_000) == 6_000 // 512 * 128
    assert cache.seen_tokens(b"a" * 4_000 + b"d" * 9_000) == 0  # too short to be cached
