"""What a takedown does to each kind of store, on files made for it."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import warcio

from crawlers.frontier import Changes, Frontier, Kind, Link, State, Stored
from crawlers.takedown import TakedownError, Takedowns, read_takedowns
from crawlers.warc import Record, WarcWriter, beside, read_records, tombstone
from pipelines import storage
from pipelines.engine import Commit, Job
from pipelines.export import mds, megatron
from pipelines.parts import Counts, Layout, Part, read_table, write_part
from pipelines.schema import DROPPED, INDEX, SEGMENT, SHARD, table_of
from pipelines.takedown.commits import Contents, renewed, shifted
from pipelines.takedown.exports import Cleaning, _filtered, _mds, _megatron
from pipelines.takedown.plan import _Search
from pipelines.takedown.proof import batches, grams_of, pack, unpack
from pipelines.takedown.request import RefusedError, Request
from pipelines.takedown.rows import Removal, remove_rows
from pipelines.takedown.shards import documents_in, mask_shard
from pipelines.takedowns import check_ended
from pipelines.tokenize.pack import ids_sha256
from tests.crawl_site import HOST

END, LENGTH = 9, 8
A, B, C = ("a" * 32, "b" * 32, "c" * 32)
KEY = "takendown"


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("subjects", "wrong"),
    [
        ((), "give one of --url, --domain, --doc-id, --licence"),
        ((("url", "ftp://h/a"),), "no http URL"),
        ((("doc_id", "abc"),), "32 hexadecimal digits"),
        ((("licence", " "),), "a licence is empty"),
    ],
)
def test_a_request_that_names_nothing_is_refused(subjects, wrong) -> None:
    with pytest.raises(RefusedError, match=wrong):
        Request(subjects, "A", "B").check()


def test_a_request_for_no_domain_is_refused_and_one_without_a_reason() -> None:
    with pytest.raises(TakedownError, match="no domain"):
        Request((("domain", "http://h/"),), "A", "B").check()
    with pytest.raises(RefusedError, match="--why is empty"):
        Request((("doc_id", A),), "A", " ").check()


def test_a_licence_is_covered_whatever_its_case() -> None:
    entries = read_takedowns(json.dumps({"licence": "CC-BY-4.0", "who": "A", "when": "", "why": "B"}), "list")
    assert Takedowns(entries).covers_licence("cc-by-4.0")
    assert not Takedowns(entries).covers_licence("")
    assert not Takedowns(entries).covers("http://h/", A)
    assert Takedowns(entries)


def test_no_stage_is_made_while_a_takedown_has_not_ended(tmp_path: Path) -> None:
    check_ended(str(tmp_path))
    storage.write_bytes(str(tmp_path / "takedowns" / "_open.json"), b"{}")
    with pytest.raises(TakedownError, match="give its command again first"):
        check_ended(str(tmp_path))


# ---------------------------------------------------------------- WARC files and frontiers


def fill(directory: Path, number: int = 6) -> list[tuple[str, int, int]]:
    """URL, offset and length of responses with request and metadata records before them."""
    writer = WarcWriter(directory, 1 << 30)
    places = []
    for n in range(number):
        url = f"http://{HOST}/{n}"
        at, _ = writer.append(
            url, datetime(2026, 1, 1, tzinfo=UTC),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain", f"page {n} says so".encode() * 20,
            {"robots": "no rule"}, b"GET / HTTP/1.1\r\n\r\n",
        )  # fmt: skip
        places.append((url, at.offset, at.length))
    writer.close()
    return places


def test_a_tombstone_takes_the_place_of_a_record_and_nothing_moves(tmp_path: Path) -> None:
    places = fill(tmp_path)
    path = tmp_path / "00000.warc.gz"
    before = path.read_bytes()
    url, offset, length = places[2]
    more = list(beside(path, places[1][1] + places[1][2], offset, url))
    assert len(more) == 2
    assert list(beside(path, places[1][1] + places[1][2], offset, "http://other/")) == []
    content = bytearray(before)
    for begin, size in [(offset, length), *more]:
        content[begin : begin + size] = tombstone(path.name, begin, size)
    assert len(content) == len(before)
    read = list(read_records(io.BytesIO(bytes(content)), path.name, 1 << 20))
    assert [each.url for each in read if isinstance(each, Record)] == [u for u, _, _ in places if u != url]
    assert [(each.url, each.offset, each.length) for each in read] == [each for each in places if each[0] != url]
    assert b"page 2" not in b"".join(
        record.content_stream().read() for record in warcio.ArchiveIterator(io.BytesIO(bytes(content)))
    )
    assert all(content[at] == before[at] for at in range(places[1][1] + places[1][2]))
    # Those that were there are skipped the second time.
    assert list(beside_bytes(tmp_path, bytes(content), places, url)) == []


def beside_bytes(directory: Path, content: bytes, places: list[tuple[str, int, int]], url: str):
    path = directory / "again.warc.gz"
    path.write_bytes(content)
    return beside(path, places[1][1] + places[1][2], places[2][1], url)


@pytest.mark.parametrize("length", [170, 171, 500, 70_000])
def test_a_tombstone_has_the_length_that_it_is_asked_for(length: int) -> None:
    assert len(tombstone("a.warc.gz", 5, length)) == length
    assert tombstone("a.warc.gz", 5, length) == tombstone("a.warc.gz", 5, length)


def test_no_tombstone_fits_where_no_record_of_ours_does() -> None:
    with pytest.raises(ValueError, match="no record of ours"):
        tombstone("a.warc.gz", 5, 40)


def test_a_frontier_forgets_all_records_of_a_url(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    urls = [f"http://{HOST}/{n}" for n in range(3)]
    frontier.apply(Changes(links=[Link(url, Kind.PAGE) for url in urls]))
    for offset in (0, 100):
        stored = [
            Stored(url=url, status=200, content_type="text/html", file="00000.warc.gz", offset=offset + n, length=1,
                   digest="d", fetched_at="2026-01-01T00:00:00+00:00", is_revisit=False, interval_s=1.0, etag="e")
            for n, url in enumerate(urls)
        ]  # fmt: skip
        frontier.apply(Changes(stored=stored))
    frontier.take_down([urls[1], "http://never/met"])
    frontier.take_down([urls[1]])
    lease, fate = frontier.find(urls[1])
    assert (fate.state, fate.reason, fate.record, lease.etag, lease.earlier) == (
        State.EXCLUDED,
        "taken_down",
        None,
        None,
        None,
    )
    assert frontier.find(urls[0])[1].record is not None
    assert frontier.settled_ends() == {"00000.warc.gz": 103}
    assert not frontier.has_unfinished(kind=Kind.PAGE)
    frontier.close()


# ---------------------------------------------------------------- shards


def shard(directory: str, name: str = "shards/train/x.high.natural/shard-00000") -> Part:
    """A: cut over two rows; B: whole, filled in the middle; C: whole. Two row groups."""

    def segment(doc_id, tokens, begin, end, middle=(None, None)):
        return dict(zip(SEGMENT.names if hasattr(SEGMENT, "names") else [f.name for f in SEGMENT],
                        (doc_id, f"r{doc_id[:1]}", tokens, begin, end, *middle), strict=True))  # fmt: skip

    rows = [
        {"input_ids": [1] * 8, "segments": [segment(A, 8, 0, 8)], "padding": 0},
        {
            "input_ids": [1, 1, END, 2, 2, END, END, END],
            "segments": [segment(A, 3, 8, 10), segment(B, 3, 0, 2, (1, 1))],
            "padding": 2,
        },
        {"input_ids": [3, 3, 3, END, END, END, END, END], "segments": [segment(C, 4, 0, 3)], "padding": 4},
    ]
    table = pa.Table.from_pylist(rows, schema=SHARD)
    told = {"sequences": 3, "documents": 3, "documents_cut": 1, "tokens": 18, "padding": 6, "bytes": 15}
    ids = np.array([row["input_ids"] for row in rows], np.int32)
    index = pa.Table.from_pylist([{**told, "row_groups": 2, "ids_sha256": ids_sha256(ids)}], schema=INDEX)
    layout = Layout(group_rows=2, split_bytes=("input_ids.list.element",))
    return write_part(directory, name, "key", table, Counts(rows=3, extra=told), {"index": index}, layout)


def rows_of(directory: str, name: str) -> list[dict]:
    return pq.ParquetFile(f"{directory}/{name}.parquet").read().to_pylist()


def test_segments_are_masked_and_every_other_value_stays(tmp_path: Path) -> None:
    part = shard(str(tmp_path))
    before = rows_of(str(tmp_path), part.name)
    masked = mask_shard(str(tmp_path), part, pa.array([A, B]), END, KEY)
    after = rows_of(str(tmp_path), part.name)
    assert masked.sha256 != part.sha256
    assert [row["input_ids"] for row in after] == [[END] * 8, [END] * 8, before[2]["input_ids"]]
    assert after[2] == before[2]
    assert [row["padding"] for row in after] == [row["padding"] for row in before]
    blank = {"doc_id": None, "revision": None, "start_byte": 0, "end_byte": 0}
    for row in after[:2]:
        for each in row["segments"]:
            assert {name: each[name] for name in blank} == blank
    assert [each["tokens"] for each in after[1]["segments"]] == [3, 3]
    index = read_table(str(tmp_path / f"index/{part.name}.parquet")).to_pylist()[0]
    ids = np.array([row["input_ids"] for row in after], np.int32)
    assert index["ids_sha256"] == ids_sha256(ids)
    assert (index["tokens"], index["padding"], index["documents"], index["documents_cut"], index["bytes"]) == (
        18,
        6,
        1,
        0,
        3,
    )
    assert masked.counts.extra["masked"] == 14
    file = pq.ParquetFile(tmp_path / f"{part.name}.parquet")
    assert file.num_row_groups == 2
    assert "BYTE_STREAM_SPLIT" in file.metadata.row_group(0).column(0).encodings
    # The second time there is nothing to do, and the part is what it is.
    at = (tmp_path / f"{part.name}.parquet").stat().st_mtime_ns
    assert mask_shard(str(tmp_path), part, pa.array([A, B]), END, KEY) == masked
    assert (tmp_path / f"{part.name}.parquet").stat().st_mtime_ns == at


def test_a_second_takedown_masks_the_rest_and_a_shard_without_is_left_alone(tmp_path: Path) -> None:
    part = shard(str(tmp_path))
    assert mask_shard(str(tmp_path), part, pa.array(["d" * 32]), END, KEY) is None
    first = mask_shard(str(tmp_path), part, pa.array([A]), END, KEY)
    assert (first.counts.extra["documents"], first.counts.extra["documents_cut"]) == (2, 0)
    second = mask_shard(str(tmp_path), first, pa.array([C, A]), END, "another")
    assert (second.counts.extra["documents"], second.counts.extra["masked"]) == (1, 15)
    assert rows_of(str(tmp_path), part.name)[1]["input_ids"] == [END, END, END, 2, 2, END, END, END]


def test_a_killed_masking_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is written before the shard: what it says then is said again, not twice as much."""
    part = shard(str(tmp_path))
    real = storage.writing

    class Killed(BaseException):
        pass

    def dying(url):
        context = real(url)
        if url.endswith(f"{part.name}.parquet") and "/index/" not in url:
            path = context.__enter__()

            class Dying:
                def __enter__(self):
                    return path

                def __exit__(self, *_):
                    raise Killed

            return Dying()
        return context

    monkeypatch.setattr(storage, "writing", dying)
    with pytest.raises(Killed):
        mask_shard(str(tmp_path), part, pa.array([A]), END, KEY)
    monkeypatch.setattr(storage, "writing", real)
    masked = mask_shard(str(tmp_path), part, pa.array([A]), END, KEY)
    index = read_table(str(tmp_path / f"index/{part.name}.parquet")).to_pylist()[0]
    assert (index["documents"], masked.counts.extra["documents"]) == (2, 2)


