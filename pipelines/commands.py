"""What the commands do: load a recipe, make stages, and say what came of it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from manifests.load import UNCATEGORISED, LoadedRecipe, load_recipe
from manifests.models import (
    DedupSettings,
    ExtractSettings,
    FilterSettings,
    LicencePolicy,
    Recipe,
    Source,
    TrainTokenizer,
)
from pipelines import classify, crawl, filter, storage
from pipelines.dedup import stage as dedup
from pipelines.dedup.against import snapshots
from pipelines.engine import Commit, Stage, StageError, Work, is_current, run_stage
from pipelines.export import stage as export
from pipelines.extract import stage as extract
from pipelines.funnel import funnel, render
from pipelines.lease import held
from pipelines.pool import Pool
from pipelines.run import ALONE, STAGES, Run
from pipelines.schema import SCORES
from pipelines.synth import plan_text
from pipelines.synth import stage as synth
from pipelines.takedowns import check_ended
from pipelines.tokenize import stage as tokenize
from pipelines.tokenize.fill import sentinels
from pipelines.tokenizer import TextTokenizer, TokenizerError

_STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE for module in (crawl, extract, classify, dedup, filter, synth, tokenize, export)
}


# ---------------------------------------------------------------- commands


def run_all(recipe_path: str, url: str, workers: int | None, against: Sequence[str] = (), again: bool = False) -> int:
    """Every stage of a run that is not committed, and the report; `again`: its sites are visited again first."""
    from pipelines.report import write_report

    loaded = _checked(recipe_path, url)
    with held(url):
        with Pool(workers) as pool:
            run = _open_run(loaded, url, pool, against, again)
            commits, made = _make_stages(run, STAGES, pool)
        print(render(funnel(commits)))
        report = storage.join(url, "report.html")
        if made or not storage.exists(report):
            write_report(url)
        else:
            print("everything is committed: nothing to do")
    print(f"shards: {storage.join(run.directory('export'), 'shards')}")
    print(f"report: {report}")
    return 0


def run_one(
    stage: str,
    recipe_path: str,
    url: str,
    workers: int | None,
    against: Sequence[str] = (),
    again: bool = False,
) -> int:
    """One stage of a run; those before it must be committed, and still be what the recipe says."""
    loaded = _checked(recipe_path, url)
    with held(url), Pool(workers) as pool:
        run = _open_run(loaded, url, pool, against, again)
        _check_made(run, stage, pool)
        commits, _ = _make_stages(run, (stage,), pool)
    print(render(funnel(commits)))
    return 0


def plan_synth(recipe_path: str, url: str, workers: int | None) -> int:
    """What the teachers of a recipe would be asked, and what it would cost; makes the plan, and asks nothing."""
    loaded = _checked(recipe_path, url)
    with held(url), Pool(workers) as pool:
        run = _open_run(loaded, url, pool, (), False)
        _check_made(run, "synth", pool)
        print(plan_text.answer(Work(run, synth.STAGE, pool)))
    return 0


def run_alone(stage: str, inputs: Sequence[str], output: str, recipe_path: str | None, workers: int | None) -> int:
    """A stage as a tool, on plain files: a run of its own, of which `output` holds the last stage."""
    loaded = load_recipe(recipe_path) if recipe_path else None
    recipe, source, base = _recipe_alone(stage, inputs, loaded)
    if stage == "crawl" and not recipe.crawl.contact:
        raise StageError(
            "crawl: give --recipe with a recipe that sets crawl.contact; a site is asked only by a known face"
        )
    run = Run(
        url=storage.join(output, "_work"),
        recipe=recipe,
        sources=(source,),
        base=base,
        chain=ALONE[stage],
        plain_inputs=() if stage == "crawl" else tuple(inputs),
        directories={stage: output},
    )
    storage.check_writable(output)
    _check_settings(run)
    with held(run.url), Pool(workers) as pool:
        commits, _ = _make_stages(run, run.chain, pool)
    print(render(funnel(commits)))
    return 0


def ask_what_if(recipe_path: str, url: str) -> int:
    """What the filter of a recipe would keep and drop of a run that is made; makes nothing but a page about it."""
    from pipelines.engine import read_run
    from pipelines.what_if import render, what_if, write_page

    settings = load_recipe(recipe_path).recipe.filter
    _check_rules(settings)
    run = read_run(url)
    found = what_if(run, settings)
    print(render(found))
    print(f"\npage: {write_page(run, found)}")
    return 0


def label(options: argparse.Namespace) -> int:
    """A teacher's labels of a sample of what classify made; prints how many of which category."""
    from pipelines.synth.label import Sample, label

    loaded = _checked(options.recipe, options.run)
    sample = Sample(options.teacher, options.documents, options.output)
    with held(options.run), Pool() as pool:
        print(label(_run_of(loaded, options.run, ()), sample, pool))
    return 0


