"""Training: labelled places are read, sources are held out, and the same documents give the same model."""

import json
import random
import tarfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from filters.topics import load
from pipelines.classifier_tasks import DEGRADATIONS, TASKS, read_documents, training_of
from pipelines.cli import main
from pipelines.correction import CorrectionSettings
from pipelines.fasttext_head import HeadSettings
from pipelines.labelled import Labelled, read_labelled
from pipelines.train_classifier import Training, train

CHAT = (
    "anyone there",
    "my disk is full lol",
    "try df -h",
    "thanks, it works",
    "which kernel do you run",
    "hmm no idea",
)
MANUAL = (
    "lists the volumes",
    "removes a snapshot",
    "prints the version and exits",
    "sets the mount point",
    "forces the operation",
)
OTHER = ("whisk the eggs", "bake until golden", "a pinch of salt", "serve with cream", "fold in the flour")


def chat(draw):
    return "".join(
        f"[{draw.randint(10, 23)}:{draw.randint(10, 59)}] <nick{draw.randint(1, 9)}> {draw.choice(CHAT)}\n"
        for _ in range(12)
    )


def manual(draw):
    options = "".join(f"**-{draw.choice('abcdef')}**\n: {draw.choice(MANUAL)}.\n\n" for _ in range(8))
    return f"# tool{draw.randint(1, 99)}\n\n## SYNOPSIS\n\ntool [OPTION]... FILE\n\n## OPTIONS\n\n{options}## EXIT STATUS\n\n0 on success.\n"


def recipe(draw):
    return "# Cake\n\n" + " ".join(f"{draw.choice(OTHER).capitalize()}." for _ in range(20)) + "\n"


MAKERS = {"developer_forums": chat, "man_pages_cli_reference": manual, "recipes": recipe}


def documents(count=6):
    draw = random.Random(3)
    return [
        Labelled(category, f"{category}-{source}", f"{index}.md", "", "markdown", "", maker(draw))
        for category, maker in MAKERS.items()
        for source in range(5)
        for index in range(count)
    ]


def quick(training):
    return Training(
        training.documents,
        training.of_document,
        training.labels,
        training.cues,
        training.with_places,
        HeadSettings(draws=60, epochs=5),
    )


def test_a_category_model_knows_sources_that_it_has_not_seen():
    trained = train(quick(training_of("category", documents(), (), None)))
    assert trained.model.labels == ("developer_forums", "man_pages_cli_reference")
    assert trained.measured["accuracy"] > 0.95
    assert sum(map(sum, trained.measured["confusion"])) == 60
    assert len(trained.measured["sources"]) == 10


def test_the_same_documents_give_the_same_bytes():
    training = quick(training_of("category", documents(6), (), None))
    assert train(training).content == train(training).content


def test_a_correction_learns_what_the_cues_do_not_know():
    """The cue is in a few documents of one label; the words of the others tell them all the same."""
    listed = {
        "developer_forums": {"strong": ["lol"], "weak": ["thanks"]},
        "man_pages_cli_reference": {"strong": ["heading synopsis"], "weak": ["force"]},
    }
    known = training_of("category", documents(), (), None)
    quick = replace(known, cues=listed, correction=CorrectionSettings(draws=60, sources=3, rate=1.0))
    trained = train(quick)
    assert [each.name for each in trained.model.heads] == ["cues", "correction"]
    assert trained.measured["accuracy"] > 0.95
    assert train(quick).content == trained.content


def test_relevance_reads_system_documents_as_threads_too():
    training = training_of("relevance", documents(2), (), None)
    threads = [
        label
        for each, label in zip(training.documents, training.of_document, strict=True)
        if "## Answer (score" in each.text
    ]
    assert threads and set(threads) == {"system"} and training.corrects == ("words",)


def test_relevance_learns_from_categories_outside_and_from_sources_named():
    training = training_of("relevance", documents(2), ["developer_forums-0"], None)
    by_source = dict(zip((each.source for each in training.documents), training.of_document, strict=True))
    assert by_source["recipes-1"] == by_source["developer_forums-0"] == "other"
    assert by_source["developer_forums-1"] == by_source["man_pages_cli_reference-0"] == "system"
    assert train(quick(training_of("relevance", documents(), (), None))).measured["accuracy"] > 0.9


def test_quality_learns_what_bad_sites_make_of_documents():
    training = training_of("quality", documents(), (), None)
    assert set(training.of_document) == {"keep", "drop"}
    draw = random.Random(1)
    for degrade in DEGRADATIONS:
        assert degrade(manual(draw), draw) and degrade("x\n", draw) is not None


def test_one_label_alone_is_no_task():
    alone = [each for each in documents(2) if each.category == "developer_forums"]
    with pytest.raises(ValueError, match="two labels"):
        train(training_of("category", alone, (), None))


def test_places_of_all_kinds_are_read(tmp_path):
    folder = tmp_path / "labelled/developer_forums/one"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\nSome words of it.\n")
    (folder / "b.md").write_text("# A\n\nSome words of it.\n")
    (folder / "LICENSE.md").write_text("# Licence\n\nNot to be read.\n")
    with tarfile.open(tmp_path / "labelled/developer_forums/two.tar.gz", "w:gz") as tar:
        tar.add(folder / "LICENSE.md", "x/c.md")
    found = list(read_labelled(tmp_path / "labelled", 10))
    assert [(each.category, each.source) for each in found] == [
        ("developer_forums", "one"),
        ("developer_forums", "two"),
    ]
    pq.write_table(
        pa.Table.from_pylist([{"category": "c", "source": "s", "url": "https://a.org/b", "text": "hello\n"}]),
        tmp_path / "t.parquet",
    )
    both = read_documents([str(tmp_path / "labelled"), str(tmp_path / "t.parquet")], 10)
    assert len(both) == 3 and both[2].name == "https://a.org/b" and both[2].method == ""


def test_a_dump_of_questions_in_an_archive_gives_threads(tmp_path):
    posts = """<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" CreationDate="2020-01-01T00:00:00.000" Score="3" Body="&lt;p&gt;My disk is full.&lt;/p&gt;" Title="Full disk" Tags="&lt;disk&gt;" />
  <row Id="2" PostTypeId="2" ParentId="1" CreationDate="2020-01-02T00:00:00.000" Score="5" Body="&lt;p&gt;Look at df.&lt;/p&gt;" />
</posts>
"""
    (tmp_path / "Posts.xml").write_text(posts)
    (tmp_path / "labelled/qa_forums").mkdir(parents=True)
    with tarfile.open(tmp_path / "labelled/qa_forums/dump.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "Posts.xml", "dump/Posts.xml")
    (found,) = read_labelled(tmp_path / "labelled", 10)
    assert found.method == "questions" and "df" in found.text and found.source == "dump"


def test_the_command_writes_a_model_and_its_card(tmp_path, capsys):
    table = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist([vars(each) for each in documents(4)]), table)
    output = tmp_path / "m/category.npz"
    assert main(["train-classifier", "--task", "category", "--labelled", str(table), "--output", str(output)]) == 0
    assert "macro-F1" in capsys.readouterr().out
    card = yaml.safe_load(output.with_suffix(".card.yaml").read_text())
    model = load(output)
    assert card["sha256"] == model.sha256 and tuple(card["labels"]) == model.labels
    assert json.dumps(card["held_out_sources"]["labels"])
    assert set(TASKS) == {"category", "relevance", "quality"}
