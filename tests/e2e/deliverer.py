"""A process with a ledger and an outbox, made to be killed: it fires alerts, and its days pass in seconds.

Run as ``python -m e2e.deliverer HOME NOW SPEED ALERTS``. SIGUSR1 sends again what was given up on.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

import msgspec

from budgetd.alerts.outbox import Outbox
from budgetd.config import load_config
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.schema import INSERT_ALERT
from budgetd.ledger.writer import Ledger

FIRE_SECONDS = 0.02
WAKE_SECONDS = 0.005
"""By the clock on the wall, which the outbox does not look at."""


async def main(home: Path, now: float, speed: float, alerts: int) -> None:
    started = time.monotonic()

    def clock() -> float:
        return now + (time.monotonic() - started) * speed

    ledger = Ledger(home / "ledger.db")
    outbox = Outbox(
        ledger,
        clock,
        failed=lambda channel, error: None,
        delivered=lambda channel: None,
        changed=lambda: None,
    )
    outbox.configure(load_config(home / "config.toml").alerts)
    outbox.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, outbox.redeliver)
    waking = asyncio.create_task(_wake(outbox))
    print("up", flush=True)
    while (id := ledger.next_alert_id()) <= alerts:
        _fire(ledger, outbox, id, clock())
        await asyncio.sleep(FIRE_SECONDS)
    await waking


def _fire(ledger: Ledger, outbox: Outbox, id: int, now: float) -> None:
    alert = AlertRow(
        id=id,
        rule="threshold",
        severity="warning",
        limit="daily",
        window_starts_at=float(id),
        threshold_pct=80,
        message=f"number {id} ▲",
        fired_at=now,
        last_at=now,
    )
    ledger.add(INSERT_ALERT, msgspec.structs.astuple(alert))
    outbox.put(alert, "fired", now)


async def _wake(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(WAKE_SECONDS)
        outbox.wake()


if __name__ == "__main__":
    home, now, speed, alerts = sys.argv[1:]
    asyncio.run(main(Path(home), float(now), float(speed), int(alerts)))
