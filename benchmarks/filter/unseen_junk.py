"""A second set of junk, from another grammar than `junk.py`: no rule was tuned on it, so it tells how rules generalise.

`wordings.yaml` says how the pages are made. A third of its wordings is held out once more: nothing of them may go into
`manifests/junk.yaml`, however much of the other two thirds does.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from benchmarks.filter.junk import Item

PER_KIND = 75
_HELD_OUT = 3  # every third wording
_SLOT = re.compile(r"\{(\w+)(?:\*(\d+))?\}")


def items(seed: int = 11) -> Iterator[Item]:
    """PER_KIND pages of each kind; a third of them made of held-out wordings alone. The seed decides everything."""
    grammar = _grammar()
    for kind, made in grammar["kinds"].items():
        chosen = random.Random(f"{seed} {kind}")
        for number in range(PER_KIND):
            held_out = number % _HELD_OUT == 2
            words = {name: _wordings(listed, held_out) for name, listed in grammar["words"].items()}
            text = _expand(chosen.choice(made["templates"]), words, chosen)
            body = _page(text) if chosen.random() < 0.5 else text
            yield Item(kind, body, body is not text, held_out, f"https://{kind.replace('_', '-')}.example/{number}")


def _grammar() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("wordings.yaml").read_text())
    return value


def _wordings(listed: Sequence[str], held_out: bool) -> list[str]:
    """The wordings of one name that a page may use: every third if they are held out, else all others."""
    return [wording for at, wording in enumerate(listed) if (at % _HELD_OUT == 2) is held_out]


def _expand(template: str, words: Mapping[str, Sequence[str]], chosen: random.Random) -> str:
    """A template with every slot filled; `{name*3}` is three wordings, a paragraph each, different where they suffice."""

    def fill(slot: re.Match[str]) -> str:
        listed, wanted = words[slot[1]], int(slot[2] or 1)
        picked = chosen.sample(listed, wanted) if wanted <= len(listed) else chosen.choices(listed, k=wanted)
        return "\n\n".join(_expand(wording, words, chosen) for wording in picked)

    return _SLOT.sub(fill, template)


def _page(text: str) -> str:
    """The HTML that such Markdown would come from."""
    blocks, items_ = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("- "):
            items_.append(f"<li>{escape(line[2:])}</li>")
            continue
        if items_ and line:
            blocks.append(f"<ul>{''.join(items_)}</ul>")
            items_ = []
        level = len(line) - len(line.lstrip("#"))
        if line:
            tag = f"h{level}" if level else "p"
            blocks.append(f"<{tag}>{escape(line.lstrip('# '))}</{tag}>")
    blocks += [f"<ul>{''.join(items_)}</ul>"] if items_ else []
    return f"<html><head><title>Page</title></head><body><main>{''.join(blocks)}</main></body></html>"
