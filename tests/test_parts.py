"""A part is there whole and verified, or it is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.parts import Counts, Part, find_part, key_of, read_footer, read_table, write_part
from tests import part_writer

TABLE = pa.table({"id": ["a", "b", "c"], "number": [1, 2, 3]})
DROPPED = pa.table({"id": ["d"]})
COUNTS = Counts(seen=4, consumed=3, rows=3, dropped={"short": 1}, extra={"tokens": 7})


def write(directory: Path, table: pa.Table = TABLE, key: str = "key", **side: pa.Table) -> Part:
    return write_part(
        str(directory), "part-0", key, table, COUNTS, side or {"dropped": DROPPED, "quarantine": DROPPED.slice(1)}
    )


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_part_comes_back_as_it_was_written(tmp_path):
    part = write(tmp_path)
    assert find_part(str(tmp_path), "part-0", "key") == part
    assert part.counts == COUNTS
    assert read_table(f"{tmp_path}/part-0.parquet").equals(TABLE)
    assert read_table(f"{tmp_path}/part-0.parquet", ["number"]).column_names == ["number"]
    assert read_footer(f"{tmp_path}/part-0.parquet")["key"] == "key"


def test_only_side_tables_with_rows_are_written_and_no_temporary_is_left(tmp_path):
    part = write(tmp_path)
    assert files(tmp_path) == ["dropped/part-0.parquet", "part-0.parquet"]
    assert list(part.side) == ["dropped/part-0.parquet"]


def test_a_part_of_no_rows_is_a_part(tmp_path):
    part = write_part(str(tmp_path), "part-0", "key", TABLE.slice(0, 0), Counts(), {})
    assert find_part(str(tmp_path), "part-0", "key") == part
    assert read_table(f"{tmp_path}/part-0.parquet").schema == TABLE.schema


def test_another_key_or_name_is_not_found(tmp_path):
    write(tmp_path)
    assert find_part(str(tmp_path), "part-0", "other") is None
    assert find_part(str(tmp_path), "part-1", "key") is None
    assert find_part(str(tmp_path / "none"), "part-0", "key") is None


def test_a_parquet_file_of_somebody_else_is_not_a_part(tmp_path):
    pa.parquet.write_table(TABLE, tmp_path / "part-0.parquet")
    assert find_part(str(tmp_path), "part-0", "") is None


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw[:10] + b"x" + raw[11:], lambda raw: b"", None]
)
def test_a_part_whose_side_file_changed_is_not_found(tmp_path, change):
    write(tmp_path)
    side = tmp_path / "dropped/part-0.parquet"
    if change:
        side.write_bytes(change(side.read_bytes()))
    else:
        side.unlink()
    assert find_part(str(tmp_path), "part-0", "key") is None


@given(st.data())
def test_a_truncated_part_is_not_found(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("parts")
    write(directory)
    path = directory / "part-0.parquet"
    raw = path.read_bytes()
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    assert find_part(str(directory), "part-0", "key") is None


@given(st.data())
def test_a_part_with_another_byte_is_not_found_or_has_another_hash(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("parts")
    part = write(directory)
    path = directory / "part-0.parquet"
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    found = find_part(str(directory), "part-0", "key")
    assert found is None or found.sha256 != part.sha256


@given(st.data())
def test_a_part_with_altered_rows_is_not_found(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("parts")
    write(directory)
    path = directory / "part-0.parquet"
    raw = bytearray(path.read_bytes())
    footer = int.from_bytes(raw[-8:-4], "little")
    raw[data.draw(st.integers(4, len(raw) - footer - 9))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert find_part(str(directory), "part-0", "key") is None


def test_the_content_hash_is_of_the_rows_and_not_of_the_key(tmp_path):
    part = write(tmp_path / "a")
    rekeyed = write(tmp_path / "b", key="other")
    unfolded = write(tmp_path / "c", notes=DROPPED)
    assert part.content == rekeyed.content == unfolded.content
    assert part.sha256 != rekeyed.sha256
    for changed in (TABLE.slice(0, 2), TABLE.take([1, 0, 2]), TABLE.set_column(1, "number", [[1, 2, 4]])):
        assert write(tmp_path / "d", changed).content != part.content


def test_the_same_rows_give_the_same_bytes_however_they_were_chunked(tmp_path):
    chunked = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]).replace_schema_metadata({"from": "elsewhere"})
    assert write(tmp_path / "a").sha256 == write(tmp_path / "b", chunked).sha256


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5), st.text(), st.text()
)
def test_a_key_depends_on_every_ingredient_and_on_no_order_of_a_mapping(value, a, b):
    assert key_of("x", {"a": value, "b": 1}) == key_of("x", {"b": 1, "a": value})
    assert (key_of(value, a) == key_of(value, b)) == (a == b)
    assert key_of(value, a) != key_of([value, a])
    assert key_of(1) != key_of("1")


def test_counts_in_which_an_input_has_no_fate_or_two_are_refused(tmp_path):
    for counts in (
        Counts(seen=2, consumed=1),
        Counts(seen=1, consumed=1, dropped={"short": 1}),
        Counts(quarantined={"crash": 1}),
    ):
        with pytest.raises(AssertionError, match="fates"):
            write_part(str(tmp_path), "part-0", "key", TABLE, counts, {})
    assert files(tmp_path) == []


def test_counts_add_up():
    total = Counts.total([COUNTS, Counts(seen=2, dropped={"short": 1, "long": 1}), Counts()])
    assert total == Counts(seen=6, consumed=3, rows=3, dropped={"long": 1, "short": 2}, extra={"tokens": 7})
    total.check("here")
    assert json.loads(json.dumps(total.dropped)) == {"long": 1, "short": 2}


# ---------------------------------------------------------------- kill -9


@pytest.mark.parametrize("begun", [1, 2, 3, 5])
def test_a_killed_writer_leaves_only_whole_parts(tmp_path, begun):
    command = [sys.executable, part_writer.__file__, str(tmp_path), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for _ in range(begun):
            writer.stdout.readline()
        writer.kill()
    assert writer.returncode == -9
    there = sorted(path.stem for path in tmp_path.glob("*.parquet"))
    assert len(there) >= begun - 1
    assert there == [f"part-{number:05}" for number in range(len(there))]
    expected = part_writer.table_of_number(0)
    for number, name in enumerate(there):
        assert find_part(str(tmp_path), name, f"key-{number}") is not None
        assert read_table(f"{tmp_path}/{name}.parquet").equals(expected)


def test_what_a_killed_writer_left_does_not_hinder_the_next(tmp_path):
    with subprocess.Popen([sys.executable, part_writer.__file__, str(tmp_path), "0"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        writer.kill()
    part_writer.commit(str(tmp_path), 0, part_writer.table_of_number(0))
    assert find_part(str(tmp_path), "part-00000", "key-0") is not None
