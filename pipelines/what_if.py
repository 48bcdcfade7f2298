"""What another recipe's filter would keep and drop: judged anew over the columns of a run, without making anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from filters.verdict import columns_of, judge
from manifests.models import FilterSettings
from pipelines import classify, storage
from pipelines.engine import Commit, StageError, read_commit
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.web_page import escaped, html_table, sample, web_page, with_commas

_SHOWN = 10
_IDENTITY = ("doc_id", "url", "title", "category", "words")
_TODAY, _THEN = "today", "then"


@dataclass(frozen=True)
class Change:
    """A document whose fate would change: why it leaves (today, or then), and where its text is."""

    doc_id: str
    url: str
    title: str
    why: str
    part: str
    row: int


@dataclass
class WhatIf:
    """The fates of the documents before the filter, as they are and as they would be.

    reasons, categories, words: numbers by name for each of "today" and "then"; of `reasons` those that leave (by
    their first reason), of the others those that stay. `kept` and `dropped` are the first changes by doc_id.
    """

    documents: int = 0
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: {_TODAY: Counter(), _THEN: Counter()})
    categories: dict[str, Counter[str]] = field(default_factory=lambda: {_TODAY: Counter(), _THEN: Counter()})
    words: Counter[str] = field(default_factory=Counter)
    newly_kept: int = 0
    newly_dropped: int = 0
    kept: list[Change] = field(default_factory=list)
    dropped: list[Change] = field(default_factory=list)

    def stay(self, when: str) -> int:
        """How many documents stay."""
        return sum(self.categories[when].values())


def what_if(run: Run, settings: FilterSettings) -> WhatIf:
    """Compares what `filter` committed in a run with what other settings would decide. Raises StageError.

    The survivors of dedup are those that the run has; a new recipe may choose others among copies.
    """
    before, after = _commits(run)
    found = WhatIf()
    for part in before.parts:
        name = f"{part.name}.parquet"
        columns = list(dict.fromkeys((*_IDENTITY, *columns_of(settings))))
        table = read_table(storage.join(run.directory("dedup"), name), columns)
        gone = _gone(run, part.name)
        broken = _broken(run, after, part.name)
        _compare(found, table, judge(table, settings), gone, broken, part.name)
        found.kept = sorted(found.kept, key=lambda change: change.doc_id)[:_SHOWN]
        found.dropped = sorted(found.dropped, key=lambda change: change.doc_id)[:_SHOWN]
    return found


def _commits(run: Run) -> tuple[Commit, Commit]:
    """The commits of dedup and of filter, the one made from the other."""
    before, after = read_commit(run.directory("dedup")), read_commit(run.directory("filter"))
    if before is None or after is None:
        missing = "dedup" if before is None else "filter"
        raise StageError(f"filter: {missing} is not committed in {run.url}; make the run first, then ask what if")
    scored = read_commit(run.directory("classify"))
    if scored is None or scored.version != classify.STAGE.version:
        raise StageError(f"filter: {run.url} has the scores of another version; make the run again, then ask what if")
    made = [[f"dedup/{part.name}", part.content] for part in before.parts]
    if sorted(made) != sorted([each["name"], each["content"]] for each in after.inputs):
        raise StageError(f"filter: {run.url} was made anew since its filter ran; run filter first, then ask what if")
    return before, after


def _gone(run: Run, part: str) -> dict[str, str]:
    """Why each document left that the filter dropped, by doc_id."""
    url = storage.join(run.directory("filter"), "dropped", f"{part}.parquet")
    if not storage.exists(url):
        return {}
    return {row["doc_id"]: _told(row["failed"]) for row in read_table(url, ["doc_id", "failed"]).to_pylist()}


def _broken(run: Run, commit: Commit, part: str) -> set[str]:
    """The documents in the filter's quarantine: they have no verdict, today or then."""
    url = storage.join(run.directory("filter"), "quarantine", f"{part}.parquet")
    there = commit.counts.quarantined and storage.exists(url)
    return set(read_table(url, ["doc_id"])["doc_id"].to_pylist()) if there else set()


