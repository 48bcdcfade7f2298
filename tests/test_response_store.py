"""The store of responses: what was kept is there, once, whoever was killed, and whoever else reads or writes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import storage
from pipelines.lease import LeaseError, held
from pipelines.run import Run
from pipelines.synth import journal, segments, store
from pipelines.synth.store import RESPONSE, Store, StoreError, store_of
from synth.request import Response
from tests.response_process import Process, process, response


@pytest.fixture(scope="module")
def one() -> Iterator[Process]:
    with process() as made:
        yield made


@pytest.fixture(scope="module")
def other() -> Iterator[Process]:
    with process() as made:
        yield made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals of some responses, and segments that are soon merged."""
    monkeypatch.setattr(store, "_JOURNAL_BYTES", 3000)
    monkeypatch.setattr(store, "_SYNC_S", 0.001)
    monkeypatch.setattr(segments, "FEW", 3)


def strings(values: Iterable[str]) -> pa.Array:
    return pa.array(list(values), pa.string())


def fill(place: Store, responses: Iterable[Response]) -> Store:
    with place.writer() as writer:
        for each in responses:
            writer.keep(each)
    return place


def read(place: Store, keys: Iterable[str]) -> list[Response]:
    table = place.read(strings(keys))
    assert table.schema.equals(RESPONSE)
    return [Response(**row) for row in table.to_pylist()]


def names(place: Store) -> list[str]:
    return storage.list_files(storage.join(place.url, "segments"))


def die(place: Store, responses: Iterable[Response]) -> None:
    """As a writer that is killed leaves it."""
    open_one = journal.create(place._journals)
    for each in responses:
        open_one.append(each)
    open_one.let_go()


# ---------------------------------------------------------------- laws

_ANSWERS = st.builds(
    Response,
    key=st.sampled_from("abcdefgh"),
    status=st.sampled_from([200, 400]),
    body=st.binary(max_size=4),
    received_at=st.sampled_from([1.0, 2.0]),
    attempts=st.just(1),
    seconds=st.just(0.5),
)


@settings(max_examples=40)
@given(writers=st.lists(st.lists(_ANSWERS, max_size=6), max_size=5), kill=st.booleans(), asked=st.text("abcdefghxyz"))
def test_reading_is_a_function_of_what_was_kept(
    tmp_path_factory: pytest.TempPathFactory, writers: list, kill: bool, asked: str
) -> None:
    """Of several answers the first to come, by its content if two came at once; whatever the order of writers."""
    one, other = (Store(str(tmp_path_factory.mktemp("store"))) for _ in range(2))
    kept = [list({each.key: each for each in reversed(responses)}.values()) for responses in writers]
    for responses in kept:
        (die if kill else fill)(one, responses)
    for responses in reversed(kept):
        fill(other, reversed(responses))
    order = [(each.key, each.received_at, each.status, each.body) for responses in kept for each in responses]
    first = {told[0]: told for told in sorted(order, reverse=True)}
    expected = [first[key] for key in sorted(set(asked) & first.keys())]
    for place in (one, other):
        assert [(e.key, e.received_at, e.status, e.body) for e in read(place, asked)] == expected
        assert place.missing(strings(asked)).to_pylist() == [key for key in asked if key not in first]


def test_an_empty_store_lacks_everything(tmp_path: Path) -> None:
    place = Store(str(tmp_path / "none"))
    assert place.missing(strings("ba")).to_pylist() == ["b", "a"]
    assert place.missing(pa.chunked_array([["b"], ["a"]])).to_pylist() == ["b", "a"]
    assert read(place, "ba") == []
    assert place.keys_of(strings("ba")).to_pylist() == []
    assert place.files_with(strings("ba")) == []
    assert place.remove(strings("ba")) == []


def test_a_writer_keeps_a_key_once(tmp_path: Path) -> None:
    place = fill(Store(str(tmp_path)), [response(1, "first"), response(1, "second", -5.0), response(2)])
    assert read(place, [response(1).key, response(2).key]) == sorted(
        [response(1, "first"), response(2)], key=lambda each: each.key
    )


def test_a_response_can_be_read_as_soon_as_it_is_kept(tmp_path: Path) -> None:
    place = Store(str(tmp_path))
    with place.writer() as writer:
        for number in range(20):
            writer.keep(response(number))
            assert read(Store(str(tmp_path)), [response(number).key]) == [response(number)]
            assert len(place.missing(strings([response(number).key, "x"]))) == 1


