"""The licence that a comment at the top of a file states: https://spdx.dev/learn/handling-license-info/."""

from __future__ import annotations

import re

HEAD_CHARS = 3000

_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+-]+(?:[ ](?:AND|OR|WITH)[ ][\w.+-]+)*)")


def stated_licence(text: str, comments: re.Pattern[str] | None = None) -> str:
    """The SPDX expression that stands at the beginning of a text; empty where there is none.

    comments: matches the comments that a text begins with; what stands behind them is not looked at.
    """
    head = text[:HEAD_CHARS]
    if comments:
        above = comments.match(head)
        head = above[0] if above else ""
    found = _SPDX.search(head)
    return found[1] if found else ""
