"""Extraction behind a boundary that only JSON and bytes pass: what the sandbox calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Unreadable
from pipelines.extract.readers import read

# Pages of a known generator and of none: they compile, or load, what the first record would otherwise be charged for.
_FIRST_PAGES = (
    b"<main><h1>a</h1><p>b <a href='https://a.example/'>c</a></p><pre>d</pre></main>",
    b"<html><body><div>"
    + b"<p>A ring buffer is a queue of a fixed size.</p>" * 20
    + b"<pre>a\nb</pre></div></body></html>",
)
for _page in _FIRST_PAGES:
    read(_page, "text/html", "http://localhost/", ExtractSettings(keep_links=True))


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