def test_many_small_segments_become_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_MERGED_AT_ONCE", 2000)
    monkeypatch.setattr(segments, "_GROUP_BYTES", 900)
    place = Store(str(tmp_path))
    for number in range(50):
        fill(place, [response(number), response(number + 1, "again", 100.0)])
        assert len(names(place)) < segments.FEW
    assert read(place, [response(number).key for number in range(51)]) == sorted(
        [*map(response, range(50)), response(50, "again", 100.0)], key=lambda each: each.key
    )
    whole = max((pq.ParquetFile(path) for path in tmp_path.glob("segments/*")), key=lambda file: file.num_row_groups)
    keys = whole.read(["key"])["key"].to_pylist()
    assert keys == sorted(set(keys))
    assert whole.num_row_groups > 5


def test_a_segment_knows_its_class() -> None:
    sizes = [0, (1 << 20) - 1, 1 << 20, 8 << 20, 64 << 20, 512 << 20, 1 << 40]
    told = [segments.name_of("20261129T000000-host-1", ["a"], size) for size in sizes]
    assert [segments.class_of(name) for name in told] == [0, 0, 1, 2, 3, 4, 4]
    assert all(name.startswith("20261129T000000-") for name in told)


# ---------------------------------------------------------------- kills


def test_what_was_kept_outlives_every_kill(tmp_path: Path, one: Process, small: None) -> None:
    """Writers are killed after some responses, forty times; each goes on with what is missing."""
    place, rng = Store(str(tmp_path)), random.Random(8)
    answers = {each.key: each for each in map(response, range(1500))}
    numbers = {response(number).key: number for number in range(1500)}
    kept: list[str] = []
    for _ in range(40):
        missing = place.missing(strings(answers)).to_pylist()
        assert not set(missing) & set(kept)
        assert len(answers) - len(missing) <= len(set(kept)) + 40  # one call in flight at each kill
        one.begin(tmp_path, numbers=[numbers[key] for key in missing])
        left = rng.randrange(60)
        for key in one.kept():
            kept.append(key)
            if left == 0:
                one.kill()
            left -= 1
        assert one.code in (-9, 0)
    assert len(set(kept)) == len(kept) > 500
    fill(place, [])
    assert read(place, kept) == [answers[key] for key in sorted(kept)]
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".journal"] == []


@pytest.mark.parametrize("journal_bytes", [2000, 1 << 20])
def test_no_step_of_sealing_and_merging_loses_or_doubles(
    tmp_path: Path, one: Process, small: None, journal_bytes: int
) -> None:
    """Killed before the first change of a file, before the second, and so on."""
    answers = {each.key: each for each in map(response, range(40))}
    for steps in range(40):
        place = Store(str(tmp_path / str(steps)))
        for first in (100, 110):
            fill(place, map(response, range(first, first + 10)))
        one.begin(place.url, numbers=list(range(40)), steps=steps, journal_bytes=journal_bytes)
        kept = list(one.kept())
        assert one.code in (-9, 0)
        whole = [*kept, *(response(number).key for number in range(100, 120))]
        for _ in range(2):
            assert place.missing(strings(whole)).to_pylist() == []
            assert read(place, kept) == [answers[key] for key in sorted(kept)]
            fill(place, [])
        if one.code == 0:
            break
    assert steps > 5


def test_a_removal_that_is_killed_is_done_by_the_next(tmp_path: Path, one: Process) -> None:
    answers = [response(number) for number in range(60)]
    gone, stay = [each.key for each in answers[::4]], sorted(each.key for each in answers if each not in answers[::4])
    for steps in range(30):
        place = Store(str(tmp_path / str(steps)))
        for first in (0, 20):
            fill(place, answers[first : first + 20])
        die(place, answers[40:])
        place.link("run", strings(each.key for each in answers), strings(f"d{n}" for n in range(60)))
        one.begin(place.url, remove=gone, steps=steps)
        assert list(one.kept()) == []
        ended = one.code
        if ended:
            assert ended == -9
            assert [each.key for each in read(place, stay)] == stay
            place.remove(strings(gone))
        assert read(place, [each.key for each in answers]) == [
            each for each in sorted(answers, key=lambda e: e.key) if each.key in stay
        ]
        assert place.keys_of(strings(f"d{n}" for n in range(60))).to_pylist() == stay
        assert place.remove(strings(gone)) == []
        if ended == 0:
            break
    assert steps > 5


