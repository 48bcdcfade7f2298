"""A mailing list as Mailman 2 archives it: an index page, and a file of messages for each month (or week, or year).

The months are put together in their order, for a thread goes on over the end of one. They are one file, known by the
URL at which Mailman keeps the whole archive of a list. `include` and `exclude` are held against the URLs of the months.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.listing import links_of
from crawlers.bulk.store import Store
from crawlers.bulk.unpack import SoundStream, unpacked
from crawlers.urls import canonical_url
from manifests.models import Source

#: Of a month, unpacked: more than the Linux kernel's list has had in any.
MAX_MONTH_BYTES = 1 << 30
#: A message of more is left out with what is damaged.
MAX_MESSAGE_BYTES = 64 << 20

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_PERIOD = re.compile(
    rf"/(?:(?P<year>\d{{4}})(?:-(?P<month>{_MONTHS})|q(?P<quarter>[1-4]))?"
    r"|(?:Week-of-Mon-)?(?P<day>\d{8}))\.txt(?:\.gz)?\Z"
)
_CHUNK = 1 << 20
_BEGIN = b"From "


def bring(source: Source, store: Store) -> None:
    """The messages of all months; a month that cannot be had stands in the index."""
    root = canonical_url(store.bulk.url.rstrip("/") + "/") or ""
    archive = archive_of(root)
    if store.kept(archive):
        return
    months = _months(root, store)
    with store.work() as work:
        joined = work / "list.mbox.gz"
        if not _join(months, joined, store):
            raise store.refuse(archive, "no_months", f"{root} links no month that can be had")
        store.keep(joined, f"{source.id}.mbox.gz", archive, "application/gzip")


def _join(months: list[str], joined: Path, store: Store) -> int:
    """Writes the messages of the months, one after the other; how many months could be had."""
    count = 0
    with joined.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        for month in months:
            try:
                _append(month, packed, joined.with_name("month"), store)
            except Unavailable:
                continue  # it stands in the index
            count += 1
    return count


def archive_of(root: str) -> str:
    """Where Mailman keeps the whole archive of the list at a URL, whether or not it hands it out."""
    name = root.rstrip("/").rpartition("/")[2]
    return f"{root.rstrip('/')}.mbox/{name}.mbox"


def period_of(url: str) -> tuple[int, int, int] | None:
    """Year, month and day at which the period of a file begins, 0 for none; None for what is no such file."""
    found = _PERIOD.search(url)
    if found is None:
        return None
    if day := found["day"]:
        return int(day[:4]), int(day[4:6]), int(day[6:])
    month = _MONTHS.split("|").index(found["month"]) + 1 if found["month"] else 3 * int(found["quarter"] or 0)
    return int(found["year"]), month, 0


def _months(root: str, store: Store) -> list[str]:
    """URLs of the months that are wanted, the oldest first; of one that is there twice, the packed one."""
    record = store.index(root)
    found: dict[tuple[int, int, int], str] = {}
    left_out = 0
    for url in links_of(record, store):
        period = period_of(url)
        if period is None or not url.startswith(root):
            continue
        if not is_included(url, store.bulk):
            left_out += 1
        elif period not in found or url.endswith(".gz"):
            found[period] = url
    if left_out:
        store.count("not_included", left_out)
    return [found[period] for period in sorted(found)]


def _append(url: str, joined: gzip.GzipFile, place: Path, store: Store) -> None:
    """Adds the messages of a month; of a damaged one, those that end before the damage."""
    record = store.index(url)
    stream = SoundStream(unpacked(io.BytesIO(store.body(record))))
    with place.open("w+b") as messages:
        size = 0
        while size <= MAX_MONTH_BYTES and (chunk := stream.read(_CHUNK)):
            size += messages.write(chunk)
        fault = f"more than {MAX_MONTH_BYTES} bytes" if size > MAX_MONTH_BYTES else stream.fault
        end = _last_message(messages) if fault else size
        messages.seek(0)
        if size and messages.read(len(_BEGIN)) != _BEGIN:
            raise store.refuse(record.url, "not_mbox", "it does not begin as a file of messages does")
        messages.truncate(end)
        messages.seek(0)
        shutil.copyfileobj(messages, joined)
        joined.write(b"\n")
    if fault:
        store.refuse(record.url, "damaged_archive", f"behind the message that ends at byte {end}: {fault}")


def _last_message(messages: BinaryIO) -> int:
    """Where the last message begins: there is more of it than is there."""
    end = messages.seek(0, io.SEEK_END)
    start = messages.seek(max(0, end - MAX_MESSAGE_BYTES))
    return start + max(0, messages.read().rfind(b"\n" + _BEGIN) + 1)
