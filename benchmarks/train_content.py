"""Trains the model of `pipelines/extract/html/content.py` on ground truths, and measures it on sites that it has not seen.

    python -m benchmarks.train_content TRUTHS MANUALS [--write]

TRUTHS holds the sets as `benchmarks/extract/ground.py` reads them; MANUALS the pages of packages that `make
bench-extract` has brought, of which the generators' entries say what the content is. A block of a page is content if
most of its words stand in the truth, in order. F1 is that of `benchmarks.extract`. Cross-validation is by registrable
domain, and by package. `--write` writes the model of all pages to `manifests/content.json`.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numba
import numpy as np
import numpy.typing as npt

from benchmarks.boosting import Forest, Settings, fit
from benchmarks.extract.ground import Known, hashes, load, score
from benchmarks.extract.markdown import plain, words
from benchmarks.extract.report import table
from manifests.models import ExtractSettings
from pipelines.extract.decode import decode_utf8
from pipelines.extract.html import content
from pipelines.extract.html.content_blocks import END, FIRST, cut
from pipelines.extract.html.content_features import NAMES, features
from pipelines.extract.html.generators import UNKNOWN_PAGE, Found, find_content, recognise
from pipelines.extract.html.reader import _markdown, _parse, extract_html
from pipelines.extract.html.roles import DROP
from pipelines.extract.html.tree import INNER, PARENT, START, TAG, TEXT, Longs, Tree
from pipelines.extract.html.xhtml import expand, is_xhtml
from pipelines.extract.page import NoText

FOLDS = 5
MANUALS, MANUAL_PAGES, MANUAL_WEIGHT = "manuals", 6, 0.3  # the name of their set, how many of a package, their weight
MANUAL_BYTES = 200_000
MIN_SHARE = 0.6  # of a block's words that stand in the truth
CONTIGUOUS = 0.8  # what a word counts more if the one before it is aligned too
GRAM = 4
MAX_CELLS = 400_000_000  # of an alignment; a page beyond it is labelled by its grams alone
SHIFT, SWITCH = -0.4, 0.5
SECOND_LEVEL = {"ac", "co", "com", "edu", "gob", "gov", "ne", "net", "or", "org"}


class Sample(NamedTuple):
    """A page: whether a generator's entry knows it; of each block features, words and whether it is content."""

    page: Known
    is_known: bool
    rows: npt.NDArray[np.float32]
    sizes: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_content", description=__doc__.split("\n")[0])
    parser.add_argument("truths", type=Path)
    parser.add_argument("manuals", type=Path)
    parser.add_argument("--write", action="store_true", help="write manifests/content.json")
    options = parser.parse_args(arguments)
    known = load(options.truths)
    with ProcessPoolExecutor(2) as pool:
        pages = samples(known, options.manuals, pool)
        models = fold_models(pages, pool)
        whole = _train(pages)
        unseen = dict(pool.map(_f1, [(each.page, models[fold_of(each.page)]) for each in pages], chunksize=8))
        seen = dict(pool.map(_f1, [(each.page, _model(whole)) for each in pages], chunksize=8))
    cross_validated = _by_group(pages, unseen)
    _print(pages, {"sites not seen": unseen, "pages of the training": seen})
    if options.write:
        _write(whole, hashes(options.truths), len(pages), cross_validated)


def samples(known: Sequence[Known], manuals: Path, pool: Executor) -> list[Sample]:
    """The pages of the ground truths, and the first ones of each package below `manuals`."""
    files = sorted(manuals.glob("*/*.html"), key=lambda file: (file.parent.name, int(file.stem)))
    return [*pool.map(_sample, known, chunksize=8), *filter(None, pool.map(_manual, files, chunksize=8))]


def fold_models(pages: Sequence[Sample], pool: Executor) -> list[content.Model]:
    """For each fold of sites a model of the others."""
    others = [[page for page in pages if fold_of(page.page) != fold] for fold in range(FOLDS)]
    return [_model(forest) for forest in pool.map(_train, others)]


def _print(samples: Sequence[Sample], measured: dict[str, dict[Path, float]]) -> None:
    for title, wanted in (
        ("all pages", samples),
        ("pages that no entry knows", [s for s in samples if not s.is_known]),
    ):
        groups = {name: _by_group(wanted, scores) for name, scores in measured.items()}
        counts = Counter(_group(sample.page) for sample in wanted)
        rows = [
            (group, counts[group], *(f"{means[group]:.3f}" for means in groups.values())) for group in sorted(counts)
        ]
        table(f"F1 of the generic path, {title}", ("set", "pages", *measured), rows)


