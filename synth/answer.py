"""What stands in the raw body of an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

_THOUGHT, _THOUGHT_ENDS = "<think>", "</think>"


@dataclass(frozen=True)
class Answer:
    """The text of an answer, how it ended, and what it cost in tokens; `cached`: of the prompt, from a cache."""

    text: str
    finish: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


def parsed(body: bytes) -> Any:
    """What a body says. Raises ValueError, and RecursionError for JSON that is deep."""
    try:
        return orjson.loads(body)
    except ValueError:  # it takes no halves of characters, and no UTF-16, which some servers send
        return json.loads(body)


def answer_of(body: bytes) -> Answer:
    """Reads a chat or text completion that the client found sound. What a model thought aloud is left out."""
    whole = parsed(body)
    choice = whole["choices"][0]
    content = choice["message"].get("content") if "message" in choice else choice.get("text")
    # JSON can spell halves of characters, which no text may hold.
    text = (content or "").encode("utf-8", "replace").decode().strip()
    if text.startswith(_THOUGHT) and _THOUGHT_ENDS in text:
        text = text.partition(_THOUGHT_ENDS)[2].strip()
    usage = whole.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Answer(
        text,
        str(choice.get("finish_reason") or ""),
        _number(usage.get("prompt_tokens")),
        _number(details.get("cached_tokens")),
        _number(usage.get("completion_tokens")),
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
