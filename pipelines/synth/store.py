"""The store of the teachers' answers: each is kept under the key of its request, for all runs, and never paid twice.

```
segments/*.parquet    responses, sorted by key; immutable (see segments.py)
journal/*.journal     what is in no segment yet; of a bucket's store on the local disk (see journal.py)
links/*.parquet       which documents requests were about, by which a takedown finds them
```
A response is in a journal when `keep` returns. A full journal becomes a segment, and then goes; so do those of writers
that were killed, when the next one begins. Segments are merged when there are many: the new one is there before the old
ones go. So a response may stand twice for a while, and never not at all; reading takes the first that came.

The journals are files of our own, not SQLite: one write(2) is nine times as fast, waits for no checkpoint, and is sound
on a network file system, where SQLite's log is not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.lease import LeaseError, held
from pipelines.parts import key_of, read_table, write_parquet
from pipelines.run import Run
from pipelines.synth import journal, segments
from pipelines.synth.journal import Journal
from pipelines.synth.segments import RESPONSE, StoreError, VanishedError
from synth.request import Response

__all__ = ["RESPONSE", "Store", "StoreError", "Writer", "store_of"]

SEGMENTS, JOURNAL, LINKS = "segments", "journal", "links"
#: A journal that is so large becomes a segment; one of a bucket does so every half minute, too.
_JOURNAL_BYTES = 64 << 20
_SEAL_S = 30.0
_SYNC_S = 2.0
_LINK = pa.schema([("doc_id", pa.string()), ("key", pa.string())])


class Store:
    """A store in a directory or a bucket. Several processes may read and write it at once."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._segments = storage.join(self.url, SEGMENTS)
        self._journals = (
            storage.scratch("responses") / key_of(self.url) if storage.is_remote(url) else Path(self.url, JOURNAL)
        )

    def missing(self, keys: pa.Array) -> pa.Array:
        """Those of some keys that have no response, in their order. Memory: these, and the keys of one segment."""
        left = _strings(keys)

        def look(url: str) -> None:
            nonlocal left
            if len(left):
                left = _without(left, segments.keys_in(url))

        for path in journal.files(self._journals):
            left = _without(left, pa.array([each.key for each in journal.read(path)], pa.string()))
        self._each_segment(look)
        return left

    def read(self, keys: pa.Array) -> pa.Table:
        """Rows of RESPONSE that are there for some keys: sorted by key, each once, whatever the order they came in."""
        wanted = _strings(keys)
        names = frozenset(wanted.to_pylist())
        found = [
            segments.table_of([each for each in journal.read(path) if each.key in names])
            for path in journal.files(self._journals)
        ]
        self._each_segment(lambda url: found.append(segments.rows_in(url, wanted)))
        return segments.settled(found)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Takes responses while the block runs. Behind it they are in segments, and so are those of dead writers.

        Raises StoreError and StorageError behind the block; what was kept is in a journal then, for the next writer.
        """
        self._salvage()
        writer = Writer(self._journals, self._seal, self._merge, _SEAL_S if storage.is_remote(self.url) else None)
        try:
            yield writer
        except BaseException:
            writer.end()
            raise
        failed = writer.end()
        if failed:
            raise failed

    def link(self, name: str, keys: pa.Array, doc_ids: pa.Array) -> None:
        """Notes which document each of some requests is about. `name`: of whoever asks; the same is noted once."""
        pairs = pa.table([_strings(doc_ids), _strings(keys)], schema=_LINK)
        self._write_links(name, pairs.group_by(_LINK.names).aggregate([]))

    def keys_of(self, doc_ids: pa.Array) -> pa.Array:
        """The keys of the requests that were about some documents, whatever run asked; sorted."""
        ids, found = _strings(doc_ids), [pa.array([], pa.string())]
        for name in self._link_files():
            table = read_table(storage.join(self.url, LINKS, name))
            found.append(table.filter(pc.is_in(table["doc_id"], ids))["key"].combine_chunks())
        return pc.unique(pa.concat_arrays(found)).sort()

    def files_with(self, keys: pa.Array) -> list[str]:
        """Names, below the store, of the files that hold responses or links of some keys."""
        wanted = _strings(keys)
        found: list[str] = []

        def look(url: str) -> None:
            if pc.any(pc.is_in(segments.keys_in(url), wanted)).as_py():
                found.append(url.removeprefix(f"{self.url}/"))

        self._each_segment(look)
        links = [f"{LINKS}/{name}" for name in self._link_files()]
        held_by = [name for name in links if self._holds(name, wanted)]
        return sorted(found + held_by)

    def remove(self, keys: pa.Array) -> list[str]:
        """Removes responses and their links for good; returns the names of files that were there and are not now.

        It may be killed, and done again. Raises LeaseError where another process removes or merges, StoreError where
        one writes.
        """
        gone = _strings(keys)
        with held(self.url):
            self._be_alone()
            changed = self._remove(lambda there: pc.is_in(there, gone))
            for name in self._link_files():
                if self._holds(f"{LINKS}/{name}", gone):
                    url = storage.join(self.url, LINKS, name)
                    table = read_table(url)
                    self._write_links(name.rpartition("-")[0], table.filter(pc.invert(pc.is_in(table["key"], gone))))
                    storage.delete(url)
                    changed.append(f"{LINKS}/{name}")
        return sorted(changed)

    # ------------------------------------------------------------ within

    def _names(self) -> list[str]:
        return [name for name in storage.list_files(self._segments) if not name.startswith(".")]

    def _each_segment(self, look: Callable[[str], None]) -> None:
        """Looks into every segment; also into those that others make meanwhile, of some that then are gone."""
        seen: set[str] = set()
        while fresh := [name for name in self._names() if name not in seen]:
            for name in fresh:
                seen.add(name)
                try:
                    look(storage.join(self._segments, name))
                except VanishedError:
                    pass

    def _seal(self, full: Journal) -> None:
        """Makes a segment of a journal, which goes. The name is the journal's, so that it may be done again."""
        if not full.is_empty() and (responses := list(journal.read(full.path))):
            segments.write(self._segments, full.path.name, [full.path.name], responses)
        full.end()

    def _salvage(self) -> None:
        """Seals the journals of writers that are gone."""
        for each in journal.dead(self._journals):
            try:
                self._seal(each)
            finally:
                each.let_go()

    def _merge(self) -> None:
        """Merges segments of one size where there are many; nothing where another process does, or removes."""
        if not self._mergeable():
            return
        try:
            with held(self.url):
                while names := self._mergeable():
                    segments.merge(self._segments, names)
        except (LeaseError, VanishedError):
            pass

    def _mergeable(self) -> list[str]:
        """The oldest few segments of the smallest class that has so many; none where no class has."""
        names = self._names()
        for level in range(segments.LAST_CLASS):
            of_one = [name for name in names if segments.class_of(name) == level]
            if len(of_one) >= segments.FEW:
                return of_one[: segments.FEW]
        return []

    def _be_alone(self) -> None:
        """Raises StoreError where a journal is being written: what is in it could not be removed."""
        self._salvage()
        for path in journal.files(self._journals):
            raise StoreError(f"{path}: another process is writing to the store; let it end, and give the command again")

    def _remove(self, is_gone: Callable[[pa.Array], pa.BooleanArray]) -> list[str]:
        names = self._names()
        return [f"{SEGMENTS}/{name}" for name in names if segments.remove(self._segments, name, is_gone)]

    def _link_files(self) -> list[str]:
        names = storage.list_files(storage.join(self.url, LINKS))
        return [name for name in names if not name.startswith(".")]

    def _holds(self, link: str, keys: pa.Array) -> bool:
        return bool(pc.any(pc.is_in(read_table(storage.join(self.url, link), ["key"])["key"], keys)).as_py())

    def _write_links(self, name: str, pairs: pa.Table) -> None:
        """Writes links under a name that says what they are: NAME-HASH, the hash being of the rows."""
        rows = pairs.select(_LINK.names).sort_by([("doc_id", "ascending"), ("key", "ascending")])
        if rows.num_rows:
            whole = key_of(*(column.to_pylist() for column in rows.columns))
            url = storage.join(self.url, LINKS, f"{name}-{whole}.parquet")
            if not storage.exists(url):
                write_parquet(url, rows, {})


