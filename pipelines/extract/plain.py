"""Plain text: decoded, and otherwise as it is. Its lines, columns and drawings are its form."""

from __future__ import annotations

import re

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.page import NoText, Page

_LINE_END = re.compile(r"\r+\n|\r")


def extract_plain(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a body of text/plain is; a pure function of its arguments.

    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    return Page("", read_text(body, content_type, limits), (), "plain")


def read_text(body: bytes, content_type: str | None, limits: ExtractSettings) -> str:
    """The text of a body with Unix line ends and one at its end. Raises `Unreadable` and `NoText`."""
    check_body(body, limits)
    text = _LINE_END.sub("\n", decode(body, content_type)).rstrip("\n")
    if not text.strip():
        raise NoText
    return text + "\n"
