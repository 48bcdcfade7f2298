"""report: one self-contained HTML page about a run, from what its stages committed.

Text is shown through the redactor only, and that of dropped documents is read where their input rows are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipelines import storage
from pipelines.engine import Commit, StageError, read_commit, read_run
from pipelines.extract.licences import class_of, needs_attribution
from pipelines.funnel import HEADER, Step, funnel
from pipelines.parts import read_table
from pipelines.run import STAGES, Run
from pipelines.web_page import escaped, html_table, sample, web_page, with_commas

_SAMPLES = 3
_SPENT = (
    "requests", "answered", "accepted", "prompt_tokens", "cached_tokens", "completion_tokens", "accepted_tokens",
)  # fmt: skip


def write_report(url: str) -> str:
    """Writes `report.html` into a run and returns where it is. Raises StageError where nothing is committed."""
    run = read_run(url)
    commits = [commit for stage in STAGES if (commit := read_commit(run.directory(stage)))]
    if not commits:
        raise StageError(f"{url}: no stage is committed, so there is nothing to report")
    target = storage.join(url, "report.html")
    storage.write_bytes(target, _page(run, commits).encode())
    return target


# ---------------------------------------------------------------- the page


def _page(run: Run, commits: Sequence[Commit]) -> str:
    by_stage = {commit.stage: commit for commit in commits}
    sections = [
        ("Funnel", _funnel_table(funnel(commits))),
        ("Tokens", _tokens(run, by_stage)),
        ("Sources", _sources(run, by_stage)),
        ("Licences", _licences(run, by_stage)),
        ("What was lost, by reason", _reasons(commits)),
        ("Earlier runs", _earlier(by_stage)),
        ("Teachers", _teachers(by_stage)),
        ("Boilerplate of sources", _boilerplate(run, by_stage)),
        ("Samples of what was kept", _kept_samples(run, by_stage)),
        ("Samples of what was lost", _lost_samples(run, commits)),
        ("Settings", _settings(run, commits)),
    ]
    name = run.recipe.name
    return web_page(f"{name}: run report", f"Run of recipe <code>{escaped(name)}</code>", sections)


def _funnel_table(steps: Sequence[Step]) -> str:
    rows = []
    for step in steps:
        note = f"<br><small>{escaped(step.note)}</small>" if step.note else ""
        numbers = map(with_commas, step.numbers)
        rows.append([f"{escaped(step.stage)}{note}", escaped(step.unit), *numbers, f"{step.seconds:.1f}"])
    return html_table([*HEADER, "seconds"], rows, numeric=range(2, 10)) + (
        "<p class=soft>Each input of a stage has one fate: it went on, was dropped with a reason, or is in quarantine. "
        "Tokens are counted with the run's tokenizer, an end token for each document included.</p>"
    )


def _tokens(run: Run, by_stage: Mapping[str, Commit]) -> str:
    if "tokenize" not in by_stage:
        return ""
    said, counts = by_stage["tokenize"].extra, by_stage["tokenize"].counts
    total, padding, cut = (counts.extra[name] for name in ("tokens", "padding", "documents_cut"))
    aside = {f"{name}, to validate on": number for name, number in said["validation"].items()}
    lists = _shares("list (category, tier, natural or synthetic)", {**said["lists"], **aside}, total)
    sources = _shares("source", said["tokens_by_source"], total)
    tokenizer = said["tokenizer"]
    return (
        f"<p>{total:,} tokens in {counts.rows:,} sequences of {run.recipe.tokenize.sequence_length:,}; "
        f"{padding:,} of padding ({padding / max(total + padding, 1):.2%}); {cut:,} documents cut "
        f"({cut / max(counts.consumed, 1):.1%}). Vocabulary {tokenizer['vocabulary']:,}, "
        f"tokenizer <code>{escaped(tokenizer['sha256'][:16])}</code>.</p>{lists}{sources}"
    )


def _shares(label: str, numbers: Mapping[str, int], total: int) -> str:
    rows = [
        [escaped(name), with_commas(number), f"{number / max(total, 1):.1%}", _bar(number / max(total, 1))]
        for name, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    ]
    return html_table([label, "tokens", "share", ""], rows, numeric=(1, 2))


def _bar(share: float) -> str:
    return f'<div class=share style="width:{100 * share:.2f}%"></div>'


def _sources(run: Run, by_stage: Mapping[str, Commit]) -> str:
    """Documents of each source after each stage that holds documents."""
    stages = [stage for stage in ("extract", "dedup", "filter") if stage in by_stage]
    counted = {stage: _count(run, by_stage[stage], "source") for stage in stages}
    rows = [
        [
            f"{escaped(source.name)}<br><small>{escaped(', '.join(source.hosts))}</small>",
            escaped(source.category),
            escaped(source.licence or "not known"),
            *(with_commas(counted[stage].get(source.id, 0)) for stage in stages),
        ]
        for source in run.sources
    ]
    head = ["source", "category", "licence", *(f"after {stage}" for stage in stages)]
    return html_table(head, rows, numeric=range(3, 3 + len(stages)))


def _licences(run: Run, by_stage: Mapping[str, Commit]) -> str:
    """Documents after the filter by licence, with what its class asks for."""
    if "filter" not in by_stage:
        return ""
    counted = _count(run, by_stage["filter"], "licence")
    rows = [
        [
            escaped(licence or "not known"),
            escaped(class_of(licence).replace("_", " ")),
            "yes" if needs_attribution(licence) else "no",
            with_commas(number),
        ]
        for licence, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
    return html_table(["licence", "class", "attribution", "documents"], rows, numeric=(3,))


def _count(run: Run, commit: Commit, column: str) -> dict[str, int]:
    """Documents of a stage by a column of text."""
    counts: dict[str, int] = {}
    for part in commit.parts:
        table = read_table(storage.join(run.directory(commit.stage), f"{part.name}.parquet"), [column])
        for pair in table[column].value_counts().to_pylist():
            name = pair["values"] or ""
            counts[name] = counts.get(name, 0) + pair["counts"]
    return counts


def _reasons(commits: Sequence[Commit]) -> str:
    rows = [
        [
            escaped(commit.stage),
            fate,
            escaped(reason),
            with_commas(number),
            f"{number / max(commit.counts.seen, 1):.2%}",
        ]
        for commit in commits
        for fate, reasons in (("dropped", commit.counts.dropped), ("quarantined", commit.counts.quarantined))
        for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    return html_table(["stage", "fate", "reason", "number", "of the stage's input"], rows, numeric=(3, 4))


def _earlier(by_stage: Mapping[str, Commit]) -> str:
    said = by_stage["dedup"].extra if "dedup" in by_stage else {}
    if not said.get("against"):
        return ""
    return (
        f"<p>Compared with {len(said['against'])} earlier runs: {said['superseded']:,} of their documents leave for "
        f"new ones (<code>dedup/superseded</code> says which), and {said['restored']:,} that they had given up for one "
        "of these come with this run.</p>"
    )


def _teachers(by_stage: Mapping[str, Commit]) -> str:
    """What each kind of text cost by each teacher, and what came of it."""
    ledger = by_stage["synth"].extra.get("ledger") if "synth" in by_stage else None
    if not ledger:
        return "<p class=soft>No teacher was asked.</p>"
    rows = [
        [
            escaped(row["kind"]),
            f"{escaped(row['teacher'])}<br><small>{escaped(row['model'])}</small>",
            *(with_commas(row[name]) for name in _SPENT),
            "" if row["money"] is None else f"{row['money']:,.4f}",
            "" if row["per_thousand"] is None else f"{row['per_thousand']:,.5f}",
        ]
        for row in ledger
    ]
    head = ["kind", "teacher", *(name.replace("_", " ") for name in _SPENT), "cost", "per 1,000 accepted tokens"]
    return html_table(head, rows, numeric=range(2, len(head))) + (
        "<p class=soft>Tokens as the teacher counts them; cost by the recipe's prices, answers of earlier runs "
        "included. A request is accepted if the text that it is part of is in the corpus.</p>"
    )


def _boilerplate(run: Run, by_stage: Mapping[str, Commit]) -> str:
    """The lines at the edges of many pages of a source, which the filter cuts; of each source those on most pages."""
    if "dedup" not in by_stage:
        return ""
    found: dict[str, list[dict[str, Any]]] = {}
    for artefact in by_stage["dedup"].artefacts:
        for row in read_table(storage.join(run.directory("dedup"), f"{artefact.name}.parquet")).to_pylist():
            found.setdefault(row["source"], []).append(row)
    if not found:
        return "<p class=soft>No source has lines that stand at the edges of enough of its pages.</p>"
    shown = []
    for source, rows in found.items():
        items = "".join(
            sample(f"on {row['pages']:,} of {row['of']:,} pages", "", row["lines"]) for row in rows[:_SAMPLES]
        )
        shown.append(f"<details><summary>{escaped(source)}: {len(rows):,} pairs of lines</summary>{items}</details>")
    return "".join(shown)


def _kept_samples(run: Run, by_stage: Mapping[str, Commit]) -> str:
    """The first documents of some parts, by doc_id: a fixed and unbiased choice, for doc_id is a hash."""
    if "filter" not in by_stage:
        return ""
    shown = []
    for part in by_stage["filter"].parts[:_SAMPLES]:
        url = storage.join(run.directory("filter"), f"{part.name}.parquet")
        for row in read_table(url, ["url", "title", "language", "text"]).slice(0, 2).to_pylist():
            shown.append(sample(row["title"] or row["url"], f"{row['url']} ({row['language']})", row["text"]))
    return "".join(shown)


def _lost_samples(run: Run, commits: Sequence[Commit]) -> str:
    """Some drops and quarantine rows for each stage and reason."""
    shown = []
    for commit in commits:
        for reason, rows in sorted(_by_reason(run, commit).items()):
            items = "".join(_lost_sample(run, row) for row in rows)
            shown.append(f"<details><summary>{escaped(commit.stage)}: {escaped(reason)}</summary>{items}</details>")
    return "".join(shown)


def _by_reason(run: Run, commit: Commit) -> dict[str, list[dict[str, Any]]]:
    directory = run.directory(commit.stage)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in storage.list_files(directory):
        if any(folder in ("dropped", "quarantine") for folder in name.split("/")[:-1]) and name.endswith(".parquet"):
            for row in read_table(storage.join(directory, name)).to_pylist():
                rows = found.setdefault(row["reason"], [])
                if len(rows) < _SAMPLES:
                    rows.append(row)
    return found


def _lost_sample(run: Run, row: Mapping[str, Any]) -> str:
    """A document that was lost: how its text begins; of an older version of a page, what the newer one does not say."""
    said = row.get("detail") or "; ".join(
        f"{each['reason']} {each['value']}".strip() for each in row.get("failed") or []
    )
    text = _input_text(run, row)
    if row["reason"] == "older_version" and (newer := _survivor_text(run, row["failed"][0]["value"])):
        there = {line.strip() for line in newer.splitlines()}
        text = "\n".join(line for line in text.splitlines() if line.strip() not in there)
        said = f"{said}; only the older one says:"
    return sample(row["url"] or f"{row['input']} at {row['row']}", said, text)


def _survivor_text(run: Run, doc_id: str) -> str:
    """The text of a document that dedup kept; none of one that an earlier run has."""
    commit = read_commit(run.directory("dedup"))
    for part in commit.parts if commit else ():
        url = storage.join(run.directory("dedup"), f"{part.name}.parquet")
        if (at := read_table(url, ["doc_id"])["doc_id"].index(doc_id).as_py()) >= 0:
            return str(read_table(url, ["text"])["text"][at].as_py())
    return ""


def _input_text(run: Run, row: Mapping[str, Any]) -> str:
    """The text of a dropped document, from the part that its stage read; none for what never was a document."""
    stage, _, part = (row["input"] or "").partition("/")
    if row["stage"] not in ("dedup", "filter") or stage not in STAGES:
        return ""
    texts = read_table(storage.join(run.directory(stage), f"{part}.parquet"), ["text"])["text"]
    return str(texts[row["row"]].as_py())


def _settings(run: Run, commits: Sequence[Commit]) -> str:
    recipe = yaml.safe_dump(run.recipe.model_dump(), sort_keys=False, allow_unicode=True)
    made = [
        [
            escaped(c.stage),
            str(c.version),
            f"<code>{escaped(c.key)}</code>",
            f"{c.cpu_seconds:.1f}",
            f"{c.peak_memory / 2**20:,.0f}",
        ]
        for c in commits
    ]
    software = ", ".join(f"{name} {version}" for name, version in sorted(commits[-1].software.items()))
    return (
        html_table(["stage", "version", "key", "CPU seconds", "peak MiB of a worker"], made, numeric=(3, 4))
        + f"<p class=soft>{escaped(software)}</p>"
        + f"<details><summary>The recipe, with every default</summary><pre>{escaped(recipe)}</pre></details>"
    )
