"""Pictures, by tokens and by the piece."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, peek
from metering.exchanges import read, sse
from metering.forms import form

USAGE = {
    "input_tokens": 60,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 50},
    "output_tokens": 4160,
    "total_tokens": 4220,
}
MADE = Usage(input_tokens=60, input_image_tokens=50, output_tokens=4160, output_image_tokens=4160)


def whole(**body: Any) -> Reading:
    return read("openai.images", json.dumps(body).encode(), "application/json")


def test_tokens_are_told_apart() -> None:
    reading = whole(created=1, data=[{"b64_json": "iVBO"}], usage=USAGE)
    assert reading == Reading(usage=MADE, complete=True)


def test_text_that_was_written_on_the_way_is_no_picture() -> None:
    usage = whole(
        data=[], usage={**USAGE, "output_tokens_details": {"text_tokens": 160, "image_tokens": 4000}}
    ).usage
    assert usage is not None
    assert (usage.output_tokens, usage.output_image_tokens) == (4160, 4000)


def test_what_was_cached_is_told_apart_too() -> None:
    report = {
        "input_tokens": 100,
        "cached_tokens": 80,
        "cached_tokens_details": {"cached_text_tokens": 20, "cached_image_tokens": 60},
        "input_tokens_details": {"text_tokens": 30, "image_tokens": 70},
        "output_tokens": 1,
    }
    usage = whole(data=[], usage=report).usage
    assert usage is not None
    assert (usage.cache_read_tokens, usage.cache_read_image_tokens, usage.input_image_tokens) == (80, 60, 70)


@pytest.mark.parametrize("pictures", [0, 1, 4])
def test_pictures_without_tokens_are_counted(pictures: int) -> None:
    reading = whole(created=1, data=[{"url": "https://x", "revised_prompt": "r"}] * pictures)
    assert reading == Reading(usage=Usage(images=pictures), complete=True)


def test_a_charge_is_stated_without_tokens() -> None:
    reading = whole(data=[{"url": "https://x"}], usage={"cost_in_usd_ticks": 200_000_000})
    assert (reading.usage, reading.cost_nusd) == (Usage(images=1), 20_000_000)


def test_vector_graphics_are_billed_apart() -> None:
    svg = {"model": "gpt-5.4", "input_tokens": 9, "output_tokens": 20, "reasoning_tokens": 5}
    reading = whole(data=[{"b64_json": "PHN2"}], usage=USAGE, svg_usage=svg)
    assert reading.usage == MADE
    assert reading.others == (("gpt-5.4", Usage(input_tokens=9, output_tokens=20, reasoning_tokens=5)),)


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_a_stream_reports_with_each_picture_that_is_done(kind: str) -> None:
    partial = {"type": f"{kind}.partial_image", "b64_json": "iVBO", "partial_image_index": 0}
    done = {"type": f"{kind}.completed", "b64_json": "iVBO", "usage": USAGE}
    assert read("openai.images", sse(partial, partial, named=True)) == Reading()
    assert read("openai.images", sse(partial, done, named=True)) == Reading(usage=MADE, complete=True)
    twice = read("openai.images", sse(done, done, named=True)).usage
    assert twice is not None
    assert twice.output_image_tokens == 2 * 4160


def test_an_error_has_no_pictures() -> None:
    assert whole(error={"message": "no"}) == Reading()


def test_a_request_says_how_many() -> None:
    body = json.dumps({"model": "gpt-image-1", "prompt": "a cat", "n": 3, "stream": True}).encode()
    assert peek("openai.images", "/v1/images/generations", body) == Ask(
        model="gpt-image-1", stream=True, images=3, choices=3, body_bytes=len(body)
    )
    assert peek("openai.images", "/v1/images/generations", b'{"prompt":"a"}').images == 1


@pytest.mark.parametrize(
    ("n", "images"), [("2", 2), (" 2", 2), ("0", 1), ("", 1), ("-3", 1000), ("x", 1000), ("9" * 150, 1000)]
)
def test_a_form_says_how_many(n: str, images: int) -> None:
    body = form({"model": "gpt-image-1", "image[]": b"\x89PNG\r\n\x1a\n", "prompt": "a hat", "n": n})
    ask = peek("openai.images", "/v1/images/edits", body)
    assert (ask.model, ask.images, ask.media, ask.understood) == ("gpt-image-1", images, True, True)


def test_a_picture_by_its_url_opens_the_input() -> None:
    part = {"images": [{"image_url": "https://example.com/a.png"}]}
    assert peek("openai.images", "/v1/images/edits", json.dumps(part).encode()).open_input
    part = {"images": [{"image_url": "data:image/png;base64,iVBO"}]}
    ask = peek("openai.images", "/v1/images/edits", json.dumps(part).encode())
    assert (ask.open_input, ask.media) == (False, True)
