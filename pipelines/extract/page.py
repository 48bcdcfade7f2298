"""What extraction gives back: a page, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """One page as Markdown.

    `text` has `\\n` line ends and ends with exactly one of them; its prose is NFC, its code blocks are as
    the page has them. `opt_out` holds the tokens of the page's own robots and TDM meta elements, lower
    case, sorted, each once. `method` says what made the text: of HTML, how its content was chosen
    (`selector`, `generic`, `judged`, `whole`), else the format that was read (`plain`, `rst`, ...).

    What else the page says of itself, empty where it says nothing: `date` (ISO 8601, the last change, else
    the publication), `authors` in their order, `canonical` (an absolute URL), `licence` (SPDX where
    known, else as stated). `found` tells for each of these where it stood, such as `json-ld`.
    """

    title: str
    text: str
    opt_out: tuple[str, ...]
    method: str
    generator: str = ""
    date: str = ""
    authors: tuple[str, ...] = ()
    canonical: str = ""
    licence: str = ""
    found: Mapping[str, str] = field(default_factory=dict)


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
        "damaged_archive",
    )

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NoText(Exception):
    """A sound page that holds no text."""
