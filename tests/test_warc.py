"""WARC files: what is written can be read, by us and by others, and damage costs one record."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import brotli
import pytest
from backports import zstd
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from crawlers.content import BodyError, dechunk, decode_body
from crawlers.warc import Damage, Earlier, Record, WarcWriter, read_records, warc_files

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def write(directory: Path, bodies: list[bytes], warc_bytes: int = 1 << 30) -> list[tuple[int, int]]:
    directory.mkdir(exist_ok=True)
    writer = WarcWriter(directory, warc_bytes)
    places = [writer.append(f"http://h/{n}", WHEN, HEAD, body)[0] for n, body in enumerate(bodies)]
    writer.close()
    return [(place.offset, place.length) for place in places]


def read(data: bytes, max_bytes: int = 1 << 20) -> tuple[list[str], list[Damage]]:
    items = list(read_records(io.BytesIO(data), "x", max_bytes))
    return [i.url[9:] for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Damage)]


def pages(count: int) -> list[bytes]:
    rng = random.Random(0)
    return [b" ".join(b"%d" % rng.randrange(10**6) for _ in range(300)) for _ in range(count)]


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=8), st.binary(max_size=50))
@settings(max_examples=50, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], value: bytes) -> None:
    directory = tmp_path_factory.mktemp("warc")
    places = write(directory, bodies)
    with (directory / "00000.warc.gz").open("rb") as stream:
        found = list(read_records(stream, "f", 1 << 20))
    assert all(isinstance(item, Record) for item in found)
    assert [item.payload for item in found] == bodies
    assert [(item.offset, item.length) for item in found] == places
    assert {(item.status, item.content_type, item.fetched_at, item.file) for item in found} == {
        (200, "text/html", WHEN, "f")
    }


def test_files_rotate_and_are_read_by_warcio_and_fastwarc(tmp_path: Path) -> None:
    bodies = pages(60)
    write(tmp_path, bodies, 20_000)
    files = warc_files(tmp_path)
    assert [path.name for path in files][:2] == ["00000.warc.gz", "00001.warc.gz"]
    assert len(files) > 2
    theirs, fast, ours = [], [], []
    for path in files:
        with path.open("rb") as stream:
            records = ArchiveIterator(stream, check_digests="raise")
            theirs += [r.content_stream().read() for r in records if r.rec_type == "response"]
        with path.open("rb") as stream:
            records = FastIterator(stream, record_types=WarcRecordType.response, parse_http=True, verify_digests=True)
            fast += [r.reader.read() for r in records]
        with path.open("rb") as stream:
            ours += [r.payload for r in read_records(stream, path.name, 1 << 20) if isinstance(r, Record)]
    assert theirs == fast == ours == bodies


def test_a_torn_tail_is_truncated_on_opening(tmp_path: Path) -> None:
    places = write(tmp_path, pages(5))
    path = tmp_path / "00000.warc.gz"
    whole = path.read_bytes()
    for cut in (1, 100, places[-1][1] - 1):
        path.write_bytes(whole[:-cut])
        writer = WarcWriter(tmp_path, 1 << 30)
        assert path.stat().st_size == places[-1][0]
        writer.append("http://h/again", WHEN, HEAD, b"again")
        writer.close()
        assert read(path.read_bytes()) == (["0", "1", "2", "3", "again"], [])
    path.write_bytes(b"")
    WarcWriter(tmp_path, 1 << 30).close()
    assert read(path.read_bytes()) == ([], [])


def test_damage_costs_one_record(tmp_path: Path) -> None:
    places = write(tmp_path, pages(20))
    data = (tmp_path / "00000.warc.gz").read_bytes()
    everything = [str(n) for n in range(20)]
    offset, length = places[7]
    for at in (offset, offset + 1, offset + length // 2, offset + length - 6, offset + length - 1):
        flipped = bytearray(data)
        flipped[at] ^= 0x55
        urls, damage = read(bytes(flipped))
        assert urls == [n for n in everything if n != "7"]
        assert [(d.file, d.offset) for d in damage] == [("x", offset)]
    for garbage in (b"\x00" * 1000, b"\x1f\x8b\x08" * 400, gzip.compress(b"no record"), b"x"):
        urls, damage = read(data[:offset] + garbage + data[offset:])
        assert urls == everything
        assert [d.offset for d in damage] == [offset]
    urls, damage = read(data[: offset + length // 2])
    assert urls == everything[:7]
    assert [(d.offset, d.error) for d in damage] == [(offset, "truncated")]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_flipped_the_other_records_stay(data: st.DataObject) -> None:
    blob, places = _BLOB
    at = data.draw(st.integers(places[0][0], len(blob) - 1))
    flipped = bytearray(blob)
    flipped[at] ^= data.draw(st.integers(1, 255))
    hit = next(n for n, (offset, length) in enumerate(places) if offset <= at < offset + length)
    urls, damage = read(bytes(flipped))
    assert set(urls) >= {str(n) for n in range(len(places)) if n != hit}
    assert len(urls) + len(damage) == len(places)


def _blob() -> tuple[bytes, list[tuple[int, int]]]:
    with tempfile.TemporaryDirectory() as directory:
        places = write(Path(directory), pages(6))
        return (Path(directory) / "00000.warc.gz").read_bytes(), places


_BLOB = _blob()


def plain_record(url: str, body: bytes, http: bytes = HEAD, **fields: str) -> bytes:
    block = http + b"\r\n\r\n" + body
    values = {
        "WARC-Type": "response",
        "WARC-Target-URI": url,
        "WARC-Date": "2026-01-02T03:04:05Z",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in values.items())
    return b"WARC/1.0\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def test_plain_files_and_their_damage() -> None:
    records = [plain_record(f"http://h/{n}", b"body %d" % n) for n in range(5)]
    assert read(b"".join(records)) == (list("01234"), [])
    for length in ("3", "1000", "99999999999", "x"):
        broken = [*records[:2], plain_record("http://h/2", b"body", Content_Length=length), *records[3:]]
        urls, damage = read(b"".join(broken))
        assert urls == list("0134")
        assert len(damage) == 1
    urls, damage = read(b"".join([*records[:2], b"garbage\r\n", *records[2:]]))
    assert (urls, len(damage)) == (list("01234"), 1)
    urls, damage = read(b"".join(records)[:-20])
    assert (urls, len(damage)) == (list("0123"), 1)


def test_a_wrong_digest_is_damage() -> None:
    bad = plain_record("http://h/2", b"body", WARC_Payload_Digest="sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    digest = base64.b32encode(hashlib.sha1(b"body").digest()).decode()
    good = plain_record("http://h/1", b"body", WARC_Payload_Digest=f"sha1:{digest}")
    for data in (bad + good, gzip.compress(bad) + gzip.compress(good)):
        urls, damage = read(data)
        assert urls == ["1"]
        assert [d.error for d in damage] == ["digest does not fit the payload"]


def test_large_records_are_damage_and_what_they_hold_is_no_record() -> None:
    forged = gzip.compress(plain_record("http://h/forged", b"forged"))
    body = random.Random(1).randbytes(1 << 21) + forged * 3 + random.Random(2).randbytes(1 << 21)
    large, small = plain_record("http://h/1", body), plain_record("http://h/2", b"small")
    for data in (large + small, gzip.compress(large, 0) + gzip.compress(small)):
        urls, damage = read(data, 1 << 16)
        assert urls == ["2"]
        assert [(d.offset, d.error) for d in damage] == [(0, "too_large")]


def test_other_tools_records() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
    data = b"".join(
        [
            plain_record("<http://h/1>", b"4\r\nbody\r\n0\r\n\r\n", chunked),
            plain_record("http://h/2", b"not chunked", chunked),
            plain_record("http://h/3", b"", b"", WARC_Type="metadata"),
            plain_record("http://h/4", b"", b"", WARC_Type="resource", Content_Type="text/plain"),
            plain_record("dns:h", b"", b"", Content_Type="text/dns"),
        ]
    )
    items = list(read_records(io.BytesIO(data), "x", 1 << 20))
    assert [(i.url, i.status, i.payload) for i in items if isinstance(i, Record)] == [
        ("http://h/1", 200, b"body"),
        ("http://h/2", 200, b"not chunked"),
        ("http://h/4", 200, b"\r\n\r\n"),
    ]


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda b: gzip.compress(b) + b"\0\0"),
        ("gzip", lambda b: gzip.compress(b[:10]) + gzip.compress(b[10:])),
        ("deflate", zlib.compress),
        ("deflate", lambda b: zlib.compress(b, wbits=-15)),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("gzip, br", lambda b: brotli.compress(gzip.compress(b))),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_content_codings(coding: str, encode) -> None:
    body = b"text " * 1000
    assert decode_body(encode(body), coding, 5000) == body
    with pytest.raises(BodyError) as error:
        decode_body(encode(body), coding, 4999)
    assert error.value.reason == "too_large"
    if coding not in ("identity", ""):
        with pytest.raises(BodyError) as error:
            decode_body(encode(body)[:-9], coding, 5000)
        assert error.value.reason == "bad_content_encoding"


def test_bombs_and_stacks() -> None:
    for coding, encode in (("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress)):
        with pytest.raises(BodyError, match="too_large"):
            decode_body(encode(bytes(1 << 24)), coding, 1 << 16)
    for coding in ("gzip, gzip, gzip, gzip", "compress", "gzip;q=1"):
        with pytest.raises(BodyError, match="bad_content_encoding"):
            decode_body(b"x", coding, 100)


@given(st.binary(max_size=200))
def test_dechunk_never_raises(payload: bytes) -> None:
    dechunk(payload)
    assert dechunk(b"%x\r\n%s\r\n0\r\n\r\n" % (len(payload), payload) if payload else b"0\r\n\r\n") == payload


@given(st.binary(max_size=400))
def test_the_reader_never_raises(data: bytes) -> None:
    for prefix in (b"", b"WARC/1.1\r\n", b"\x1f\x8b\x08"):
        read(prefix + data)
        read(gzip.compress(prefix + data))


# ---------------------------------------------------------------- what stands beside a response


def test_request_and_metadata_stand_before_their_response(tmp_path: Path) -> None:
    """Theirs and ours read the same four records, and the note comes back with the response that it is of."""
    writer = WarcWriter(tmp_path, 1 << 30)
    request = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    writer.append("http://h/a", WHEN, HEAD, b"one", {"robots": "Allow: /a", "note": "two\r\nlines é"}, request)
    writer.append("http://h/b", WHEN, HEAD, b"two")
    writer.close()
    path = tmp_path / "00000.warc.gz"
    with path.open("rb") as stream:
        kinds = [record.rec_type for record in ArchiveIterator(stream)]
    assert kinds == ["warcinfo", "metadata", "request", "response", "response"]
    with path.open("rb") as stream:
        types = [r.record_type for r in FastIterator(stream, parse_http=True, verify_digests=True)]
    assert all(t in types for t in (WarcRecordType.metadata, WarcRecordType.request, WarcRecordType.response))
    with path.open("rb") as stream:
        first, second = read_records(stream, "f", 1 << 20)
    assert isinstance(first, Record) and isinstance(second, Record)
    assert first.about == {"robots": "Allow: /a", "note": "two lines é"}
    assert second.about == {}


def test_a_revisit_says_what_it_revisits_and_has_no_payload(tmp_path: Path) -> None:
    writer = WarcWriter(tmp_path, 1 << 30)
    place, _ = writer.append("http://h/a", WHEN, HEAD, b"one")
    earlier = Earlier(place.digest, WHEN)
    writer.append("http://h/a", WHEN, b"HTTP/1.1 304 Not Modified\r\nETag: x", b"", revisits=earlier)
    writer.append("http://h/a", WHEN, HEAD, b"one", revisits=earlier)
    writer.close()
    path = tmp_path / "00000.warc.gz"
    with path.open("rb") as stream:
        theirs = [r.rec_headers for r in ArchiveIterator(stream, no_record_parse=False) if r.rec_type == "revisit"]
    assert [h.get_header("WARC-Profile").rpartition("/")[2] for h in theirs] == [
        "server-not-modified",
        "identical-payload-digest",
    ]
    assert {h.get_header("WARC-Refers-To-Date") for h in theirs} == {"2026-01-02T03:04:05Z"}
    with path.open("rb") as stream:
        ours = [r for r in read_records(stream, "f", 1 << 20) if isinstance(r, Record)]
    assert [(r.is_revisit, r.status, r.payload, r.digest) for r in ours] == [
        (False, 200, b"one", place.digest),
        (True, 304, b"", place.digest),
        (True, 200, b"", place.digest),
    ]


def test_a_writer_that_is_told_a_first_number_leaves_the_files_before_it_alone(tmp_path: Path) -> None:
    write(tmp_path, [b"one"])
    before = (tmp_path / "00000.warc.gz").read_bytes()
    writer = WarcWriter(tmp_path, 1 << 30, first=1)
    assert writer.append("http://h/b", WHEN, HEAD, b"two")[0].file == "00001.warc.gz"
    writer.close()
    assert (tmp_path / "00000.warc.gz").read_bytes() == before
