"""Putting another model into a request: nothing else of it changes."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Api, Ask, peek
from budgetd.metering.decompress import inflate
from budgetd.metering.rewrite import can_replace, replace_in_target, replace_model
from metering.forms import form

FALLBACK = "claude-haiku-4-5"
NEW = b'"claude-haiku-4-5"'

Compress = Callable[[bytes], bytes]


def bare_deflate(plain: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(plain) + compressor.flush()


CODINGS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip ", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
]

# What is before, at and behind the value of one top-level "model".
BODIES = [
    (b'{"model":', b'"claude-opus-4-8"', b"}"),
    (b' \r\n\t{ "model" \n:\t', b'"x"', b"  } \n"),
    (b'{"messages":[{"model":"nested","x":{"model":"deeper"}}],"model":', b'"x"', b',"model2":"y"}'),
    (b'{"a":"\\"model\\":\\"no\\"","b\\\\":"}{][,:","model":', b'"\\"}\\\\"', b',"c":"\\u0022"}'),
    (b'{"Model":"no"," model":"no","model":', b'"x"', b"}"),
    (b'{"mod\\u0065l":', b'"x"', b"}"),
    (b'\xef\xbb\xbf{"model":', b'"x"', b"}"),
    (b'{"a":"caf\xc3\xa9 \xf0\x9f\x92\xa9","\xc3\xa9":1,"model":', b'"\xc3\xa9"', b',"b":"\xe2\x80\xa8"}'),
    (b'{"a":"not utf-8 \xff\xc3","model":', b'"\xff"', b"}"),
    (b'{"a":' + b"9" * 5000 + b',"b":-1.5E+400,"c":true,"d":null,"model":', b'"x"', b',"e":NaN}'),
    (b'{"":{},"":[],"model":', b'"x"', b',"z":[[],{}]}'),
    (b'{"model":', b"null", b"}"),
    (b'{"model":', b'{"model":"inner"}', b"}"),
    (b'{"model":', b"-1.5e3", b' ,"b":1}'),
]

HOPELESS = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b'"model"',
    b'[{"model":"x"}]',
    b'{"a":{"model":"x"}}',
    b'{"Model":"x"}',
    b'{"model":"x"',
    b'{"model":"x',
    b'{"model":',
    b'{"model"',
    b'{"mod',
    b'{"model":"x",}',
    b'{"model":"x"}}',
    b'{"model":"x"} {}',
    b'{"model":"x""b":1}',
    b'{"model" "x"}',
    b'{model:"x"}',
    b"{'model':'x'}",
    b'{"model":"a\nb"}',
    b'{"model":"x","a":' + b"[" * 100_000,
    b'\xef\xbb\xbf\xef\xbb\xbf{"model":"x"}',
    '{"model":"x"}'.encode("utf-16"),
    b"--boundary\r\nContent-Disposition: form-data; name=model\r\n",
]


@pytest.mark.parametrize(("before", "value", "behind"), BODIES)
def test_only_the_value_of_the_top_level_model_changes(before: bytes, value: bytes, behind: bytes) -> None:
    assert replace_model(before + value + behind, "", FALLBACK) == before + NEW + behind


@pytest.mark.parametrize(("before", "value", "behind"), BODIES)
@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_a_compressed_body_stays_compressed_the_same_way(
    before: bytes, value: bytes, behind: bytes, coding: str, compress: Compress
) -> None:
    changed = replace_model(compress(before + value + behind), coding, FALLBACK)
    assert changed is not None
    assert inflate(changed, coding.strip(), 1 << 20) == before + NEW + behind


def test_deflate_keeps_the_one_of_its_two_formats_that_came() -> None:
    body = b'{"model":"x"}'
    zlibs, bare = (replace_model(made, "deflate", "y") for made in (zlib.compress(body), bare_deflate(body)))
    assert zlib.decompress(zlibs or b"") == b'{"model":"y"}'
    assert zlib.decompress(bare or b"", wbits=-15) == b'{"model":"y"}'


def test_every_top_level_model_changes_for_readers_differ_in_which_they_take() -> None:
    body = b'{"model":"a","x":{"model":"a"},"model":5, "mod\\u0065l" : "c"}'
    wanted = b'{"model":"b","x":{"model":"a"},"model":"b", "mod\\u0065l" : "b"}'
    assert replace_model(body, "", "b") == wanted


@pytest.mark.parametrize("body", HOPELESS)
def test_what_names_no_model_is_left_alone(body: bytes) -> None:
    assert replace_model(body, "", FALLBACK) is None
    assert replace_model(gzip.compress(body), "gzip", FALLBACK) is None


@pytest.mark.parametrize("coding", ["compress", "gzip, br", "br", "zstd", "deflate", "gzip,identity"])
def test_what_is_not_compressed_as_it_says_is_left_alone(coding: str) -> None:
    assert replace_model(gzip.compress(b'{"model":"x"}'), coding, FALLBACK) is None


def test_a_decompression_bomb_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budgetd.metering.rewrite.MAX_BODY", 1 << 20)
    bomb = gzip.compress(b'{"model":"x","a":"' + b" " * (2 << 20) + b'"}')
    assert replace_model(bomb, "gzip", FALLBACK) is None


@pytest.mark.parametrize("name", ["", 'a"b\\c\n', "modèle", "\ud800", "x" * 10_000])
def test_any_name_is_written_as_valid_json(name: str) -> None:
    changed = replace_model(b'{"model":"x","a":1}', "", name)
    assert changed is not None
    assert json.loads(changed) == {"model": name, "a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["model", "a"]) | st.text(), inner),
    max_leaves=6,
)
blanks = st.text(" \t\r\n", max_size=3)


def with_model(wanted: dict[str, Any], model: str) -> dict[str, Any]:
    return {**wanted, "model": model}


@given(
    before=st.dictionaries(st.text(), json_values, max_size=4),
    behind=st.dictionaries(st.text(), json_values, max_size=4),
    old=st.text(),
    new=st.text(),
    blank=blanks,
    ascii_only=st.booleans(),
    coding=st.sampled_from([("", bytes), *CODINGS]),
)
def test_any_object_stays_the_same_but_for_its_model(
    before: dict[str, Any],
    behind: dict[str, Any],
    old: str,
    new: str,
    blank: str,
    ascii_only: bool,
    coding: tuple[str, Compress],
) -> None:
    def members(of: dict[str, Any]) -> list[str]:
        rest = {key: value for key, value in of.items() if key != "model"}
        return [
            _dump(key, ascii_only) + blank + ":" + _dump(value, ascii_only) for key, value in rest.items()
        ]

    front, back = members(before), members(behind)
    head = blank + "{" + "".join(each + "," + blank for each in front) + '"model":' + blank
    tail = "".join(blank + "," + each for each in back) + "}" + blank
    head_bytes, tail_bytes = _bytes(head), _bytes(tail)
    body = head_bytes + _bytes(_dump(old, ascii_only)) + tail_bytes
    name, compress = coding
    changed = replace_model(compress(body), name, new)
    assert changed is not None
    plain = inflate(changed, name.strip(), 1 << 24)
    assert plain is not None
    assert plain.startswith(head_bytes)
    assert plain.endswith(tail_bytes)
    written = plain[len(head_bytes) : len(plain) - len(tail_bytes)]
    assert json.loads(written) == new
    assert json.loads(plain.decode(errors="surrogatepass")) == with_model(
        json.loads(body.decode(errors="surrogatepass")), new
    )


def _dump(value: object, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


@given(
    body=st.binary() | st.lists(st.sampled_from(list(b'{}[]:,"\\ model0')), max_size=40).map(bytes),
    coding=st.sampled_from(["", "gzip", "deflate", "br", "zstd", "?", "gzip,br"]) | st.text(),
    target=st.text(),
    name=st.text(),
)
def test_nothing_makes_it_raise(body: bytes, coding: str, target: str, name: str) -> None:
    replace_model(body, coding, name)
    replace_in_target(target, name)
    can_replace("openai.chat", target, Ask(model=name), coding)


@given(st.lists(st.sampled_from(["{", "}", '"model"', ":", ",", '"x"', "5", "[", "]", " "]), max_size=12))
def test_what_is_said_to_be_replaceable_is(pieces: list[str]) -> None:
    body = "".join(pieces).encode()
    for api in ("anthropic.messages", "openai.chat", "openai.responses"):
        if can_replace(api, "/v1/x", peek(api, "/v1/x", body)):
            changed = replace_model(body, "", FALLBACK)
            assert changed is not None
            assert peek(api, "/v1/x", changed).model == FALLBACK


TARGETS = [
    ("/v1beta/models/gemini-2.5-pro:generateContent", "/v1beta/models/m:generateContent"),
    (
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=models/x:y",
        "/v1beta/models/m:streamGenerateContent?alt=sse&key=models/x:y",
    ),
    ("/in/models/front/v1/models/g:generateContent?", "/in/models/front/v1/models/m:generateContent?"),
    (
        "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
        "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
    ),
    ("/v1beta/models/a%3Ab%20c:generateContent", "/v1beta/models/m:generateContent"),
    ("/v1beta/tunedModels/x:generateContent", None),
    ("/v1beta/models/gemini-2.5-pro", None),
    ("/v1beta/models/:generateContent", None),
    ("/v1/messages?x=/models/a:b", None),
    ("", None),
]


@pytest.mark.parametrize(("target", "wanted"), TARGETS)
def test_in_geminis_paths_only_the_name_of_the_model_changes(target: str, wanted: str | None) -> None:
    assert replace_in_target(target, "m") == wanted
    path = target.partition("?")[0]
    assert can_replace("gemini.generate", path, peek("gemini.generate", target, b"{}")) == (
        wanted is not None
    )


def test_a_name_cannot_break_out_of_a_path() -> None:
    changed = replace_in_target("/v1beta/models/g:generateContent?a=b", "x/../y?z#\r\n é:v@1")
    assert changed == "/v1beta/models/x%2F..%2Fy%3Fz%23%0D%0A%20%C3%A9%3Av@1:generateContent?a=b"


PATHS: list[tuple[Api | None, str, bool]] = [
    ("anthropic.messages", "/v1/messages", True),
    ("openai.chat", "/v1/chat/completions", True),
    ("openai.chat", "/openai/v1/chat/completions", True),
    ("openai.chat", "/v1beta/openai/chat/completions", True),
    ("openai.responses", "/v1/responses", True),
    (None, "/v1/embeddings", True),
    ("openai.chat", "/openai/deployments/gpt-4o/chat/completions", False),
    ("openai.chat", "/models/owner/name/v1/chat/completions", False),
    (None, "/v1/engines/davinci/completions", False),
    (None, "/model/anthropic.claude-opus-4-8/invoke", False),
    (None, "/v1beta/models/text-embedding-004:embedContent", False),
]


@pytest.mark.parametrize(("api", "path", "wanted"), PATHS)
def test_where_the_path_chooses_the_model_a_body_cannot(api: Api | None, path: str, wanted: bool) -> None:
    assert can_replace(api, path, peek(api or "openai.chat", path, b'{"model":"x"}')) is wanted


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"model":""}', b'{"model":5}', b'{"model":"x"', b'[{"model":"x"}]']
)
def test_a_body_without_a_model_cannot_be_downgraded(body: bytes) -> None:
    assert not can_replace("openai.chat", "/v1/chat/completions", peek("openai.chat", "", body))


def test_a_body_compressed_twice_cannot_be_downgraded() -> None:
    ask = peek("openai.chat", "", brotli.compress(gzip.compress(b'{"model":"x"}')), "gzip, br")
    assert ask.model == "x"
    assert not can_replace("openai.chat", "/v1/chat/completions", ask, "gzip, br")


def test_an_understood_request_without_its_whole_meaning_is_not_replaceable() -> None:
    ask = msgspec.structs.replace(peek("openai.chat", "", b'{"model":"x"}'), understood=False)
    assert not can_replace("openai.chat", "/v1/chat/completions", ask)


@pytest.mark.parametrize(
    ("api", "path", "body"),
    [
        ("openai.embeddings", "/v1/embeddings", b'{"model":"text-embedding-3-large","input":"a"}'),
        ("openai.images", "/v1/images/edits", form({"model": "gpt-image-1", "image": b"\x89PNG"})),
        ("openai.speech", "/v1/audio/speech", b'{"model":"tts-1","input":"a"}'),
        ("openai.transcriptions", "/v1/audio/transcriptions", form({"model": "whisper-1", "file": b"RIFF"})),
        ("anthropic.batches", "/v1/messages/batches", b'{"requests":[{"params":{"model":"m"}}]}'),
        ("cohere.rerank", "/v2/rerank", b'{"model":"rerank-v3.5","documents":["a"]}'),
        ("gemini.embed", "/v1beta/models/gemini-embedding-001:embedContent", b"{}"),
    ],
)
def test_what_is_no_conversation_keeps_its_model(api: Api, path: str, body: bytes) -> None:
    ask = peek(api, path, body)
    assert ask.understood
    assert ask.model
    assert not can_replace(api, path, ask)
