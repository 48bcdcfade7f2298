"""One large file, as it is handed out: held against the checksum that stands for its name in `bulk.checksums`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from crawlers.bulk.checksums import checksum_in
from crawlers.bulk.store import Store
from crawlers.urls import canonical_url, path_of
from manifests.models import Source

#: What of a file's name tells its format; the rest of it may change with each release.
_ENDINGS = re.compile(
    r"(?:\.(?:pkg|tar|xml|json|jsonl|ndjson|mbox|parquet|warc|txt))*(?:\.(?:7z|[A-Za-z][A-Za-z0-9]{0,7}))?$"
)


def bring(source: Source, store: Store) -> None:
    """The file at `bulk.url`, kept under the name of its source with the endings that it has there."""
    url = store.bulk.url
    store.file(url, source.id + _ENDINGS.findall(name_in(url))[0], checksum_of(url, store))


def name_in(url: str) -> str:
    """The last part of a URL's path, which is what its file is called."""
    return unquote(PurePosixPath(path_of(canonical_url(url) or url)).name)


def checksum_of(url: str, store: Store) -> str | None:
    """What the file of checksums states for a file; None where the source has none. Raises Unavailable."""
    stated_at = store.bulk.checksums
    if stated_at is None:
        return None
    found = checksum_in(store.body(store.index(stated_at)), name_in(url))
    if found is None:
        raise store.refuse(url, "no_checksum", f"{stated_at} states none")
    return found
