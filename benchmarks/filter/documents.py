"""Pages as rows of `classify`'s input: read by the extractor that the product has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.readers import read
from pipelines.schema import DOCUMENT, SCHEMA_VERSION, table_of

_BATCH_BYTES = 16 << 20
_LIMITS = ExtractSettings()


def page_of(body: bytes, content_type: str | None, name: str) -> tuple[Page | None, str]:
    """The page that a record makes, or None and why there is none."""
    try:
        return read(body, content_type, name, _LIMITS), ""
    except NoText:
        return None, "no_text"
    except Unreadable as error:
        return None, error.reason


def row(page: Page, url: str, source: str, category: str) -> dict[str, Any]:
    """A page as a document; what is missing is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "doc_id": hashlib.sha256(url.encode()).hexdigest()[:32],
        "revision": hashlib.sha256(page.text.encode()).hexdigest()[:32],
        "url": url,
        "source": source,
        "category": category,
        "opt_out": list(page.opt_out),
        "title": page.title,
        "date": page.date,
        "authors": list(page.authors),
        "canonical": page.canonical,
        "licence_stated": page.licence,
        "found": sorted(page.found.items()),
        "method": page.method,
        "generator": page.generator,
        "parents": [],
        "text": page.text,
    }


def documents(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of DOCUMENT's columns."""
    return table_of(rows, DOCUMENT)


def text_bytes(table: pa.Table) -> int:
    """The bytes of all texts of a table."""
    return int(pc.sum(pc.binary_length(table["text"])).as_py() or 0)


def batches(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of some 16 MB of text, as `classify` makes them."""
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    begin = 0
    while begin < table.num_rows:
        before = ends[begin - 1] if begin else 0
        stop = min(int(np.searchsorted(ends, before + _BATCH_BYTES)) + 1, table.num_rows)
        yield table.slice(begin, stop - begin)
        begin = stop
