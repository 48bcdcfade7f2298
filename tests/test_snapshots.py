"""Two snapshots of the small site farm, the second compared with the first, through to the exported shards."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import runs
from tests.runs import SMALL

pytestmark = pytest.mark.usefixtures("on_head")

Documents = set[tuple[str, str]]


@pytest.fixture
def first(small_run: Path) -> Path:
    return small_run


def documents(run: Path, stage: str) -> Documents:
    rows = [
        row
        for part in runs.commits(run)[stage].parts
        for row in pq.read_table(run / stage / f"{part.name}.parquet", columns=["doc_id", "revision"]).to_pylist()
    ]
    return {(row["doc_id"], row["revision"]) for row in rows}


def superseded(run: Path) -> dict[tuple[str, str], str]:
    paths = sorted((run / "dataset" / "superseded").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return {(row["doc_id"], row["revision"]): row["reason"] for row in rows}


def test_a_second_snapshot_of_the_same_pages_adds_nothing(first: Path, tmp_path: Path) -> None:
    run = tmp_path / "second"
    runs.make_run(SMALL, run, against=[first])
    assert documents(run, "dedup") == set()
    assert superseded(run) == {}
    assert runs.unbalanced(run) == []
    assert runs.make_run(SMALL, run, against=[first]).count("committed before") == len(runs.STAGES)


def test_a_page_with_another_text_takes_the_place_of_the_old_one(first: Path, tmp_path: Path) -> None:
    """The corpus is that of the second crawl alone, as no page is gone; every document leads to its record."""
    recipe, run = changed_site(tmp_path), tmp_path / "second"
    runs.make_run(recipe, run, against=[first])
    runs.make_run(recipe, tmp_path / "alone")
    gone, new, old = superseded(run), documents(run, "dedup"), documents(first, "dedup")
    assert "newer_revision" in gone.values()
    assert gone.keys() <= old
    assert new.isdisjoint(old)
    assert (old - gone.keys()) | new == documents(tmp_path / "alone", "dedup")
    assert runs.commits(run)["dedup"].extra["restored"] > 0  # pages of the older edition
    assert runs.untraceable(run) == []
    assert runs.unbalanced(run) == []


def changed_site(directory: Path) -> Path:
    """A recipe of the farm in which the newest edition of the storage guide has more to say, and half of its pages say it otherwise."""
    sites, farm = directory / "sites", directory / "farm" / "small.yaml"
    shutil.copytree(runs.REPOSITORY / "crawlers/farm/sites", sites)
    pages = sorted((sites / "storage" / "1.1").rglob("*.html"))
    assert len(pages) >= 3
    for number, page in enumerate(pages):
        text = page.read_text(encoding="utf-8")
        added = "".join(
            f"<p>In this edition the volume{number} is checked after step {step}, before the pool{number + step} is "
            f"mounted.</p>"
            for step in range(12)
        )
        if number % 2:
            text = re.sub(
                r"\b(the|a|is|to|of|and)\b (?=\w)", r"\1 rather ", text
            )  # the older edition says other things
        page.write_text(text.replace("</h1>", f"</h1>{added}", 1), encoding="utf-8")
    farm.parent.mkdir()
    given = SMALL.parent.parent / "farm" / "small.yaml"
    farm.write_text(given.read_text().replace("crawlers/farm/sites", str(sites)))
    recipe = directory / "recipe.yaml"
    recipe.write_text(SMALL.read_text().replace("../farm/small.yaml", "farm/small.yaml"))
    return recipe
