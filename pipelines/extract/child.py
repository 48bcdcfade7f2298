"""Extraction behind a boundary that only JSON and bytes pass: what the sandbox calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from manifests.models import ExtractSettings
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Unreadable
from pipelines.extract.readers import read

to_markdown("<p>a</p>")  # compiles, or loads, what the first page would otherwise be charged for


def extract(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Extract one record.

    header: `name` (its URL or path), `content_type` (or None), `limits` (a dump of `ExtractSettings`); payload:
    the body. Returns `{"page": {...}}`, `{"unreadable": [reason, detail]}` or `{"no_text": true}`.
    """
    limits = ExtractSettings(**header["limits"])
    try:
        page = read(payload, header["content_type"], header["name"], limits)
    except Unreadable as error:
        return {"unreadable": [error.reason, error.detail]}
    except NoText:
        return {"no_text": True}
    return {"page": asdict(page)}
