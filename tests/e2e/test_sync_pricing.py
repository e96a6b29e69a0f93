"""`budgetd sync-pricing` and `budgetd prices`, against a real server of price lists."""

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from budgetd.pricing.settings import PricingSection
from budgetd.pricing.sync.daily import sync_harmless
from budgetd.pricing.sync.shelf import Shelf
from e2e.ask import MODEL, ask
from e2e.background import Background
from e2e.provider import Provider
from e2e.published import Published
from e2e.running import WAIT_SECONDS, Home, budgetd, environment
from e2e.upstream import Keeping

MAP = Path(__file__).parents[1] / "pricing" / "litellm_map.json"
NOWHERE = {"anthropic": "http://127.0.0.1:9"}


@pytest.fixture
def published(background: Background) -> Iterator[Published]:
    with background.inside(Published(MAP.read_bytes())) as published:
        yield published


@pytest.fixture
def home(published: Published) -> Iterator[Home]:
    """Nothing runs in it."""
    with Home(NOWHERE, config=published.section) as home:
        yield home


@pytest.fixture
def synced(home: Home) -> Home:
    """A home in which everything that was published is in force."""
    assert "is in force" in sync(home, "--accept")
    return home


def run(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = budgetd(home.path, *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines()), default=0) <= 80
    return done


def sync(home: Home, *options: str) -> str:
    """What a sync that works says."""
    done = run(home, "sync-pricing", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def price(home: Home, name: str, row: str) -> list[str]:
    """What each source says of one class of a model's price."""
    done = run(home, "prices", name)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith(row + "  "))
    return line.removeprefix(row).split()


def files(home: Home) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in home.places.prices.glob("*") if file.name != "lock"}


# what is published


def test_what_is_published_comes_in_force(home: Home, published: Published) -> None:
    published.price("openai", "gpt-5.4")["output_mtok"] = 30
    published.models("openai").append(
        {"id": "gpt-99", "match": {"equals": "gpt-99"}, "prices": {"input_mtok": 7, "output_mtok": 9}}
    )
    said = sync(home)
    assert f"genai-prices, from {published.url}: 1 dearer, 1 new" in said
    assert price(home, "gpt-5.4", "output")[0] == "$30.00"
    assert price(home, "gpt-99", "input") == ["$7.00"]
    page = run(home, "prices", "gpt-5.4").stdout
    assert f"Billed by: genai-prices 20{time.strftime('%y', time.gmtime())}-" in page
    assert f"({published.url.removeprefix('http://')}, today)" in page


def test_what_has_not_changed_is_not_sent_again(synced: Home, published: Published) -> None:
    before = files(synced)["genai.table"]
    assert sync(synced) == "genai-prices: nothing has changed.\nLiteLLM: nothing has changed.\n"
    assert published.asked[2:] == [("/genai.json", 304), ("/litellm.json", 304)]
    assert len(files(synced)["genai.table"]) == len(before)


def test_models_that_are_used_are_told_first_and_the_others_counted(
    background: Background, home: Home, published: Published
) -> None:
    assert MODEL == "claude-sonnet-4-6"
    with background.inside(Keeping(Provider())) as upstream:
        home.places.config.write_text(
            home.places.config.read_text().replace(NOWHERE["anthropic"], upstream.url)
        )
        home.start()
        background.run(ask(home, 10))
        home.stop()
        home.process = None
    for model in published.models("groq"):
        for key in model["prices"] if isinstance(model["prices"], dict) else ():
            model["prices"][key] = 7.7
    published.price("anthropic", MODEL)["input_mtok"] = 4
    lines = sync(home).splitlines()
    assert lines[2].split() == [f"anthropic/{MODEL}", "dearer"]
    assert lines[3].split() == ["input", "$3.00", "$4.00", "+33", "%"]
    assert lines[4].startswith("and ")
    assert "you do not use" in lines[4]


# what needs a yes


def cheaper(published: Published) -> None:
    published.price("openai", "gpt-5.4")["output_mtok"] = 3


def free(published: Published) -> None:
    published.price("openai", "gpt-5.4")["output_mtok"] = 0


def removed(published: Published) -> None:
    models = published.models("openai")
    models[:] = [model for model in models if model["id"] != "gpt-5.4"]


@pytest.mark.parametrize(
    ("change", "word", "then"),
    [(cheaper, "cheaper", "$3.00"), (free, "at no price", "$0"), (removed, "removed", "")],
)
def test_what_costs_less_waits_for_a_yes(
    synced: Home, published: Published, change: Callable[[Published], None], word: str, then: str
) -> None:
    change(published)
    published.price("openai", "gpt-4o")["output_mtok"] = 11
    said = sync(synced)
    assert f": 1 dearer, 1 {word}\n" in said
    assert f"{word} !\n" in said
    assert "Left as before: 1 model, marked with !; --accept takes them over too.\n" in said
    assert price(synced, "gpt-5.4", "output")[0] == "$15.00"
    assert price(synced, "gpt-4o", "output")[0] == "$11.00"
    again = sync(synced)
    assert f": 1 {word}\n" in again, "what was held back is told again, not forgotten"
    assert "is in force" not in again
    assert "is in force" in sync(synced, "--accept")
    first = run(synced, "prices", "gpt-5.4", "--provider", "openai").stdout
    if then:
        assert price(synced, "gpt-5.4", "output")[0] == then
    else:
        assert "genai-prices" not in first.splitlines()[1], first
    assert "nothing has changed" in sync(synced)


