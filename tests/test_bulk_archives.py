"""Archives and dumps, whole and damaged: what is whole is read, the rest is one row that says where and why."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawlers.bulk.sevenzip import SevenZipError, open_member, read_members
from crawlers.bulk.unpack import FAULTS, SoundStream, unpacked
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.readers import INDEX_TYPE
from pipelines.extract.records import read_raw
from tests.test_bulk_stackexchange import answer, dump, question, row

LIMIT = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}
# Two files and an empty one, by py7zr, with its list of files packed as programs do: `a.txt`, `dir/b.txt`.
REAL = base64.b64decode(
    "N3q8ryccAAR4nEIamgAAAAAAAAAVAAAAAAAAAEAgF1/gAf0AGV0AIxpKR1zpigtuG1v2vSb8GIk0YcJA2JkkAADgAJgAcV0AAIEz"
    "B64P0B3SfJ8/R0ErhlGf7JbPZ5OH+Ha5hnDAw4/Tnhx8QmGn+nwqAON8MFSRAyF1ZNfFj3WDnKaVLv68hzP+rx1ZwWjr10Zg22Kz"
    "xrvYUwbcGK5sJMvcwnyyTubXkVfDGv/USq7wHSzThGwAAAAAFwYhAQl5AAcLAQABISEBGAyAmQAA"
)


def records(path: Path, name: str = "") -> tuple[list[Raw], list[Broken]]:
    found = list(read_raw(str(path), name or path.name, LIMIT))
    return [each for each in found if isinstance(each, Raw)], [each for each in found if isinstance(each, Broken)]


# ---------------------------------------------------------------- 7z


def number(value: int) -> bytes:
    return b"\xff" + struct.pack("<Q", value)


def sevenzip(files: dict[str, bytes], method: str = "bzip2", *, solid: bool = True) -> bytes:
    """An archive by the letter of 7zFormat.txt, in the longest spelling of each number."""
    groups = [list(files.items())] if solid else [[each] for each in files.items()]
    lzma1 = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}
    pack: dict[str, tuple[bytes, bytes, Callable[[bytes], bytes]]] = {
        "store": (b"\x00", b"", lambda data: data),
        "bzip2": (b"\x04\x02\x02", b"", lambda data: bz2.compress(data, 1)),
        "deflate": (b"\x04\x01\x08", b"", lambda data: zlib.compress(data)[2:-4]),
        "lzma": (b"\x03\x01\x01", struct.pack("<BI", 93, 1 << 16), lambda d: lzma.compress(d, lzma.FORMAT_RAW, filters=[lzma1])),
        "lzma2": (b"\x21", b"\x18", lambda d: lzma.compress(d, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 24}])),
        "ppmd": (b"\x03\x04\x01", b"\x06\0\0\0\1", lambda data: data),
    }  # fmt: skip
    coder, properties, compress = pack[method]
    packed = [compress(b"".join(data for _, data in group)) for group in groups]
    count, sizes = number(len(groups)), [sum(len(data) for _, data in group) for group in groups]
    header = b"\x01\x04\x06" + number(0) + count + b"\x09" + b"".join(number(len(each)) for each in packed) + b"\0"
    folder = b"\x01" + bytes([0x20 * bool(properties) + len(coder)]) + coder
    folder += number(len(properties)) + properties if properties else b""
    header += b"\x07\x0b" + count + b"\0" + folder * len(groups) + b"\x0c" + b"".join(map(number, sizes)) + b"\0"
    header += b"\x08\x0d" + b"".join(number(len(group)) for group in groups) + b"\x09"
    header += b"".join(number(len(data)) for group in groups for _, data in group[:-1])
    crcs = b"".join(struct.pack("<I", zlib.crc32(data)) for data in files.values())
    header += b"\x0a\x01" + crcs + b"\0\0"
    names = b"\0" + "".join(f"{name}\0" for name in files).encode("utf-16-le")
    header += b"\x05" + number(len(files)) + b"\x11" + number(len(names)) + names + b"\0\0"
    start = struct.pack("<QQI", sum(map(len, packed)), len(header), zlib.crc32(header))
    head = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start
    return head + b"".join(packed) + header


def test_an_archive_of_another_program(tmp_path: Path) -> None:
    members = read_members(io.BytesIO(REAL))
    assert [(each.name, b"".join(open_member(io.BytesIO(REAL), each))[:9]) for each in members if each.size] == [
        ("a.txt", b"First a.\n"),
        ("dir/b.txt", b"Then b.\nT"),
    ]


@pytest.mark.parametrize("solid", [True, False])
@pytest.mark.parametrize("method", ["store", "bzip2", "deflate", "lzma", "lzma2"])
def test_files_of_each_method(tmp_path: Path, method: str, solid: bool) -> None:
    files = {"a.txt": b"First.\n" * 9000, "dir/b.md": b"# Then\n", "c.txt": b"x" * (LIMIT + 1)}
    (tmp_path / "of.7z").write_bytes(sevenzip(files, method, solid=solid))
    found, broken = records(tmp_path / "of.7z")
    assert [(each.name, each.body) for each in found] == list(files.items())[:2]
    assert [(each.reason, each.detail[:6]) for each in broken] == [("too_large", "c.txt:")]


def test_threads_of_a_site_have_urls(tmp_path: Path) -> None:
    posts = dump(question(1), answer(2, 1), question(5))
    tables = {
        "Posts.xml": posts,
        "Comments.xml": dump(
            row(Id=9, PostId=2, CreationDate="2020-01-01T00:00:00.000", Text="Yes."), table="comments"
        ),
        "PostHistory.xml": b"<posthistory></posthistory>",
    }
    whole = tmp_path / "unix.stackexchange.com.7z"
    whole.write_bytes(sevenzip(tables))
    found, broken = records(whole)
    assert broken == []
    assert [each.url for each in found] == [f"https://unix.stackexchange.com/questions/{number}" for number in (1, 5)]
    assert b"Yes." in found[0].body
    for table, data in tables.items():
        name = table.removesuffix(".xml")
        (tmp_path / f"big.example.com-{name}.7z").write_bytes(sevenzip({table: data}))
    apart, _ = records(tmp_path / "big.example.com-Posts.7z")
    assert [each.body for each in apart] == [each.body for each in found]
    assert apart[0].url == "https://big.example.com/questions/1"
    (beside,), _ = records(tmp_path / "big.example.com-Comments.7z")
    assert beside.content_type == INDEX_TYPE


@pytest.mark.parametrize("kind", ["7z", "xml.gz"])
def test_of_a_damaged_dump_the_threads_before_are_read(tmp_path: Path, kind: str) -> None:
    posts = dump(*(question(number, Body=random.Random(number).randbytes(2000).hex()) for number in range(1, 900)))
    if kind == "7z":
        content = bytearray(sevenzip({"Posts.xml": posts}))
        path = tmp_path / "x.stackexchange.com.7z"
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(gzip.compress(posts))
        path = tmp_path / "Posts.xml.gz"
        del content[len(content) // 2 :]
    path.write_bytes(content)
    found, (broken,) = records(path)
    assert 0 < len(found) < 899
    assert broken.reason == "damaged_archive"
    assert broken.detail.startswith(f"Posts, behind byte {broken.row} of it: ")
    assert posts[: broken.row].count(b"<row ") == len(found)


def test_a_dump_without_a_whole_thread_is_one_row(tmp_path: Path) -> None:
    content = bytearray(sevenzip({"Posts.xml": dump(question(1))}))
    content[60] ^= 0xFF
    (tmp_path / "x.7z").write_bytes(content)
    found, (broken,) = records(tmp_path / "x.7z")
    assert (found, broken.reason, broken.row) == ([], "damaged_archive", 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "truncated_archive"),
        (lambda data: data[:20], "damaged_archive"),
        (lambda data: b"PK" + data[2:], "damaged_archive"),
        (lambda data: data[:-3] + b"zzz", "damaged_archive"),
        (lambda data: sevenzip({"Posts.xml": b""}, "ppmd"), "damaged_archive"),
    ],
)
def test_an_archive_without_its_list_is_one_row(tmp_path: Path, change: Callable[[bytes], bytes], reason: str) -> None:
    (tmp_path / "x.7z").write_bytes(change(sevenzip({"Posts.xml": dump(question(1))})))
    found, (broken,) = records(tmp_path / "x.7z")
    assert (found, broken.reason) == ([], reason)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_whatever_stands_in_an_archive_it_ends(at: int, noise: bytes) -> None:
    data = bytearray(REAL)
    at %= len(data)
    data[at : at + len(noise)] = noise
    # The checksums of the headers would hide what lies behind them.
    data[28:32] = struct.pack("<I", zlib.crc32(bytes(data[32 + struct.unpack("<Q", data[12:20])[0] % len(data) :])))
    data[8:12] = struct.pack("<I", zlib.crc32(bytes(data[12:32])))
    try:
        members = read_members(io.BytesIO(bytes(data)))
    except SevenZipError:
        return
    for member in members:
        try:
            assert sum(map(len, open_member(io.BytesIO(bytes(data)), member))) == member.size
        except FAULTS:
            continue


# ---------------------------------------------------------------- tar


def tar(files: dict[str, bytes], **options: object) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, **options) as archive:  # type: ignore[call-overload]
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return raw.getvalue()


@pytest.mark.parametrize("ending", PACKERS)
def test_an_archive_packed_in_any_way_and_cut_short(tmp_path: Path, ending: str) -> None:
    files = {f"{number}.txt": random.Random(number).randbytes(3000) for number in range(40)}
    packed = PACKERS[ending](tar(files))
    path = tmp_path / f"a.tar{ending}"
    path.write_bytes(packed)
    found, broken = records(path)
    assert ([each.body for each in found], broken) == (list(files.values()), [])
    for cut in (len(packed) // 2, 512 * (len(packed) // 1024)):
        path.write_bytes(packed[:cut])
        found, (one,) = records(path)
        assert (one.reason, len(found) < 40) == ("damaged_archive", True)
        assert [each.body for each in found] == list(files.values())[: len(found)]
        assert one.row >= max((each.row for each in found), default=0)


def test_files_of_a_repository_have_urls_and_hostile_heads_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"docs/a b.md": b"# A"}, pax_headers={"SYSCORPUS.page": "https://x.example/blob/{}"}))
    (found,), _ = records(path)
    assert found.url == "https://x.example/blob/docs/a%20b.md"
    huge = tarfile.TarInfo("x")
    huge.type, huge.size = tarfile.XHDTYPE, 1 << 40
    path.write_bytes(tar({"a.md": b"# A"})[:1024] + huge.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    (before,), (broken,) = records(path)
    assert (before.name, broken.detail) == ("a.md", "behind this place: a header of 1099511627776 bytes")


# ---------------------------------------------------------------- zip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_archive_whole_and_damaged(tmp_path: Path, method: int) -> None:
    files = {
        "LICENSE": b"Public: CC0 1.0 Universal",
        "docs/a.md": random.Random(1).randbytes(4000),
        "docs/b.md": b"# B",
    }
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("docs")
        for name, body in files.items():
            archive.writestr(name, body)
        archive.writestr("large", bytes(LIMIT + 1))
        at = archive.getinfo("docs/a.md").header_offset
    found, broken = records(path)
    assert {each.name: each.body for each in found} == files
    assert [each.reason for each in broken] == ["too_large"]
    assert found[1].licence.licence == "CC0-1.0"
    whole = bytearray(path.read_bytes())
    whole[at + 2000] ^= 0xFF
    path.write_bytes(whole)
    found, broken = records(path)
    assert [each.name for each in found] == ["LICENSE", "docs/b.md"]
    assert (broken[0].reason, broken[0].row) == ("damaged_archive", at)
    path.write_bytes(whole[:-30])
    found, broken = records(path)
    assert (found, [each.reason for each in broken]) == ([], ["damaged_archive"])


# ---------------------------------------------------------------- streams


def test_an_mbox_that_is_cut_short_loses_its_last_message_alone(tmp_path: Path) -> None:
    mail = (
        "From a@example.org Thu Jan  1 00:00:00 2020\nFrom: a@example.org\nMessage-ID: <{0}@x>\nSubject: {0}\n\n{1}\n\n"
    )
    text = "".join(mail.format(number, random.Random(number).randbytes(400).hex()) for number in range(200))
    (tmp_path / "a.mbox.gz").write_bytes(gzip.compress(text.encode())[:40_000])
    found, (broken,) = records(tmp_path / "a.mbox.gz")
    assert 50 < len(found) < 199
    assert (broken.reason, text[broken.row : broken.row + 5]) == ("damaged_archive", "From ")


@given(st.lists(st.binary(max_size=40)), st.sampled_from(list(PACKERS)), st.integers(1, 500))
def test_a_stream_is_what_was_packed_up_to_where_it_is_cut(lines: list[bytes], ending: str, missing: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    packed = PACKERS[ending](data)
    assert b"".join(unpacked(io.BytesIO(packed))) == data or not ending
    if ending:
        stream = SoundStream(unpacked(io.BytesIO(packed[: max(7, len(packed) - missing)])))
        read = stream.read()
        assert data.startswith(read)
        assert stream.offset == len(read)
        assert stream.fault or read == data
        assert not stream.fault or read.endswith(b"\n") or not read


def test_a_file_too_large_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(bytes(50 << 20)))
    (tmp_path / "a.txt").write_bytes(bytes(LIMIT + 1))
    for name in ("a.txt.gz", "a.txt"):
        assert [each.reason for each in records(tmp_path / name)[1]] == ["too_large"]
