"""Rows sent to buckets arrive once, in the order of the senders."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.parts import Counts, Part, find_part
from pipelines.shuffle import bucket_of, read_bucket, write_buckets

SCHEMA = pa.schema([("id", pa.string()), ("number", pa.int64())])
# What one sender sends: tables in any order, several to one bucket, some of them empty.
SENDINGS = st.lists(st.tuples(st.sampled_from(["x/0", "x/1", "y/0"]), st.integers(0, 4)), max_size=6)


def tables_of(sender: int, sending: list[tuple[str, int]]) -> list[tuple[str, pa.Table]]:
    return [
        (
            bucket,
            pa.table({"id": [f"{sender}.{at}.{row}" for row in range(rows)], "number": range(rows)}, schema=SCHEMA),
        )
        for at, (bucket, rows) in enumerate(sending)
    ]


def send(directory, sender: int, sending: list[tuple[str, int]]) -> Part:
    return write_buckets(str(directory), f"sender-{sender}", "key", SCHEMA, tables_of(sender, sending))


@given(st.lists(SENDINGS, max_size=4))
def test_every_row_arrives_in_exactly_its_bucket_in_the_order_of_the_senders(tmp_path_factory, sendings):
    directory = tmp_path_factory.mktemp("shuffle")
    parts = [send(directory, sender, sending) for sender, sending in enumerate(sendings)]
    urls = [f"{directory}/{part.name}.parquet" for part in parts]
    sent = [pair for sender, sending in enumerate(sendings) for pair in tables_of(sender, sending)]
    for bucket in ("x/0", "x/1", "y/0", "never"):
        expected = pa.concat_tables([SCHEMA.empty_table(), *(table for name, table in sent if name == bucket)])
        assert read_bucket(urls, bucket, SCHEMA).equals(expected)
    assert sum(part.counts.rows for part in parts) == sum(table.num_rows for _, table in sent)


@given(st.lists(SENDINGS, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_a_bucket_holds_the_same_rows_in_whatever_order_the_senders_are_read(tmp_path_factory, sendings, random):
    directory = tmp_path_factory.mktemp("shuffle")
    urls = [f"{directory}/{send(directory, sender, sending).name}.parquet" for sender, sending in enumerate(sendings)]
    before = read_bucket(urls, "x/0", SCHEMA).sort_by("id")
    random.shuffle(urls)
    assert read_bucket(urls, "x/0", SCHEMA).sort_by("id").equals(before)


def test_a_sender_without_rows_is_a_part(tmp_path):
    part = send(tmp_path, 0, [])
    assert find_part(str(tmp_path), "sender-0", "key") == part
    assert read_bucket([f"{tmp_path}/sender-0.parquet"], "x/0", SCHEMA).equals(SCHEMA.empty_table())
    assert read_bucket([], "x/0", SCHEMA).equals(SCHEMA.empty_table())


def test_the_end_says_counts_and_what_stands_beside(tmp_path):
    beside = pa.table({"id": ["broken"]})
    counts = Counts(seen=3, consumed=2, rows=2, quarantined={"crash": 1})
    part = write_buckets(
        str(tmp_path), "a", "key", SCHEMA, tables_of(0, [("x", 2)]), lambda rows: (counts, {"quarantine": beside})
    )
    assert part.counts == counts
    assert list(part.side) == ["quarantine/a.parquet"]


def test_a_sender_that_fails_leaves_no_part(tmp_path):
    def tables():
        yield "x", SCHEMA.empty_table()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_buckets(str(tmp_path), "a", "key", SCHEMA, tables())
    assert list(tmp_path.iterdir()) == []


@given(st.binary(min_size=16, max_size=16), st.integers(1, 1000))
def test_a_document_has_one_bucket(raw, buckets):
    assert 0 <= bucket_of(raw.hex(), buckets) < buckets


def test_counts_that_do_not_add_up_are_refused(tmp_path):
    with pytest.raises(AssertionError, match="fates"):
        write_buckets(str(tmp_path), "a", "key", SCHEMA, [], lambda rows: (Counts(seen=1), {}))


def test_rows_sent_to_other_buckets_are_other_content(tmp_path):
    assert send(tmp_path / "a", 0, [("x/0", 2)]).content != send(tmp_path / "b", 0, [("x/1", 2)]).content
