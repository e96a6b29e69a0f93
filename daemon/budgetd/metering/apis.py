"""The APIs that are understood."""

from typing import Literal, TypeAlias

Api: TypeAlias = Literal["anthropic.messages", "openai.chat", "openai.responses", "gemini.generate"]
