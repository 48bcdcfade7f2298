"""Evaluation sets through the stages: read early, searched for in classify, dropped or cut by filter."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import runs

pytestmark = pytest.mark.usefixtures("on_head")

PROMPT = "List the files of the directory of old reports that changed within the last nine days, by size"
ANSWER = "find /srv/reports -type f -mtime -9 -printf '%s %p'"
PAGE = "# Reports\n\nReports are kept for a year, and then they are moved to the archive of the office.\n\n"
MORE = "\nThe archive is read only, and nobody has to remember where a report was before it was moved there.\n"


def make(directory: Path, action: str) -> tuple[list[dict], list[dict]]:
    """The documents that stay and the drops of `filter`, on a page with a copy and one without."""
    (directory / "set.jsonl").write_text(json.dumps({"task": {"prompt": PROMPT}, "answer": ANSWER}) + "\n")
    recipe = directory / "recipe.yaml"
    recipe.write_text(
        "name: leaks\nmanifests: [sources.yaml]\nextract: {licences: {train: [unknown]}}\n"
        "classify:\n  leaks: [{name: cmd, file: set.jsonl, prompt: task.prompt, answer: answer}]\n"
        f"filter: {{leaks: {{action: {action}}}}}\n"
    )
    (directory / "sources.yaml").write_text(
        "- {id: a, name: A, category: qa_forums, status: 'on', seeds: [http://a.localhost/], scope: ['^http://a'],\n"
        "   licence: MIT, licence_evidence: here, farm: {directory: x}}\n"
    )
    (directory / "in").mkdir()
    (directory / "in" / "copy.md").write_text(f"{PAGE}{PROMPT}:\n\n```sh\n{ANSWER}\n```\n{MORE}")
    (directory / "in" / "clean.md").write_text(f"{PAGE}Other words.\n{MORE}")
    done = runs.syscorpus(
        "filter", "--input", directory / "in" / "*", "--output", directory / "out", "--recipe", recipe
    )
    assert done.returncode == 0, done.stderr
    kept = [row for path in (directory / "out").glob("part-*.parquet") for row in pq.read_table(path).to_pylist()]
    lost = [row for path in (directory / "out" / "dropped").glob("*") for row in pq.read_table(path).to_pylist()]
    return kept, lost


def test_a_document_with_an_item_is_dropped_with_its_place(tmp_path):
    kept, lost = make(tmp_path, "drop")
    assert [PROMPT in row["text"] for row in kept] == [False]
    assert [row["reason"] for row in lost] == ["leak"]
    assert lost[0]["failed"][0]["value"].startswith("cmd 0: ")


def test_a_copy_is_cut_and_the_rest_stays_whole(tmp_path):
    kept, lost = make(tmp_path, "cut")
    assert lost == []
    (cut,) = [row for row in kept if any(edit["kind"] == "leak" for edit in row["edits"])]
    assert PROMPT not in cut["text"] and ANSWER not in cut["text"]
    assert cut["text"].startswith(PAGE.strip()) and cut["text"].endswith(MORE.lstrip())


@pytest.mark.parametrize(("content", "said"), [("{", "set.jsonl:1: not JSON"), ('{"a": 1}\n', "no field 'prompt'")])
def test_a_set_that_cannot_be_read_is_told_before_anything_is_made(tmp_path, content, said):
    (tmp_path / "set.jsonl").write_text(content)
    recipe = tmp_path / "recipe.yaml"
    text = runs.SMALL.read_text().replace("../farm/", f"{runs.SMALL.parent.parent / 'farm'}/")
    recipe.write_text(text + "classify:\n  leaks: [{name: cmd, file: set.jsonl, prompt: prompt}]\n")
    done = runs.syscorpus("run", "--recipe", recipe, "--run", tmp_path / "run")
    assert done.returncode == 1
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "crawl" / "_commit.json").exists()
