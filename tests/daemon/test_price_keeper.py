"""What keeps a daemon's prices right, against a real server of price lists."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from budgetd import price_keeper
from budgetd.config import load_config
from budgetd.price_keeper import PriceKeeper
from daemon.test_accounts import NOON, Setting
from e2e.published import Published

MAP = Path(__file__).parents[1] / "pricing" / "litellm_map.json"
FAILED = "LiteLLM was not synced"


@pytest.fixture
async def setting(tmp_path: Path):
    setting = Setting(tmp_path)
    yield setting
    await setting.ledger.close()


async def until(keeper: PriceKeeper, holds: Callable[[], bool]) -> None:
    """Let the keeper look, as the daemon does each second, until something holds."""
    async with asyncio.timeout(60):
        while not holds():
            keeper.look()
            await asyncio.sleep(0.05)


async def test_a_daily_sync_that_failed_is_tried_again_before_the_next_day(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(price_keeper, "RETRY_SECONDS", 0.0)
    async with Published(MAP.read_bytes()) as published:
        published.broken["/litellm.json"] = web.Response(status=500)
        (tmp_path / "config.toml").write_text(published.section.replace("\n", '\nsync = "daily"\n', 1))
        config = load_config(tmp_path / "config.toml")
        keeper = PriceKeeper(tmp_path / "prices", tmp_path / "ledger.db", config)
        keeper.start(setting.accounts.desk)
        await until(keeper, lambda: FAILED in caplog.text)
        published.broken.clear()
        await until(keeper, lambda: "LiteLLM" in keeper.book.bound("openai", "gpt-5.4", NOON).id)
        asked = len(published.asked)
        for _ in range(3):
            keeper.look()
            await asyncio.sleep(0.05)
        assert len(published.asked) == asked, "once it went well, it waits a day"
        await keeper.stop()
