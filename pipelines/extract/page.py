"""What extraction gives back: a page, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One page as Markdown.

    `text` has `\\n` line ends and ends with exactly one of them; its prose is NFC, its code blocks are as
    the page has them. `opt_out` holds the tokens of the page's own robots and TDM meta elements, lower
    case, sorted, each once. `method` says what chose the content: `selector` (a known generator),
    `generic` (trafilatura), `whole` (all of the body) or `plain` (no HTML at all).
    """

    title: str
    text: str
    opt_out: tuple[str, ...]
    method: str


class Unreadable(Exception):
    """A record that cannot be extracted. `reason` is one of `REASONS`; `detail` is for a person."""

    REASONS = (
        "empty_body",
        "too_large",
        "too_many_tags",
        "too_deep",
        "undecodable",
        "not_text",
        "parser_error",
    )

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NoText(Exception):
    """A sound page that holds no text."""