@pytest.mark.parametrize(("answer", "then"), [(b"y\n", "$3.00"), (b"n\n", "$15.00"), (b"\n", "$15.00")])
def test_a_person_is_asked(synced: Home, published: Published, answer: bytes, then: str) -> None:
    cheaper(published)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "budgetd.cli", "sync-pricing"]
    process = subprocess.Popen(command, env=environment(synced.path), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        assert b"cheaper !" in _read_until(master, b"(1 model)? [y/N]: ")
        os.write(master, answer)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert price(synced, "gpt-5.4", "output")[0] == then


def _read_until(master: int, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        assert select.select([master], [], [], WAIT_SECONDS)[0], said
        said += os.read(master, 4096)
    return said


def test_rolling_back_and_forth(synced: Home, published: Published) -> None:
    cheaper(published)
    sync(synced, "--accept")
    said = sync(synced, "--rollback")
    assert said.startswith("genai-prices: back to genai-prices 20")
    assert price(synced, "gpt-5.4", "output")[0] == "$15.00"
    sync(synced, "--rollback")
    assert price(synced, "gpt-5.4", "output")[0] == "$3.00"


def test_rolling_back_before_the_first_sync(home: Home) -> None:
    done = run(home, "sync-pricing", "--rollback")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("budgetd: No prices have been synced yet")


# what is not used


def negative(published: Published) -> None:
    published.price("openai", "gpt-5.4")["output_mtok"] = -5


def halved(published: Published) -> None:
    published.genai[:] = published.genai[:5]


def other_unit(published: Published) -> None:
    published.genai[:] = json.loads(json.dumps(published.genai), parse_float=lambda x: float(x) / 1e6)


def answered(response: Callable[[], web.Response]) -> Callable[[Published], None]:
    def arrange(published: Published) -> None:
        published.broken["/genai.json"] = response()

    return arrange


BAD = {
    "negative": (negative, "is not used. genai-prices"),
    "halved": (halved, "is not used. It has only"),
    "other unit": (other_unit, "the unit is not the same"),
    "500": (answered(lambda: web.Response(status=500)), "answered 500 Internal Server Error."),
    "redirect": (
        answered(lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})),
        "redirects elsewhere",
    ),
    "cut short": (
        answered(lambda: web.Response(body=b'[{"id": "openai", "models": [{')),
        "is not understood",
    ),
    "a page": (answered(lambda: web.Response(text="<html>")), "is not understood"),
    "20 MiB": (answered(lambda: web.Response(body=b" " * (20 << 20))), "sends more than 16 MiB"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_right_changes_nothing(synced: Home, published: Published, case: str) -> None:
    before = files(synced)
    arrange, complaint = BAD[case]
    arrange(published)
    done = run(synced, "sync-pricing", "--accept")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("budgetd: genai-prices was not synced: ")
    assert complaint in done.stderr
    assert "LiteLLM: nothing has changed." in done.stdout, "the other source is not its fault"
    after = files(synced)
    assert {name: after[name] for name in before if "genai" in name} == {
        name: content for name, content in before.items() if "genai" in name
    }


# by itself


def test_the_daily_sync_takes_over_what_is_harmless(synced: Home, published: Published) -> None:
    published.price("openai", "gpt-4o")["output_mtok"] = 11
    cheaper(published)
    published.litellm = b"nonsense"
    section = PricingSection(
        genai_url=f"{published.url}/genai.json", litellm_url=f"{published.url}/litellm.json"
    )
    places = synced.places
    first, second = asyncio.run(sync_harmless(places.prices, places.ledger, section, time.time()))
    assert (first.source, first.ok) == ("genai", True)
    assert first.message == (
        "genai-prices was synced: new prices are in force; 1 model waits for your yes: budgetd sync-pricing."
    )
    assert (second.source, second.ok) == ("litellm", False)
    assert second.message.startswith("LiteLLM was not synced: What http://127.0.0.1:")
    assert price(synced, "gpt-4o", "output")[0] == "$11.00"
    assert price(synced, "gpt-5.4", "output")[0] == "$15.00"


def test_the_daily_sync_leaves_what_a_person_rolled_back_until_the_person_syncs(
    synced: Home, published: Published
) -> None:
    config = synced.places.config
    config.write_text(config.read_text().replace("[pricing]", '[pricing]\nsync = "daily"'))
    published.price("openai", "gpt-4o")["output_mtok"] = 11
    assert price(synced, "gpt-4o", "output")[0] == "$10.00"
    sync(synced)
    assert "The daily sync leaves it so until you run budgetd sync-pricing." in sync(synced, "--rollback")
    published.price("openai", "gpt-4o-mini")["output_mtok"] = 12
    section = PricingSection(
        genai_url=f"{published.url}/genai.json", litellm_url=f"{published.url}/litellm.json"
    )
    places = synced.places
    first, second = asyncio.run(sync_harmless(places.prices, places.ledger, section, time.time()))
    assert first.message == "genai-prices stays as you rolled it back, until you run budgetd sync-pricing."
    assert second.message == "LiteLLM was synced: nothing changed."
    assert price(synced, "gpt-4o", "output")[0] == "$10.00"
    assert ": 2 dearer\n" in sync(synced)
    published.price("openai", "gpt-4o-mini")["output_mtok"] = 13
    first, _ = asyncio.run(sync_harmless(places.prices, places.ledger, section, time.time()))
    assert first.message == "genai-prices was synced: new prices are in force."


def test_a_running_daemon_takes_the_new_prices(background: Background, published: Published) -> None:
    with (
        background.inside(Keeping(Provider())) as upstream,
        Home({"anthropic": upstream.url}, config=published.section).running() as home,
    ):
        background.run(ask(home, 10))
        published.price("anthropic", MODEL)["output_mtok"] = 30
        sync(home)
        deadline = time.monotonic() + WAIT_SECONDS
        costs = [home.rows()[-1]["cost_nusd"]]
        while costs[-1] == costs[0]:
            assert time.monotonic() < deadline
            background.run(ask(home, 10))
            costs.append(home.rows()[-1]["cost_nusd"])
        assert costs[-1] - costs[0] == 10 * 15_000
        assert "genai-prices 20" in home.rows()[-1]["price_id"]


# prices


def test_a_price_is_explained_with_the_second_opinion(synced: Home, published: Published) -> None:
    published.price("openai", "gpt-5.4")["output_mtok"]["base"] = 16
    sync(synced)
    page = run(synced, "prices", "gpt-5.4").stdout
    rows = [line.split("  ") for line in page.splitlines()]
    assert rows[0] == [f"openai/gpt-5.4, {time.strftime('%Y-%m-%d', time.gmtime())}"]
    assert price(synced, "gpt-5.4", "output") == ["$16.00", "$15.00", "≠"]
    assert price(synced, "gpt-5.4", "input >272k") == ["$5.00", "$5.00"]
    assert price(synced, "gpt-5.4", "priority input") == ["$5.00", "$5.00"]
    assert price(synced, "claude-opus-4-8", "us") == ["×", "1.1", "×", "1.1"]
    assert "They differ where ≠ stands; a strict limit goes by the dearer." in page
    assert "Second opinion: LiteLLM 20" in page


def test_a_price_that_a_person_states_is_told_with_its_line(home: Home) -> None:
    text = home.places.config.read_text() + '[pricing.overrides."Anthropic/claude-*"]\ninput = 4.5\n'
    home.places.config.write_text(text)
    line = text.splitlines().index('[pricing.overrides."Anthropic/claude-*"]') + 1
    page = run(home, "prices", "anthropic/claude-opus-4-8").stdout
    assert f"Billed as you say in {home.places.config}, line {line}." in page
    assert price(home, "claude-opus-4-8", "input") == ["$4.50", "$5.00", "≠"]
    assert "as shipped" in page


def test_a_price_of_another_day(home: Home) -> None:
    page = run(home, "prices", "deepseek-chat", "--at", "2024-09-01").stdout
    assert page.startswith("deepseek/deepseek-chat, 2024-09-01\n")
    assert run(home, "prices", "deepseek-chat", "--at", "tomorrow").returncode == 2


def test_many_models_are_listed(home: Home) -> None:
    listed = run(home, "prices", "claude-opus-4-?", "--provider", "anthropic").stdout
    assert "anthropic/claude-opus-4-8" in listed
    assert "haiku" not in listed
    assert "and " in run(home, "prices", "gpt").stdout.splitlines()[-1]


def test_a_model_that_nobody_knows(home: Home) -> None:
    done = run(home, "prices", "gpt-5.44x", "--provider", "openai")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No price is known of 'gpt-5.44x' at openai." in done.stderr
    assert "gpt-5.4" in done.stderr
    assert "A request for it counts as gpt-5.5-pro, the nearest that is known: $" in done.stderr
    for name, counts in (
        ("gpt-5", "at its maker's price: $1.25 in and $10.00 out"),
        ("prod", "at the ceiling: $"),
    ):
        done = run(home, "prices", name, "--provider", "gateway")
        assert (done.returncode, f"A request for it counts {counts}" in done.stderr) == (1, True), done.stderr
    anywhere = run(home, "prices", "\x1b[2Jgpt")
    assert "\x1b" not in anywhere.stderr


def test_the_age_of_prices_is_known(synced: Home) -> None:
    assert abs(Shelf(synced.places.prices).primary().as_of - time.time()) < 600
