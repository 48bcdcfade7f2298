"""Plain text: decoded, and otherwise as it is. Its lines, columns and drawings are its form.

Colours of a terminal leave. Of a log of a chat (IRC), the lines that tell who came, went or changed a name are left
out: nobody says anything in them, and they hold the addresses of people.
"""

from __future__ import annotations

import re

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.page import NoText, Page

HEAD_LINES = 300

# `[12:03] <name> text`, with a date or a channel before it.
_SAID = re.compile(r"(?:[\w#-]{1,40} )?(?:\d{4}-\d\d-\d\d[T ])?\[?\d\d:\d\d(?::\d\d)?\]?\s+<[^<>\s]{1,40}>\s")
_NOTICE = re.compile(
    r"^[^<>\n]{0,60}?(?:===|\*{1,3}|-->|<--|-!-)[ \t][^\n]{0,300}?(?:has (?:joined|left|quit)\b|(?:joined|left) #"
    r"|(?:entered|left) the room|is now known as|sets mode:|\bmode/#)[^\n]*(?:\n|\Z)",
    re.MULTILINE,
)
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}[mK]")
_LETTER = re.compile(r"[^\W\d_]")
_LINE_END = re.compile(r"\r+\n|\r")


def extract_plain(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a body of text/plain is; a pure function of its arguments.

    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    text = _COLOUR.sub("", read_text(body, content_type, limits))
    if _is_chat(text):
        text = _NOTICE.sub("", text)
    if not _LETTER.search(text):  # columns of numbers
        raise NoText
    return Page("", text, (), "plain")


def _is_chat(text: str) -> bool:
    lines = [line for line in text.split("\n", HEAD_LINES)[:HEAD_LINES] if line.strip()]
    return sum(1 for line in lines if _SAID.match(line)) > len(lines) / 4


def read_text(body: bytes, content_type: str | None, limits: ExtractSettings) -> str:
    """The text of a body with Unix line ends and one at its end. Raises `Unreadable` and `NoText`."""
    check_body(body, limits)
    text = _LINE_END.sub("\n", decode(body, content_type)).rstrip("\n")
    if not text.strip():
        raise NoText
    return text + "\n"