class Writer:
    """Keeps responses: in a journal at once, in a segment when that is full. Thread-safe.

    A thread beside it seals full journals and waits for the disk, so that whoever keeps a response waits for neither.
    Where sealing fails (a bucket is out of reach), the journal is there, and it is tried again.
    """

    def __init__(
        self, folder: Path, seal: Callable[[Journal], None], merge: Callable[[], None], every_s: float | None
    ) -> None:
        self._folder, self._seal, self._merge, self._every_s = folder, seal, merge, every_s
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._journal = journal.create(folder)
        self._keys: set[str] = set()
        self._full: list[Journal] = []
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="responses", daemon=True)
        self._thread.start()

    def keep(self, response: Response) -> None:
        """Makes a response durable: it outlives this process, and, some seconds later, a failure of power.

        One whose key is in the open journal is not written again; another copy goes when it is read or merged.
        """
        with self._lock:
            if response.key in self._keys:
                return
            self._journal.append(response)
            self._keys.add(response.key)
            if self._journal.size >= _JOURNAL_BYTES:
                self._turn()
                self._wake.set()

    def end(self) -> Exception | None:
        """Seals what there is. Returns what went wrong, if something did: the journals stay for the next writer."""
        self._ended = True
        self._wake.set()
        self._thread.join()
        self._full.append(self._journal)
        failed = self._tidy()
        for each in self._full:
            each.let_go()
        return failed

    def _turn(self) -> None:
        """Opens the next journal. The lock is held."""
        fresh = journal.create(self._folder)
        self._full.append(self._journal)
        self._journal, self._keys = fresh, set()

    def _work(self) -> None:
        turned = time.monotonic()
        while not self._ended:
            self._wake.wait(_SYNC_S)
            self._wake.clear()
            with self._lock:
                current = self._journal
                if self._every_s is not None and time.monotonic() - turned >= self._every_s:
                    turned = time.monotonic()
                    if not current.is_empty():
                        self._turn()
            current.sync()  # it is open: none but this thread ends one
            self._tidy()

    def _tidy(self) -> Exception | None:
        """Seals full journals, and merges segments where there are many."""
        try:
            for each in list(self._full):
                self._seal(each)
                self._full.remove(each)
            self._merge()
        except Exception as error:  # noqa: BLE001 - whatever it is, what was kept is in a journal, and a later try tells
            return error
        return None


def store_of(run: Run) -> Store:
    """The store of a run: where its recipe says, else `responses` beside the run, so that runs share it.

    A stage that works alone has it below its own directory, and so has a run that is a whole bucket.
    """
    told = run.recipe.synth.store
    if told:
        return Store(told if storage.is_remote(told) else str(run.base / told))
    if storage.is_remote(run.url):
        parent = run.url.rstrip("/").rpartition("/")[0]
        is_whole = parent.endswith(":/")
    else:
        parent, is_whole = os.path.dirname(os.path.abspath(run.url)), False
    return Store(storage.join(run.url if run.directories or is_whole else parent, "responses"))


# ---------------------------------------------------------------- arrays


def _strings(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Ids as one array of strings."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.cast(pa.string())


def _without(keys: pa.Array, found: pa.Array) -> pa.Array:
    return keys.filter(pc.invert(pc.is_in(keys, found)))
