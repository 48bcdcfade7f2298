"""The measures of an answer beside its source, as columns. Pure: nothing but the two texts decides them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import UNDETERMINED, detect
from filters.shares import scores as line_scores
from filters.stream import Bytes, Offsets, Stream, read_stream
from synth.gates import code, novelty, phrases, prose

# Counts are int64, shares float32.
SCORES = (
    "words",  # of the answer
    "characters",  # of its prose, but for spaces
    "source_words",
    "length_ratio",  # words of the answer for each of the source
    "novel_numbers",  # numbers, each once, that the source lacks
    "changed_units",  # numbers that stand in the source with other units alone
    "number_recall",  # share of the source's numbers that the answer has; 1 where it has none
    "novel_options",  # options of commands that the source lacks
    "option_recall",  # share of the source's options that the answer has; 1 where it has none
    "names",  # paths, variables, functions, error codes and the like, each once
    "novel_names",  # those that the source lacks
    "novel_name_share",
    "changed_code",  # pieces of code that do not stand in the source byte for byte
    "open_fences",
    "control_tokens",  # tokens that steer a model and do not stand in the source
    "copy_share",  # of the runs of eight words of prose, those that stand in the source
    "grounded_share",  # of the words that are not common, those that stand in the source
    "other_language",  # 1 where source and answer are surely of two languages, and few words are the source's
    "refusal",  # phrases
    "boilerplate",
    "obeyed",
    "repeated_share",  # of the runs of eight words of prose, those that stood before in the answer
    "repeated_line_share",  # of the lines of prose
    "looped_words",  # most words in a row that say again what stands a little before
    "looped_bytes",  # at the end, that say again what stands before them
    "cut_off",  # 1 where the answer breaks off
)

_SURE, _LIKELY = 0.7, 0.4  # confidence in the language of an answer, and of its source
# An answer of which so many words were told apart, and such a share of them are the source's, has its language: the
# share was 0.13 at most in 1,285 translations, 0.48 at least in 5,346 faithful answers. A model costs as much as all
# other gates.
_TOLD, _OWN = 8, 0.5
_SHOWN = 80  # characters of an example

Columns = dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]


class _Measured(NamedTuple):
    columns: Columns
    answers: Bytes
    novelty: novelty.Novelty
    code: code.Code
    said: phrases.Said


def measure(sources: pa.Array, answers: pa.Array) -> Columns:
    """SCORES of each answer beside its source: two string arrays of the same length, without nulls.

    Raises ValueError if their lengths differ.
    """
    return _measure(sources, answers).columns


def details(source: str, answer: str) -> dict[str, str]:
    """Of a pair: by column the first of what it counts, in at most 80 characters; nothing of columns of 0."""
    found = _measure(pa.array([source], pa.large_string()), pa.array([answer], pa.large_string()))
    kinds = (
        (novelty.COUNTS[:5], found.novelty.counts[:, :5], found.novelty.examples),
        (code.COUNTS, found.code.counts, found.code.examples),
        (phrases.COUNTS, found.said.counts, found.said.examples),
    )
    shown = {}
    for names, counts, examples in kinds:
        for at, name in enumerate(names):
            begin, end = examples[0, at]
            if counts[0, at] and begin < end:
                text = bytes(found.answers[begin:end][: 4 * _SHOWN]).decode("utf-8", "replace")
                shown[name] = " ".join(text.split())[:_SHOWN]
    if "novel_names" in shown:
        shown["novel_name_share"] = shown["novel_names"]
    return shown


def _measure(sources: pa.Array, answers: pa.Array) -> _Measured:
    if len(sources) != len(answers):
        raise ValueError(f"{len(sources)} sources for {len(answers)} answers")
    # A source stands before several answers, and is read once.
    encoded = pc.dictionary_encode(_whole(sources))
    before, after = read_stream(encoded.dictionary), read_stream(_whole(answers))
    rows = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    new = novelty.compare(before, rows, after)
    blocks = code.compare(before, rows, after)
    said = phrases.compare(before, rows, after)
    copy_share, repeated_share = prose.copied(before, rows, after)
    grounded_share, told = prose.grounded(before, rows, after)
    looped, cut = prose.endings(after)
    columns: Columns = {
        "words": after.column("words").copy(),
        "characters": after.column("prose_characters").copy(),
        "source_words": before.column("words")[rows],
        "length_ratio": _share(after.column("words"), before.column("words")[rows], 0.0),
        **_novelty(new),
        **{name: blocks.counts[:, at].copy() for at, name in enumerate(code.COUNTS)},
        "copy_share": copy_share,
        "grounded_share": grounded_share,
        "other_language": _other_language(before, rows, after, (told < _TOLD) | (grounded_share < _OWN)),
        **{name: said.counts[:, at].copy() for at, name in enumerate(phrases.COUNTS)},
        "repeated_share": repeated_share,
        "repeated_line_share": line_scores(after)["repeated_line_share"],
        "looped_words": prose.looped_words(after),
        "looped_bytes": looped,
        "cut_off": cut,
    }
    return _Measured({name: columns[name] for name in SCORES}, after.data, new, blocks, said)


def _whole(texts: pa.Array) -> pa.Array:
    array = texts.cast(pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _novelty(new: novelty.Novelty) -> Columns:
    counts = {name: new.counts[:, at].copy() for at, name in enumerate(novelty.COUNTS)}
    return {
        **{name: counts[name] for name in ("novel_numbers", "changed_units", "novel_options", "names", "novel_names")},
        "number_recall": _share(counts["recalled_numbers"], counts["source_numbers"], 1.0),
        "option_recall": _share(counts["recalled_options"], counts["source_options"], 1.0),
        "novel_name_share": _share(counts["novel_names"], counts["names"], 0.0),
    }


def _share(part: Offsets, whole: Offsets, of_nothing: float) -> npt.NDArray[np.float32]:
    share = np.where(whole == 0, of_nothing, part / np.maximum(whole, 1))
    return share.astype(np.float32)


def _other_language(
    sources: Stream, rows: Offsets, answers: Stream, doubted: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """1 where an answer is doubted, both texts are long enough to tell, both languages sure, and not the same."""
    wanted = np.zeros(len(sources), np.bool_)
    wanted[rows[doubted]] = True
    before, after = detect(sources, wanted), detect(answers, doubted)
    return np.array(
        [
            int(
                UNDETERMINED not in (before[row][0], language)
                and before[row][0] != language
                and before[row][1] >= _LIKELY
                and confidence >= _SURE
            )
            for row, (language, confidence) in zip(rows.tolist(), after, strict=True)
        ],
        np.int64,
    )
