"""A mailing list in a public-inbox (https://public-inbox.org): all of its messages, in one file.

`bulk.url` is that of the inbox. It makes the file while it hands it out, so there is no checksum of it.
"""

from __future__ import annotations

from crawlers.bulk.store import Store
from manifests.models import Source

_ALL = "all.mbox.gz"


def bring(source: Source, store: Store) -> None:
    """The file of all messages."""
    store.file(f"{store.bulk.url.rstrip('/')}/{_ALL}", f"{source.id}.mbox.gz")