def test_two_writers_and_a_reader_at_once(tmp_path: Path, one: Process, other: Process, small: None) -> None:
    """Nothing that was kept is ever missing, while both seal and merge; of two answers the earlier counts."""
    place = Store(str(tmp_path))
    one.begin(tmp_path, numbers=list(range(600)), said="one", came=1000.0)
    other.begin(tmp_path, numbers=list(range(599, 100, -1)), said="other")
    kept: list[str] = []
    for writer in (one, other):
        for number, key in enumerate(writer.kept()):
            kept.append(key)
            if number % 40 == 0:
                assert place.missing(strings(kept)).to_pylist() == []
                assert place.read(strings(kept)).num_rows == len(set(kept))
        assert writer.code == 0
    expected = [response(n, "other") if n > 100 else response(n, "one", 1000.0) for n in range(600)]
    assert read(place, kept) == sorted(expected, key=lambda each: each.key)
    fill(place, [])
    assert len(names(place)) <= 2 * segments.LAST_CLASS
    assert read(place, kept) == sorted(expected, key=lambda each: each.key)


def test_threads_share_a_writer(tmp_path: Path, small: None) -> None:
    import threading

    place = Store(str(tmp_path))
    with place.writer() as writer:

        def work(first: int) -> None:
            for number in range(first, first + 150):
                writer.keep(response(number))

        threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200, 300)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert read(place, [response(n).key for n in range(450)]) == sorted(map(response, range(450)), key=lambda e: e.key)


def test_what_was_kept_before_an_error_is_there(tmp_path: Path) -> None:
    place = Store(str(tmp_path))
    with pytest.raises(ZeroDivisionError), place.writer() as writer:
        writer.keep(response(1))
        raise ZeroDivisionError
    assert read(place, [response(1).key]) == [response(1)]
    assert journal.files(place._journals) == []


def test_where_sealing_fails_the_next_writer_seals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    place = Store(str(tmp_path))

    def fail(*_: object) -> str:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "write", fail)
        with pytest.raises(OSError, match="full"):
            fill(place, map(response, range(60)))
        assert names(place) == []
        with pytest.raises(OSError, match="full"):
            fill(place, [])
    keys = [response(number).key for number in range(60)]
    assert len(read(place, keys)) == 60
    fill(place, [])
    assert journal.files(place._journals) == []
    assert len(read(place, keys)) == 60


# ---------------------------------------------------------------- damage


