"""The APIs that are understood."""

from typing import Literal, TypeAlias

Api: TypeAlias = Literal[
    "anthropic.messages",
    "anthropic.batches",
    "openai.chat",
    "openai.completions",
    "openai.responses",
    "openai.embeddings",
    "openai.images",
    "openai.speech",
    "openai.transcriptions",
    "openai.realtime",
    "gemini.generate",
    "gemini.embed",
    "gemini.live",
    "cohere.chat",
    "cohere.embed",
    "cohere.rerank",
    "bedrock.converse",
    "bedrock.invoke",
    "ollama.generate",
]
"""``openai.realtime`` and ``gemini.live`` are spoken over WebSocket only, ``openai.responses`` also there."""
