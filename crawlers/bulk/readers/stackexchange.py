"""A dump of a site of Stack Exchange: one 7z archive of its tables, or an archive for each table of a large site.

Its name tells the site, and is kept. Dumps are handed out under terms that have changed; so the source must say of when
its dump is (`bulk.dated`), and under which terms it was handed out (`bulk.agreement`).
"""

from __future__ import annotations

from crawlers.bulk.readers.dump import checksum_of, name_in
from crawlers.bulk.store import Store
from manifests.models import Source

_POSTS = "-Posts.7z"
#: The tables that threads are made of.
_BESIDE = ("-Comments.7z", "-Users.7z")


def bring(source: Source, store: Store) -> None:
    """The archive at `bulk.url`; where it holds the posts alone, the archives of comments and users beside it."""
    if store.bulk.dated is None or store.bulk.agreement is None:
        raise ValueError("the manifest says not of when this dump is (dated), or under which terms it is (agreement)")
    url = store.bulk.url
    beside = [url.removesuffix(_POSTS) + each for each in _BESIDE] if url.endswith(_POSTS) else []
    for each in (*beside, url):
        store.file(each, name_in(each), checksum_of(each, store))