def train_classifier(options: argparse.Namespace) -> int:
    """A model of labelled documents, written with its card; prints how well it does on held-out sources."""
    from pipelines.classifier_tasks import read_documents, training_of
    from pipelines.train_classifier import summary, train, write

    documents = read_documents([*options.labelled, *options.run], options.most)
    cues = Path(options.cues) if options.cues else None
    training = training_of(options.task, documents, options.other, cues)
    training = replace(training, with_places=options.with_places)
    trained = train(training)
    write(trained, training, Path(options.output), options.task)
    print(summary(trained))
    print(f"model: {options.output}")
    return 0


def train_tokenizer(options: argparse.Namespace) -> int:
    """A tokenizer of documents; prints how many bytes its tokens hold, beside those of others."""
    from pipelines.train_tokenizer import Asked, run_command

    asked = Asked(options.vocabulary, options.sample_bytes, options.special_token or ["<|endoftext|>"])
    print(run_command(options.run, options.input, asked, options.output, options.against))
    return 0


# ---------------------------------------------------------------- helpers


def _make_stages(run: Run, names: Sequence[str], pool: Pool) -> tuple[list[Commit], bool]:
    """Makes stages in order; returns their commits, and whether any was made now."""
    commits, any_made = [], False
    for name in names:
        commit, made = run_stage(run, _STAGES[name], pool)
        run = replace(run, again=False)  # once is enough
        commits.append(commit)
        any_made |= made
        print(_line(commit, made), file=sys.stderr)
    return commits, any_made


def _check_made(run: Run, stage: str, pool: Pool) -> None:
    """Raises StageError where a stage before is not committed as the recipe has it."""
    for before in STAGES[: STAGES.index(stage)]:
        if before in _needed(run, stage) and is_current(Work(run, _STAGES[before], pool)) is None:
            raise StageError(f"{stage}: {before} is not committed for this recipe; run `syscorpus {before}` first")


def _line(commit: Commit, made: bool) -> str:
    lost = sum(commit.counts.dropped.values()) + sum(commit.counts.quarantined.values())
    took = f"in {commit.seconds:.1f} s" if made else "committed before"
    counts = commit.counts
    return f"{commit.stage:<9} {counts.seen:,} {commit.unit}s, {lost:,} left out, {counts.rows:,} rows, {took}"


def _needed(run: Run, stage: str) -> set[str]:
    """The stages whose output a stage reads, directly or through others."""
    needed: set[str] = set()
    waiting = [stage]
    while waiting:
        name = waiting.pop()
        before = run.before(name) if name != run.chain[0] else ()
        waiting += before
        needed.update(before)
    return needed


def _checked(recipe_path: str, url: str) -> LoadedRecipe:
    """The recipe of a run whose place can be written, and which no takedown has half cleaned."""
    loaded = load_recipe(recipe_path)
    storage.check_writable(url)
    check_ended(url)
    return loaded


