"""Law 4, through the whole stage: a record that breaks things costs one quarantine row, and nothing else."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crawlers.warc import WarcWriter
from pipelines.engine import read_commit
from tests import runs

pytestmark = pytest.mark.usefixtures("on_head")

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_NOISE = random.Random(5)

# name -> (content type, body, reason of its quarantine)
HOSTILE = {
    "huge": ("text/html", b"<p>lost <b>tags" + b"<i <p <<x y='" * 4_200_000, "too_large"),
    "nested": ("text/html", b"<html><body>" + b"<div>" * 100_000 + b"deep", "too_deep"),
    "nested-mixed": ("text/html", b"<b><span><A href=x><EM>" * 25_000 + b"deep", "too_deep"),
    "noise": ("text/html; charset=utf-8", bytes(_NOISE.randrange(256) for _ in range(20_000)), "undecodable"),
    "empty": ("text/html", b"", "empty_body"),
    "picture": ("text/html", b"\x89PNG\r\n\x1a\n" + bytes(_NOISE.randrange(256) for _ in range(500)), "not_text"),
}


def _good(number: int) -> bytes:
    text = " ".join(f"The scheduler of host {number} keeps run queue {n} short." for n in range(20))
    return f"<html><head><title>Host {number}</title></head><body><main><h1>Host {number}</h1><p>{text}</p></main>".encode()


def _write(directory: Path, pages: list[tuple[str, str, bytes]]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    writer = WarcWriter(directory, warc_bytes=1 << 30)
    for path, kind, body in pages:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        writer.append(f"http://hostile.example/{path}", _AT, head.encode(), body)
    writer.close()


def _extract(directory: Path, output: Path, recipe: Path | None = None) -> None:
    options = ["--recipe", recipe] if recipe else []
    done = runs.syscorpus("extract", "--input", directory / "*.warc.gz", "--output", output, "--workers", 1, *options)
    assert done.returncode == 0, done.stderr[-2000:]


def _rows(output: Path, pattern: str) -> list[dict[str, str]]:
    return [row for path in sorted(output.glob(pattern)) for row in pq.ParquetFile(path).read().to_pylist()]


def test_each_hostile_record_costs_one_quarantine_row(tmp_path: Path) -> None:
    pages = []
    for number, (name, (kind, body, _)) in enumerate(HOSTILE.items()):
        pages += [(f"good-{number}", "text/html", _good(number)), (name, kind, body)]
    _write(tmp_path / "warc", pages)
    _extract(tmp_path / "warc", tmp_path / "out")
    quarantined = {
        row["url"].rpartition("/")[2]: row["reason"] for row in _rows(tmp_path / "out", "quarantine/*.parquet")
    }
    assert quarantined == {name: reason for name, (_, _, reason) in HOSTILE.items()}
    kept = {row["url"].rpartition("/")[2] for row in _rows(tmp_path / "out", "part-*.parquet")}
    assert kept == {f"good-{number}" for number in range(len(HOSTILE))}
    commit = read_commit(str(tmp_path / "out"))
    assert commit is not None
    assert commit.counts.seen == 2 * len(HOSTILE)


def test_a_damaged_archive_loses_the_damaged_record_alone(tmp_path: Path) -> None:
    _write(tmp_path / "warc", [(f"good-{number}", "text/html", _good(number)) for number in range(9)])
    path = tmp_path / "warc" / "00000.warc.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    _extract(tmp_path / "warc", tmp_path / "out")
    assert [row["reason"] for row in _rows(tmp_path / "out", "quarantine/*.parquet")] == ["damaged_record"]
    assert len(_rows(tmp_path / "out", "part-*.parquet")) == 8


def test_a_record_that_costs_too_much_is_killed_and_poisons_the_next_run(tmp_path: Path) -> None:
    """The limit is so low here that a large sound page passes it: what a hanging parser would do."""
    recipe = tmp_path / "recipe.yaml"
    manifests = runs.REPOSITORY / "manifests" / "farm" / "small.yaml"
    recipe.write_text(
        f"name: low\nmanifests: [{manifests}]\nextract: {{max_cpu_s: 0.3, licences: {{train: [unknown]}}}}\n"
    )
    slow = b"<html><body><main>" + b"<p>one <b>two</b> <i>three</i> <code>four</code></p>\n" * 100_000
    _write(
        tmp_path / "warc",
        [("good", "text/html", _good(1)), ("slow", "text/html", slow), ("last", "text/html", _good(2))],
    )
    _extract(tmp_path / "warc", tmp_path / "out", recipe)
    [row] = _rows(tmp_path / "out", "quarantine/*.parquet")
    assert row["reason"] == "cpu_time"
    assert len(_rows(tmp_path / "out", "part-*.parquet")) == 2
    [poison] = (tmp_path / "out" / "_work" / "poison").glob("*.json")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*part-*.parquet")}
    # Made anew with the list: the record is not tried again, and the rows are the same.
    made = [*before, tmp_path / "out" / "_commit.json", *(tmp_path / "out" / "_records").rglob("*.parquet")]
    for path in made:
        path.unlink()
    _extract(tmp_path / "warc", tmp_path / "out", recipe)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*part-*.parquet")} == before
    assert poison.exists()
