"""Records of a Debian package: its manual pages, or its documentation."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator

from crawlers.bulk.archive import ArchivedFile
from crawlers.bulk.deb import read_deb
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.unpack import FAULTS, unpacked
from crawlers.urls import doc_id
from pipelines import storage
from pipelines.extract.debian_licences import licence_of_package
from pipelines.extract.licences import NOT_STATED, Stated
from pipelines.extract.raw import NEVER, Broken, Raw
from pipelines.extract.readers import INDEX_TYPE

# Translations of manual pages lie in directories of their languages, and are not read.
_WANTED = {
    "man": re.compile(r"usr/share/man/man[1-9]/[^/]+"),
    "doc": re.compile(r"usr/share/(?:doc|gtk-doc/html)/[^/]+/.+\.(?:html?|xhtml|txt|md|rst|adoc|pdf)(?:\.gz)?"),
}
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright(?:\.gz)?")


def from_deb(url: str, name: str, path: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The pages of a package; what is wanted of it stands before the ending of its name, else its manual pages are.

    It is read twice: its licence may stand behind a page.
    """
    wanted = _WANTED["doc" if path.endswith(".doc.deb") else "man"]
    licence = _licence(url, max_body_bytes)
    found = 0
    with storage.open_input(url) as stream:
        for each in read_deb(stream, max_body_bytes):
            if isinstance(each, LeftOut):
                yield Broken("", name, each.offset, each.reason, each.detail)
                found += 1
            elif wanted.fullmatch(each.path):
                yield _page(each, name, path, licence, max_body_bytes)
                found += 1
    if not found:
        yield Raw(doc_id(f"deb:{path}"), "", name, 0, storage.sha256(url), NEVER, content_type=INDEX_TYPE, name=path)


def _page(file: ArchivedFile, name: str, path: str, licence: Stated, max_body_bytes: int) -> Raw | Broken:
    try:
        body = _body(file, max_body_bytes)
    except FAULTS as error:
        return Broken("", name, file.offset, "damaged_record", f"{file.path}: {error}")
    if len(body) > max_body_bytes:
        return Broken("", name, file.offset, "too_large", f"{file.path}: more than {max_body_bytes} bytes")
    member = file.path.removesuffix(".gz")
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    identity = doc_id(f"deb:{path}\0{member}")
    return Raw(identity, "", name, file.offset, digest, NEVER, licence=licence, body=body, name=member)


def _body(file: ArchivedFile, limit: int) -> bytes:
    """The bytes of a file, unpacked; of one that is too large, some more than `limit`. Raises one of FAULTS."""
    if not file.path.endswith(".gz"):
        return file.body
    body = b""
    for chunk in unpacked(io.BytesIO(file.body)):
        body += chunk
        if len(body) > limit:
            break
    return body


def _licence(url: str, max_body_bytes: int) -> Stated:
    with storage.open_input(url) as stream:
        for each in read_deb(stream, max_body_bytes):
            if isinstance(each, ArchivedFile) and (package := _COPYRIGHT.fullmatch(each.path)):
                try:
                    return licence_of_package(_body(each, max_body_bytes), package[1])
                except FAULTS:
                    return NOT_STATED
    return NOT_STATED