# ---------------------------------------------------------------- formats of exports


def cleaning(directory: Path, *ids: str) -> Cleaning:
    return Cleaning(
        str(directory),
        pa.array(list(ids)),
        END,
        LENGTH,
        KEY,
        {"train/x.high.natural": ["shards/train/x.high.natural/shard-00000"]},
    )


@pytest.mark.parametrize("unit", ["sequence", "document"])
def test_megatron_ids_are_overwritten_where_they_lie(tmp_path: Path, unit: str) -> None:
    part = shard(str(tmp_path))
    spec = {"inputs": [str(tmp_path / f"{part.name}.parquet")], "unit": unit, "sequence_length": LENGTH}
    prefix = megatron.write_prefix(
        Job(megatron.write_prefix, str(tmp_path), "megatron/train/x.high.natural", "key", spec)
    )
    files = {ending: (tmp_path / f"{prefix.name}.{ending}").read_bytes() for ending in ("bin", "idx")}
    mask_shard(str(tmp_path), part, pa.array([B]), END, KEY)
    now = _megatron(cleaning(tmp_path, B), prefix)
    assert (tmp_path / f"{prefix.name}.idx").read_bytes() == files["idx"]
    before, after = (
        np.frombuffer(each, "<i4") for each in (files["bin"], (tmp_path / f"{prefix.name}.bin").read_bytes())
    )
    assert 2 in before
    assert np.array_equal(after, np.where(before == 2, END, before))
    assert now.side[f"{prefix.name}.bin"] == storage.sha256(str(tmp_path / f"{prefix.name}.bin"))
    assert now.side[f"{prefix.name}.idx"] == prefix.side[f"{prefix.name}.idx"]
    if unit == "document":
        assert B not in [row["doc_id"] for row in rows_of(str(tmp_path), prefix.name)]
    assert _megatron(cleaning(tmp_path, B), now) == now


