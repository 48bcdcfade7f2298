"""Which documents stay: thresholds over the columns that `classify` computed. Nothing is read again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.models import FilterSettings

Failed = list[tuple[str, float | str]]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

COLUMNS = (
    "words",
    "prose_words",
    "prose_word_bytes",
    "prose_characters",
    "prose_letters",
    "prose_lines",
    "repeated_lines",
    "language",
    "language_score",
    "datatrove_failed",
)
_NO_NUMBERS = ("language", "datatrove_failed")


def judge(table: pa.Table, settings: FilterSettings) -> list[Failed]:
    """For each row of a table with COLUMNS, the rules that it fails, with the value that failed; none: it stays.

    Rules of prose judge documents with enough of it (a page of code has no mean sentence).
    """
    number = {name: table[name].to_numpy().astype(np.float64) for name in COLUMNS if name not in _NO_NUMBERS}
    prose = number["prose_words"] >= settings.min_prose_words_for_prose_rules
    word_length = _ratio(number["prose_word_bytes"], number["prose_words"])
    letters = _ratio(number["prose_letters"], number["prose_characters"])
    repeated = _ratio(number["repeated_lines"], number["prose_lines"])
    rules: list[tuple[str, Values, Mask]] = [
        ("too_few_words", number["words"], number["words"] < settings.min_words),
        ("too_many_words", number["words"], number["words"] > settings.max_words),
        ("long_words", word_length, prose & (word_length > settings.max_mean_word_length)),
        ("few_letters", letters, prose & (letters < settings.min_letter_share)),
        ("repeated_lines", repeated, prose & (repeated > settings.max_repeated_line_share)),
    ]
    if settings.languages:
        known = number["language_score"] >= settings.min_language_score
        other = ~np.isin(table["language"].to_numpy(zero_copy_only=False), settings.languages)
        rules.append(("language", number["language_score"], known & other))
    verdicts: list[Failed] = [[] for _ in range(table.num_rows)]
    for name, value, failed in rules:
        for row in np.flatnonzero(failed):
            verdicts[row].append((name, round(float(value[row]), 4)))
    if settings.datatrove:
        for verdict, failed_there in zip(verdicts, table["datatrove_failed"].to_pylist(), strict=True):
            named = (each.split(":", 1) for each in failed_there)
            verdict += [(f"datatrove_{name}", reason) for name, reason in named if name in settings.datatrove]
    return verdicts


def _ratio(part: Values, whole: Values) -> Values:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
