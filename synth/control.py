"""Control tokens of tokenizers and chat templates, and lines that play a role: what no document may say to a teacher.

A tokenizer that finds `<|im_end|>` in a prompt may read it as the end of the message. Forms are those that templates of
Llama, Qwen, Mistral, DeepSeek, Gemma, Phi, GLM, Granite, Kimi, Cohere and Harmony use, and the signs that Unicode's
compatibility forms fold into them.
"""

from __future__ import annotations

import re

_UNSEEN = "\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"  # signs without width, which normalizers remove
_LESS, _MORE, _BAR = "[<\uff1c\ufe64]", "[>\uff1e\ufe65]", "[|\uff5c\u2502\u01c0]"
_GAP = f"[{_UNSEEN}]{{0,4}}+"
_ANGLED = (
    "s|bos|eos|pad|unk|mask|sop|eop|cls|sep|(?:start|end)_of_(?:turn|image|audio)|think|tool_(?:call|response|code)"
    "|(?:fim|repo|file|jupyter|commit|issue|gh)_[a-z_]{1,24}|(?:bos|eos|pad|unk|eop|eot|mask|cls|sep)_token"
    "|extra_id_[0-9]{1,4}|unused[0-9]{1,4}|reserved_[0-9]{1,4}|endoftext|empty_output"
)
_BRACKETED = (
    "inst|system_prompt|available_tools|tool_(?:calls|results|content)|gmask|smask|bos|eos|eot|cls|sep|mask|unk|pad"
    "|begin_of_(?:text|sentence)|end_of_(?:text|sentence)|think|prefix|suffix|middle|img(?:_break|_end)?"
)
_TOKEN = re.compile(
    # any name between bars: <|im_start|>, and with full-width bars: <｜User｜>
    rf"{_LESS}(?:{_GAP}/?{_BAR}{_GAP}[^\s|<>\[\]\uff5c\u2502\u01c0\uff1c\uff1e\ufe64\ufe65]{{1,64}}+{_BAR}{_GAP}{_MORE}"
    rf"|{_GAP}/?(?i:{_ANGLED}){_GAP}{_MORE}|{_LESS}/?SYS{_MORE}{_MORE})"
    rf"|\[/?(?i:{_BRACKETED})\]"
)
_NAMES_OF_ROLES = ("Human:", "Assistant:", "USER:", "ASSISTANT:", "SYSTEM:")
_HEADS_OF_ROLES = ("Instruction", "Response", "Input", "System", "Human", "Assistant", "User")
_ROLE = re.compile(
    rf"^(?:#{{2,4}} (?P<words>(?:{'|'.join(_HEADS_OF_ROLES)})s?:)|(?P<name>{'|'.join(_NAMES_OF_ROLES)}))", re.MULTILINE
)


def find(text: str, begin: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Where control tokens and roles stand in text[begin:end], from left to right. Of a heading, its words."""
    end = len(text) if end is None else end
    found = [each.span() for each in _TOKEN.finditer(text, begin, end)]
    if any(text.find(each, begin, end) >= 0 for each in _NAMES_OF_ROLES) or text.find("## ", begin, end) >= 0:
        found += [each.span(each.lastgroup or 0) for each in _ROLE.finditer(text, begin, end)]
        found.sort()
    return found


def neutralise(text: str) -> str:
    """The text with each control token taken apart by spaces, so that no tokenizer finds it. It stays readable."""
    parts, at = [], 0
    for begin, end in find(text):
        token = text[begin:end]
        parts += [text[at:begin], " ".join((token[0], token[1:-1], token[-1]))]
        at = end
    return "".join([*parts, text[at:]])
