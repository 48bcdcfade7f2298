"""Boilerplate of sources: what is found at the edges of pages, what is cut of them, and what never is."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.boilerplate import EDGE, edge_pairs, spans_of, text_of
from filters.stream import Stream, read_stream
from pipelines import filter, storage
from pipelines.engine import Commit, read_commit, run_stage
from pipelines.parts import read_table
from pipelines.report import write_report
from pipelines.run import Run
from tests.dedup_runs import Here, dedup, document

NOTICE = "This page is part of the manual of the tool.\nIt may be copied under the terms of its licence."
LINES = st.sampled_from(
    ["one two", "three", "four five", "", "# six", "- seven", "term", ": eight", "| a | b |", "```", "> nine", "---"]
)
PAGES = st.lists(st.lists(LINES, max_size=60).map("\n".join), min_size=1, max_size=4)


def stream_of(*texts: str) -> Stream:
    return read_stream(pa.array(texts, pa.large_string()))


def pairs_in(text: str) -> list[str]:
    stream = stream_of(text)
    return [text_of(text, pair) for pair in edge_pairs(stream).hashes]


def cut(text: str, *known: str) -> str:
    """A text without the runs of lines that stand in others."""
    pairs = np.concatenate([edge_pairs(stream_of(each)).hashes for each in known])
    data, pieces, at = text.encode(), [], 0
    for begin, end in spans_of(stream_of(text), pairs)[0]:
        pieces.append(data[at:begin])
        at = end
    return b"".join([*pieces, data[at:]]).decode()


# ---------------------------------------------------------------- lines


@given(PAGES)
def test_pairs_are_lines_that_follow_each_other_at_an_edge(texts):
    stream = stream_of(*texts)
    pairs = edge_pairs(stream)
    found: list[set[str]] = [set() for _ in texts]
    for document_, pair in zip(pairs.document, pairs.hashes, strict=True):
        found[document_].add(text_of(texts[document_], pair))
    for text, of_text in zip(texts, found, strict=True):
        lines = [line.strip() for line in text.split("\n") if any(character.isalnum() for character in line)]
        assert of_text <= {f"{one}\n{other}" for one, other in itertools.pairwise(lines)}


def test_headings_terms_rows_and_code_are_in_no_pair():
    for content in (
        "## SYNOPSIS",
        "| a | b |",
        "`-v, --verbose`\n: says more",
        "**-h**, **--help** *what*",
        "--all",
        "**0**",
        "```\ncode\n```",
    ):
        assert pairs_in(f"{NOTICE}\n\n{content}\n\n{NOTICE}") == [NOTICE, NOTICE]
        assert pairs_in(f"one two\n\n{content}\n\nthree four") == []


def test_what_stands_in_the_middle_of_a_page_is_at_no_edge():
    filling = "\n".join(f"line {number}" for number in range(EDGE))
    assert NOTICE not in pairs_in(f"{filling}\n{NOTICE}\n{filling}")
    assert NOTICE in pairs_in(f"{filling}\nmore\n{NOTICE}")


def test_a_run_of_lines_is_cut_with_what_is_blank_behind_it():
    assert cut(f"# Tool\n\n{NOTICE}\n\nIt does this.\n", NOTICE) == "# Tool\n\nIt does this.\n"
    spread = NOTICE.replace("\n", "\n\n---\n\n")
    assert cut(f"It does this.\n\n{spread}\n", NOTICE) == "It does this.\n\n"


def test_code_and_tables_behind_a_run_stay_whole():
    for content in ("```\n{\nrun x\n}\n```", "| | |\n|---|---|\n| a | b |", "~~~ sh\nrm x\n~~~"):
        assert cut(f"# Tool\n\n{NOTICE}\n\n{content}\n", NOTICE) == f"# Tool\n\n{content}\n"
        assert cut(f"{content}\n\n{NOTICE}\n", NOTICE) == f"{content}\n\n"


def test_one_line_alone_and_a_page_that_is_nothing_else_stay():
    first = NOTICE.split("\n")[0]
    for text in (f"{first}\n\nIt does this.", NOTICE, f"\n{NOTICE}\n\n"):
        assert cut(text, NOTICE) == text


@given(PAGES)
@settings(deadline=None)
def test_what_is_cut_are_whole_lines(texts):
    pairs = edge_pairs(stream_of(*texts)).hashes
    for text, spans in zip(texts, spans_of(stream_of(*texts), pairs), strict=True):
        data = text.encode()
        for begin, end in spans:
            assert 0 <= begin < end <= len(data)
            assert begin == 0 or data[begin - 1 : begin] == b"\n"
            assert end == len(data) or data[end - 1 : end] == b"\n"
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))


# ---------------------------------------------------------------- stages


def page(number: int, source: str = "docs", notice: bool = True) -> dict[str, Any]:
    said = " ".join(
        f"The service unit{number} reads its file conf{at * number} and then writes what it has found to the log of "
        f"host{number + at}."
        for at in range(8)
    )
    text = f"# Page {number}\n\nHow to start the service unit{number}. {said}"
    return document(number, f"{text}\n\n{NOTICE}" if notice else text, source=source)


def run_both(directory: Path, documents: list[dict[str, Any]], parts: int = 2, **given_: Any) -> tuple[Run, Commit]:
    run, commit = dedup(directory, documents, parts=parts, **given_)
    run_stage(run, filter.STAGE, Here())
    return run, commit


def rows_of(run: Run, stage: str, name: str = "part") -> list[dict[str, Any]]:
    commit = read_commit(run.directory(stage))
    assert commit is not None
    parts = commit.parts if name == "part" else commit.artefacts
    return [
        row
        for part in parts
        for row in read_table(storage.join(run.directory(stage), f"{part.name}.parquet")).to_pylist()
    ]


def test_lines_on_enough_pages_of_a_source_are_found_and_cut(tmp_path):
    pages = [page(number, notice=number % 3 == 0) for number in range(60)]
    few = [page(number, "few") for number in range(100, 140)]
    run, _ = run_both(tmp_path, [*pages, *few])
    (found,) = rows_of(run, "dedup", "boilerplate")
    assert (found["source"], found["pages"], found["of"], found["lines"]) == ("docs", 20, 60, NOTICE)
    kept = rows_of(run, "filter")
    assert len(kept) == 100
    for row in kept:
        assert (NOTICE in row["text"]) == (row["source"] == "few")
        cuts = [each for each in row["edits"] if each["kind"] == "boilerplate"]
        assert len(cuts) == (row["source"] == "docs" and int(row["url"].rpartition("/")[2]) % 3 == 0)


def test_rarer_lines_and_a_recipe_without_a_share_cut_nothing(tmp_path):
    rare = [page(number, notice=number % 4 == 0) for number in range(60)]
    run, _ = run_both(tmp_path / "rare", rare)
    assert rows_of(run, "dedup", "boilerplate") == []
    often = [page(number) for number in range(60)]
    run, _ = run_both(tmp_path / "off", often, boilerplate=None)
    assert rows_of(run, "dedup", "boilerplate") == []
    assert all(NOTICE in row["text"] and not row["edits"] for row in rows_of(run, "filter"))


def test_the_table_is_the_same_for_any_parts_and_buckets(tmp_path):
    pages = [page(number, notice=number < 25) for number in range(60)]
    tables = []
    for parts, buckets in ((1, 1), (2, 3), (5, 2)):
        run, _ = run_both(tmp_path / f"{parts}-{buckets}", pages, parts=parts, buckets=buckets)
        tables.append(rows_of(run, "dedup", "boilerplate"))
    assert tables[0] == tables[1] == tables[2]
    assert tables[0]


def test_a_secret_half_in_a_run_of_lines_is_replaced_whole():
    text = f"It does this.\n\n{NOTICE}\n".encode()
    begin = text.index(b"It may")
    spans = [{"start": begin - 30, "end": begin + 10, "kind": "secret.key"}]
    lines = [(begin, len(text))]
    chosen = filter._chosen(text, spans, [], lines, filter.FilterSettings())
    assert chosen == [(begin - 30, begin + 10, "secret.key")]
    inside = [{"start": begin + 3, "end": begin + 10, "kind": "secret.key"}]
    assert filter._chosen(text, inside, [], lines, filter.FilterSettings()) == [(begin, len(text), "boilerplate")]


def test_the_report_shows_the_lines_with_private_data_replaced(tmp_path):
    said = "Questions go to jane.roe@corp-mail.net.\nThis page is part of the manual."
    pages = [{**page(number), "text": page(number, notice=False)["text"] + f"\n\n{said}"} for number in range(60)]
    run, _ = dedup(tmp_path, pages)
    html = Path(write_report(run.url)).read_text(encoding="utf-8")
    assert "docs: 1 pairs of lines" in html
    assert "on 60 of 60 pages" in html
    assert "This page is part of the manual." in html
    assert "jane.roe" not in html


def test_the_report_shows_what_only_an_older_version_says(tmp_path):
    def lines(what: str, number: int) -> list[str]:
        return [f"Line {at} of the page says what {what}{at} does when host{at} is asked." for at in range(number)]

    old = "\n".join([*lines("unit", 20), *lines("old", 6)])
    new = "\n".join([*lines("unit", 20), *lines("new", 60)])
    rows = [
        document(number, text, url=f"https://docs.example/docs/{version}/a.html")
        for number, (version, text) in enumerate((("9.6", old), ("15", new)))
    ]
    run, commit = dedup(tmp_path, rows)
    assert commit.counts.dropped == {"older_version": 1}
    html = Path(write_report(run.url)).read_text(encoding="utf-8")
    shown = html.partition("only the older one says:</small><pre>")[2].partition("</pre>")[0]
    assert shown == "\n".join(lines("old", 6))
