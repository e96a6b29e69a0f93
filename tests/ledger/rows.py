"""Rows to write, and what another process would read of them."""

import sqlite3
from pathlib import Path

import msgspec

from budgetd.ledger.rows import AlertRow, Closing, Opening
from budgetd.ledger.schema import INSERT_ALERT
from budgetd.ledger.writer import Ledger

HOUR = 3600.0
T0 = 1_795_435_200.0


def opening(id: int, at: float = T0, **more: object) -> Opening:
    values = {
        "upstream": "anthropic", "provider": "anthropic", "dialect": "anthropic", "billing": "api",
        "method": "POST", "path": "/v1/messages", "model": "claude-sonnet-5", "user": "", "project": "",
        "session": "", "key": "k_123456", "client": "curl", "stream": True, "request_bytes": 10,
        "reserved_nusd": 100, "expected_nusd": 90, "worst_nusd": None,
    }  # fmt: skip
    return Opening(id=id, admitted_at=at, **(values | more))


def closing(cost: int, **more: object) -> Closing:
    values = {"settled_at": T0 + 1, "outcome": "ok", "basis": "reported", "status": 200}
    return Closing(cost_nusd=cost, **(values | more))


def alert(id: int, pct: int = 80, **more: object) -> AlertRow:
    return AlertRow(
        id=id, threshold_pct=pct, message="daily passed 80 %", fired_at=T0, rule="threshold",
        severity="warning",
        **({"limit": "daily", "window_starts_at": T0} | more),
    )  # fmt: skip


def fire(ledger: Ledger, *alerts: AlertRow) -> None:
    for each in alerts:
        ledger.add(INSERT_ALERT, msgspec.structs.astuple(each))


def on_disk(path: Path, sql: str) -> list[tuple]:
    """What another process would read."""
    with sqlite3.connect(path) as db:
        return db.execute(sql).fetchall()