def _open_run(loaded: LoadedRecipe, url: str, pool: Pool, against: Sequence[str], again: bool) -> Run:
    """The run of a recipe, checked before anything is fetched; what it is made of is kept in `run.json`.

    Where the packages of its farm cannot be had, and no crawl of them is committed, its fallback takes its place.
    """
    run = replace(_run_of(loaded, url, against), again=again)
    snapshots(run)  # they must be there before anything is fetched
    if is_current(Work(run, crawl.STAGE, pool)) is None:
        try:
            crawl.bring_documents(run)
        except crawl.FarmUnavailable as error:
            if loaded.recipe.fallback is None:
                raise
            fallback = load_recipe(loaded.beside(loaded.recipe.fallback))
            print(f"{error}; using {loaded.recipe.fallback} instead", file=sys.stderr)
            run = replace(_run_of(fallback, url, against), again=again)
    if storage.is_remote(run.directory("export")):
        storage.check_writable(run.directory("export"))
    _check_settings(run)
    told = {"recipe": run.recipe.model_dump(), "sources": [source.model_dump() for source in run.sources]}
    storage.write_bytes(storage.join(url, "run.json"), json.dumps(told, indent=1, sort_keys=True).encode())
    return run


def _run_of(loaded: LoadedRecipe, url: str, against: Sequence[str]) -> Run:
    """The run of a recipe, compared with other earlier runs than it names where some are given."""
    recipe = loaded.recipe
    if recipe.synth.store and not storage.is_remote(recipe.synth.store):  # the run will be read without its recipe
        place = str((loaded.path.parent / recipe.synth.store).resolve())
        recipe = recipe.model_copy(update={"synth": recipe.synth.model_copy(update={"store": place})})
    if against:
        named = [each if storage.is_remote(each) else str(Path(each).resolve()) for each in against]
        recipe = recipe.model_copy(update={"dedup": recipe.dedup.model_copy(update={"against": named})})
    return Run(url, recipe, loaded.sources, loaded.path.parent)


def _check_settings(run: Run) -> None:
    """What the models alone cannot know: that the files which they name are sound."""
    recipe = run.recipe
    _check_rules(recipe.filter)
    classify.tools_of(classify.spec_of(run))  # its evaluation sets are read
    if recipe.tokenize.tokenizer:
        try:
            tokenizer = TextTokenizer(tokenize.named_definition(run), recipe.tokenize.end_of_document)
            if recipe.tokenize.fill_in_the_middle:
                sentinels(recipe.tokenize.fill_in_the_middle, tokenizer)
        except TokenizerError as error:
            raise StageError(f"{run.base / recipe.tokenize.tokenizer}: {error}") from None


def _check_rules(settings: FilterSettings) -> None:
    """The columns of a recipe's own rules are numbers that `classify` computes."""
    numbers = [field.name for field in SCORES if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]
    for rule in settings.rules:
        for column in (rule.column, *(bound.column for bound in rule.when)):
            if column not in numbers:
                raise StageError(
                    f"filter.rules: {rule.name}: there is no column {column!r}; there are {', '.join(numbers)}"
                )


def _recipe_alone(stage: str, inputs: Sequence[str], loaded: LoadedRecipe | None) -> tuple[Recipe, Source, Path]:
    """The generated one-source recipe; a recipe that is given lends its settings, and its first source its manifest."""
    source = Source(
        id="input",
        name="plain input",
        category=UNCATEGORISED,
        status="on",
        seeds=list(inputs) if stage == "crawl" else ["http://input.localhost/"],
        scope=[_scope_of(each) for each in inputs] if stage == "crawl" else ["^$"],
        licence=None,
        licence_evidence="not stated: plain input",
    )
    if loaded:
        return loaded.recipe, source, loaded.path.parent
    # Whoever hands in files says with it that they may be used; what their pages forbid is obeyed all the same.
    policy = LicencePolicy(train=[*LicencePolicy().train, "unknown"])
    extract, dedup = ExtractSettings(licences=policy), DedupSettings(confirmed=[source.id])
    recipe = Recipe(name="alone", manifests=["none"], extract=extract, dedup=dedup)
    if stage == "tokenize":
        recipe = recipe.model_copy(update={"tokenize": recipe.tokenize.model_copy(update={"train": TrainTokenizer()})})
    return recipe, source, Path.cwd()


def _scope_of(url: str) -> str:
    """A site's pages below the directory of the URL that is given."""
    return "^" + re.escape(url.rpartition("/")[0] + "/")