def test_mds_is_made_of_the_masked_shards(tmp_path: Path) -> None:
    part = shard(str(tmp_path))
    spec = {"inputs": [str(tmp_path / f"{part.name}.parquet")], "sequence_length": LENGTH}
    made = mds.write_mds(Job(mds.write_mds, str(tmp_path), "mds/train/x.high.natural/sequences", "key", spec))
    assert A.encode() in (tmp_path / "mds/train/x.high.natural/shard.00000.mds").read_bytes()
    mask_shard(str(tmp_path), part, pa.array([A]), END, KEY)
    now = _mds(cleaning(tmp_path, A), made)
    content = (tmp_path / "mds/train/x.high.natural/shard.00000.mds").read_bytes()
    assert A.encode() not in content
    assert B.encode() in content
    assert now.side.keys() == made.side.keys()


@pytest.mark.parametrize("ending", ["parquet", "jsonl.gz"])
def test_documents_leave_files_of_text(tmp_path: Path, ending: str) -> None:

    path = tmp_path / f"part.{ending}"
    rows = [{"doc_id": doc_id, "text": f"text of {doc_id}"} for doc_id in (A, B, C)]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1)
    else:
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    digest = storage.sha256(str(path))
    assert _filtered(str(path), digest, cleaning(tmp_path, "d" * 32)) == 3
    assert storage.sha256(str(path)) == digest
    assert _filtered(str(path), digest, cleaning(tmp_path, B)) == 2
    left = pq.read_table(path).to_pylist() if ending == "parquet" else [json.loads(line) for line in gzip.open(path)]
    assert left == [rows[0], rows[2]]
    assert _filtered(str(path), digest, cleaning(tmp_path, B)) == 2


