"""The store of the teachers' responses: what was asked about documents that go, whatever recipe asked it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipelines.run import Run
from pipelines.synth.store import store_of


def find_responses(run: Run, ids: pa.Array) -> list[str]:
    """Keys, in the run's store, of the requests about documents; each request holds its document."""
    keys: list[str] = store_of(run).keys_of(ids).to_pylist()
    return keys


def files_with(run: Run, keys: Sequence[str]) -> tuple[str, list[str]]:
    """The run's store, and the names of its files that hold responses to some requests."""
    store = store_of(run)
    return store.url, store.files_with(pa.array(sorted(keys), pa.string())) if keys else []


def remove_responses(run: Run, keys: Sequence[str]) -> None:
    """Removes responses from the run's store. Raises StoreError where another process is writing to it."""
    if keys:
        store_of(run).remove(pa.array(sorted(keys), pa.string()))