def test_a_damaged_segment_is_told_and_never_read_otherwise(tmp_path: Path) -> None:
    place = fill(Store(str(tmp_path)), map(response, range(30)))
    keys = [response(number).key for number in range(30)]
    (name,) = names(place)
    path = tmp_path / "segments" / name
    content, right = path.read_bytes(), read(place, keys)
    told = 0
    for at in [*range(0, len(content), 7), *range(len(content) - 12, len(content))]:
        for bit in (1, 0x80):
            path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
            try:
                assert read(place, keys) == right, at
            except StoreError as error:
                assert str(path) in str(error)
                assert "delete it" in str(error)
                assert "\n" not in str(error)
                told += 1
    assert told > 100
    for spoilt in (b"", b"PAR1", content[: len(content) // 2], content[len(content) // 2 :]):
        path.write_bytes(spoilt)
        with pytest.raises(StoreError, match="delete it"):
            place.missing(strings(keys))
    table = pa.table({"key": keys, "text": keys})
    pq.write_table(table, path)
    with pytest.raises(StoreError, match="columns of responses"):
        place.missing(strings(keys))
    path.unlink()
    assert len(place.missing(strings(keys))) == 30


# ---------------------------------------------------------------- links, removal


def test_links_find_what_was_asked_about_a_document_whoever_asked(tmp_path: Path) -> None:
    place = Store(str(tmp_path))
    place.link("run-part-00000", strings("kkl"), strings("aab"))
    place.link("run-part-00000", strings("lk"), strings("ba"))
    assert len(list(tmp_path.glob("links/*"))) == 1
    place.link("other-part-00000", strings("mk"), strings("ac"))
    place.link("nothing", strings(""), strings(""))
    assert len(list(tmp_path.glob("links/*"))) == 2
    assert place.keys_of(strings("a")).to_pylist() == ["k", "m"]
    assert place.keys_of(strings("bx")).to_pylist() == ["l"]


def test_a_removal_names_the_files_that_held_something(tmp_path: Path) -> None:
    place = Store(str(tmp_path))
    for first in (0, 10):
        fill(place, map(response, range(first, first + 10)))
    one, all_of_other = strings([response(3).key]), strings(response(n).key for n in range(10, 20))
    place.link("run", pa.concat_arrays([one, all_of_other]), strings("a" * 11))
    place.link("other", strings([response(4).key]), strings("b"))
    before = place.files_with(one)
    assert [name.partition("/")[0] for name in before] == ["links", "segments"]
    assert place.remove(one) == before
    assert place.files_with(one) == []
    held_it = place.files_with(all_of_other)
    assert place.remove(all_of_other) == held_it
    assert [name.partition("/")[0] for name in place.files_with(strings([response(4).key]))] == ["links", "segments"]
    assert sorted(path.name.partition("-")[0] for path in tmp_path.glob("links/*")) == ["other"]
    left = [response(n).key for n in range(20)]
    assert [each.key for each in read(place, left)] == sorted(response(n).key for n in range(10) if n != 3)
    assert b"3:3:3:" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_nothing_is_removed_while_another_writes_or_removes(tmp_path: Path) -> None:
    place = fill(Store(str(tmp_path)), [response(1)])
    key = strings([response(1).key])
    with place.writer():
        with pytest.raises(StoreError, match="another process is writing"):
            place.remove(key)
    with held(place.url):
        with pytest.raises(LeaseError):
            place.remove(key)
        for number in range(20):
            fill(place, [response(number)])  # which would merge
        assert len(names(place)) == 21
    assert len(place.remove(key)) == 2


# ---------------------------------------------------------------- buckets


def test_a_store_in_a_bucket(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSCORPUS_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(segments, "FEW", 3)
    place = Store(f"{bucket}/responses/")
    for first in (0, 10, 20):
        fill(place, map(response, range(first, first + 10)))
    assert len(names(place)) == 1
    die(place, map(response, range(30, 40)))
    keys = [response(number).key for number in range(40)]
    assert len(read(place, keys)) == 40
    fill(place, [])
    monkeypatch.setenv("SYSCORPUS_SCRATCH", str(tmp_path / "another machine"))
    elsewhere = Store(f"{bucket}/responses")
    assert read(elsewhere, keys) == sorted(map(response, range(40)), key=lambda each: each.key)
    elsewhere.link("run", strings(keys[:1]), strings("d"))
    assert elsewhere.keys_of(strings("d")).to_pylist() == keys[:1]
    assert len(elsewhere.remove(strings(keys[:1]))) == 2
    assert elsewhere.missing(strings(keys)).to_pylist() == keys[:1]


def test_a_bucket_is_sent_what_there_is_every_half_minute(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSCORPUS_SCRATCH", str(tmp_path))
    monkeypatch.setattr(store, "_SEAL_S", 0.0)
    monkeypatch.setattr(store, "_SYNC_S", 0.01)
    place = Store(bucket)
    with place.writer() as writer:
        writer.keep(response(1))
        deadline = time.monotonic() + 60
        while not names(place) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(names(place)) == 1
        writer.keep(response(2))
    assert len(read(place, [response(1).key, response(2).key])) == 2


# ---------------------------------------------------------------- where it is


def test_runs_side_by_side_share_a_store(make_run: Callable[..., Run], tmp_path: Path) -> None:
    def where(run: Run, told: str | None) -> str:
        recipe = SimpleNamespace(synth=SimpleNamespace(store=told))
        return store_of(replace(run, recipe=recipe)).url  # type: ignore[arg-type]

    run = make_run()
    assert where(run, None) == str(tmp_path / "responses")
    assert where(replace(run, url=f"{run.url}/"), None) == str(tmp_path / "responses")
    assert where(run, "mine") == str(tmp_path / "mine")
    assert where(run, "/mine/") == "/mine"
    assert where(run, "s3://mine/store") == "s3://mine/store"
    assert where(replace(run, url="s3://bucket/runs/demo"), None) == "s3://bucket/runs/responses"
    assert where(replace(run, url="s3://bucket"), None) == "s3://bucket/responses"
    assert where(replace(run, directories={"synth": "x"}), None) == f"{run.url}/responses"
