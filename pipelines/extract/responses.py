"""Records of a WARC file: pages, and responses that a bulk reader splits into documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from crawlers.bulk.readers import find_reader
from crawlers.bulk.split import EPRINT, INDEX, LICENCE, LICENCE_EVIDENCE, PAGE, READER, ROLE, SOURCE, Piece
from crawlers.content import BodyError
from crawlers.optout import header_signals
from crawlers.urls import canonical_url, doc_id
from crawlers.walls import wall_of
from crawlers.warc import Damage, Record, read_records
from pipelines import storage
from pipelines.extract.licences import Stated
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.readers import EPRINT_TYPE, INDEX_TYPE

_TYPES = {INDEX: INDEX_TYPE, EPRINT: EPRINT_TYPE}


def from_warc(url: str, name: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The records of a WARC file in their order, each one or more."""
    with storage.open_input(url) as stream:
        for record in read_records(stream, name, max_bytes=2 * max_body_bytes):
            if isinstance(record, Damage):
                yield Broken("", name, record.offset, "damaged_record", record.error)
            elif READER in record.about and record.status == 200 and not record.is_revisit:
                yield from _pieces_of(record, name, max_body_bytes)
            else:
                yield _from_record(record, name, max_body_bytes)


def _from_record(record: Record, name: str, max_body_bytes: int) -> Raw | Broken:
    """A page. One that only says where documents are is a record that makes none."""
    about = record.about
    address = canonical_url(record.url)
    if address is None:
        return Broken(record.url, name, record.offset, "not_a_url", "the target of the record is not an http URL")
    is_index = about.get(ROLE) == INDEX
    try:
        wanted = record.status == 200 and not is_index and not record.is_revisit
        body = record.body(max_body_bytes) if wanted else b""
    except BodyError as error:
        return Broken(address, name, record.offset, error.reason, error.detail)
    # A redirect to a document is not that document.
    page = canonical_url(about.get(PAGE, "")) if record.status == 200 or record.is_revisit else None
    return Raw(
        doc_id=doc_id(page or address),
        url=address,
        file=name,
        row=record.offset,
        digest=record.digest,
        fetched_at=record.fetched_at,
        status=record.status,
        content_type=_TYPES.get(about.get(ROLE, ""), record.content_type),
        opt_out=header_signals(record.headers),
        licence=Stated(about.get(LICENCE, ""), about.get(LICENCE_EVIDENCE, "")),
        body=body,
        name=address,
        title=about.get("title", ""),
        authors=tuple(filter(None, about.get("authors", "").split("; "))),
        is_revisit=record.is_revisit,
        wall=wall_of(record.status, record.headers, body) or "",
    )


def _pieces_of(record: Record, name: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The documents of a response; where it has none, it is a record without one. What breaks, breaks once."""
    made = 0
    try:
        split = find_reader(record.about[READER]).split
        if split is None:
            raise ValueError(f"the reader {record.about[READER]} splits no responses")
        for piece in split(record):
            made += 1
            if len(piece.body) > max_body_bytes:
                detail = f"piece {piece.number}: {len(piece.body)} bytes, limit {max_body_bytes}"
                yield Broken(record.url, name, record.offset, "too_large", detail)
            else:
                yield _from_piece(piece, record, name)
    except Exception as error:  # noqa: BLE001 - one record, whatever a reader does with it
        detail = f"behind {made} documents: {type(error).__name__}: {error}"
        yield Broken(record.url, name, record.offset, "malformed_record", detail)
        return
    if not made:
        yield _from_record(_as_index(record), name, max_body_bytes)


def _as_index(record: Record) -> Record:
    return replace(record, about={ROLE: INDEX})


def _from_piece(piece: Piece, record: Record, name: str) -> Raw:
    about = record.about
    return Raw(
        doc_id=doc_id(f"{about[READER]}:{about.get(SOURCE, '')}\0{piece.id}"),
        url=canonical_url(piece.url) or "",
        file=name,
        row=record.offset,
        piece=piece.number,
        digest="sha256:" + hashlib.sha256(piece.body).hexdigest(),
        fetched_at=record.fetched_at,
        content_type=piece.content_type,
        opt_out=header_signals(record.headers),
        licence=Stated(piece.licence, piece.licence_evidence),
        body=piece.body,
        name=piece.name or piece.id[:200],
    )