def _group(page: Known) -> str:
    return f"{page.set}/{page.type}"


def _by_group(samples: Sequence[Sample], scores: dict[Path, float]) -> dict[str, float]:
    rows = defaultdict(list)
    for sample in samples:
        rows[_group(sample.page)].append(scores[sample.page.file])
    return {group: sum(values) / len(values) for group, values in rows.items()}


# ---------------------------------------------------------------- pages to blocks and labels


def _manual(file: Path) -> Sample | None:
    """A page of a package: its content is what the entry of its generator finds. Only the first ones of a package."""
    if int(file.stem) >= MANUAL_PAGES or file.stat().st_size > MANUAL_BYTES:
        return None
    tree = _tree(file)
    entries, _ = recognise(tree)
    found = next((found for entry in entries if (found := find_content(tree, entry))), None)
    if found is None:
        return None
    text = plain(_markdown(tree, found.bits, found.main))
    page = Known(MANUALS, found.generator, f"https://{file.parent.name}.example/", file, text, (), ())
    blocks = cut(tree, _generic_bits(tree))
    sizes = [len(_words(tree, int(first), int(end))) for first, end in blocks.counts[[FIRST, END]].T]
    labels = [_is_in(tree, found, int(first)) for first in blocks.counts[FIRST]]
    return Sample(page, True, features(tree, blocks), np.array(sizes, np.int64), np.array(labels, np.bool_))


def _is_in(tree: Tree, found: Found, node: int) -> bool:
    """Whether a node is a part of the content."""
    while node >= 0 and node != found.main:
        if found.bits[node] & DROP:
            return False
        node = int(tree.nodes[PARENT, node])
    return node >= 0


