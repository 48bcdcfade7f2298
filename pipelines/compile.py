"""Compiles what is compiled, into the cache, on two cores: the first document of a run is not charged for it."""

from __future__ import annotations

import importlib
import multiprocessing
import sys

import numpy as np
import pyarrow as pa

from filters.boilerplate import edge_pairs
from filters.clusters import Chosen, choose, contain, supersede
from filters.lsh import band_hashes
from filters.minhash import signatures
from filters.packing import best_fit, concatenated, lay_out, shuffled
from filters.shingles import shingle_sets, shingles_of
from filters.stream import read_stream
from manifests.models import ClassifySettings
from pipelines.classify import score
from pipelines.lists import orders
from pipelines.schema import DOCUMENT, table_of
from pipelines.tokenizer import TextTokenizer, train
from synth.gates import measure

_TEXT = "# One\n\nTwo three four five six.\n"
_MANY = 66  # documents of a component that is a large one


def compile_dedup() -> None:
    """Runs what dedup has compiled over a small component and a large one."""
    stream = read_stream(pa.array([_TEXT] * _MANY, pa.large_string()))
    shingles = shingles_of(stream, 5)
    sets, signed = shingle_sets(shingles), signatures(shingles, 18)
    for array in (*sets, signed):
        array.setflags(write=False)  # as `sets_of` makes them: another type to the compiler
    band_hashes(signed.copy(), 3, 6)  # of some rows, which are a copy
    edge_pairs(stream)
    for components in (np.array([0, 2, _MANY]), np.array([0, _MANY])):
        chosen = choose(sets, signed, components, 0.8, 3, 6)
        merits, ages = np.zeros((_MANY, 3), np.int64), np.arange(_MANY)
        pages = ages.astype(np.uint64) // np.uint64(2) + np.uint64(1)
        alone = Chosen(ages, chosen.similarity)  # as if nobody had left, so that there are versions to compare
        supersede(sets, pages, pages, ages, alone, merits, 0.5)
        contain(sets, components, chosen, merits, 0.9)


def compile_tokenize() -> None:
    """Runs what tokenize has compiled over a few documents."""
    tokenizer = TextTokenizer(train([_TEXT], 300, ["<end>"]), "<end>")
    encoded = tokenizer.encode([_TEXT] * 2)
    order = orders(["one", "two"], 0)
    tokens = np.diff(encoded.offsets) + 1
    for array in (order, tokens):
        array.setflags(write=False)  # as they are where they come from a file
    for pack in (best_fit, concatenated):
        pieces = shuffled(pack(tokens, 16), order, 0)
        lay_out(
            np.empty(16 * pieces.sequences, np.int32), encoded.ids.copy(), encoded.offsets[:2], tokens, pieces, 16, 0
        )
        tokenizer.byte_ranges(encoded.ids.copy(), encoded.offsets[:2], pieces)


def compile_extract() -> None:
    """Imports the reader of pages, which reads its first ones as it is imported."""
    importlib.import_module("pipelines.extract.child")


def compile_others() -> None:
    """Runs all else that is compiled over a document."""
    row = {"doc_id": "0" * 32, "text": _TEXT, "language": None, "category": "none"}
    score(table_of([row], DOCUMENT), ClassifySettings())
    compile_dedup()
    compile_tokenize()
    measure(pa.array([_TEXT], pa.large_string()), pa.array([_TEXT], pa.large_string()))


if __name__ == "__main__":
    processes = multiprocessing.get_context("spawn")
    halves = [processes.Process(target=each) for each in (compile_extract, compile_others)]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    sys.exit(any(half.exitcode for half in halves))
