"""dedup: compares documents with each other, exactly and by their shingles, and keeps the best of those that are alike.

Steps, with files between them that are dealt out to buckets, so that no worker holds more than a bucket:

0. against     if earlier runs are named: their documents join, but for pages that were fetched again
1. exact       documents with the same text
2. near        texts that may be alike: those that share a band of their signatures, or a page but for its version
3. contained   texts that may lie in larger ones: those whose sketch does
4. components  which texts hang together
5. survivors   which document stays, by true similarity and by merit
6. parts       the documents that stay
7. boilerplate the lines that stand at the edges of many pages of a source, for the filter to cut

A changed rule of the recipe's filter repeats the last three. Against earlier runs only what hangs together with a new
document is decided, and the last but one says what that changes of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from filters import verdict
from filters.lsh import choose_bands
from manifests.models import DedupSettings, Recipe
from pipelines import storage
from pipelines.dedup import against, boilerplate, components, contained, exact, near, survivors
from pipelines.dedup.parts import KEPT, LOST, SEEN, dedup_part
from pipelines.engine import Input, Job, Result, Stage, StageError, Work, parts_before
from pipelines.parts import Counts, Part, key_of
from pipelines.run import Run

_MOST_ROUNDS = 64  # of the search for components; it takes some six
_DOCUMENTS = 150_000  # whose rows a worker holds at once in the steps over buckets
_FEWEST = 2  # buckets, so that a small machine's workers share what is left to do at the end
_FEW = 20  # documents of a source; one of fewer may lose what it will


def _inputs(run: Run) -> list[Input]:
    return [*against.inputs_of(against.snapshots(run)), *parts_before(run, "dedup")]


def _settings(run: Run) -> Mapping[str, Any]:
    return {
        **_near_settings(run.recipe),
        **_choice_settings(run),
        "against": [each.key for each in against.snapshots(run)],
        "boilerplate": run.recipe.dedup.boilerplate,
    }


def _near_settings(recipe: Recipe) -> dict[str, Any]:
    """What decides which documents may be alike."""
    bands, rows = recipe.dedup.bands, recipe.dedup.rows
    if bands is None or rows is None:
        bands, rows = choose_bands(recipe.dedup.threshold, recipe.classify.permutations)
    others = {"contained": recipe.dedup.contained is not None, "versions": recipe.dedup.versions is not None}
    return {"bands": bands, "rows": rows, **others}


def _choice_settings(run: Run) -> dict[str, Any]:
    """What decides which of them stays."""
    return {
        "threshold": run.recipe.dedup.threshold,
        "contained": run.recipe.dedup.contained,
        "versions": run.recipe.dedup.versions,
        "width": run.recipe.classify.shingle_words,
        "authority": {source.id: source.authority for source in run.sources if source.authority},
        "filter": verdict.decides(run.recipe.filter),
    }


class _Steps:
    """Runs the steps of a stage: a job for each part of the input, or for each bucket."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.own = [each for each in work.inputs if each.own]
        self.earlier = len(work.inputs) - len(self.own)  # parts of snapshots; they come first
        rows = sum(each.rows or 0 for each in work.inputs)
        self.buckets = min(work.run.recipe.parts, max(_FEWEST, 1 + rows // _DOCUMENTS))  # no result depends on it
        self.contents = [each.content for each in work.inputs]
        self.common = {"buckets": self.buckets, "parts": len(work.inputs), "earlier": self.earlier}

    def of_parts(
        self, function: Callable[[Job], Part], step: str, settings: Any, spec: Mapping[str, Any], alone: bool = False
    ) -> list[str]:
        """URLs of what a step makes of each part. `alone`: it reads nothing of the other parts."""
        key = [settings, self.buckets, None if alone else self.contents]
        jobs = [
            self.work.job(
                function,
                step,
                each.name.split("/")[-1],
                [*key, index, each.content],
                {"input": each.url, "part": index, **self.common, **spec},
            )
            for index, each in enumerate(self.work.inputs)
        ]
        return self._urls(step, self.work.make(jobs, f"dedup: {step.strip('_')}"))

    def of_buckets(
        self, function: Callable[[Job], Part], step: str, settings: Any, spec: Mapping[str, Any]
    ) -> tuple[list[str], list[Part]]:
        """URLs of what a step makes of each bucket, and the parts themselves."""
        key = [settings, self.buckets, self.contents]
        jobs = [
            self.work.job(
                function, step, f"bucket-{bucket:05}", [*key, bucket], {"bucket": bucket, **self.common, **spec}
            )
            for bucket in range(self.buckets)
        ]
        parts = self.work.make(jobs, f"dedup: {step.strip('_')}")
        return self._urls(step, parts), parts

    def of_made(
        self,
        parts: Sequence[Part],
        function: Callable[[Job], Part],
        step: str,
        key: Sequence[Any],
        spec: Mapping[str, Any],
    ) -> list[str]:
        """URLs of what a step makes of each part that the stage has made."""
        inputs = self._urls("", parts)
        jobs = [
            self.work.job(function, step, part.name, [*key, at], {"input": url, "part": at, **self.common, **spec})
            for at, (part, url) in enumerate(zip(parts, inputs, strict=True))
        ]
        return self._urls(step, self.work.make(jobs, f"dedup: {step.strip('_')}"))

    def _urls(self, step: str, parts: Sequence[Part]) -> list[str]:
        """Where the parts of a step lie; of none, those of the stage."""
        place = storage.join(self.work.directory, step) if step else self.work.directory
        return [storage.join(place, f"{part.name}.parquet") for part in parts]


def _make(work: Work) -> Result:
    steps, settings = _Steps(work), _near_settings(work.run.recipe)
    replaced: list[str] = []
    if steps.earlier:
        ids = steps.of_parts(against.send_ids, "_ids", {}, {}, alone=True)
        replaced, _ = steps.of_buckets(against.find_replaced, "_replaced", {}, {"ids": ids})
    folds = steps.of_parts(exact.send_folds, "_folds", steps.earlier, {"replaced": replaced}, alone=not steps.earlier)
    twins, _ = steps.of_buckets(exact.find_twins, "_twins", {}, {"folds": folds})
    bands = steps.of_parts(near.send_bands, "_bands", settings, {"twins": twins, **settings})
    edges, parts = steps.of_buckets(near.join_bands, "_edges", settings, {"bands": bands})
    if work.run.recipe.dedup.contained is not None:
        sketches = steps.of_parts(contained.send_sketches, "_sketches", {}, {"twins": twins})
        holders, _ = steps.of_buckets(contained.find_holders, "_holders", {}, {"sketches": sketches})
        more, others = steps.of_buckets(contained.join_holders, "_held", {}, {"holders": holders})
        edges, parts = edges + more, parts + others
    if any(part.counts.rows for part in parts):
        edges = _find_components(steps, settings, edges)
    spec: dict[str, Any] = {"folds": folds, "edges": edges}
    touched: list[str] = []
    if steps.earlier:
        touched, _ = steps.of_buckets(components.find_touched, "_touched", settings, spec)
    members, _ = steps.of_buckets(components.tell_members, "_members", settings, {**spec, "touched": touched})
    return _choose(steps, settings, members, replaced)


def _find_components(steps: _Steps, settings: Any, edges: list[str]) -> list[str]:
    """Turns edges around until they are stars."""
    for number in range(1, _MOST_ROUNDS):
        changed = 0
        for name, turn in (("large", components.turn_large), ("small", components.turn_small)):
            step = f"_components/{number:02}-{name}"
            edges, parts = steps.of_buckets(turn, step, settings, {"edges": edges})
            changed += Counts.total([part.counts for part in parts]).extra["changed"]
        if not changed:
            return edges
    raise AssertionError(f"components are not found after {_MOST_ROUNDS} rounds")


def _choose(steps: _Steps, settings: Mapping[str, Any], members: list[str], replaced: list[str]) -> Result:
    work, choice = steps.work, _choice_settings(steps.work.run)
    width = choice["width"]
    shingles = steps.of_parts(
        survivors.send_shingles, "_shingles", [settings, width], {"members": members, "width": width}
    )
    merits = {"filter": work.run.recipe.filter.model_dump(), "authority": choice["authority"]}
    facts = steps.of_parts(
        survivors.send_facts, "_facts", [settings, choice["filter"], choice["authority"]],
        {"members": members, "replaced": replaced, **merits},
    )  # fmt: skip
    likeness = {name: choice[name] for name in ("threshold", "contained", "versions")}
    spec = {"shingles": shingles, "facts": facts, **settings, **likeness}
    choices, chosen = steps.of_buckets(survivors.choose_survivors, "_survivors", [settings, choice], spec)
    told = key_of([part.content for part in chosen])
    parts = _make_parts(steps, choices, told)
    counts = Counts.total([part.counts for part in parts])
    _check_losses(work.run.recipe.dedup, counts.extra)
    lines = _find_boilerplate(steps, parts, counts.extra)
    earlier = against.snapshots(work.run)
    extra: dict[str, Any] = {
        "clusters": Counts.total([part.counts for part in chosen]).extra,
        "against": [each.key for each in earlier],
    }
    if earlier:
        changed = _change_snapshots(steps, earlier, choices, replaced, told)
        extra |= Counts.total([part.counts for part in changed]).extra
        parts = [*parts, *changed]
    total = Counts.total([part.counts for part in parts])
    return Result(parts, replace(total, extra={}), extra, [lines])


def _make_parts(steps: _Steps, choices: list[str], told: str) -> list[Part]:
    """The documents of the run itself that stay."""
    jobs = [
        steps.work.job(
            dedup_part, "", each.name.split("/")[-1], [told, each.content],
            {"input": each.url, "name": each.name, "choices": choices, "part": steps.earlier + index},
        )
        for index, each in enumerate(steps.own)
    ]  # fmt: skip
    return steps.work.make(jobs, "dedup: parts")


def _change_snapshots(
    steps: _Steps, earlier: Sequence[against.Snapshot], choices: list[str], replaced: list[str], told: str
) -> list[Part]:
    """Of each snapshot a part of documents that come back, with rows of those that leave."""
    work, later = steps.work, against.later_files(earlier)
    numbers = iter(range(steps.earlier))
    jobs = []
    for at, snapshot in enumerate(earlier):
        inputs = [
            {
                "input": storage.join(snapshot.run.directory("classify"), f"{part.name}.parquet"),
                "kept": storage.join(snapshot.run.directory("dedup"), f"{part.name}.parquet"),
                "name": f"against/{at}-{part.name}",
                "part": next(numbers),
            }
            for part in snapshot.classified.parts
        ]
        spec = {"inputs": inputs, "choices": choices, "replaced": replaced, "later": later[at + 1 :]}
        ingredients = [told, steps.contents, [each.key for each in earlier]]
        jobs.append(work.job(against.snapshot_part, "", f"{against.RESTORED}-{at}", [*ingredients, at], spec))
    return work.make(jobs, "dedup: earlier runs")


def _find_boilerplate(steps: _Steps, parts: Sequence[Part], counted: Mapping[str, int]) -> Part:
    """The table of boilerplate, of sources with pages enough after dedup."""
    work, share = steps.work, steps.work.run.recipe.dedup.boilerplate
    pages = {
        name.removeprefix(KEPT): number
        for name, number in counted.items()
        if name.startswith(KEPT) and number >= boilerplate.FEWEST_PAGES and share is not None
    }
    key = [share, pages, [part.content for part in parts]]
    lines: list[str] = []
    if pages:
        spec = {"share": share, "pages": pages, "parts": len(parts)}
        pairs = steps.of_made(parts, boilerplate.send_pairs, "_pairs", key, spec)
        found, _ = steps.of_buckets(boilerplate.find_pairs, "_boilerplate", key, {**spec, "pairs": pairs})
        lines = steps.of_made(parts, boilerplate.tell_lines, "_lines", key, {**spec, "found": found})
    job = work.job(boilerplate.join_boilerplate, "", "boilerplate", key, {"lines": lines})
    return work.make([job], "dedup: boilerplate")[0]


def _check_losses(settings: DedupSettings, counted: Mapping[str, int]) -> None:
    """Refuses to empty a source without a word. Raises StageError."""
    for name, lost in counted.items():
        source = name.removeprefix(LOST)
        if not name.startswith(LOST) or source in settings.confirmed:
            continue
        seen = counted[SEEN + source]
        if seen >= _FEW and lost > settings.most_lost * seen:
            raise StageError(
                f"dedup: source {source} would lose {lost:,} of its {seen:,} documents to others that are like them, "
                f"more than dedup.most_lost ({settings.most_lost:.0%}); the drops lie beside the parts. If that is "
                f"right, add it to dedup.confirmed in the recipe"
            )


STAGE = Stage("dedup", 6, "document", _inputs, _settings, _make)
