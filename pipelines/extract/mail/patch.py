"""Patches in mails: where a diff begins and ends, counted by its hunks."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
_HEAD = re.compile(
    r"diff --git |Index: \S|={20,}$|index [0-9a-f]+\.\.|new file mode |deleted file mode |old mode |new mode "
    r"|(?:dis)?similarity index |rename (?:from|to) |copy (?:from|to) |Binary files |GIT binary patch"
    r"|--- \S|\+\+\+ \S|diff -\S"
)
_BEGIN = re.compile(r"diff --git \S|Index: \S|diff -\S")


def patch_end(lines: Sequence[str], at: int) -> int:
    """Where the diff that begins at line `at` ends; `at` if none begins there."""
    if not _begins(lines, at):
        return at
    end = at
    while end < len(lines):
        if found := _HUNK.match(lines[end]):
            end = _hunk_end(lines, end + 1, *(int(count) if count is not None else 1 for count in found.groups()))
        elif _is_head(lines, end) or (not lines[end].strip() and _goes_on(lines, end + 1)):
            end += 1
        else:
            break
    return end


def last_patch_end(lines: Sequence[str]) -> int:
    """Where the last diff ends; 0 if there is none."""
    at = last = 0
    while at < len(lines):
        end = patch_end(lines, at)
        last = end if end > at else last
        at = max(end, at + 1)
    return last


def _is_head(lines: Sequence[str], at: int) -> bool:
    return bool(_HEAD.match(lines[at])) and (not lines[at].startswith("--- ") or _is_file_head(lines, at))


def _goes_on(lines: Sequence[str], at: int) -> bool:
    return at < len(lines) and (_begins(lines, at) or bool(_HUNK.match(lines[at])))


def _begins(lines: Sequence[str], at: int) -> bool:
    if _BEGIN.match(lines[at]):
        return any(_HEAD.match(line) or _HUNK.match(line) for line in lines[at + 1 : at + 4])
    if _HUNK.match(lines[at]):  # of a change that is only pasted
        return at + 1 < len(lines) and lines[at + 1][:1] in (" ", "\t", "+", "-")
    return lines[at].startswith("--- ") and _is_file_head(lines, at)


def _is_file_head(lines: Sequence[str], at: int) -> bool:
    """Whether `---` and `+++` lines stand here, and then a hunk."""
    return at + 2 < len(lines) and lines[at + 1].startswith("+++ ") and bool(_HUNK.match(lines[at + 2]))


def _hunk_end(lines: Sequence[str], at: int, old: int, new: int) -> int:
    """Where a hunk of so many old and new lines ends; a damaged one ends at the first line that is none of it."""
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\ ")):
        mark = lines[at][:1]
        if mark == "+":
            new -= 1
        elif mark == "-":
            old -= 1
        elif mark in (" ", "", "\t"):  # programs cut the space of a blank line
            old, new = old - 1, new - 1
        elif mark != "\\":
            break
        at += 1
    return at
