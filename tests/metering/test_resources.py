"""The table of the providers' paths, and how a path is looked up in it."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.resources import (
    BILLED,
    BY_PROVIDER,
    EVERYWHERE,
    FREE,
    MAX_PATH,
    SOCKET,
    Resource,
    find,
)

ROWS = [(provider, row) for provider, rows in BY_PROVIDER.items() for row in rows]


def found(path: str, provider: str = "openai", *, method: str = "POST", prefix: str = "") -> tuple[str, bool]:
    """The API of a path ("" for none) and whether it is billable."""
    asked = find(provider, provider, prefix, method, path)
    return asked.api or "", asked.billable


def example(row: Resource) -> str:
    """A path that this row is about."""
    path = row.path.replace("...", "/front", 1) if row.path.startswith("...") else row.path
    return path.replace("{", "some-").replace("}", "").replace("/...", "/below/it")


@pytest.mark.parametrize(("provider", "row"), [*ROWS, *(("nobody", row) for row in EVERYWHERE)])
def test_no_row_is_hidden_by_one_before_it(provider: str, row: Resource) -> None:
    asked = find(provider, provider, "", row.method, example(row))
    late = row.method == "GET"
    assert asked.api == (None if row.what in {FREE, BILLED} else row.what)
    assert asked.billable == (row.what != FREE and not late)
    assert asked.late == ("some-id" if late else "")


def test_no_row_stands_twice() -> None:
    for rows in (EVERYWHERE, *BY_PROVIDER.values()):
        assert len({(row.method, row.path) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("fireworks", "/v1/workflows/accounts/fireworks/models/flux-1-dev-fp8/text_to_image"),
        ("fireworks", "/inference/v1/workflows/accounts/fireworks/models/flux-1-schnell-fp8/text_to_image"),
        ("fireworks", "/inference/v1/image_generation/accounts/fireworks/models/sd-xl"),
        ("replicate", "/v1/models/black-forest-labs/flux-schnell/predictions"),
        ("replicate", "/v1/deployments/me/mine/predictions"),
        ("huggingface", "/hf-inference/models/openai/whisper-large-v3"),
        ("xai", "/v1/models/x/y"),
        ("xai", "/v1/documents/search"),
        ("mistral", "/v1/conversations"),
        ("mistral", "/v1/moderations"),
        ("mistral", "/v1/ocr"),
        ("openai", "/v1/batches"),
        ("openai", "/v1/containers"),
        ("openai", "/v1/fine_tuning/jobs"),
        ("openai", "/v1/fine_tuning/jobs/j/resume"),
        ("openai", "/v1/realtime/calls"),
        ("openai", "/v1/threads/runs"),
        ("openai", "/v1/threads/t/runs"),
        ("openai", "/v1/threads/t/runs/r/submit_tool_outputs"),
        ("openai", "/v1/evals/e/runs"),
        ("openai", "/v1/vector_stores/v/search"),
        ("openai", "/v1/videos"),
        ("openai", "/v1/models"),
        ("anthropic", "/v1/complete"),
        ("anthropic", "/api/organizations/o/chat_conversations/c/completion"),
        ("gemini", "/v1beta/cachedContents"),
        ("gemini", "/v1beta/models/veo-3:predictLongRunning"),
        ("gemini", "/v1beta/models/gemini-3-pro:batchGenerateContent"),
        ("gemini", "/v1beta/fileSearchStores/s:importFile"),
        ("ollama", "/api/experimental"),
        ("ollama", "/api/web_search"),
        ("cohere", "/v1/embed-jobs"),
        ("bedrock", "/guardrail/g/version/1/apply"),
        ("nobody", "/anything"),
        ("nobody", "/"),
        ("nobody", ""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "post", "QUERY"])
def test_what_is_not_listed_costs(method: str, provider: str, path: str) -> None:
    assert found(path, provider, method=method) == ("", True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/v1/messages", "/v1/videos", "/v1/files/f", "/v1/a/../responses"])
def test_reading_and_deleting_cost_nothing(method: str, path: str) -> None:
    assert found(path, method=method) == ("", False)


def test_a_free_row_holds_for_its_own_method_alone() -> None:
    assert found("/v1/keys/k", "openrouter", method="PATCH") == ("", False)
    assert found("/v1/keys/k", "openrouter") == ("", True)
    assert found("/v1/files", method="PUT") == ("", True)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "post"])
def test_what_can_be_metered_is_metered_whatever_the_method(method: str) -> None:
    assert found("/v1/chat/completions", method=method) == ("openai.chat", True)


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1beta/models/gemini-2.5-pro%3AgenerateContent", "gemini.generate"),
        ("/v1beta/models/gemini-2.5-pro%3astreamGenerateContent", "gemini.generate"),
        ("/v1/projects/p/publishers/anthropic/models/claude-sonnet-4-5%3ArawPredict", "anthropic.messages"),
        ("/v1/organization/x/v1/messages", "anthropic.messages"),
        ("/v1/chat/completions/.", "openai.chat"),
        ("/v1/chat/completions/", "openai.chat"),
        ("/v1/./chat//completions", "openai.chat"),
        ("/v1/%63hat/completions", "openai.chat"),
        ("/v1/messages/files/..", "anthropic.messages"),
        ("/v1/files/..%2fmessages", "anthropic.messages"),
        ("/v1/files/%2e%2E/messages", "anthropic.messages"),
        ("/v1/files/.%2E%2Fmessages", "anthropic.messages"),
        ("/v1/messages%2fcount_tokens%2f..", "anthropic.messages"),
        ("/../../v1/messages", "anthropic.messages"),
        ("/model/anthropic.claude%3A0/invoke", "bedrock.invoke"),
        ("/models/embeddings", "openai.embeddings"),
    ],
)
def test_a_path_is_looked_up_as_the_upstream_reads_it(path: str, api: str) -> None:
    assert found(path) == (api, True)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/../files",  # a server that does not resolve it may see something else
        "/v1/./files",
        "/v1//files",
        "/v1%2ffiles",
        "/v1/files%00",
        "/v1/files%3Fx",
        "/v1/files;x=1",
        "/v1/files\\..\\responses",
        "/v1/uploads/%252e%252e%252fresponses/parts",
        "/v1/uploads/..;/parts",
        "/v1/uploads/%2e%2e/parts",
        "/v1/uploads/a%2Fb/parts",
        "/v1/upload\u017f/u/parts",
        "/elsewhere/v1/files",
        "/v1/FILES",
        "/v1/files/f",
        "/v1/files" + "/" * 60_000,
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_not_free(path: str) -> None:
    assert found(path)[1]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/", "/v1/%66iles", "/v1/uploads/u-1_2.3:4/parts"])
def test_a_free_path_may_be_quoted(path: str) -> None:
    assert found(path) == ("", False)


@pytest.mark.parametrize(
    ("prefix", "path", "free"),
    [
        ("", "/v1/files", True),
        ("/openai", "/v1/files", True),
        ("/v1", "/files", True),
        ("/llm/team/v1", "/files", True),
        ("/llm/team", "/files", False),
        ("", "/llm/v1/files", False),
    ],
)
def test_the_path_of_the_upstreams_url_may_stand_in_front(prefix: str, path: str, free: bool) -> None:
    assert found(path, prefix=prefix) == ("", not free)


def test_an_upstream_of_ones_own_has_its_dialects_rows() -> None:
    assert not find("mine", "openai", "", "POST", "/v1/moderations").billable
    assert not find("mine", "gemini", "", "POST", "/upload/v1beta/files").billable
    assert find("mine", "anthropic", "", "POST", "/v1/moderations").billable
    assert find("mistral", "openai", "", "POST", "/v1/moderations").billable


def test_a_socket_is_one_that_is_listed() -> None:
    assert found("/v1/realtime", method=SOCKET) == ("openai.realtime", True)
    service = "google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
    assert found(f"/ws/{service}", method=SOCKET) == ("gemini.live", True)
    assert found("/v1/messages", method=SOCKET) == ("", False)


def test_the_id_of_an_earlier_request_may_be_quoted() -> None:
    asked = find("anthropic", "anthropic", "", "GET", "/v1/messages/batches/a%2Fb/results")
    assert (asked.api, asked.billable, asked.late) == ("anthropic.batches", False, "a/b")


def test_the_longest_paths_are_not_looked_up() -> None:
    long = "/x" * (MAX_PATH // 2)
    assert found(long) == ("", True)
    assert found(long + "/v1/chat/completions") == ("", True)
    assert found(long + "/v1/files", method="GET") == ("", False)


SPELLINGS = st.lists(
    st.sampled_from(["/", "//", "/./", "/x/../", "/%2e/", "/x/%2e%2e/", "%2f", "%2F"]), min_size=4, max_size=4
)


@given(between=SPELLINGS, quoted=st.booleans(), behind=st.sampled_from(["", "/", "/.", "/x/.."]))
def test_no_spelling_makes_a_billable_path_free(between: list[str], quoted: bool, behind: str) -> None:
    words = ["v1", "chat", "completions"]
    if quoted:
        words = ["".join(f"%{byte:02x}" for byte in word.encode()) for word in words]
    path = "/" + "".join(mark + word for mark, word in zip(between, words, strict=False)).lstrip("/") + behind
    assert found(path)[1]


@given(st.text(max_size=60), st.sampled_from(sorted(BY_PROVIDER)), st.sampled_from(["POST", "GET", SOCKET]))
def test_any_path_is_survived(path: str, provider: str, method: str) -> None:
    find(provider, provider, "/a", method, "/" + path)
    find(provider, provider, "", method, "/" + quote(path, safe=""))
