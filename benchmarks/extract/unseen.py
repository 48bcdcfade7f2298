"""Our extractor on sites that its model has not seen.

The model for pages that no generator's entry knows was trained on the same ground truths that it is measured on. So
each page is also extracted with a model of the other folds of sites (by registrable domain): what a new site may
expect. Pages that an entry knows give the same either way.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks import train_content
from benchmarks.extract import ground
from benchmarks.extract.ground import Known, Scores
from benchmarks.extract.packages import Log
from manifests.models import ExtractSettings
from pipelines.extract.html import content
from pipelines.extract.html.reader import extract_html
from pipelines.extract.page import NoText

NAME = "ours-unseen"


def measure(known: Sequence[Known], manuals: Path, workers: int, log: Log) -> dict[str, Scores]:
    """The means over pages by group, as `ground.measure` has them; manuals: the pages of packages."""
    log("training a model for each fold of sites")
    with ProcessPoolExecutor(workers) as pool:
        models = train_content.fold_models(train_content.samples(known, manuals, pool), pool)
        tasks = [(page, models[train_content.fold_of(page)]) for page in known]
        scores = list(pool.map(_page, tasks, chunksize=8))
    return ground.means(known, scores)


def _page(task: tuple[Known, content.Model]) -> Scores:
    page, model = task
    setattr(content, "_model", lambda: model)  # noqa: B010 - the product has one model, and no setting for another
    try:
        text = extract_html(gzip.decompress(page.file.read_bytes()), "text/html", page.url, ExtractSettings()).text
    except NoText:
        text = ""
    return {**ground.score_page(page, text), "failed": 0.0}
