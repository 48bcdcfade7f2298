"""The command line: `syscorpus run`, each stage by its name, `report`, `sources`, `schedule`, `trace` and `mix`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from pipelines.run import STAGES

_STAGE_HELP = {
    "crawl": "fetch sites into WARC files",
    "extract": "records to Markdown documents",
    "classify": "language, scores, spans and signature of each document",
    "dedup": "one document of each cluster of copies",
    "filter": "thresholds and edits",
    "synth": "rewrites by a teacher, if the recipe names one",
    "tokenize": "packed sequences in Parquet shards",
    "export": "shards and lineage to a directory or bucket",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 only if everything asked for is committed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _dispatch(options, parser)
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it is, a user gets one clear line
        if os.environ.get("SYSCORPUS_DEBUG"):
            traceback.print_exc()
        for line in _explain(error):
            print(f"error: {line}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="syscorpus", description="From sites to tokenized shards of system text.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="make every stage of a run that is not committed")
    _add_run_options(run, required=True)
    _add_again(run)
    _add_against(run)
    for name in STAGES:
        stage = commands.add_parser(name, help=_STAGE_HELP[name], description=_STAGE_HELP[name])
        _add_run_options(stage, required=False)
        if STAGES.index(name) >= STAGES.index("dedup"):
            _add_against(stage)
        stage.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="FILES",
            help="plain files, or a site's URL for crawl",
        )
        stage.add_argument(
            "--output", metavar="DIR", help="where the output of --input goes: a directory or bucket URL"
        )
        if name == "crawl":
            _add_again(stage)
            stage.add_argument(
                "--status", action="store_true", help="fetch nothing: say where the crawl of each source stands"
            )
        if name == "synth":
            stage.add_argument(
                "--plan", action="store_true", help="ask nothing: say which requests there are, and what they will cost"
            )
        if name == "filter":
            stage.add_argument(
                "--what-if",
                action="store_true",
                help="make nothing: say what the recipe's filter would keep and drop of a run that is made",
            )
    _add_label(commands)
    _add_train_classifier(commands)
    _add_train_tokenizer(commands)
    _add_sources(commands)
    _add_schedule(commands)
    _add_trace(commands)
    _add_mix(commands)
    _add_takedown(commands)
    report = commands.add_parser("report", help="one HTML page about a run")
    report.add_argument("--run", required=True, metavar="DIR", help="the run's directory or bucket URL")
    return parser


def _add_sources(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sources = commands.add_parser(
        "sources",
        help="the sources that there are; `sources check` says what becomes of a URL or an id",
        description="Lists sources: by whom they are read, status, licence, expected pages. Nothing is fetched.",
    )
    _add_places(sources, None)
    sources.add_argument("--category", metavar="NAME", help="those of one category")
    sources.add_argument("--licence", metavar="NAME", help="those under a licence (SPDX), or of a class of licences")
    sources.add_argument("--kind", choices=("site", "bulk"), help="those that are crawled, or read in bulk")
    sources.add_argument("--on", action="store_true", help="those that are used")
    check = sources.add_subparsers(dest="question", metavar="check").add_parser(
        "check",
        help="what would be fetched of a URL or a source, how, under which licence, and why not",
        description="Says in words what would become of a URL or a source. Nothing is fetched.",
    )
    check.add_argument("target", metavar="URL-or-id")
    _add_places(check, argparse.SUPPRESS)  # or it would undo what stands before `check`


def _add_schedule(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser(
        "schedule",
        help="the refresh of a run on a cluster, night by night: its YAML, printed or submitted",
        description="Prints what KubeRay is told, so that the sites of a run are visited again on a schedule.",
    )
    plan.add_argument("--recipe", required=True, metavar="FILE", help="the recipe, in the project's directory")
    plan.add_argument("--run", required=True, metavar="URL", help="the run's bucket URL")
    plan.add_argument("--image", metavar="IMAGE", help="the image of the nodes (default: syscorpus and the version)")
    when = plan.add_mutually_exclusive_group()
    when.add_argument("--cron", metavar="WHEN", help="a cron expression, in UTC (default: every night at two)")
    when.add_argument("--once", action="store_true", help="now, and once")
    plan.add_argument("--workers", type=_positive, metavar="N", help="pods of four cores and 16 GiB (default: 2)")
    plan.add_argument("--submit", action="store_true", help="hand it to kubectl")


def _add_trace(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    trace = commands.add_parser(
        "trace",
        help="from a token of a shard back to its document, record, URL and licence",
        description="Says which documents a row of a shard holds, where they came from, and what decided on them.",
    )
    trace.add_argument("place", metavar="SHARD:ROW[:TOKEN]", help="a shard's path or URL, a row, and a token of it")
    trace.add_argument("--run", metavar="DIR", help="the run of the export, unless the export lies in it")
    trace.add_argument("--text", action="store_true", help="with the text of each segment, as the run's filter left it")
    trace.add_argument("--json", action="store_true", help="as JSON, and with every rule of the filter")


def _add_takedown(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    takedown = commands.add_parser(
        "takedown",
        help="take documents out of a run, its exports and their copies, for good",
        description="Shows what would go, and what stays of the same text; --yes does it, proves it and records it.",
    )
    takedown.add_argument("--run", required=True, metavar="DIR", help="the run's directory or bucket URL")
    for name, what in (
        ("url", "a page"),
        ("domain", "all pages of a host and of the hosts below it"),
        ("doc-id", "a document"),
        ("licence", "all documents under a licence, as the run names it"),
    ):
        takedown.add_argument(f"--{name}", action="append", default=[], metavar=name.upper(), help=what)
    takedown.add_argument("--bucket", action="append", default=[], metavar="PLACE", help="a copy of the export")
    takedown.add_argument("--copies-too", action="store_true", help="also what has the same text under other URLs")
    takedown.add_argument("--who", required=True, metavar="NAME", help="on whose word; it stands in the record")
    takedown.add_argument("--why", required=True, metavar="TEXT", help="why; it stands in the record")
    do_it = takedown.add_mutually_exclusive_group()
    do_it.add_argument("--plan", action="store_true", help="only show the plan (as without --yes)")
    do_it.add_argument("--yes", action="store_true", help="do it")


def _add_places(parser: argparse.ArgumentParser, default: str | None) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--manifests", default=default, metavar="PATH", help="a file or directory of sources (default: the project's)"
    )
    place.add_argument("--recipe", default=default, metavar="FILE", help="the sources and settings of a recipe")


def _add_mix(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mix = commands.add_parser(
        "mix",
        help="what each stage of a training reads of which list, and what other budgets would buy",
        description="Says what a mixture reads of the lists of a run that tokenize has made. Nothing is written.",
    )
    mix.add_argument("--plan", action="store_true", required=True, help="say it; no shard changes with a mixture")
    mix.add_argument("--recipe", required=True, metavar="FILE", help="the recipe, which may name a mixture")
    mix.add_argument("--run", required=True, metavar="DIR", help="the run's directory or bucket URL")
    mix.add_argument("--mixture", metavar="FILE", help="another mixture than the recipe's")
    mix.add_argument("--budget", type=_tokens, metavar="N", help="tokens of all stages together, as 1e9")


def _add_label(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    label = commands.add_parser(
        "label",
        help="category, relevance and quality of a sample of documents, by a teacher",
        description="Has a teacher of the recipe label a sample of what classify made, for train-classifier.",
    )
    label.add_argument("--recipe", required=True, metavar="FILE", help="the recipe")
    label.add_argument("--run", required=True, metavar="DIR", help="the run's directory or bucket URL")
    label.add_argument("--teacher", required=True, metavar="NAME", help="one of synth.teachers")
    label.add_argument("--documents", type=_positive, default=1000, metavar="N", help="(default: 1000)")
    label.add_argument("--output", required=True, metavar="FILE", help="the labelled documents, FILE.parquet")


def _add_train_classifier(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser(
        "train-classifier",
        help="a model of category, relevance or quality from labelled documents",
        description="Trains a model, measures it on held-out sources, and writes it with its card.",
    )
    train.add_argument("--task", required=True, choices=("category", "relevance", "quality"))
    train.add_argument(
        "--labelled", action="append", default=[], metavar="PLACE", help="CATEGORY/SOURCE folders, or a Parquet file"
    )
    train.add_argument("--run", action="append", default=[], metavar="DIR", help="a run whose documents are labelled")
    train.add_argument("--output", required=True, metavar="FILE", help="the model, FILE.npz; its card lies beside it")
    train.add_argument("--cues", metavar="FILE", help="words that tell the categories apart")
    train.add_argument("--other", action="append", default=[], metavar="SOURCE", help="a source of another field")
    train.add_argument("--most", type=_positive, default=150, metavar="N", help="documents of a source (default: 150)")
    train.add_argument("--with-places", action="store_true", help="read URLs, file endings and readers along")


def _add_train_tokenizer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser(
        "train-tokenizer",
        help="a byte-level BPE trained on documents, and bytes per token by category",
        description="Trains a byte-level BPE, writes it, and prints bytes per token beside those of other tokenizers.",
    )
    texts = train.add_mutually_exclusive_group(required=True)
    texts.add_argument("--run", metavar="DIR", help="a run whose filtered documents are learned from")
    texts.add_argument("--input", action="append", default=[], metavar="FILES", help="Parquet files with a column text")
    train.add_argument("--vocabulary", type=_positive, default=16_384, metavar="N", help="entries (default: 16384)")
    train.add_argument(
        "--sample-bytes", type=_positive, default=16 << 20, metavar="B", help="text to learn from (default: 16 MiB)"
    )
    train.add_argument("--special-token", action="append", default=[], metavar="T", help="(default: <|endoftext|>)")
    train.add_argument("--output", required=True, metavar="FILE", help="the tokenizer.json")
    train.add_argument("--against", nargs="+", default=[], metavar="FILE", help="other tokenizer.json to compare with")


def _add_run_options(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("--recipe", required=required, metavar="FILE", help="the recipe")
    parser.add_argument("--run", required=required, metavar="DIR", help="the run's directory or bucket URL")
    parser.add_argument("--workers", type=_positive, metavar="N", help="cores to use (default: all)")


def _add_again(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again",
        action="store_true",
        help="visit the sites again: what is due, new, or was left the last time; what is unchanged is not redone",
    )


def _add_against(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--against",
        action="extend",
        nargs="+",
        default=[],
        metavar="RUN",
        help="earlier runs that dedup compares with, the oldest first, in the place of the recipe's",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _tokens(text: str) -> int:
    number = float(text)
    if not 1 <= number < 1e18:
        raise ValueError(text)
    return round(number)


def _dispatch(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    # The imports below are heavy; `syscorpus --help` and usage errors do without them.
    printing = {
        "report": _print_report,
        "sources": _print_sources,
        "schedule": _print_schedule,
        "mix": _print_mix,
        "takedown": _take_down,
        "trace": _print_trace,
    }
    if options.command in printing:
        return printing[options.command](options)
    from pipelines import commands, pool

    if options.command == "train-classifier":
        if not options.labelled and not options.run:
            parser.error("train-classifier needs --labelled or --run")
        return commands.train_classifier(options)
    if options.command == "train-tokenizer":
        return commands.train_tokenizer(options)
    signal.signal(signal.SIGINT, pool.on_interrupt)
    if options.command == "run":
        return commands.run_all(options.recipe, options.run, options.workers, options.against, options.again)
    if options.command == "label":
        return commands.label(options)
    if bool(options.input) != bool(options.output):
        parser.error("--input and --output go together")
    if options.input:
        if options.run or getattr(options, "plan", False):
            parser.error("give --run, or --input and --output" if options.run else "--plan needs --recipe and --run")
        return commands.run_alone(options.command, options.input, options.output, options.recipe, options.workers)
    if options.command == "crawl" and options.status:
        return _print_status(options, parser)
    if not (options.recipe and options.run):
        parser.error(f"{options.command} needs --recipe and --run, or --input and --output")
    return _run_stage(options)


def _print_report(options: argparse.Namespace) -> int:
    from pipelines.report import write_report

    print(f"report: {write_report(options.run)}")
    return 0


def _print_sources(options: argparse.Namespace) -> int:
    from pipelines import sources

    asked = sources.asked(options.manifests, options.recipe)
    if options.question == "check":
        print(sources.check(asked, options.target))
    else:
        wanted = sources.Wanted(options.category, options.licence, options.kind, options.on)
        print(sources.listing(asked, wanted))
    return 0


def _print_mix(options: argparse.Namespace) -> int:
    from pipelines import mixture_plan

    print(mixture_plan.answer(options.recipe, options.run, options.mixture, options.budget))
    return 0


def _print_trace(options: argparse.Namespace) -> int:
    import json

    from pipelines import trace, trace_text

    found = trace.trace(trace.place_of(options.place), options.run, options.text)
    print(json.dumps(found, indent=1, ensure_ascii=False) if options.json else trace_text.render(found))
    return 0


def _print_schedule(options: argparse.Namespace) -> int:
    from pipelines import schedule

    cron = None if options.once else options.cron or schedule.NIGHTLY
    image, workers = options.image or schedule.IMAGE, options.workers or schedule.WORKERS
    text = schedule.schedule(options.recipe, options.run, image, cron, workers)
    print(schedule.submit(text) if options.submit else text, end="\n" if options.submit else "")
    return 0


def _take_down(options: argparse.Namespace) -> int:
    from crawlers.takedown import SUBJECTS
    from pipelines.takedown.command import places_of, take_down
    from pipelines.takedown.request import Request

    subjects = tuple((name, value) for name in SUBJECTS for value in getattr(options, name))
    request = Request(subjects, options.who, options.why, options.copies_too, places_of(options.bucket))
    return take_down(options.run.rstrip("/"), request, options.yes)


def _run_stage(options: argparse.Namespace) -> int:
    from pipelines import commands

    if options.command == "filter" and options.what_if:
        return commands.ask_what_if(options.recipe, options.run)
    if options.command == "synth" and options.plan:
        return commands.plan_synth(options.recipe, options.run, options.workers)
    against = getattr(options, "against", [])  # which the stages before dedup do not have
    again = getattr(options, "again", False)  # which only crawl has
    return commands.run_one(options.command, options.recipe, options.run, options.workers, against, again)


def _print_status(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if not options.run:
        parser.error("crawl --status needs --run")
    from pipelines.crawl_status import render

    print(render(options.run))
    return 0


def _explain(error: Exception) -> list[str]:
    ours = type(error).__module__.split(".")[0] in ("pipelines", "crawlers", "filters", "synth", "manifests")
    message = str(error).splitlines() or [""]
    if ours:
        return message
    return [f"{type(error).__name__}: {message[0]} (SYSCORPUS_DEBUG=1 shows where)"]


if __name__ == "__main__":
    sys.exit(main())
