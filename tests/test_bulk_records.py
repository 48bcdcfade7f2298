"""What bulk readers stored, as records to extract: each document with its place, whatever its record holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawlers.warc import WarcWriter
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.readers import format_of
from pipelines.extract.records import read_raw

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Robots-Tag: noai"
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
FIELDS = {"items": "bugs", "id": "id", "text": "text", "page": "https://bugs.example/{}", "licence": "licence"}
ABOUT = {"reader": "json_api", "source": "bugs", "fields": json.dumps(FIELDS)}


def write(directory: Path, *records: tuple[str, bytes, dict[str, str]], head: bytes = HEAD) -> list[Raw | Broken]:
    writer = WarcWriter(directory, 1 << 20)
    for url, body, about in records:
        writer.append(url, WHEN, head, body, about=about)
    writer.close()
    return list(read_raw(str(directory / "00000.warc.gz"), "bugs/00000.warc.gz", 1000))


def test_each_item_is_a_record_with_its_own_identity_and_place(tmp_path: Path) -> None:
    items = [{"id": 1, "text": "One."}, {"id": 2, "text": "Two.", "licence": "CC0-1.0"}, {"id": 3}]
    first, second = write(tmp_path, ("https://api.example/?page=1", json.dumps({"bugs": items}).encode(), ABOUT))
    assert isinstance(first, Raw)
    assert isinstance(second, Raw)
    assert (first.body, first.url, first.name) == (b"One.", "https://bugs.example/1", "https://bugs.example/1")
    assert (first.row, first.piece, second.piece, first.fetched_at) == (second.row, 0, 1, WHEN)
    assert (second.licence.licence, second.licence.where) == ("CC0-1.0", "licence of the item")
    assert first.opt_out == ("noai",)
    assert format_of(first.content_type, first.name, first.body) == "markdown"
    moved = write(tmp_path / "..", ("https://api.example/?page=9", json.dumps({"bugs": items[:1]}).encode(), ABOUT))
    assert [each.doc_id for each in moved if isinstance(each, Raw)] == [first.doc_id]
    assert first.doc_id != second.doc_id


def test_what_says_only_where_documents_are_makes_none(tmp_path: Path) -> None:
    index, empty = write(
        tmp_path,
        ("https://api.example/list", b"<html><p>Much text", {"role": "index"}),
        ("https://api.example/none", b'{"bugs": []}', ABOUT),
    )
    for each in (index, empty):
        assert isinstance(each, Raw)
        assert (each.body, format_of(each.content_type, each.name, each.body)) == (b"", None)


@pytest.mark.parametrize(
    ("body", "about", "reason"),
    [
        (b'{"bugs": [{"id": 1, "text": "One."}', ABOUT, "malformed_record"),
        (b"[" * 1900, ABOUT, "malformed_record"),
        (b"{}", {**ABOUT, "fields": "["}, "malformed_record"),
        (b"{}", {**ABOUT, "fields": "[]"}, "malformed_record"),
        (b"{}", {"reader": "json_api"}, "malformed_record"),
        (b"{}", {"reader": "../x"}, "malformed_record"),
        (b"{}", {"reader": "git"}, "malformed_record"),
        (json.dumps({"bugs": [{"id": 1, "text": "x" * 1001}]}).encode(), ABOUT, "too_large"),
    ],
)
def test_what_breaks_breaks_once_and_alone(tmp_path: Path, body: bytes, about: dict[str, str], reason: str) -> None:
    whole = ("https://api.example/2", b'{"bugs": [{"id": 2, "text": "Two."}]}', ABOUT)
    broken, after = write(tmp_path, ("https://api.example/1", body, about), whole)
    assert isinstance(broken, Broken)
    assert (broken.reason, broken.url) == (reason, "https://api.example/1")
    assert broken.row > 0
    assert isinstance(after, Raw)


def test_a_response_that_is_none_is_not_split(tmp_path: Path) -> None:
    (gone,) = write(tmp_path, ("https://api.example/1", b"gone", ABOUT), head=b"HTTP/1.1 404 Not Found")
    assert isinstance(gone, Raw)
    assert gone.status == 404
