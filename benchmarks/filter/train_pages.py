"""Trains the model of pages that are no documents: `python -m benchmarks.filter.train_pages --vectors FILE`.

It learns from pages that `made_pages.py` makes, and from documents and pieces of documents of two thirds of the
packages and sources of `make bench-filter`; the others are held out, told by a hash of their name. FILE is a NumPy
archive of `words` and their `vectors`, as `word_vectors.py` makes it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp  # type: ignore[import-untyped]
import yaml

from benchmarks.extract.packages import Log, download, members
from benchmarks.filter import canonical, real
from benchmarks.filter.documents import page_of
from benchmarks.filter.made_pages import (
    HANDS,
    WORDINGS,
    make_documents,
    make_page,
    make_passages,
    read_passages,
    read_wordings,
)
from filters.junk.model import KINDS, MODEL
from filters.junk.tokens import Pages, read_pages
from filters.stream import hash_words, read_stream
from filters.topics.lookup import index_of, sum_rows

Floats = npt.NDArray[np.float32]

_PAGES, _DOCUMENTS = 1200, 22000  # of each kind; of all
_HIDDEN, _ROUNDS, _BATCH, _RATE = 64, 20, 1024, 0.02
_TEXT_WEIGHT, _ROW_WEIGHT, _DECAY, _ROW_DECAY = 8.0, 4.0, 2e-4, 1e-3
_SMALLEST_ROW = 0.3  # rows whose weights are all smaller are left out
LIMIT = 0.5  # from which a page is junk, as in quality.yaml
_SHORT = 600  # words of a document that is taken whole
_MADE_DOCUMENTS = 600
# Manual pages of other languages, of which the benchmark has none.
_TRANSLATED = ("manpages-de", "manpages-es", "manpages-fr", "manpages-ja", "manpages-zh")
_TRANSLATED_PAGES = 120
_TRANSLATED_PATH = re.compile(r"^\.?/?usr/share/man/(?:de|es|fr|ja|zh_CN)/man[1-9]/[^/]+\.gz$")
# What documents speak of that resemble junk: pieces around such words are learnt from as well.
_RESEMBLING = re.compile(
    r"(?i)\b(?:log ?in|sign in|password|account|cookies?|consent|privacy|captcha|browser|javascript|redirect\w*|moved|renamed|"
    r"domain|regist\w+|subscri\w+|search\w*|results?|tags?|archives?|category|not found|forbidden|unavailable|denied|"
    r"maintenance|errors?|todo|empty|placeholder|price|free|download|buy|contact|home ?page|menu|links?|help|license)\b"
)
_VECTORS = (
    "the 24,000 most frequent words of GloVe 6B's list and those of the wordings, each alone through all-MiniLM-L6-v2 "
    "(Apache-2.0): the mean of its outputs, less the mean of all words, on its first principal directions, of length "
    "log(21 + rank) / 8"
)
_LIMITS = (
    "All wordings have one author, who took the part of each hand: on pages of other authors expect less. Nine of ten are "
    "English. A hand is held out with its topics, not with its language."
)
_TOPIC = re.compile(r"^#+ ([A-Za-z][A-Za-z0-9-]+(?: [A-Za-z0-9.-]+){0,4})$", re.MULTILINE)
_REPOSITORY = Path(__file__).resolve().parents[2]


class Vectors(NamedTuple):
    """Words by their hashes, and their vectors, quantised: a vector is its row times `scale`."""

    keys: npt.NDArray[np.uint64]
    small: npt.NDArray[np.int8]
    scale: Floats


class Features(NamedTuple):
    """Of pages: shape (pages, dimensions + looks + 2), and counts of tokens, shape (pages, tokens), of one in sum."""

    dense: Floats
    sparse: Any


def is_held_out(source: str) -> bool:
    """Whether nothing of a source is learnt from."""
    return hashlib.sha256(source.encode()).digest()[0] % 3 == 2


def documents(table: pa.Table, held_out: bool, chosen: random.Random) -> Iterator[tuple[str, float]]:
    """Short documents whole, and pieces of the others, with their weights."""
    for source, text in zip(table["source"].to_pylist(), table["text"].to_pylist(), strict=True):
        words = len(text.split())
        if is_held_out(source) is not held_out:
            continue
        if words <= _SHORT:
            yield text, 2.0
        for _ in range(2 if words > _SHORT else words > 100):
            yield _piece(text, chosen), 1.0
        if words > 100:
            yield from ((piece, 1.0) for piece in _resembling(text, chosen))


def _resembling(text: str, chosen: random.Random) -> Iterator[str]:
    """A few lines around a word that junk has as well, from at most two places of a text."""
    places = [match.start() for match in _RESEMBLING.finditer(text, 0, 60000)]
    for place in chosen.sample(places, min(2, len(places))):
        begin = text.rfind("\n", 0, place) + 1
        piece = " ".join(text[begin : begin + 1200].split(" ")[: chosen.randint(12, 70)])
        yield piece.replace("```", "")


def translated(cache_directory: Path, log: Log) -> list[tuple[str, float]]:
    """Pieces of manual pages in other languages."""
    chosen, found = random.Random(6), []
    for deb in download(list(_TRANSLATED), cache_directory, log).values():
        entries = sorted(members(deb, _TRANSLATED_PATH, 500, 100_000))
        for path, body in chosen.sample(entries, min(len(entries), _TRANSLATED_PAGES)):
            page, _ = page_of(body, None, path.removesuffix(".gz"))
            if page is not None:
                found += [(_piece(page.text, chosen), 1.0) for _ in range(4)]
    return found


def _piece(text: str, chosen: random.Random) -> str:
    """Some lines from a place of a text; a fence that is left open is taken out."""
    begin = chosen.randrange(max(1, len(text) - 20000))
    lines, most, taken = text[begin : begin + 40000].split("\n"), chosen.choice((15, 25, 40, 60, 100, 160, 250)), []
    for line in lines[chosen.randrange(len(lines)) :]:
        taken.append(line)
        if (most := most - len(line.split())) <= 0:
            break
    piece = "\n".join(taken)
    return piece.replace("```", "") if piece.count("```") % 2 else piece


def topics_of(table: pa.Table) -> list[str]:
    """Headings of the documents that are learnt from: what pages of our field are about."""
    texts = zip(table["source"].to_pylist(), table["text"].to_pylist(), strict=True)
    found = (
        heading for source, text in texts if not is_held_out(source) for heading in _TOPIC.findall(text[:3000])[:2]
    )
    return sorted({heading for heading in found if 3 < len(heading) < 36})


def read_vectors(path: Path) -> Vectors:
    """The vectors of a file, of words that are one word of a stream."""
    with np.load(path, allow_pickle=False) as file:
        words, vectors = file["words"].tolist(), file["vectors"].astype(np.float32)
    scale = np.abs(vectors).max(axis=0) / 127
    keys, places = np.unique(np.array([hash_words(word)[0] for word in words], np.uint64), return_index=True)
    return Vectors(keys, np.rint(vectors[places] / scale).astype(np.int8), scale.astype(np.float32))


def read_features(texts: Sequence[str], vectors: Vectors, keys: npt.NDArray[np.uint64] | None) -> tuple[Any, ...]:
    """Features of the pages that are judged, their places among the texts, and the tokens: `keys`, or those found."""
    pages = read_pages(read_stream(pa.array(texts, pa.large_string())))
    sizes = np.maximum(np.diff(pages.starts), 1)
    counts = np.column_stack([pages.words, pages.pairs, pages.beginnings]).ravel()
    of_page = np.repeat(np.arange(len(pages.rows)), 3 * np.diff(pages.starts))
    if keys is None:
        found, seen = np.unique(counts, return_counts=True)
        keys = found[(seen >= 2) & (found > 0)]
    at = np.minimum(np.searchsorted(keys, counts), len(keys) - 1)
    known = keys[at] == counts
    cells = (np.ones(known.sum(), np.float32), (of_page[known], at[known]))
    sparse = sp.csr_matrix(cells, (len(pages.rows), len(keys)))
    sparse = (sp.diags((1 / sizes).astype(np.float32)) @ sparse).tocsr()
    return Features(_dense(pages, vectors, sizes), sparse), pages.rows, keys


def _dense(pages: Pages, vectors: Vectors, sizes: npt.NDArray[np.int64]) -> Floats:
    sums = np.zeros((len(pages.rows), vectors.small.shape[1]), np.float32)
    hits = np.zeros(len(pages.rows), np.int64)
    rows = vectors.small * vectors.scale
    sum_rows(pages.words, pages.starts, index_of(vectors.keys), rows, sums, hits)
    share, ones = (hits / sizes)[:, None], np.ones((len(sums), 1))
    return np.hstack([sums / sizes[:, None], pages.looks, share, ones]).astype(np.float32)


class Trained(NamedTuple):
    """The layer, the outputs behind it, and the rows of tokens."""

    inputs: Floats
    outputs: Floats
    rows: Floats


def train(features: Features, labels: npt.NDArray[np.int64], weights: Floats, dimensions: int) -> Trained:
    """A network by Adam; in some pages the vectors or the rows are left out, so that each has to do alone."""
    chosen, kinds = np.random.default_rng(1), len(KINDS) + 1
    dense = features.dense.copy()
    dense[:, :dimensions] *= _TEXT_WEIGHT
    sparse, truth = features.sparse * np.float32(_ROW_WEIGHT), np.eye(kinds, dtype=np.float32)[labels]
    tables = [
        (chosen.normal(size=(dense.shape[1], _HIDDEN)) * 0.2).astype(np.float32),
        np.zeros((_HIDDEN + 1, kinds), np.float32),
        np.zeros((sparse.shape[1], kinds), np.float32),
    ]
    means, squares = [np.zeros_like(each) for each in tables], [np.zeros_like(each) for each in tables]
    step = 0
    for number in range(_ROUNDS):
        rate, order = _RATE * (1 - number / _ROUNDS) + 1e-4, chosen.permutation(len(labels))
        for begin in range(0, len(order), _BATCH):
            batch = order[begin : begin + _BATCH]
            step += 1
            drawn = chosen.random((len(batch), 1))
            here = dense[batch].copy()
            here[:, :dimensions] *= drawn > 0.15
            error = _errors(
                here, sparse[batch], (drawn < 0.75).astype(np.float32), truth[batch], weights[batch], tables, chosen
            )
            for table, gradient, mean, square, pace in zip(tables, error, means, squares, (0.3, 0.3, 1.0), strict=True):
                mean += 0.1 * (gradient - mean)
                square += 0.001 * (gradient * gradient - square)
                table -= pace * rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    inputs = tables[0].copy()
    inputs[:dimensions] *= _TEXT_WEIGHT
    return Trained(inputs, tables[1], tables[2] * np.float32(_ROW_WEIGHT))


def _errors(
    dense: Floats, sparse: Any, with_rows: Floats, truth: Floats, weights: Floats, tables: list[Floats], chosen: Any
) -> tuple[Any, Any, Any]:
    """The gradients of the tables over a batch."""
    inputs, outputs, rows = tables
    hidden = np.maximum(dense @ inputs, 0)
    kept = (chosen.random(hidden.shape) > 0.2).astype(np.float32) / np.float32(0.8)
    layer = np.hstack([hidden * kept, np.ones((len(dense), 1), np.float32)])
    logits = layer @ outputs + (sparse @ rows) * with_rows
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    wrong = (raised / raised.sum(axis=1, keepdims=True) - truth) * weights[:, None] / len(dense)
    back = (wrong @ outputs[:-1].T) * kept * (hidden > 0)
    return (
        dense.T @ back + _DECAY * inputs,
        layer.T @ wrong + _DECAY * outputs,
        np.asarray(sparse.T @ (wrong * with_rows)) + _ROW_DECAY * rows / len(dense),
    )


def answers(trained: Trained, features: Features) -> Floats:
    """Probabilities, shape (pages, kinds and "document")."""
    hidden = np.maximum(features.dense @ trained.inputs, 0)
    logits = hidden @ trained.outputs[:-1] + trained.outputs[-1] + features.sparse @ trained.rows
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def learn(
    hands: Sequence[int], table: pa.Table, others: Sequence[tuple[str, float]], vectors: Vectors
) -> tuple[Trained, npt.NDArray[np.uint64]]:
    """A network that has read the wordings of some hands; its tokens."""
    chosen = random.Random(3)
    topics, wordings = topics_of(table), read_wordings(hands)
    made = [
        (make_page(kind, wordings[kind], topics, chosen), at) for at, kind in enumerate(KINDS) for _ in range(_PAGES)
    ]
    kept = list(documents(table, False, chosen))
    kept = chosen.sample(kept, min(len(kept), _DOCUMENTS)) + list(others)
    kept += [(text, 1.0) for text in make_documents(_MADE_DOCUMENTS, topics, chosen)]
    kept += [(text, 2.0) for text in make_passages(_MADE_DOCUMENTS, chosen)]
    features, rows, keys = read_features([text for text, _ in (*made, *kept)], vectors, None)
    labels = np.array([label for _, label in made] + [len(KINDS)] * len(kept))[rows]
    weights = np.array([1.0] * len(made) + [weight for _, weight in kept], np.float32)[rows]
    return train(features, labels, weights, vectors.small.shape[1]), keys


def measure(
    hand: int, table: pa.Table, vectors: Vectors, trained: Trained, keys: npt.NDArray[np.uint64]
) -> dict[str, Any]:
    """How a network does on the wordings of a hand and on short documents of sources, both of which it has not read."""
    chosen = random.Random(5)
    topics, wordings = topics_of(table), read_wordings([hand])
    made = [(make_page(kind, wordings[kind], topics, chosen), at) for at, kind in enumerate(KINDS) for _ in range(120)]
    features, rows, _ = read_features([text for text, _ in made], vectors, keys)
    found, truth = answers(trained, features), np.array([label for _, label in made])[rows]
    junk, right = 1 - found[:, -1] > LIMIT, found[:, :-1].argmax(axis=1) == truth
    whole = [text for text, weight in documents(table, True, chosen) if weight > 1]
    lost = 1 - answers(trained, read_features(whole, vectors, keys)[0])[:, -1] > LIMIT
    passages = read_passages(True)
    blamed = 1 - answers(trained, read_features(passages, vectors, keys)[0])[:, -1] > LIMIT
    return {
        "pages": len(made), "found": round(float(junk.sum()) / len(made), 4),
        "rightly": round(float((junk & right).sum()) / len(made), 4),
        "documents": len(whole), "taken_for_junk": round(float(lost.sum()) / len(whole), 4),
        "passages": len(passages), "passages_taken_for_junk": int(blamed.sum()),
    }  # fmt: skip


def save(path: Path, trained: Trained, keys: npt.NDArray[np.uint64], vectors: Vectors) -> None:
    """The model file; rows that say next to nothing are left out."""
    told = np.abs(trained.rows).max(axis=1) >= _SMALLEST_ROW
    with path.open("wb") as file:
        np.savez_compressed(
            file, allow_pickle=False, kinds=np.array(KINDS), word_keys=vectors.keys, vectors=vectors.small,
            scale=vectors.scale, inputs=trained.inputs, outputs=trained.outputs, row_keys=keys[told],
            rows=trained.rows[told].astype(np.float16),
        )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure by hands held out in turn, and write the model and its card."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter.train_pages", description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=_REPOSITORY / "build" / "bench")
    parser.add_argument("--data", type=Path, default=_REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=MODEL)
    options = parser.parse_args(arguments)

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    pages, files = canonical.load(options.cache, log), real.load(options.data, options.cache, log)
    table = pa.concat_tables(
        each.select(["source", "text"]) for each in (canonical.is_document(pages), real.is_document(files))
    )
    others = translated(options.cache, log)
    vectors = read_vectors(options.vectors)
    figures = {}
    for held_out in range(HANDS):
        trained, keys = learn([hand for hand in range(HANDS) if hand != held_out], table, others, vectors)
        figures[f"hand {held_out + 1}"] = measure(held_out, table, vectors, trained, keys)
        log(f"without hand {held_out + 1}: {figures[f'hand {held_out + 1}']}")
    trained, keys = learn(range(HANDS), table, others, vectors)
    save(options.output, trained, keys, vectors)
    card = {
        "about": "pages that are no documents",
        "sha256": hashlib.sha256(options.output.read_bytes()).hexdigest(),
        "bytes": options.output.stat().st_size,
        "wordings": hashlib.sha256(WORDINGS.read_bytes()).hexdigest(),
        "vectors": f"{len(vectors.keys)} of {vectors.small.shape[1]} dimensions: {_VECTORS}",
        "limits": _LIMITS,
        "held_out_hands": figures,
    }
    options.output.with_suffix(".card.yaml").write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
