"""The table in docs/metering.md: what is read of each API, and against what that was checked.

``BUDGETTOP_WRITE_DOCS=1`` writes it anew; otherwise it is compared.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from budgetd.metering import Api
from metering.corpus import CORPUS, WHY_SKIPPED
from metering.test_corpus import APIS as CHECKED

DOCUMENT = Path(__file__).parents[2] / "docs" / "metering.md"
BEGIN, END = "<!-- coverage: begin -->\n", "<!-- coverage: end -->\n"


class Row(NamedTuple):
    where: str
    hand_made: str
    traps: str


ROWS: dict[Api, Row] = {
    "anthropic.messages": Row(
        "`message_start`, then every `message_delta`: the last one wins, field by field",
        "1-hour cache writes, compactions, advisors, fallbacks, errors, cut and compressed streams",
        "`input_tokens` leaves the cache out; a delta's input can dwarf the start's; iterations that are no"
        " message bill on top, an advisor's at another model's price",
    ),
    "anthropic.batches": Row(
        "each line of the results, fetched later; the answer to the creation has an id only",
        "results of several models, failed and expired ones, a pretty-printed batch",
        "billed at the batch tier; models may differ within a batch",
    ),
    "openai.chat": Row(
        "`usage` of the last chunk or of the whole; `x_groq.usage`, or the last choice's (Moonshot)",
        "xAI, Fireworks, Moonshot, Groq's compound systems, Perplexity's and xAI's stated charges, own keys"
        " behind a gateway, content in pieces",
        "OpenAI streams without `include_usage` report nothing; xAI leaves reasoning out of the output (the"
        " total tells); cached tokens have four names; with an own key `cost` is the gateway's fee alone;"
        " Mistral's total holds the tokens of sound, which is billed by its time; a compound system bills"
        " each of its models",
    ),
    "openai.completions": Row(
        "as chat",
        "whole and streamed with a usage, cut streams",
        "`best_of` bills every try, a list of prompts each of its prompts",
    ),
    "openai.responses": Row(
        "the event that ends the response, or the whole; `tool_usage` for searches and pictures",
        "file searches, pictures of an own model, stated charges",
        "in the background nothing is reported until it is fetched; opening a page is no search; pictures"
        " bill at their maker's price; containers of the code interpreter are reported nowhere",
    ),
    "openai.embeddings": Row(
        "`usage.prompt_tokens`, or the total where that is all",
        "totals only, pictures, stated charges",
        "Azure names the model in the path",
    ),
    "openai.images": Row(
        "`usage` with text and image tokens; without one, `data` is counted",
        "everything: generations, edits, streams, DALL·E, vector graphics, xAI's stated charge",
        "DALL·E reports no tokens and bills by size and quality; partial pictures bill with the last one",
    ),
    "openai.speech": Row(
        "`speech.audio.done` of a stream of events; else the characters of the request",
        "everything: sound of all kinds, events, errors",
        "sound says nothing of its cost, and may look like JSON or an event; models billed by tokens are"
        " estimated unless streamed as events",
    ),
    "openai.transcriptions": Row(
        "`usage` in tokens or seconds, `duration` of a verbose answer, `transcript.text.done`",
        "everything: tokens, seconds, verbose, streams, Mistral's counts, plain text",
        "the request is a form; plain text, SRT and VTT report nothing, and are estimated",
    ),
    "openai.realtime": Row(
        "every `response.done`; transcriptions of the input apart",
        "responses, interruptions, transcriptions",
        "a session bills many responses; input transcription bills at another model's price",
    ),
    "gemini.generate": Row(
        "`usageMetadata` of every chunk: the largest of each count",
        "a stream as one JSON array, modalities, searches, blocked prompts, errors",
        "counts go down now and then; thoughts and tool results are in no total of their name; video and"
        " documents are billed as text; models before Gemini 3 bill one search a prompt, however many there"
        " were",
    ),
    "gemini.embed": Row(
        "`usageMetadata`, or the statistics of each embedding (Vertex AI)",
        "everything that reports: modalities, statistics, pictures of `:predict`",
        "Google's API mostly reports nothing, and is estimated",
    ),
    "gemini.live": Row(
        "`usageMetadata` of each turn",
        "turns in all modalities",
        "modalities have prices of their own",
    ),
    "cohere.chat": Row(
        "`billed_units` of the last event or of the whole",
        "both versions streamed, tool calls",
        "`tokens` counts Cohere's own prompts too, which are not billed; no answer names its model",
    ),
    "cohere.embed": Row("`meta.billed_units`", "pictures", "as chat"),
    "cohere.rerank": Row(
        "`meta.billed_units.search_units`; elsewhere `usage` in search units or tokens",
        "everything: Cohere, OpenRouter, Together",
        "Cohere bills by units of up to 100 documents, not by tokens",
    ),
    "bedrock.converse": Row(
        "the `metadata` event of Amazon's binary stream, or `usage` of the whole",
        "cache writes of both ages, tiers, cut messages",
        "`inputTokens` leaves the cache out",
    ),
    "bedrock.invoke": Row(
        "as the model's maker reports; in a stream `amazon-bedrock-invocationMetrics`, else the headers"
        " `x-amzn-bedrock-…-token-count`",
        "all makers' shapes, counts in headers",
        "some makers' answers report nothing in the body; the path names the model, not the body",
    ),
    "ollama.generate": Row(
        "`prompt_eval_count` and `eval_count` of the last line",
        "tool calls, thinking, embeddings",
        "`prompt_eval_count` is left out where the prompt was cached; nothing is billed",
    ),
}

SPOKEN: dict[tuple[str, bool], Api] = {
    ("websocket", False): "openai.realtime",
    ("websocket", True): "gemini.live",
}


def api_of(kind: str, endpoint: str) -> Api | None:
    """What a recorded exchange speaks; None where it costs nothing."""
    if kind == "websocket":
        return SPOKEN[kind, endpoint.startswith("gemini.")]
    if endpoint in CHECKED:
        return CHECKED[endpoint]
    family, _, rest = endpoint.partition(".")
    if family == "ollama":
        return "ollama.generate"
    shapes: dict[str, Api] = {
        "bedrock.converse": "bedrock.converse",
        "bedrock.invoke": "bedrock.invoke",
        "cohere.chat": "cohere.chat",
        "cohere.embed": "cohere.embed",
    }
    return shapes.get(f"{family}.{rest.rpartition('.')[2].split('-')[0]}")


def table() -> str:
    recorded, reported = Counter[Api](), Counter[Api]()
    for line in CORPUS.read_text().splitlines():
        exchange = json.loads(line)
        api = api_of(exchange["kind"], exchange["endpoint"])
        if api is not None:
            recorded[api] += 1
            reported[api] += exchange["expected_usage_as_reported"]["n_reports"] > 0
    lines = [
        "| API | Where its usage is read | Recorded ones (with a usage) | Made by hand | Traps |",
        "|---|---|---|---|---|",
    ]
    for api in get_args(Api):
        row = ROWS[api]
        checked = f"{recorded[api]} ({reported[api]})" if recorded[api] else "none"
        lines.append(f"| `{api}` | {row.where} | {checked} | {row.hand_made} | {row.traps} |")
    return "\n".join(lines) + "\n"


@pytest.mark.skipif(not CORPUS.exists(), reason=WHY_SKIPPED)
def test_the_table_says_what_was_checked() -> None:
    head, begin, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    stood, end, tail = rest.partition(END)
    assert begin
    assert end
    made = table()
    if os.environ.get("BUDGETTOP_WRITE_DOCS") == "1":
        DOCUMENT.write_text(head + begin + made + end + tail, encoding="utf-8")
    else:
        assert stood == made, "run BUDGETTOP_WRITE_DOCS=1 pytest tests/metering/test_coverage_table.py"


def test_every_api_has_a_row() -> None:
    assert set(ROWS) == set(get_args(Api))
