"""What each classifier learns: the label of a document for the task."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from manifests.load import load_categories
from pipelines.correction import CorrectionSettings
from pipelines.labelled import Labelled, read_labelled
from pipelines.train_classifier import GENERATED, Cues, Training

TASKS = ("category", "relevance", "quality")
_QUALITY_DOCUMENTS = 1_500
_GOOD = 3  # from which a mark of 1 to 5 says yes
_THREADS = 700  # system documents that relevance reads as threads too
_WORD = re.compile(r"\S+")
_COLUMNS = ("category", "source", "name", "title", "method", "generator", "text")


def read_documents(places: Sequence[str], most: int) -> list[Labelled]:
    """Documents of folders (CATEGORY/SOURCE), Parquet files, and runs whose documents classify has scored.

    A table needs `category`, `source` and `text`; an address is its `name` or its `url`. In one that `syscorpus label`
    made, a teacher's relevance and quality are labels, too.
    """
    found: list[Labelled] = []
    for place in map(Path, places):
        parts = sorted((place / "classify").glob("part-*.parquet"))
        if parts or place.suffix == ".parquet":
            for part in parts or [place]:
                found += _of_table(part)
        else:
            found += read_labelled(place, most)
    return found


def _of_table(path: Path) -> list[Labelled]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [
        Labelled(
            **{name: row.get(name) or "" for name in _COLUMNS} | {"name": row.get("name") or row.get("url") or ""},
            relevance=row.get("relevance") if "teacher" in row else None,
            quality=row.get("quality") if "teacher" in row else None,
        )
        for row in rows
        if row["text"]
    ]


def training_of(task: str, documents: Sequence[Labelled], other: Sequence[str], cues: Path | None) -> Training:
    """What a model of a task learns from.

    other: sources of other fields. They, and documents of a category that the taxonomy lacks, are examples of what
    is not relevant; the category model learns from every document whose category the taxonomy has.
    """
    if task == "category":
        return _category(documents, cues)
    if task == "relevance":
        return _relevance(documents, other, cues)
    return _quality(documents)


def _known() -> set[str]:
    return set(load_categories())


def _listed(cues: Path | None) -> Cues | None:
    listed: Cues | None = yaml.safe_load(cues.read_text(encoding="utf-8")) if cues else None
    return listed


def _category(documents: Sequence[Labelled], cues: Path | None) -> Training:
    known = _known()
    chosen = [each for each in documents if each.category in known]
    listed = _listed(cues)
    labels = sorted({each.category for each in chosen} | set(listed or ()))
    return Training(chosen, [each.category for each in chosen], tuple(labels), listed)


def _relevance(documents: Sequence[Labelled], other: Sequence[str], cues: Path | None) -> Training:
    """Words alone, and system documents as threads too: a form is of no field, whatever forms the examples have."""
    known, foreign = _known(), set(other)
    system = [_is_system(each, known) and each.source not in foreign for each in documents]
    draw = random.Random(1)
    real = [each for each, is_system in zip(documents, system, strict=True) if is_system]
    asked = [
        replace(each, text=_thread(each, draw), method=GENERATED)
        for each in draw.sample(real, min(len(real), _THREADS))
    ]
    labels = [*("system" if each else "other" for each in system), *("system" for _ in asked)]
    return Training([*documents, *asked], labels, ("other", "system"), _listed(cues), corrects=("words",),
        correction=CorrectionSettings(sources=12, cues=0.5, weight=0.5))  # fmt: skip


def _is_system(document: Labelled, known: set[str]) -> bool:
    """By what somebody said of it, else by its category."""
    return document.category in known if document.relevance is None else document.relevance >= _GOOD


def _thread(document: Labelled, draw: random.Random) -> str:
    """Its paragraphs as a question and two answers."""
    parts = [part for part in document.text.split("\n\n") if part.strip()]
    third = max(1, len(parts) // 3)
    title = parts[0].lstrip("# ")[:80] if parts else ""
    question, first, second = parts[1 : third + 1], parts[third + 1 : 2 * third + 1], parts[2 * third + 1 :]
    scores = draw.randint(0, 40), draw.randint(0, 9)
    return "\n\n".join([
        f"# {title}?", *question, f"## Answer (score {scores[0]}, accepted)", *first, f"## Answer (score {scores[1]})",
        *second,
    ]) + "\n"  # fmt: skip


def _quality(documents: Sequence[Labelled]) -> Training:
    """Real documents, and what becomes of them on a bad site: `DEGRADATIONS`, by turns; and what was called poor."""
    known = _known()
    real = [each for each in documents if each.category in known and (each.quality or _GOOD) >= _GOOD]
    poor = [each for each in documents if each.quality is not None and each.quality < _GOOD]
    draw = random.Random(1)
    chosen = draw.sample(real, min(len(real), _QUALITY_DOCUMENTS))
    bad = [
        replace(each, text=degrade(each.text, draw))
        for each, degrade in zip(chosen, cycle(DEGRADATIONS), strict=False)
        if len(each.text) > 400
    ]
    bad += poor
    return Training([*chosen, *bad], ["keep"] * len(chosen) + ["drop"] * len(bad), ("drop", "keep"))


def _salad(text: str, draw: random.Random) -> str:
    """Its words in no order, in sentences of no sense."""
    words = _WORD.findall(text)[:600]
    draw.shuffle(words)
    return "\n\n".join(" ".join(words[begin : begin + 40]) for begin in range(0, len(words), 40)) + "\n"


def _menu(text: str, _: random.Random) -> str:
    """The first words of its lines, as a page of links has them."""
    lines = [" ".join(_WORD.findall(line)[:3]) for line in text.split("\n")]
    return "".join(f"- {line}\n" for line in lines if line)[:4_000]


def _stuffed(text: str, draw: random.Random) -> str:
    """A few of its words again and again, as a page for search engines has them."""
    words = [word for word in _WORD.findall(text) if len(word) > 5][:200] or ["best"]
    few = draw.sample(words, min(4, len(words)))
    offers = ("best", "buy", "cheap", "free", "top", "online", "near me", "review", "price", "2024")
    return (
        "\n\n".join(" ".join(f"{draw.choice(offers)} {draw.choice(few)}" for _ in range(30)) for _ in range(6)) + "\n"
    )


def _walled(text: str, draw: random.Random) -> str:
    """Its title, and a wall in front of the rest."""
    walls = (
        "Please log in to continue reading. Create a free account to get access to this page.",
        "We use cookies to improve your experience. Accept all cookies or manage your preferences.",
        "The page that you are looking for could not be found. Return to the home page or search again.",
        "Please enable JavaScript and reload this page. Checking your browser before you go on.",
        "Subscribe to read the full article. Already a member? Sign in.",
    )
    title = text.split("\n", 1)[0]
    return f"{title}\n\n{draw.choice(walls)}\n\nHome\n\nAbout us\n\nContact\n\nPrivacy policy\n"


DEGRADATIONS: tuple[Callable[[str, random.Random], str], ...] = (_salad, _menu, _stuffed, _walled)
