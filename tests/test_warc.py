"""WARC files: what is written can be read, by us and by others, and damage costs one record."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterable, Sequence
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


# ---------------------------------------------------------------- files that are packed otherwise


def checked_record(number: int, body: bytes) -> bytes:
    """As other tools write it: with the digest of its block."""
    block_digest = base64.b32encode(hashlib.sha1(HEAD + b"\r\n\r\n" + body).digest()).decode()
    return plain_record(f"http://h/{number}", body, WARC_Block_Digest=f"sha1:{block_digest}")


def packed(data: bytes, cuts: Iterable[int], level: int = 6) -> list[bytes]:
    """The gzip members of data that is cut at the positions given."""
    ends = [0, *sorted(cuts), len(data)]
    return [gzip.compress(data[begin:end], level) for begin, end in zip(ends, ends[1:], strict=False)]


def in_pairs(records: Sequence[bytes]) -> list[bytes]:
    return [gzip.compress(b"".join(records[at : at + 2])) for at in range(0, len(records), 2)]


def places_of(data: bytes, max_bytes: int = 1 << 20) -> list[tuple[int, int]]:
    items = list(read_records(io.BytesIO(data), "x", max_bytes))
    return [(item.offset, item.length if isinstance(item, Record) else -1) for item in items]


def test_members_that_hold_several_records_or_less_than_one() -> None:
    records = [checked_record(n, body) for n, body in enumerate(pages(6))]
    whole = gzip.compress(b"".join(records))
    assert read(whole) == (list("012345"), [])
    assert places_of(whole) == [(n, 0) for n in range(6)]
    pairs = in_pairs(records)
    first, second = len(pairs[0]), len(pairs[0] + pairs[1])
    assert read(b"".join(pairs)) == (list("012345"), [])
    assert places_of(b"".join(pairs)) == [(0, 0), (1, 0), (first, 0), (first + 1, 0), (second, 0), (second + 1, 0)]
    # Of its own: a record in two members, and one that has one.
    own = [*packed(records[0], [700]), gzip.compress(records[1])]
    assert places_of(b"".join(own)) == [(0, 0), (len(own[0] + own[1]), len(own[2]))]
    # Lines that end a record begin the next member; the last member is empty, as bgzip leaves it.
    odd = gzip.compress(records[0][:-4]) + gzip.compress(b"\r\n\r\n" + records[1]) + gzip.compress(b"")
    assert read(odd) == (["0", "1"], [])


@given(
    st.lists(
        st.one_of(st.binary(max_size=400), st.just(b"text\r\n\r\nWARC/1.0\r\nWARC-Type: response\r\n")),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.floats(0, 1), max_size=30),
    st.sampled_from([0, 6]),
)
@settings(max_examples=80, deadline=None)
def test_the_same_records_come_out_whatever_the_packing(bodies: list[bytes], cuts: list[float], level: int) -> None:
    data = b"".join(checked_record(number, body) for number, body in enumerate(bodies))
    members = packed(data, [int(cut * len(data)) for cut in cuts], level)
    items = list(read_records(io.BytesIO(b"".join(members)), "x", 1 << 20))
    assert [item.payload for item in items if isinstance(item, Record)] == bodies
    offsets = [item.offset for item in items]
    assert len(items) == len(bodies)
    assert offsets == sorted(set(offsets))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_damage_to_a_packing_changes_a_payload(data: st.DataObject) -> None:
    bodies = pages(6)
    content = b"".join(checked_record(number, body) for number, body in enumerate(bodies))
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=8))
    blob = bytearray(b"".join(packed(content, cuts)))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    items = list(read_records(io.BytesIO(blob), "x.warc.gz", 1 << 20))
    assert {item.payload for item in items if isinstance(item, Record)} <= set(bodies)
    assert len(items) == len({item.offset for item in items})


def test_damage_in_such_files_costs_the_records_it_touches() -> None:
    records = [checked_record(n, body) for n, body in enumerate(pages(8))]
    # A member that is cut short or flipped gives what comes before that, where its digest fits.
    whole = gzip.compress(b"".join(records))
    half = bytearray(whole)
    half[len(whole) // 2] ^= 0x55
    for data in (whole[: len(whole) // 2], bytes(half)):
        urls, damage = read(data)
        assert "".join(urls).startswith("012")
        assert damage
    urls, damage = read(whole[: len(whole) // 2])
    assert [(d.offset, d.error) for d in damage] == [(len(urls), "truncated")]
    # Two records a member: those of the other members stay.
    pairs = in_pairs(records)
    broken = [*pairs[:2], pairs[2][:100] + b"\x00" + pairs[2][101:], *pairs[3:]]
    urls, damage = read(b"".join(broken))
    assert urls == list("012367")
    assert [d.offset for d in damage] == [len(pairs[0] + pairs[1])]
    # Records over members: damage to one costs those that have a part in it.
    content = b"".join(records)
    blocks = packed(content, range(1000, len(content), 1000))
    hit = len(blocks) // 2
    blocks[hit] = blocks[hit][:200] + bytes(10) + blocks[hit][210:]
    ends = [sum(len(record) for record in records[: n + 1]) for n in range(8)]
    begins = [0, *ends]
    touched = [n for n in range(8) if begins[n] < (hit + 1) * 1000 and ends[n] > hit * 1000]
    urls, damage = read(b"".join(blocks))
    assert urls == [str(n) for n in range(8) if n not in touched]
    assert 1 <= len(damage) <= len(touched)


def test_a_wrong_length_costs_one_record_in_every_packing() -> None:
    bodies = pages(6)
    for length in ("30", "99", "4000", "99999999999", "x"):
        for at in (0, 3):
            records = [checked_record(n, body) for n, body in enumerate(bodies)]
            records[at] = plain_record(f"http://h/{at}", bodies[at], Content_Length=length)
            rest = [str(n) for n in range(6) if n != at]
            content = b"".join(records)
            for members in ([gzip.compress(content)], [gzip.compress(record) for record in records]):
                urls, damage = read(b"".join(members))
                assert (urls, len(damage)) == (rest, 1)
    records[3] = plain_record("http://h/3", bodies[3], Content_Length="30")
    for members in (in_pairs(records[1:5]), packed(b"".join(records[1:5]), [2000, 4100, 5000])):
        urls, damage = read(b"".join(members))
        assert (urls, len(damage)) == (list("124"), 1)


def test_a_page_in_a_member_of_its_own_cannot_pass_for_a_record() -> None:
    forged = b"\r\n\r\n" + checked_record(9, b"forged")
    for length, error in (("30", "bad_content_length"), ("9999", "truncated")):
        bad = plain_record("http://h/1", b"page" + forged, Content_Length=length)
        members = [gzip.compress(record) for record in (checked_record(0, b"first"), bad, checked_record(2, b"last"))]
        urls, damage = read(b"".join(members))
        assert urls == ["0", "2"]
        assert [(d.offset, d.error) for d in damage] == [(len(members[0]), error)]


def test_records_too_large_are_skipped_in_a_file_packed_as_a_whole() -> None:
    large = plain_record("http://h/1", b"\r\n\r\n" + checked_record(9, b"forged") * 12000)
    records = [checked_record(0, b"first"), large, checked_record(2, b"last")]
    for members in ([gzip.compress(b"".join(records))], packed(b"".join(records), range(100, 4_000_000, 99_000))):
        urls, damage = read(b"".join(members), 1 << 16)
        assert urls == ["0", "2"]
        assert [d.error for d in damage] == ["too_large"]


def test_bombs_of_every_packing_are_given_up_within_bounds() -> None:
    good = gzip.compress(checked_record(0, b"good"))
    claim = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n"
    bombs = [
        gzip.compress(bytes(1 << 25)),
        gzip.compress(claim % 10**17 + bytes(1 << 25)),
        gzip.compress(claim % 1000 + bytes(1 << 25)),
        gzip.compress(b"") * 40_000,
        gzip.compress(b"\n") * 20_000,
        gzip.compress(claim % 10**6) + gzip.compress(b"x") * 20_000,
    ]
    for bomb in bombs:
        tracemalloc.start()
        urls, damage = read(bomb + good, 1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert urls == ["0"]
        assert len(damage) <= 1
        assert peak < 16 << 20


def test_a_date_that_is_none_does_not_cost_the_record() -> None:
    for date in ("5088968-11-06T12:31:23Z", "0001-01-01T00:00:00+09:00", "yesterday", ""):
        (item,) = read_records(io.BytesIO(plain_record("http://h/1", b"body", WARC_Date=date)), "x", 1 << 20)
        assert isinstance(item, Record)
        assert (item.payload, item.fetched_at) == (b"body", datetime(1970, 1, 1, tzinfo=UTC))


def test_other_kinds_of_archive_are_one_damage() -> None:
    arc = b"filedesc://x.arc 0.0.0.0 20140101 text/plain 20\n1 0 x\n" + plain_record("http://h/1", b"in a page")
    for data in (arc, gzip.compress(arc), b"\x04\x22\x4d\x18" + arc, zstd.compress(arc)):
        urls, damage = read(data)
        assert (urls, len(damage)) == ([], 1)
        assert "not" in damage[0].error


def test_a_file_whose_first_bytes_are_damaged_is_known_by_its_name() -> None:
    members = [gzip.compress(checked_record(n, b"body")) for n in range(3)]
    data = b"\x00" + b"".join(members)[1:]
    items = list(read_records(io.BytesIO(data), "x.warc.gz", 1 << 20))
    assert [item.url for item in items if isinstance(item, Record)] == ["http://h/1", "http://h/2"]
    assert [(item.offset, item.error) for item in items if isinstance(item, Damage)] == [(0, "not a gzip member")]