def _told(failed: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{each['reason']} {each['value']}".strip() for each in failed)


def _compare(
    found: WhatIf,
    table: pa.Table,
    verdicts: Sequence[Sequence[tuple[str, str]]],
    gone: Mapping[str, str],
    broken: set[str],
    part: str,
) -> None:
    for index, (row, verdict) in enumerate(zip(table.select(_IDENTITY).to_pylist(), verdicts, strict=True)):
        if row["doc_id"] in broken:
            continue
        found.documents += 1
        today = gone.get(row["doc_id"], "")
        then = _told([{"reason": reason, "value": value} for reason, value in verdict])
        for when, why in ((_TODAY, today), (_THEN, then)):
            if why:
                found.reasons[when][why.split()[0]] += 1
            else:
                found.categories[when][row["category"]] += 1
                found.words[when] += row["words"]
        if bool(today) != bool(then):
            change = Change(row["doc_id"], row["url"], row["title"] or "", today or then, part, index)
            found.newly_kept += bool(today)
            found.newly_dropped += bool(then)
            (found.kept if today else found.dropped).append(change)


# ---------------------------------------------------------------- for a person


def render(found: WhatIf) -> str:
    """The comparison as text: numbers by reason and category, and the first documents that would change sides."""
    lines = [
        f"{found.documents:,} documents before the filter: {found.stay(_TODAY):,} stay today, "
        f"{found.stay(_THEN):,} would ({found.words[_TODAY]:,} words today, {found.words[_THEN]:,} then)",
        "",
        *_columns("dropped for", found.reasons),
        "",
        *_columns("kept of", found.categories),
    ]
    for title, number, changes in (
        ("would be kept", found.newly_kept, found.kept),
        ("would be dropped", found.newly_dropped, found.dropped),
    ):
        lines += ["", f"{title}: {number:,}" + (f", the first {len(changes)}" if len(changes) < number else "")]
        lines += [f"  {change.url or change.doc_id}  ({change.why})" for change in changes]
    return "\n".join(lines)


def _columns(title: str, numbers: Mapping[str, Counter[str]]) -> Iterator[str]:
    names = sorted(set(numbers[_TODAY]) | set(numbers[_THEN]))
    width = max(len(title), *(len(name) for name in names)) if names else len(title)
    yield f"{title:<{width}}  {_TODAY:>9}  {_THEN:>9}"
    for name in names:
        yield f"{name:<{width}}  {numbers[_TODAY][name]:>9,}  {numbers[_THEN][name]:>9,}"


def write_page(run: Run, found: WhatIf) -> str:
    """Writes `what-if.html` into the run, with the beginnings of the texts that would change sides; returns where."""
    sections = [
        ("Documents", f"<p>{escaped(render(found).splitlines()[0])}</p>"),
        ("Dropped, by reason", _html(("reason", found.reasons))),
        ("Kept, by category", _html(("category", found.categories))),
        (f"Would be kept ({found.newly_kept:,})", _samples(run, found.kept)),
        (f"Would be dropped ({found.newly_dropped:,})", _samples(run, found.dropped)),
    ]
    target = storage.join(run.url, "what-if.html")
    name = run.recipe.name
    page = web_page(f"{name}: what if", f"What another filter would do to <code>{escaped(name)}</code>", sections)
    storage.write_bytes(target, page.encode())
    return target


def _html(table: tuple[str, Mapping[str, Counter[str]]]) -> str:
    title, numbers = table
    names = sorted(set(numbers[_TODAY]) | set(numbers[_THEN]))
    rows = [[escaped(name), *(with_commas(numbers[when][name]) for when in (_TODAY, _THEN))] for name in names]
    return html_table([title, _TODAY, _THEN], rows, numeric=(1, 2))


def _samples(run: Run, changes: Sequence[Change]) -> str:
    shown = []
    for change in changes:
        url = storage.join(run.directory("dedup"), f"{change.part}.parquet")
        text = str(read_table(url, ["text"])["text"][change.row].as_py())
        shown.append(sample(change.title or change.url, f"{change.url}: {change.why}", text))
    return "".join(shown)
