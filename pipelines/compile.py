"""Compiles what is compiled, into the cache: the first document of a run is not charged for it."""

from __future__ import annotations

import pipelines.extract.child  # noqa: F401 - reads its first pages as it is imported
from manifests.models import ClassifySettings
from pipelines.classify import score
from pipelines.schema import DOCUMENT, table_of

if __name__ == "__main__":
    row = {"doc_id": "0" * 32, "text": "# One\n\nTwo three four five six.\n", "language": None, "category": "none"}
    score(table_of([row], DOCUMENT), ClassifySettings())
