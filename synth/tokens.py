"""How many tokens a prompt is: exactly, where the teacher's tokenizer is at hand, else about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

_BYTES = 3.6  # of a token of English documentation, in the vocabularies of 2024 to 2026
_OF_MESSAGE = 5  # tokens that a chat template puts around a message, about


class TokenizerError(Exception):
    """A teacher's tokenizer that cannot be used; the message names its file."""


class Counter:
    """Counts tokens of prompts. `exact` where it has a tokenizer."""

    def __init__(self, path: str) -> None:
        self.exact = bool(path)
        nothing: tuple[Any, Any, dict[str, str]] = (None, None, {})
        self._tokenizer, self._template, self._special = _load(path) if path else nothing

    def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Tokens of a prompt with these messages, and the beginning of its answer."""
        if self._tokenizer is None:
            size = sum(len(each["content"].encode()) for each in messages)
            return round(size / _BYTES) + _OF_MESSAGE * (len(messages) + 1)
        if self._template is None:
            text = "\n\n".join([*(each["content"] for each in messages), ""])
        else:
            text = self._template.render(messages=messages, add_generation_prompt=True, **self._special)
        return len(self._tokenizer.encode(text, add_special_tokens=self._template is None).ids)


@lru_cache(maxsize=8)
def _load(path: str) -> tuple[Any, Any, dict[str, str]]:
    """Tokenizer, chat template (or none) and special tokens of a `tokenizer.json` and the file beside it."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # noqa: BLE001 - the library raises nothing more special
        raise TokenizerError(f"{path}: is no tokenizer.json ({error})") from None
    beside = Path(path).with_name("tokenizer_config.json")
    if not beside.is_file():
        return tokenizer, None, {}
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))
        return tokenizer, _template(told.get("chat_template"), str(beside)), _special(told)
    except (ValueError, AttributeError) as error:
        raise TokenizerError(f"{beside}: {error}") from None


def _template(source: Any, where: str) -> Any:
    if source is None:
        return None
    if not isinstance(source, str):  # several by name: the one that is called default
        source = next((each["template"] for each in source if each.get("name") == "default"), None)
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # As transformers renders them.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    try:
        return environment.from_string(source or "")
    except TemplateError as error:
        raise TokenizerError(f"{where}: chat_template: {error}") from None


def _refuse(message: str) -> None:
    raise TokenizerError(f"the chat template refuses our messages: {message}")


def _special(told: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name in ("bos_token", "eos_token", "unk_token", "pad_token"):
        value = told.get(name)
        found[name] = value.get("content", "") if isinstance(value, Mapping) else (value or "")
    return found
