"""What the provider answers, before it takes any dialect's shape: blocks of text, token counts, a pace."""

from collections.abc import Iterator
from random import Random
from typing import Literal, TypeAlias

import msgspec

from budgettop.demo.prose import BYTES_PER_TOKEN, prose, token_count

Stop: TypeAlias = Literal["end", "tool", "length"]
Kind: TypeAlias = Literal["thinking", "text", "tool"]

_PIECE = 6 * BYTES_PER_TOKEN  # providers send phrases, not single tokens
_DEFAULT_CAP = 32_000
_TOOL_CHANCE = 0.85
_SPEEDS = {"opus": 75.0, "haiku": 120.0, "mini": 110.0, "flash": 120.0}
_DEFAULT_SPEED = 80.0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants, as far as the answer depends on it."""

    model: str
    stream: bool
    cap: int | None = None
    """The most output tokens allowed."""
    tools: tuple[str, ...] = ()
    """Names of the tools that may be called."""
    thinks: bool = False
    cacheable: bool = True


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of an answer. A tool block's text is the JSON of its arguments."""

    kind: Kind
    id: str
    text: str
    name: str = ""
    """The tool that is called."""

    @property
    def tokens(self) -> int:
        """Output tokens that this block is billed as."""
        return token_count(len(self.text))

    def pieces(self) -> Iterator[str]:
        """Yield the text as it streams."""
        for start in range(0, len(self.text), _PIECE):
            yield self.text[start : start + _PIECE]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer and what it is billed as."""

    id: str
    """Letters and digits from which each dialect makes its own kind of id."""
    created: int
    model: str
    blocks: tuple[Block, ...]
    stop: Stop
    input_tokens: int
    """All input, cached and uncached."""
    cached_tokens: int
    first_token_seconds: float
    tokens_per_second: float

    @property
    def output_tokens(self) -> int:
        """All output, thinking included."""
        return sum(block.tokens for block in self.blocks)

    @property
    def thinking_tokens(self) -> int:
        """The part of the output that was thinking."""
        return sum(block.tokens for block in self.blocks if block.kind == "thinking")


def compose(rng: Random, ask: Ask, *, created: int, input_tokens: int, cached_tokens: int) -> Answer:
    """Make up an answer to ``ask`` that stays within its cap."""
    blocks, stop = _capped(list(_blocks(rng, ask)), ask.cap or _DEFAULT_CAP)
    return Answer(
        id=make_id(rng, 24),
        created=created,
        model=ask.model,
        blocks=blocks,
        stop=stop,
        input_tokens=input_tokens,
        cached_tokens=cached_tokens if ask.cacheable else 0,
        first_token_seconds=rng.uniform(0.4, 2.0),
        tokens_per_second=_speed(ask.model) * rng.uniform(0.8, 1.2),
    )


def make_id(rng: Random, length: int) -> str:
    """Return letters and digits that look like a provider's id."""
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789", k=length))


def _blocks(rng: Random, ask: Ask) -> Iterator[Block]:
    if ask.thinks:
        yield Block(kind="thinking", id=make_id(rng, 24), text=prose(rng, rng.randint(40, 220)))
    calls = bool(ask.tools) and rng.random() < _TOOL_CHANCE
    length = rng.randint(20, 90) if calls else rng.randint(120, 900)
    yield Block(kind="text", id=make_id(rng, 24), text=prose(rng, length))
    if calls:
        content = prose(rng, rng.choice((40, 100, 300, 600, 1_200)))
        arguments = msgspec.json.encode({"path": f"src/part_{rng.randrange(40)}.py", "content": content})
        yield Block(kind="tool", id=make_id(rng, 24), text=arguments.decode(), name=rng.choice(ask.tools))


def _capped(blocks: list[Block], cap: int) -> tuple[tuple[Block, ...], Stop]:
    kept: list[Block] = []
    left = cap
    for block in blocks:
        if block.tokens > left:
            if block.kind != "tool" and left > 0:
                kept.append(msgspec.structs.replace(block, text=block.text[: left * BYTES_PER_TOKEN]))
            return tuple(kept), "length"
        kept.append(block)
        left -= block.tokens
    return tuple(kept), "tool" if kept[-1].kind == "tool" else "end"


def _speed(model: str) -> float:
    return next((speed for part, speed in _SPEEDS.items() if part in model), _DEFAULT_SPEED)
