"""The poison list: records that killed the process that parsed them. Every run takes it as an input.

One file an entry, `poison/<key>.json` in the run, so that workers add to it without a lock. An entry that a
person adds (with `"by": "operator"`) counts in the keys of parts; one that a watchdog added does not, for the
part that met the record has the same rows either way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pipelines import storage


def record_key(url: str, digest: str) -> str:
    """What identifies a record wherever it lies: its URL and the digest of its payload."""
    return hashlib.sha256(f"{url}\0{digest}".encode()).hexdigest()[:32]


def read_poison(directory: str) -> dict[str, Mapping[str, str]]:
    """Entries by record key: each has `reason`, `detail`, `url`, and `by`."""
    entries = {}
    for name in storage.list_files(directory):
        if name.endswith(".json"):
            entry = json.loads(storage.read_bytes(storage.join(directory, name)))
            entries[name.removesuffix(".json")] = entry
    return entries


def add_poison(directory: str, key: str, url: str, reason: str, detail: str) -> None:
    """Records that a watchdog had to kill what parsed this record."""
    entry = {"url": url, "reason": reason, "detail": detail, "by": "watchdog"}
    storage.write_bytes(storage.join(directory, f"{key}.json"), json.dumps(entry, sort_keys=True).encode())