def _body(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _tree(file: Path) -> Tree:
    text = decode_utf8(_body(file), "text/html")
    return _parse(expand(text) if is_xhtml(text, "text/html") else text)


def _generic_bits(tree: Tree) -> Longs:
    """The bits of a page as the generic path has them."""
    found = find_content(tree, UNKNOWN_PAGE)
    assert found is not None
    return found.bits


def _sample(page: Known) -> Sample:
    tree = _tree(page.file)
    blocks = cut(tree, _generic_bits(tree))
    texts = [_words(tree, int(first), int(end)) for first, end in blocks.counts[[FIRST, END]].T]
    try:
        method = extract_html(_body(page.file), "text/html", page.url, ExtractSettings()).method
    except NoText:
        method = ""
    sizes = np.array([len(text) for text in texts], np.int64)
    return Sample(page, method == "selector", features(tree, blocks), sizes, _labels(texts, words(page.text)))


def _words(tree: Tree, first: int, end: int) -> list[str]:
    pieces = []
    for node in range(first, end):
        if tree.tag[node] == TEXT:
            pieces.append(
                tree.html[tree.nodes[START, node] : tree.nodes[INNER, node]].tobytes().decode("utf-8", "replace")
            )
        elif tree.tag[node] == TAG["br"]:
            pieces.append("\n")
    return words(html.unescape("".join(pieces)))


def _labels(texts: Sequence[Sequence[str]], truth: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether each block is content: by the share of its words that the alignment finds, or of its grams."""
    numbers: dict[str, int] = {}
    page = np.array([numbers.setdefault(word, len(numbers)) for text in texts for word in text], np.int32)
    wanted = np.array([numbers.setdefault(word, len(numbers)) for word in truth], np.int32)
    hits = np.zeros(len(page), np.bool_)
    if len(page) * len(wanted) <= MAX_CELLS:
        _align(page, wanted, hits)
    known = set(zip(*(truth[k:] for k in range(GRAM)), strict=False))
    labels = np.zeros(len(texts), np.bool_)
    at = 0
    for number, text in enumerate(texts):
        share = hits[at : at + len(text)].mean() if text else 0.0
        grams = set(zip(*(text[k:] for k in range(GRAM)), strict=False))
        if grams:
            share = max(share, len(grams & known) / len(grams))
        labels[number] = share >= MIN_SHARE
        at += len(text)
    return labels


@numba.njit
def _align(page: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32], hits: npt.NDArray[np.bool_]) -> None:
    """Marks the words of a page that stand in the truth in the same order; runs of them count more than single ones.

    Dynamic programming over two states, `ends in a pair` and `any`, the way back in one byte a cell.
    """
    steps = np.zeros((len(page) + 1, len(wanted) + 1), np.uint8)
    best = np.zeros(len(wanted) + 1, np.float32)
    paired = np.full(len(wanted) + 1, -1e9, np.float32)
    for i in range(1, len(page) + 1):
        best_before, paired_before = best[0], paired[0]
        for j in range(1, len(wanted) + 1):
            best_above, paired_above = best[j], paired[j]
            step, follows = 2, 0
            if page[i - 1] == wanted[j - 1]:
                follows = 4 if paired_before + CONTIGUOUS >= best_before else 0
                paired[j] = 1 + max(best_before, paired_before + CONTIGUOUS)
            else:
                paired[j] = -1e9
            if best[j - 1] > best[j]:
                best[j], step = best[j - 1], 3
            if paired[j] >= best[j]:
                best[j], step = paired[j], 1
            steps[i, j] = step | follows
            best_before, paired_before = best_above, paired_above
    i, j, in_run = len(page), len(wanted), False
    while i > 0 and j > 0:
        step = steps[i, j]
        if in_run or step & 3 == 1:
            hits[i - 1] = True
            in_run = step & 4 > 0
            i, j = i - 1, j - 1
        elif step & 3 == 2:
            i -= 1
        else:
            j -= 1


# ---------------------------------------------------------------- training and measuring


def _train(samples: Sequence[Sample]) -> Forest:
    """Each page of a set weighs the same, and in it a block as the root of its words."""
    rows, labels, weights = [], [], []
    for sample in samples:
        wanted = sample.sizes > 0
        if wanted.any():
            weight = np.sqrt(sample.sizes[wanted])
            rows.append(sample.rows[wanted])
            labels.append(sample.labels[wanted])
            weights.append(weight / weight.sum() * (MANUAL_WEIGHT if sample.page.set == MANUALS else 1.0))
    weight = np.concatenate(weights)
    return fit(np.concatenate(rows), np.concatenate(labels), weight / weight.mean(), Settings())


def fold_of(page: Known) -> int:
    """The fold of a page: that of its registrable domain."""
    labels = (urlsplit(page.url).hostname or "").split(".")
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL else 2
    return int(hashlib.sha256(".".join(labels[-size:]).encode()).hexdigest(), 16) % FOLDS


def _model(forest: Forest) -> content.Model:
    return content.Model(forest.column.astype(np.uint16), forest.limit, forest.value, SHIFT, SWITCH)


def _f1(task: tuple[Known, content.Model]) -> tuple[Path, float]:
    """The F1 of what the generic path makes of a page, whoever knows it."""
    page, model = task
    tree = _tree(page.file)
    bits = _generic_bits(tree)
    blocks = cut(tree, bits)
    content.mark(tree, bits, blocks, content.score(features(tree, blocks), model), model)
    text = plain(_markdown(tree, bits, 0))
    return page.file, score(page, text, Counter())["f1"]


def _write(forest: Forest, data: dict[str, str], pages: int, f1: dict[str, float]) -> None:
    trees: list[dict[str, Any]] = [
        {
            "column": column.tolist(),
            "limit": [None if np.isinf(each) else float(f"{each:.5g}") for each in limit],
            "value": [round(float(each), 4) for each in value],
        }
        for column, limit, value in zip(*forest, strict=True)
    ]
    said = {
        "about": "Which blocks of a page are content: boosted trees, made by `python -m benchmarks.train_content TRUTHS --write`.",
        "version": 1,
        "made_with": Settings()._asdict() | {"pages": pages, "min_share": MIN_SHARE, "sha256": data},
        "cross_validated_f1": {group: round(value, 3) for group, value in sorted(f1.items())},
        "shift": SHIFT,
        "switch": SWITCH,
        "features": list(NAMES),
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in said.items()]
    body = ",\n".join("    " + json.dumps(tree, separators=(",", ":")) for tree in trees)
    text = "{\n" + "\n".join(lines) + '\n  "trees": [\n' + body + "\n  ]\n}\n"
    content.MODEL.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
