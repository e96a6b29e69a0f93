"""protocol/README.md says what the code does: the same messages, the same fields, a client that runs."""

import asyncio
import json
import re
import sys
from pathlib import Path

import msgspec
import pytest

from budgetd.control import connection, server
from budgetwire import codec
from budgetwire.messages import (
    VERSION,
    AcknowledgeReply,
    ApplyCorrectionsReply,
    Cost,
    FromClient,
    FromDaemon,
    QueryAlertsReply,
    QueryAuditReply,
    QueryChannelsReply,
    QueryDeliveriesReply,
    QueryEstimatesReply,
    QueryRequestsReply,
    RedeliverReply,
    ReleaseReply,
    SendTestReply,
    SnoozeReply,
    State,
    UndoLimitReply,
)
from control.fakes import FakeViews, serving
from wire.strategies import SHOWN, kinds

TEXT = (Path(__file__).parents[2] / "protocol" / "README.md").read_text()
RESULTS = {
    "acknowledge": AcknowledgeReply,
    "query_requests": QueryRequestsReply,
    "query_audit": QueryAuditReply,
    "query_estimates": QueryEstimatesReply,
    "query_alerts": QueryAlertsReply,
    "query_deliveries": QueryDeliveriesReply,
    "query_channels": QueryChannelsReply,
    "query_cost": Cost,
    "snooze": SnoozeReply,
    "send_test": SendTestReply,
    "redeliver": RedeliverReply,
    "release": ReleaseReply,
    "apply_corrections": ApplyCorrectionsReply,
    "undo_corrections": ApplyCorrectionsReply,
    "undo_limit": UndoLimitReply,
}


def _search(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    assert match, pattern
    return match[1]


def sections(title: str) -> dict[str, list[dict]]:
    """The examples under each message that is documented in a chapter."""
    chapter = _search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT)
    found = re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL)
    return {
        name: [json.loads(block) for block in re.findall(r"```json\n(.*?)```", body, re.DOTALL)]
        for name, body in found
    }


CALLS, ANSWERS = sections("From the client"), sections("From the daemon")


def tags(union: object) -> dict[str, type[msgspec.Struct]]:
    return {str(cls.__struct_config__.tag): cls for cls in kinds(union)}


def strict(example: object, cls: type[msgspec.Struct]) -> set[str]:
    """Check that an example has no field that its struct lacks, at any depth; return each `Struct.field`."""
    value = msgspec.convert(example, cls)
    seen: set[str] = set()

    def walk(shown: object, struct: object) -> None:
        if isinstance(struct, msgspec.Struct):
            assert isinstance(shown, dict)
            assert set(shown) - {"type"} <= set(struct.__struct_fields__)
            seen.update(f"{type(struct).__name__}.{key}" for key in shown if key != "type")
            for key, inner in shown.items():
                walk(inner, getattr(struct, key, None))
        elif isinstance(shown, list) and isinstance(struct, list):
            for one, other in zip(shown, struct, strict=True):
                walk(one, other)

    walk(example, value)
    return seen


def every_field_shown() -> set[str]:
    seen: set[str] = set()
    for name, (call, *replies) in CALLS.items():
        seen |= strict(call, tags(FromClient)[name])
        for reply in replies:
            strict(reply, tags(FromDaemon)["reply"])
            assert reply["id"] == call["id"]
            seen |= strict(reply["result"], RESULTS[name])
    for name, examples in ANSWERS.items():
        for example in examples:
            seen |= strict(example, tags(FromDaemon)[name])
    return seen


def test_the_document_and_the_code_list_the_same_messages():
    assert set(CALLS) == set(tags(FromClient))
    assert set(ANSWERS) == set(tags(FromDaemon))


def test_every_example_is_the_message_it_stands_under():
    for name, (first, *_) in (CALLS | ANSWERS).items():
        assert first["type"] == name
    assert {name for name, examples in CALLS.items() if len(examples) > 1} == set(RESULTS)


def test_every_field_of_the_code_is_in_an_example_and_every_field_of_an_example_in_the_code():
    structs = [*kinds(FromClient), *kinds(FromDaemon), *SHOWN]
    fields = {f"{cls.__name__}.{field}" for cls in structs for field in cls.__struct_fields__}
    parts = {name for name in fields if name.startswith("Update.")}  # the same as those of Snapshot
    assert fields - parts == every_field_shown() - parts
    assert all(issubclass(cls, State) for cls in SHOWN)


@pytest.mark.parametrize(
    "statement",
    [
        f'"version": "{VERSION}"',
        f"one message | {codec.MAX_CALL_BYTES // 2**20} MiB",
        f"message included | {codec.MAX_DEPTH} |",
        f"characters of a client's name, all printable | {connection.MAX_NAME} |",
        f"connections at once | {server.MAX_CONNECTIONS} |",
        f"time until `hello` | {connection.HELLO_SECONDS:.0f} seconds",
        f"at most {1 / connection.UPDATE_SECONDS:.0f} a second",
        f"at most {codec.MAX_ANSWER_BYTES // 2**20} MiB",
        f"elements of an array | {codec.MAX_ARRAY:,} |",
        f"keys of a map | {codec.MAX_MAP} |",
    ],
)
def test_the_bounds_are_those_of_the_code(statement):
    assert statement in TEXT


def test_the_codes_of_errors_are_those_of_the_code():
    code = (Path(__file__).parents[2] / "protocol" / "budgetwire" / "messages" / "__init__.py").read_text()
    listed = _search(r'code: str\n\s+"""(.*?)\.', code)
    told = _search(r"^\| Code \| Meaning \|\n(.*?)\n\n", TEXT)
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == set(re.findall(r"\w+_?\w+", listed)) - {
        "or"
    }


async def test_the_example_client_runs_as_it_is_printed(path, tmp_path):
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(source.splitlines()) <= 16
    program = tmp_path / "example.py"
    program.write_text(source)
    views = FakeViews()
    async with serving(path, views=views) as control, asyncio.timeout(20):
        client = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            str(path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert await client.stdout.readline() == b"daily $0.00\n"
        views.spent = 4_200_000_000
        control.changed("limits")
        assert await client.stdout.readline() == b"daily $4.20\n"
        await control.stop()
        _, errors = await client.communicate()
    assert errors == b"budgetd was stopped.\n"