# ---------------------------------------------------------------- parts and commits


def dropped(doc_id: str, row: int, reason: str = "bad") -> dict:
    return {
        "doc_id": doc_id,
        "stage": "filter",
        "reason": reason,
        "failed": [{"reason": reason, "value": ""}],
        "input": "dedup/p",
        "row": row,
    }


def test_rows_leave_a_part_and_drops_behind_them_move_up(tmp_path: Path) -> None:
    table = pa.table({"doc_id": [A, B], "text": ["one", "two"]})
    drops = table_of([dropped("e" * 32, 0), dropped(C, 2, "worse"), dropped("f" * 32, 4)], DROPPED)
    counts = Counts(seen=5, consumed=2, rows=2, dropped={"bad": 2, "worse": 1})
    part = write_part(str(tmp_path), "p", "key", table, counts, {"dropped": drops})
    commit = Commit("filter", 1, "k", "document", {}, [], [part], counts, {}, 0.0, 0.0, 0, {})
    removal = Removal("filter", str(tmp_path), {"filter/p": [1], "dedup/p": [2, 3]}, frozenset(), {}, KEY)
    (now,) = remove_rows(removal, commit)
    assert now.counts == Counts(seen=3, consumed=1, rows=1, dropped={"bad": 2})
    assert read_table(str(tmp_path / "p.parquet"))["doc_id"].to_pylist() == [A]
    assert read_table(str(tmp_path / "dropped/p.parquet")).select(["doc_id", "row"]).to_pylist() == [
        {"doc_id": "e" * 32, "row": 0},
        {"doc_id": "f" * 32, "row": 2},
    ]
    assert remove_rows(removal, commit) == [now]
    assert shifted(counts, [part], [now]) == now.counts
    nothing = Removal("filter", str(tmp_path), {}, frozenset(), {}, "another")
    assert remove_rows(nothing, commit) == [part]


def test_a_document_whose_record_stays_is_a_drop_of_extract(tmp_path: Path) -> None:
    table = pa.table({"doc_id": [A, B], "text": ["one", "two"]})
    part = write_part(str(tmp_path), "p", "key", table, Counts(seen=2, consumed=2, rows=2), {})
    commit = Commit("extract", 1, "k", "record", {}, [], [part], part.counts, {}, 0.0, 0.0, 0, {})
    row = dropped(B, 7, "taken_down") | {"stage": "extract", "input": "s/files/dump.7z"}
    removal = Removal("extract", str(tmp_path), {"extract/p": [1]}, frozenset(), {B: row}, KEY)
    for _ in range(2):
        (now,) = remove_rows(removal, commit)
        assert now.counts == Counts(seen=2, consumed=1, rows=1, dropped={"taken_down": 1})
    assert read_table(str(tmp_path / "dropped/p.parquet"))["doc_id"].to_pylist() == [B]


