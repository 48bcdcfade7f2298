"""What someone typed into a mail, as Markdown: prose flows, lists stay lists, code and logs keep their lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from pipelines.extract.write import fence, paragraph

FULL_LINE = 50  # characters: a line of prose is broken beyond it
CODE_SHARE = 0.5

_ITEM = re.compile(r"[ ]{0,3}(?:[-*+o]|\d{1,3}[.)]|\(\d{1,2}\)|\[\d{1,3}\])[ ]+\S")
_CODE = re.compile(
    r"[$#%]\s\S|.*[;{}\\]\s*$|.*\S {3,}\S|\[\s*\d+\.\d+\]|\w+@[\w.-]+:\S*[#$] |\d\d:\d\d:\d\d|\s*at \S+\(|.*\|.*\|"
    r"|Traceback |.*\b0x[0-9a-f]{4,}|\S+:\d+:|<\d+>|.*->|/\S+$|\w+\(.*\)$|\d{4}-\d\d-\d\d[ T]\d\d|#\d+ |\S+=\S+$"
    r"|\s\S.*\|\s+(?:\d+ [-+]*|Bin .*)$|\s\d+ files? changed"
    r"|[\w./-]{1,40}(?:\[\d+\])?: (?:error|warning|fatal|info|debug|note|panic)\b",
    re.IGNORECASE,
)
_INDENTED = re.compile(r"[ ]{2,}|[ ]*\t")
_DEEP = re.compile(r"[ ]{4,}|[ ]*\t")
# The line below the head of a table, as databases and tools print it.
_RULER = re.compile(r"[ ]*[-=+|][-=+| ]{3,}$")
_UNBROKEN = re.compile(r"([-=])\1*$")
_COLUMNS = re.compile(r"[ ]|\S+[ ]{3,}\S")
_DIFF_HEAD = re.compile(r"@@ -\d|\+\+\+ \S|diff --git ")
_CHANGED = re.compile(r"[+-](?:\t|[ ]{4,}|[#{}/*_.&(]|[A-Za-z_]\w*[(\[;.=]|\w.*[;{}]$)")
_FIELD = re.compile(r"[A-Za-z][\w-]{0,30}:\s+\S")


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
        made += map(_block, _split(block))
    if code:
        made.append(fence("\n".join(code)))
    return "\n\n".join(made)


def code_language(lines: Sequence[str]) -> str | None:
    """None if these lines are prose; else what they are as code: `diff`, or no known language."""
    if any(_DIFF_HEAD.match(line) for line in lines) or (
        any(_CHANGED.match(line) for line in lines) and all(line[:1] in "+- \t@" for line in lines)
    ):
        return "diff"
    if _is_table(lines):
        return ""
    return "" if len(lines) > 1 and sum(map(bool, map(_CODE.match, lines))) >= CODE_SHARE * len(lines) else None


def _is_table(lines: Sequence[str]) -> bool:
    """Whether lines are columns below a ruler; one below a line of text alone only underlines it."""
    rulers = [line for line in lines if _RULER.match(line)]
    if not rulers or len(rulers) == len(lines):
        return False
    return any(not _UNBROKEN.match(ruler) for ruler in rulers) or any(map(_COLUMNS.match, lines))


def _split(block: list[str]) -> list[list[str]]:
    """A block in parts: where indented lines begin or end, and before a list."""
    if _is_table(block):
        return [block]
    parts = [block[:1]]
    for before, line in pairwise(block):
        items = bool(_ITEM.match(parts[-1][0]))
        begins_code = bool(_DEEP.match(line)) != bool(_DEEP.match(before)) and not items
        begins_list = bool(_ITEM.match(line)) and not items and before.endswith(":")
        if begins_code or begins_list:
            parts.append([line])
        else:
            parts[-1].append(line)
    return parts


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
    language = code_language(lines)
    if _ITEM.match(lines[0]) and language != "diff":
        return "\n".join(_items(lines))
    if language is not None or all(map(_DEEP.match, lines)):
        return fence("\n".join(lines), language or "")
    text = [unicodedata.normalize("NFC", line.strip()) for line in lines]
    flows = all(len(line) >= FULL_LINE for line in text[:-1]) and not any(map(_INDENTED.match, lines[1:]))
    if flows and sum(map(bool, map(_FIELD.match, text))) < 2:
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
