"""Who works in the demo, for whom, and with which model."""

import asyncio
from random import Random

import aiohttp

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.agents.claude_code import ClaudeCode
from budgettop.demo.agents.codex import Codex
from budgettop.demo.agents.gemini_cli import GeminiCli
from budgettop.demo.agents.scraper import Scraper
from budgettop.demo.pace import Pace


def hire(desk: Desk, seed: int) -> list[Agent]:
    """Return the agents, ready to run; each draws its own variety from the seed."""

    def rng(name: str) -> Random:
        return Random(f"{seed} {name}")  # noqa: S311 - variety, not secrecy

    return [
        ClaudeCode(desk, "maria:acme-api", rng("api"), model="claude-opus-4-8", history=50_000),
        ClaudeCode(desk, "ben:acme-web", rng("web"), model="claude-opus-4-8", history=35_000),
        Codex(desk, "lena:billing", rng("codex"), model="gpt-5.4", history=40_000),
        GeminiCli(desk, "maria:notes", rng("gemini"), model="gemini-3-flash-preview"),
        Scraper(desk, "ben:scraper", rng("scraper"), model="gpt-5.4-mini"),
    ]


async def work(base: str, seed: int, pace: Pace) -> None:
    """Let all agents work against the proxy at ``base`` until cancelled."""
    unlimited = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=unlimited) as http, asyncio.TaskGroup() as group:
        for agent in hire(Desk(base, http, pace), seed):
            group.create_task(agent.run())
