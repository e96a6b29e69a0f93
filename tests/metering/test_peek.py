"""Peeking at requests."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Api, Ask, peek
from budgetd.metering.usage import UNKNOWN_TIER
from metering.exchanges import CODINGS, raw_deflate

APIS: list[Api] = ["anthropic.messages", "openai.chat", "openai.responses", "gemini.generate"]
GEMINI = "/v1beta/models/gemini-3-pro:generateContent"


def claude(**body: Any) -> Ask:
    return peek("anthropic.messages", "/v1/messages?beta=true", json.dumps(body).encode())


def chat(**body: Any) -> Ask:
    return peek("openai.chat", "/v1/chat/completions", json.dumps(body).encode())


def responses(**body: Any) -> Ask:
    return peek("openai.responses", "/v1/responses", json.dumps(body).encode())


def gemini(target: str = GEMINI, **body: Any) -> Ask:
    return peek("gemini.generate", target, json.dumps(body).encode())


def message(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


class TestAnthropic:
    def test_an_advisor_may_bill_as_another_model(self) -> None:
        advisor = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-8"}
        assert claude(model="m", max_tokens=100, tools=[advisor]).server_tool_uses is None
        unlimited = claude(model="m", max_tokens=100, tools=[{**advisor, "max_uses": 2}])
        assert (unlimited.server_tool_uses, unlimited.output_cap) == (2, None)
        limited = claude(model="m", max_tokens=100, tools=[{**advisor, "max_uses": 2, "max_tokens": 2048}])
        assert (limited.server_tool_uses, limited.output_cap) == (2, 2048)
        assert limited.others == ("claude-opus-4-8",)

    def test_a_fallback_reads_the_context_once_more(self) -> None:
        fallbacks = [{"model": "claude-sonnet-5"}, {"model": "claude-haiku-4-5", "max_tokens": 300}]
        ask = claude(model="m", max_tokens=100, fallbacks=fallbacks)
        assert (ask.others, ask.server_tool_uses) == (("claude-sonnet-5", "claude-haiku-4-5"), 2)
        assert ask.output_cap == 300
        ask = claude(model="m", max_tokens=100, fallbacks="default")
        assert (ask.others, ask.server_tool_uses, ask.output_cap) == (("",), 1, 100)

    def test_a_plain_request(self) -> None:
        ask = claude(model="claude-opus-4-8", max_tokens=64000, stream=True, messages=message("hello"))
        assert ask == Ask(model="claude-opus-4-8", stream=True, output_cap=64000, body_bytes=ask.body_bytes)

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "document", "source": {"url": "https://example.com/a.pdf", "type": "url"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {
                "type": "tool_result",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}],
            },
        ],
    )
    def test_what_is_elsewhere_opens_the_input(self, part: dict[str, Any]) -> None:
        assert claude(messages=message(part)).open_input
        compact = json.dumps({"messages": message(part)}, separators=(",", ":")).encode()
        assert peek("anthropic.messages", "/v1/messages", compact).open_input

    def test_a_container_a_thread_and_an_mcp_server_open_it_too(self) -> None:
        assert claude(container="container_1").open_input
        assert claude(thread={"type": "continue", "previous_message_id": "msg_1"}).open_input
        assert claude(mcp_servers=[{"type": "url", "url": "https://example.com"}]).open_input

    def test_a_tool_that_takes_a_url_and_a_talk_about_one_do_not(self) -> None:
        tool = {"name": "fetch", "input_schema": {"properties": {"url": {"type": "string"}, "file_id": {}}}}
        used = {"type": "tool_use", "input": {"url": "https://example.com"}}
        text = {"type": "text", "text": 'say {"type": "url", "file_id": "x"}'}
        assert not claude(tools=[tool], messages=message(used, text)).open_input

    @pytest.mark.parametrize(
        ("tools", "uses"),
        [
            ([{"name": "mine", "input_schema": {}}, {"type": "custom"}, {"type": "bash_20250124"}], 0),
            (
                [
                    {"type": "text_editor_20250728"},
                    {"type": "computer_20251124"},
                    {"type": "memory_20250818"},
                ],
                0,
            ),
            (
                [
                    {"type": "web_search_20250305", "max_uses": 5},
                    {"type": "web_fetch_20250910", "max_uses": 2},
                ],
                7,
            ),
            ([{"type": "web_search_20250305"}], None),
            ([{"type": "code_execution_20250825"}], None),
            ([{"type": "advisor_20260301", "model": "claude-opus-4-8", "max_uses": 1}], 1),
            ([{"type": "something_new_20270101"}], None),
        ],
    )
    def test_server_tools_are_told_from_the_clients(self, tools: list[Any], uses: int | None) -> None:
        assert claude(tools=tools).server_tool_uses == uses

    def test_a_compaction_counts_as_one_use(self) -> None:
        clear, compact = {"type": "clear_tool_uses_20250919"}, {"type": "compact_20260112"}
        assert claude(context_management={"edits": [clear]}).server_tool_uses == 0
        assert claude(context_management={"edits": [clear, compact]}).server_tool_uses == 1

    def test_hour_long_cache_writes_are_seen_anywhere(self) -> None:
        def cached(ttl: str) -> dict[str, Any]:
            return {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": ttl}}

        assert claude(messages=message(cached("5m")), system=[cached("1h")]).cache_write_1h
        assert not claude(messages=message(cached("5m"), {"text": '"ttl": "1h"'})).cache_write_1h

    @pytest.mark.parametrize(
        ("user_id", "session"),
        [
            ('{"device_id":"d","account_uuid":"a","session_id":"5d0f"}', "5d0f"),
            ("user_ab12_account_cd34_session_0f9e-11", "0f9e-11"),
            ("somebody", ""),
            (7, ""),
            ('{"session_id":5}', ""),
        ],
    )
    def test_the_session_stands_in_the_user_id(self, user_id: object, session: str) -> None:
        assert claude(metadata={"user_id": user_id}).session == session

    @pytest.mark.parametrize(
        ("user_id", "account"),
        [
            ('{"device_id":"d","account_uuid":"acc-1","session_id":"5d0f"}', "acc-1"),
            ("user_ab12_account_cd34_session_0f9e-11", "cd34"),
            ("user_ab12_account__session_0f9e-11", ""),
            ('{"device_id":"d","session_id":"5d0f"}', ""),
            ('{"account_uuid":7}', ""),
            ("alice", ""),
            (None, ""),
        ],
    )
    def test_so_does_the_account(self, user_id: object, account: str) -> None:
        assert claude(metadata={"user_id": user_id}).account == account

    def test_the_fast_mode_is_a_tier(self) -> None:
        assert claude(speed="fast", service_tier="auto").service_tier == "fast"
        assert claude(service_tier="standard_only").service_tier == "standard_only"


class TestOpenAIChat:
    def test_the_cap_counts_for_every_choice(self) -> None:
        ask = chat(model="gpt-5.4", n=3, max_completion_tokens=100, max_tokens=50, prompt_cache_key="k")
        assert (ask.output_cap, ask.choices, ask.session, ask.stream) == (300, 3, "k", False)
        assert chat(model="gpt-5.4", n=3).output_cap is None

    @pytest.mark.parametrize("cap", [-5, "many", None, [], 1.5e400])
    def test_a_cap_is_never_negative(self, cap: object) -> None:
        ask = chat(model="m", max_tokens=cap, n=-2)
        assert ask.model == "m"
        assert ask.choices == 1
        assert ask.output_cap is None or ask.output_cap >= 0

    def test_urls_and_files_open_the_input_but_inline_data_does_not(self) -> None:
        def image(url: str) -> dict[str, Any]:
            return {"type": "image_url", "image_url": {"url": url}}

        assert chat(messages=message(image("https://example.com/a.png"))).open_input
        assert not chat(messages=message(image("data:image/png;base64,AAAA"))).open_input
        assert chat(messages=message(image("data:x"), image("http://x"))).open_input
        assert chat(messages=message({"type": "file", "file": {"file_id": "file-1"}})).open_input
        assert chat(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}]).open_input
        assert not chat(audio={"voice": {"id": "v"}}, tools=[{"type": "function"}]).open_input

    def test_searching_models_use_a_tool(self) -> None:
        assert chat(web_search_options={}).server_tool_uses is None
        assert chat(tools=[{"type": "function"}, {"type": "custom"}]).server_tool_uses == 0
        assert chat(tools=[{"type": "browser_search"}]).server_tool_uses is None
        assert chat(plugins=[{"id": "response-healing"}]).server_tool_uses == 0
        assert chat(plugins=[{"id": "web", "max_results": 3}]).server_tool_uses is None
        assert chat(model="openai/gpt-5:online").server_tool_uses is None

    def test_models_to_be_tried_in_turn_may_bill(self) -> None:
        ask = chat(model="openai/gpt-5", models=["openai/gpt-5", "anthropic/claude-opus-4.8"])
        assert (ask.model, ask.others) == ("openai/gpt-5", ("anthropic/claude-opus-4.8",))
        ask = chat(models=["openai/gpt-5", "anthropic/claude-opus-4.8"])
        assert (ask.model, ask.others) == ("openai/gpt-5", ("anthropic/claude-opus-4.8",))

    def test_a_strange_field_hides_no_tool(self) -> None:
        assert chat(model=7, n="2", web_search_options={}).server_tool_uses is None


class TestOpenAIResponses:
    def test_a_plain_request(self) -> None:
        ask = responses(
            model="gpt-5.4",
            input="hi",
            stream=True,
            max_output_tokens=9,
            service_tier="flex",
            prompt_cache_key="s",
        )
        assert ask == Ask(
            model="gpt-5.4",
            stream=True,
            output_cap=9,
            service_tier="flex",
            session="s",
            body_bytes=ask.body_bytes,
        )

    @pytest.mark.parametrize(
        "body",
        [
            {"previous_response_id": "resp_1"},
            {"conversation": "conv_1"},
            {"conversation": {"id": "conv_1"}},
            {"prompt": {"id": "pmpt_1"}},
            {"input": message({"type": "input_image", "image_url": "https://example.com/a.png"})},
            {"input": message({"type": "input_file", "file_url": "https://example.com/a.pdf"})},
            {"input": message({"type": "input_file", "file_id": "file-1"})},
            {"input": [{"type": "item_reference", "id": "msg_1"}]},
        ],
    )
    def test_what_is_elsewhere_opens_the_input(self, body: dict[str, Any]) -> None:
        assert responses(**body).open_input

    def test_inline_data_and_nulls_do_not(self) -> None:
        image = {"type": "input_image", "image_url": "data:image/png;base64,AA", "file_id": None}
        assert not responses(previous_response_id=None, conversation=None, input=message(image)).open_input

    @pytest.mark.parametrize(
        "tool",
        ["web_search", "file_search", "code_interpreter", "mcp", "image_generation", "shell"],
    )
    def test_built_in_tools_run_as_often_as_they_are_let(self, tool: str) -> None:
        assert responses(tools=[{"type": "function"}, {"type": tool}]).server_tool_uses is None
        assert responses(tools=[{"type": tool}], max_tool_calls=4).server_tool_uses == 4

    def test_the_clients_own_tools_do_not_count(self) -> None:
        tools = [{"type": "function"}, {"type": "custom"}, {"type": "local_shell"}, {"type": "computer"}]
        assert responses(tools=tools, max_tool_calls=4).server_tool_uses == 0

    def test_a_compaction_counts_as_one_use(self) -> None:
        compaction = [{"type": "compaction"}]
        assert responses(context_management=compaction).server_tool_uses == 1
        search = [{"type": "web_search"}]
        ask = responses(context_management=compaction, tools=search, max_tool_calls=4)
        assert ask.server_tool_uses == 5
        assert responses(context_management=compaction, tools=search).server_tool_uses is None


class TestGemini:
    @pytest.mark.parametrize(
        ("target", "model", "stream"),
        [
            ("/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro", False),
            ("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse&key=a/b", "gemini-3-pro", True),
            ("/v1beta/tunedModels/my-own%3AstreamGenerateContent", "my-own", True),
            (
                "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-3-flash:generateContent",
                "gemini-3-flash",
                False,
            ),
            ("", "", False),
        ],
    )
    def test_model_and_streaming_stand_in_the_path(self, target: str, model: str, stream: bool) -> None:
        for body in (b'{"contents":[]}', b"not json"):
            ask = peek("gemini.generate", target, body)
            assert (ask.model, ask.stream) == (model, stream)

    def test_keys_are_read_in_either_spelling(self) -> None:
        camel = gemini(generationConfig={"maxOutputTokens": 100, "candidateCount": 2}, serviceTier="flex")
        snake = gemini(
            generation_config={"max_output_tokens": 100, "candidate_count": 2}, service_tier="flex"
        )
        assert (camel.output_cap, camel.choices, camel.service_tier) == (200, 2, "flex")
        assert (snake.output_cap, snake.choices, snake.service_tier) == (200, 2, "flex")

    @pytest.mark.parametrize(
        "body",
        [
            {"cachedContent": "cachedContents/1"},
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://example.com/v"}}]}]},
            {"contents": [{"parts": [{"file_data": {"file_uri": "gs://bucket/v"}}]}]},
        ],
    )
    def test_what_is_elsewhere_opens_the_input(self, body: dict[str, Any]) -> None:
        assert gemini(**body).open_input

    def test_tools_that_run_at_google_are_told_from_the_clients(self) -> None:
        assert gemini(tools=[{"functionDeclarations": [{"name": "f"}]}]).server_tool_uses == 0
        assert gemini(tools=[{"functionDeclarations": []}, {"googleSearch": {}}]).server_tool_uses is None
        assert gemini(tools=[{"url_context": {}}]).server_tool_uses is None
        # A cap that is a text, as protocol buffers may be written, is strange, but hides nothing.
        ask = gemini(tools=[{"googleSearch": {}}], generationConfig={"maxOutputTokens": "50"})
        assert (ask.output_cap, ask.server_tool_uses) == (50, None)


SEARCH = {"googleSearch": {}}


class TestWrongTypes:
    """What has a type that is not expected is unknown, not absent: an API may accept it all the same."""

    @pytest.mark.parametrize("wrong", [{"type": "web_search"}, "web_search", 7, [7], [{"type": 7}], True])
    def test_tools_may_run_at_the_provider(self, wrong: object) -> None:
        assert claude(tools=wrong, max_tokens=1).server_tool_uses is None
        assert chat(tools=wrong).server_tool_uses is None
        assert responses(tools=wrong).server_tool_uses is None
        assert responses(tools=wrong, max_tool_calls=2).server_tool_uses == 2

    def test_one_object_is_a_list_of_it_for_google(self) -> None:
        assert gemini(tools=SEARCH).server_tool_uses is None
        assert gemini(tools={"functionDeclarations": []}).server_tool_uses == 0
        assert gemini(tools="googleSearch").server_tool_uses is None
        assert gemini(tools=[SEARCH, 5]).server_tool_uses is None
        assert gemini(tools=[{"functionDeclarations": []}, 5]).server_tool_uses is None

    def test_plugins_edits_fallbacks_and_servers_may_do_anything(self) -> None:
        assert chat(plugins={"id": "web"}).server_tool_uses is None
        assert chat(plugins=[{"id": 7}]).server_tool_uses is None
        assert claude(context_management={"edits": {"type": "compact_20260112"}}).server_tool_uses is None
        assert claude(mcp_servers={"url": "https://x"}).server_tool_uses is None
        assert responses(context_management={"type": "compaction"}).server_tool_uses is None
        ask = claude(max_tokens=9, fallbacks=[{"model": "m", "max_tokens": {}}])
        assert (ask.others, ask.server_tool_uses, ask.output_cap) == (("",), None, None)
        assert chat(model="a", models="b").others == ("",)
        assert chat(model="a", models=["b", {}]).others == ("b", "")

    @pytest.mark.parametrize("wrong", [[1], {"value": 1}, True, "many", "inf"])
    def test_nothing_bounds_the_output(self, wrong: object) -> None:
        assert claude(max_tokens=wrong).output_cap is None
        assert chat(max_tokens=9, max_completion_tokens=wrong).output_cap is None
        assert chat(max_tokens=9, n=wrong).output_cap is None
        assert responses(max_output_tokens=wrong).output_cap is None
        assert gemini(generationConfig={"maxOutputTokens": wrong}).output_cap is None
        assert gemini(generationConfig={"maxOutputTokens": 9, "candidateCount": wrong}).output_cap is None
        assert gemini(generationConfig={"maxOutputTokens": 9}, generation_config=[7]).output_cap is None
        for target, body in (
            ("openai.completions", {"max_tokens": 9, "best_of": wrong}),
            ("bedrock.invoke", {"max_tokens": 9, "inferenceConfig": {"maxTokens": wrong}}),
        ):
            assert peek(target, "/model/m/invoke", json.dumps(body).encode()).output_cap is None

    @pytest.mark.parametrize(("written", "cap"), [("100", 100), (100.0, 100), (99.5, 100), (None, None)])
    def test_a_number_may_be_written_in_other_ways(self, written: object, cap: int | None) -> None:
        assert claude(max_tokens=written).output_cap == cap
        assert chat(max_tokens=written).output_cap == cap
        assert responses(max_output_tokens=written).output_cap == cap
        assert gemini(generationConfig={"maxOutputTokens": written}).output_cap == cap

    def test_of_two_spellings_the_larger_bounds(self) -> None:
        both = gemini(
            generationConfig={"maxOutputTokens": 10, "candidateCount": 2},
            generation_config={"max_output_tokens": 90, "candidate_count": 1},
        )
        assert both.output_cap == 180
        assert gemini(generationConfig={"maxOutputTokens": 0}).output_cap is None

    @pytest.mark.parametrize("wrong", [3, ["priority"], {"type": "priority"}, True])
    def test_the_tier_may_be_any(self, wrong: object) -> None:
        for ask in (claude, chat, responses, gemini):
            assert ask(service_tier=wrong).service_tier == UNKNOWN_TIER
        assert gemini(serviceTier=wrong).service_tier == UNKNOWN_TIER
        assert claude(speed=wrong).service_tier == UNKNOWN_TIER
        converse = json.dumps({"serviceTier": "priority"}).encode()
        assert peek("bedrock.converse", "/model/m/converse", converse).service_tier == UNKNOWN_TIER

    @pytest.mark.parametrize("wrong", [{"id": "x"}, ["x"], 7])
    def test_the_input_may_be_elsewhere(self, wrong: object) -> None:
        assert responses(previous_response_id=wrong).open_input
        assert gemini(cachedContent=wrong).open_input
        assert gemini(cached_content=wrong).open_input
        assert peek("cohere.chat", "/v2/chat", json.dumps({"conversation_id": wrong}).encode()).open_input

    def test_null_is_absent(self) -> None:
        assert chat(max_tokens=9, n=None, tools=None, plugins=None, service_tier=None).output_cap == 9
        assert gemini(generationConfig={"maxOutputTokens": 9}, generation_config=None).output_cap == 9


class TestNamedInThePath:
    @pytest.mark.parametrize(
        ("api", "target", "model"),
        [
            ("openai.chat", "/openai/deployments/my-gpt/chat/completions?api-version=1", "my-gpt"),
            ("openai.responses", "/openai/deployments/my-gpt/responses", "my-gpt"),
            ("openai.chat", "/v1/engines/davinci/chat/completions", "davinci"),
            (
                "anthropic.messages",
                "/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-8:rawPredict",
                "claude-opus-4-8",
            ),
            ("openai.chat", "/v1/chat/completions?x=/models/m", ""),
            ("openai.chat", "", ""),
        ],
    )
    def test_a_model_that_the_body_does_not_name(self, api: Api, target: str, model: str) -> None:
        assert peek(api, target, b"{}").model == model
        if model:
            assert peek(api, target, b'{"model":"named"}').model == "named"


@pytest.mark.parametrize("api", APIS)
class TestBodies:
    def test_a_compressed_body_is_read(self, api: Api) -> None:
        body = json.dumps({"model": "m", "messages": [], "contents": [], "input": "x" * 10_000}).encode()
        plain = peek(api, GEMINI, body)
        assert plain.understood
        assert plain.body_bytes == len(body)
        for coding, compress in CODINGS.items():
            assert peek(api, GEMINI, compress(body), coding) == plain
        assert peek(api, GEMINI, raw_deflate(body), "deflate") == plain
        assert peek(api, GEMINI, CODINGS["br"](CODINGS["gzip"](body)), "gzip, br") == plain

    @pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"model":"m"', b"\xff\xfe", b"{}garbage"])
    def test_what_is_no_json_object_is_not_understood(self, api: Api, body: bytes) -> None:
        ask = peek(api, GEMINI, body)
        assert (ask.understood, ask.body_bytes) == (False, len(body))

    def test_a_cut_bombed_or_foreign_body_is_not_understood(self, api: Api) -> None:
        packed = CODINGS["gzip"](b'{"model":"m"}')
        assert not peek(api, GEMINI, packed[:-12], "gzip").understood
        assert not peek(api, GEMINI, packed, "compress").understood
        bomb = CODINGS["br"](b'{"model":"' + bytes(100_000_000))
        ask = peek(api, GEMINI, bomb, "br")
        assert (ask.understood, ask.body_bytes) == (False, len(bomb))


KEYS = st.sampled_from(
    [
        "model",
        "stream",
        "max_tokens",
        "n",
        "tools",
        "metadata",
        "user_id",
        "type",
        "messages",
        "generationConfig",
        "maxOutputTokens",
        "ttl",
        "edits",
        "candidateCount",
        "service_tier",
        "max_tool_calls",
        "context_management",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.sampled_from(APIS), st.text(max_size=40), st.dictionaries(KEYS, VALUES))
def test_any_object_is_understood_and_no_number_is_negative(
    api: Api, target: str, body: dict[str, object]
) -> None:
    ask = peek(api, target, json.dumps(body).encode())
    assert ask.understood
    assert ask.output_cap is None or ask.output_cap >= 0
    assert ask.choices >= 1
    assert ask.server_tool_uses is None or ask.server_tool_uses >= 0


@given(st.sampled_from(APIS), st.text(max_size=40), st.binary(max_size=300), st.text(max_size=9))
def test_any_bytes_are_survived(api: Api, target: str, body: bytes, coding: str) -> None:
    for declared in ("", coding, "gzip", "deflate", "br", "zstd"):
        assert peek(api, target, body, declared).body_bytes >= 0


@pytest.mark.parametrize(
    ("api", "part"),
    [
        ("anthropic.messages", b'{"type":"image","source":{"type":"base64","data":"iVBO"}}'),
        ("openai.chat", b'{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}'),
        ("openai.chat", b'{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}'),
        ("gemini.generate", b'{"inlineData":{"mimeType":"image/png","data":"iVBO"}}'),
    ],
)
def test_pictures_and_sound_in_the_body_are_noticed(api, part) -> None:
    assert peek(api, "/v1beta/models/m:generateContent", b'{"model":"m","x":[' + part + b"]}").media
    assert not peek(api, "/v1beta/models/m:generateContent", b'{"model":"m","x":["words"]}').media
