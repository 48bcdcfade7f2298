"""Extraction behind a boundary that only JSON and bytes pass: what the sandbox calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from manifests.models import ExtractSettings
from pipelines.extract.html import extract_html
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.plain import extract_plain

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/xml", "text/xml"})
PLAIN_TYPES = frozenset({"text/plain", "text/markdown", "text/x-markdown"})


def extract(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Extract one record.

    header: `url`, `content_type` (or None: taken for HTML), `limits` (a dump of `ExtractSettings`);
    payload: the body. Returns `{"page": {...}}`, `{"unreadable": [reason, detail]}` or `{"no_text": true}`.
    """
    limits = ExtractSettings(**header["limits"])
    try:
        page = _page(payload, header["content_type"], header["url"], limits)
    except Unreadable as error:
        return {"unreadable": [error.reason, error.detail]}
    except NoText:
        return {"no_text": True}
    return {"page": asdict(page)}


def _page(body: bytes, content_type: str | None, url: str, limits: ExtractSettings) -> Page:
    media = (content_type or "text/html").partition(";")[0].strip().lower()
    if media in HTML_TYPES:
        return extract_html(body, content_type, url, limits)
    if media in PLAIN_TYPES:
        return extract_plain(body, content_type, limits)
    raise Unreadable("not_text", f"media type {media}")
