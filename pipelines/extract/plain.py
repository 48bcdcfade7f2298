"""Plain text and Markdown: decoded, and otherwise as they are."""

from __future__ import annotations

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.page import NoText, Page


def extract_plain(body: bytes, content_type: str | None, limits: ExtractSettings) -> Page:
    """The page that a body of text/plain or text/markdown is; a pure function of its arguments.

    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    text = decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    if not text.strip():
        raise NoText
    return Page("", text + "\n", (), "plain")
