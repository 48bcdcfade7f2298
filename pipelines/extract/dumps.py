"""Records of dumps: threads of Stack Exchange and pages of MediaWiki, packed or not, and the files of a 7z archive."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from crawlers.bulk import mediawiki, stackexchange
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.sevenzip import Member, SevenZipError, open_member, read_members
from crawlers.bulk.unpack import FAULTS, ChunkStream, SoundStream, unpacked
from crawlers.urls import doc_id
from pipelines import storage
from pipelines.extract.raw import NEVER, Broken, Raw
from pipelines.extract.readers import INDEX_TYPE, QUESTIONS_TYPE, WIKITEXT_TYPE

TABLES = ("Posts", "Comments", "Users")

_POSTS_NAME = re.compile(r"posts(?=\.xml(?:\.gz)?$)", re.IGNORECASE)
_PART = re.compile(r"\.part\d+(?=\.xml)")
_DUMP_HEAD = b"<mediawiki"
_SITE = re.compile(r"((?:[a-z0-9-]+\.)+(?:com|net|org))(?:-(Posts|[A-Za-z]+))?\.7z")


def from_posts(url: str, name: str, path: str) -> Iterator[Raw | Broken]:
    """The threads of a Stack Exchange dump; `Comments.xml` and `Users.xml` beside `Posts.xml` are read along."""
    with ExitStack() as opened:
        tables: dict[str, SoundStream] = {}
        for table in TABLES:
            beside = _POSTS_NAME.sub(table.lower() if url.endswith("posts.xml") else table, url)
            if table == "Posts" or (beside != url and storage.exists(beside)):
                place = url if table == "Posts" else beside
                tables[table] = SoundStream(unpacked(opened.enter_context(storage.open_input(place))))
        yield from _threads(tables, name, path, "")


def _threads(tables: Mapping[str, SoundStream], name: str, path: str, site: str) -> Iterator[Raw | Broken]:
    """The threads of the tables of a dump; behind them, for each table that is damaged, where that begins."""
    posts, comments, users = (io.BufferedReader(tables[table]) if table in tables else None for table in TABLES)
    assert posts is not None
    with tempfile.TemporaryDirectory() as work:
        for number, each in enumerate(stackexchange.read_threads(posts, Path(work), comments, users)):
            if isinstance(each, LeftOut):
                # Where a table is damaged, that is why it holds no row.
                table = each.detail.partition(":")[0].capitalize()
                if each.reason != "no_rows" or not tables[table].fault:
                    yield Broken("", name, each.offset, each.reason, each.detail)
                continue
            identity = f"stackexchange:{path}\0{each.question.id}"
            address = f"https://{site}/questions/{each.question.id}" if site else ""
            yield _record(identity, address, name, number, each.payload(), QUESTIONS_TYPE, each.title)
    for table, stream in tables.items():
        if stream.fault:
            detail = f"{table}, behind byte {stream.offset} of it: {stream.fault}"
            yield Broken("", name, stream.offset, "damaged_archive", detail)


def from_wiki(url: str, name: str, path: str) -> Iterator[Raw | Broken]:
    """The pages of a MediaWiki dump. In which part of one a page stands says nothing of what it is."""
    with storage.open_input(url) as stream:
        yield from _pages(stream, name, _PART.sub("", path))


def _pages(stream: BinaryIO, name: str, path: str) -> Iterator[Raw | Broken]:
    for each in mediawiki.read_pages(stream):
        if isinstance(each, LeftOut):
            yield Broken("", name, each.offset, each.reason, each.detail)
        else:
            body = each.wikitext.encode("utf-8", "replace")
            yield _record(f"wiki:{path}\0{each.title}", "", name, each.offset, body, WIKITEXT_TYPE, each.title)


def _record(identity: str, url: str, name: str, row: int, body: bytes, content_type: str | None, title: str) -> Raw:
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    return Raw(doc_id(identity), url, name, row, digest, NEVER, content_type=content_type, body=body, name=title)


def begins_with_dump(chunks: Iterator[bytes]) -> bool:
    """Whether a file, unpacked, begins as a dump of MediaWiki does."""
    try:
        return _DUMP_HEAD in next(chunks, b"")[:4096]
    except FAULTS:
        return False


# ---------------------------------------------------------------- 7z


def from_7z(url: str, name: str, path: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The threads or pages of a dump in a 7z archive, or its files.

    Where a site's name stands in that of the archive, its threads have URLs; its other tables, in archives of their
    own, are read along.
    """
    site = _SITE.fullmatch(path)
    if site and site[2] and site[2] != "Posts":
        # A table that stands in no thread by itself.
        yield Raw(doc_id(f"file:{path}"), "", name, 0, storage.sha256(url), NEVER, content_type=INDEX_TYPE, name=path)
        return
    with ExitStack() as opened:
        try:
            with storage.open_input(url) as stream:
                members = read_members(stream)
            tables = _tables(url, members, lambda place: opened.enter_context(storage.open_input(place)))
        except SevenZipError as error:
            yield Broken("", name, error.offset, error.reason, str(error))
            return
        if "Posts" in tables:
            yield from _threads(tables, name, path, site[1] if site else "")
        else:
            yield from _files(url, members, name, path, max_body_bytes)


def _tables(url: str, members: list[Member], opened: Callable[[str], BinaryIO]) -> dict[str, SoundStream]:
    """The tables of a Stack Exchange dump by their names; each has a stream of its own, for all are open at once."""
    found: dict[str, SoundStream] = {}
    for table in TABLES:
        beside = url.removesuffix("-Posts.7z") + f"-{table}.7z"
        place, inside = url, members
        if table != "Posts" and beside != url and url.endswith("-Posts.7z") and storage.exists(beside):
            place = beside
            with storage.open_input(beside) as stream:
                inside = read_members(stream)
        member = next((each for each in inside if Path(each.name).name.lower() == f"{table.lower()}.xml"), None)
        if member is not None:
            found[table] = SoundStream(open_member(opened(place), member))
    return found


def _files(url: str, members: list[Member], name: str, path: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The files of an archive; of a damaged folder, its other files say so too, in one row."""
    damaged: set[int] = set()
    for member in members:
        at = member.folder.offset
        with storage.open_input(url) as stream:
            if member.name.endswith(".xml") and begins_with_dump(open_member(stream, member)):
                yield from _pages(io.BufferedReader(ChunkStream(open_member(stream, member))), name, path)
            elif member.size > max_body_bytes:
                detail = f"{member.name[:200]}: {member.size} bytes, limit {max_body_bytes}"
                yield Broken("", name, at, "too_large", detail)
            elif at not in damaged:
                try:
                    body = b"".join(open_member(stream, member))
                except FAULTS as error:
                    damaged.add(at)
                    yield Broken("", name, at, "damaged_archive", f"from {member.name[:200]} on: {error}")
                else:
                    yield _record(f"file:{path}\0{member.name}", "", name, at, body, None, member.name)
    if not members:
        yield Broken("", name, 0, "empty_archive", "no file is in it")
