"""What someone typed into a mail, as Markdown: prose flows, lists stay lists, code and logs keep their lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipelines.extract.write import fence, paragraph

FULL_LINE = 50  # characters: a line of prose is broken beyond it
CODE_SHARE = 0.5

_ITEM = re.compile(r"[ ]{0,3}(?:[-*+o]|\d{1,3}[.)]|\(\d{1,2}\)|\[\d{1,3}\])[ ]+\S")
_CODE = re.compile(
    r"[$#%]\s\S|.*[;{}\\]\s*$|.*\S {3,}\S|\[\s*\d+\.\d+\]|\w+@[\w.-]+:\S*[#$] |\d\d:\d\d:\d\d|\s*at \S+\(|.*\|.*\|"
    r"|Traceback |.*\b0x[0-9a-f]{4,}|\S+:\d+:|<\d+>|.*->|/\S+$|\w+\(.*\)$|\d{4}-\d\d-\d\d[ T]\d\d|#\d+ |\S+=\S+$"
    r"|\s\S.*\|\s+(?:\d+ [-+]*|Bin .*)$|\s\d+ files? changed"
)
_INDENTED = re.compile(r"[ ]{2,}|[ ]*\t")


def prose_markdown(lines: Sequence[str]) -> str:
    """Lines without quotes and patches, as blocks of Markdown."""
    made: list[str] = []
    code: list[str] = []
    for block in _paragraphs(lines):
        if all(_INDENTED.match(line) for line in block) and not (_ITEM.match(block[0]) and made):
            code += ["", *block] if code else block
            continue
        if code:
            made.append(fence("\n".join(code)))
            code = []
        made.append(_block(block))
    if code:
        made.append(fence("\n".join(code)))
    return "\n\n".join(made)


def _paragraphs(lines: Sequence[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip() and line.rstrip() != "---":
            blocks[-1].append(line.rstrip())
        elif blocks[-1]:
            blocks.append([])
    return blocks if blocks[-1] else blocks[:-1]


def _block(lines: list[str]) -> str:
    """Lines between blank ones: a list, code, prose, or lines that stay as they are."""
    if _ITEM.match(lines[0]) and len(_items(lines)) >= 1:
        return "\n".join(_items(lines))
    if len(lines) > 1 and sum(1 for line in lines if _CODE.match(line)) >= CODE_SHARE * len(lines):
        return fence("\n".join(lines))
    text = [unicodedata.normalize("NFC", line.strip()) for line in lines]
    if all(len(line) >= FULL_LINE for line in text[:-1]) and not any(_INDENTED.match(line) for line in lines[1:]):
        return paragraph(" ".join(text))
    return "  \n".join(paragraph(line) for line in text)


def _items(lines: list[str]) -> list[str]:
    """The items of a list, each on one line; what does not begin one goes on with the last."""
    items: list[str] = []
    for line in lines:
        text = unicodedata.normalize("NFC", line.strip())
        if _ITEM.match(line):
            items.append(re.sub(r"^[*+o](?= )", "-", text))
        else:
            items[-1] += " " + text
    return items