def test_a_commit_behind_a_takedown_has_the_key_of_its_inputs() -> None:
    inputs = [{"name": "extract/p", "content": "old"}, {"name": "extract/records/p.parquet", "content": "x"}]
    commit = Commit("classify", 3, "k", "document", {"a": 1}, inputs, [], Counts(), {}, 0.0, 0.0, 0, {})
    contents = Contents({"extract/p": "new"}, {"extract/records/p.parquet"})
    fresh = renewed(commit, [], contents, {"b": 2}, {"told": True})
    assert fresh.inputs == [{"name": "extract/p", "content": "new"}]
    assert fresh.settings == {"a": 1, "b": 2}
    assert fresh.extra == {"told": True}
    assert fresh.key == renewed(fresh, [], Contents(), {}, {}).key != commit.key


# ---------------------------------------------------------------- the proof


def test_runs_of_13_words_are_found_whatever_stands_around_them() -> None:
    words = "the kernel keeps pages of files in memory so that nobody need wait for it"
    sought = grams_of(pa.array([words]))
    assert len(sought) == 3
    assert (
        np.isin(
            grams_of(pa.array(["x", f"As it says: The KERNEL {words.partition(' kernel ')[2]}, they say."])), sought
        ).sum()
        == 3
    )
    assert not np.isin(grams_of(pa.array([words.replace("memory", "mind")])), sought).any()
    assert len(grams_of(pa.array(["the kernel keeps pages"]))) == 0
    assert np.array_equal(unpack(pack(sought)), sought)
    assert [len(batch) for batch in batches(["a", None, "", "b"])] == [2]


def test_a_document_is_found_in_the_shards_that_hold_it(tmp_path: Path) -> None:
    part = shard(str(tmp_path))
    commit = {"stage": "tokenize", "version": 1, "key": "k", "unit": "document", "settings": {}, "inputs": [],
              "parts": [{**vars(part), "counts": vars(part.counts)}], "counts": vars(Counts()), "software": {}, "seconds": 0.0,
              "cpu_seconds": 0.0, "peak_memory": 0, "extra": {}}  # fmt: skip
    storage.write_bytes(str(tmp_path / "_commit.json"), json.dumps(commit).encode())
    assert documents_in(str(tmp_path), pa.array([A, C, "d" * 32])) == {part.name: 2}
    assert documents_in(str(tmp_path), pa.array(["d" * 32])) == {}


# ---------------------------------------------------------------- the removal set


@pytest.mark.parametrize("copies_too", [False, True])
def test_excerpts_and_rewrites_go_and_what_holds_it_stays_unless_asked(make_run, monkeypatch, copies_too: bool) -> None:
    search = _Search(make_run(), Request((("doc_id", A),), "A", "B", copies_too))
    told = dict.fromkeys([A, "excerpt", "copy", "holder", "other"], ("", "", "MIT"))
    drops = [
        ("part of the excerpt", "contained", "excerpt", "0.9"),
        ("excerpt", "contained", A, "0.95"),
        ("copy", "near_duplicate", A, "0.9"),
        (A, "contained", "holder", "0.99"),
        ("another", "duplicate", "other", "1.0"),
    ]
    rewrites = [("rewrite", ["excerpt"]), ("rewrite of the holder", ["holder"])]
    monkeypatch.setattr(search, "known", lambda stages=(): iter(told.items()))
    monkeypatch.setattr(search, "_given_up", lambda: iter(drops))
    monkeypatch.setattr(search, "_rewrites", lambda: iter(rewrites))
    search.find()
    set_ = {
        A: ("named", ""),
        "excerpt": ("excerpt", A),
        "part of the excerpt": ("excerpt", "excerpt"),
        "rewrite": ("rewrite", "excerpt"),
    }
    if copies_too:
        set_ |= {"copy": ("copy", A), "holder": ("copy", A), "rewrite of the holder": ("rewrite", "holder")}
    assert search.chosen == set_
    staying = {("copy", A): ("was given up for it", "0.9"), ("holder", A): ("holds it", "0.99")}
    assert search.staying == ({} if copies_too else staying)
