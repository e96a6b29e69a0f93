"""The daemon's daily sync of what is harmless, in a process of its own: reading the lists takes a second of a
processor, for which no request should wait.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from budgetd.errors import BudgetdError
from budgetd.pricing.settings import PricingSection
from budgetd.pricing.sync.edition import NAMES, URLS, get_edition, put_in_force
from budgetd.pricing.sync.shelf import Shelf, Source
from budgetd.pricing.sync.used import used_models

_SECONDS = 300.0
_LEFT = "{} stays as you rolled it back, until you run budgetd sync-pricing."


class Order(msgspec.Struct, frozen=True):
    """What is to be synced."""

    folder: str
    """Of the prices."""
    ledger: str
    urls: dict[Source, str]
    now: float


class Outcome(msgspec.Struct, frozen=True):
    """What became of one source."""

    source: Source
    ok: bool
    message: str
    """A sentence for the log, or for an alert where it is not ok."""


def urls(section: PricingSection) -> dict[Source, str]:
    """Where the sources are fetched from."""
    return {"genai": section.genai_url or URLS["genai"], "litellm": section.litellm_url or URLS["litellm"]}


async def sync_harmless(folder: Path, ledger: Path, section: PricingSection, now: float) -> list[Outcome]:
    """Take over new models and higher prices; what needs a person's yes keeps its price, and so does what a
    person rolled back.

    What goes wrong is in the outcomes, not raised.
    """
    order = Order(str(folder), str(ledger), urls(section), now)
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "budgetd.pricing.sync"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
    except OSError as error:
        return _failed(f"no process can be started: {error.strerror}")
    try:
        async with asyncio.timeout(_SECONDS):
            said, complaint = await child.communicate(msgspec.json.encode(order))
    except TimeoutError:
        return _failed("it took too long")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        return msgspec.json.decode(said, type=list[Outcome])
    except msgspec.DecodeError:
        return _failed(
            complaint.decode("utf-8", "replace").strip().rpartition("\n")[2] or "no reason was given"
        )


async def carry_out(order: Order) -> list[Outcome]:
    """Do what is ordered, source by source."""
    shelf = Shelf(Path(order.folder))
    used = used_models(Path(order.ledger), order.now)
    outcomes: list[Outcome] = []
    for source, url in order.urls.items():
        if shelf.rolled_back(source):
            outcomes.append(Outcome(source, True, _LEFT.format(NAMES[source])))
            continue
        try:
            edition = await get_edition(shelf, source, url, order.now)
            changed = edition is not None and put_in_force(
                shelf, edition, order.now, accepted=False, used=used
            )
        except BudgetdError as error:
            outcomes.append(Outcome(source, False, f"{NAMES[source]} was not synced: {error}"))
            continue
        outcomes.append(
            Outcome(source, True, _told(source, len(edition.questions) if edition else 0, changed=changed))
        )
    return outcomes


def _told(source: Source, held: int, *, changed: bool) -> str:
    told = f"{NAMES[source]} was synced: " + ("new prices are in force" if changed else "nothing changed")
    if held:
        models = "1 model waits" if held == 1 else f"{held:,} models wait"
        told += f"; {models} for your yes: budgetd sync-pricing"
    return f"{told}."


def _failed(reason: str) -> list[Outcome]:
    return [Outcome(source, False, f"{NAMES[source]} was not synced: {reason}.") for source in NAMES]
