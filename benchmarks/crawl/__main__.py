"""`make bench-crawl`: whether the crawler keeps its word to hosts, through kills and over recrawls, and what it costs."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.crawl import cpu, frontier, kill, politeness, recrawl, traps
from benchmarks.crawl.sites import digest
from benchmarks.extract import report
from benchmarks.extract.packages import Log
from benchmarks.extract.report import Held, share
from crawlers.farm.packages import prepare
from manifests.load import load_sources
from pipelines import storage

PACKAGES = ("ada-url", "fastwarc", "lxml", "protego", "scrapy", "selectolax", "twisted", "warcio")
REPOSITORY = Path(__file__).resolve().parents[2]
_MIB = 1 << 20
_HOSTS = 120
_KILLED = (4, 5_000, 50)  # hosts, pages of each, kills
_FULL = 10_000_000  # URLs from which a tenth of them fills the frontier's page cache, too
_ROUNDS = 3
_SMALL_PAGES = 1_500  # of a host
_TRAPPED = 500  # real pages of a host with a trap


@dataclass(frozen=True)
class Inputs:
    """What the parts measure on."""

    scratch: Path
    urls: int
    log: Log

    @cached_property
    def roots(self) -> dict[str, Path]:
        """Document roots of the farm that begin with an index, by the id of their source."""
        sources = load_sources(REPOSITORY / "manifests" / "farm" / "debian.yaml")
        roots = prepare(sources, storage.scratch("farm"), self.log)
        found = {source.id: roots[source.hosts[0]] for source in sources}
        return {name: root for name, root in sorted(found.items()) if (root / "index.html").is_file()}

    def hashes(self) -> dict[str, str]:
        """The hash of each document root, if a part has asked for them."""
        return {name: digest(root) for name, root in self.roots.items()} if "roots" in vars(self) else {}

    def some(self, *names: str) -> list[Path]:
        """Document roots by their names."""
        return [self.roots[name] for name in names]


def _politeness(inputs: Inputs) -> dict[str, Any]:
    found = politeness.measure(list(inputs.roots.values()), _HOSTS, inputs.scratch, inputs.log)
    runs: Mapping[str, dict[str, Any]] = found["runs"]
    rows = [
        (
            name, f"{each['least_gap']:.2f}", len(each["hasty"]), len(each["crowded"]), len(each["against_robots"]),
            f"{share(each['pages'], found['expected'])}", f"{each['requests']:,}", f"{each['seconds']:.0f}",
        )
        for name, each in runs.items()
    ]  # fmt: skip
    header = ["", "least gap / pause", "hasty hosts", "crowded", "against robots", "% of pages", "requests", "s"]
    report.table(f"politeness to {found['hosts']} hosts at once, by their own log", header, rows)
    least = min(each["least_gap"] for each in runs.values())
    crowded, against, missing = (
        sum(len(each[key]) for each in runs.values()) for key in ("crowded", "against_robots", "missing")
    )
    held = [
        Held("least pause between requests to a host, times what it asks for", f"{least:.3f}", f">= {politeness.TOLERANCE}", least >= politeness.TOLERANCE),
        Held("hosts that got more requests at once than they allow", f"{crowded}", "0", crowded == 0),
        Held("requests that a robots.txt forbids", f"{against}", "0", against == 0),
        Held("hosts with a page that was not fetched", f"{missing}", "0", missing == 0),
    ]  # fmt: skip
    return {**found, "targets": held}


def _kill(inputs: Inputs) -> dict[str, Any]:
    found = kill.measure(*_KILLED, inputs.scratch, inputs.log)
    names = ("pages", "kills", "requests", "stored", "lost", "twice", "again", "damaged", "unfinished")
    report.table("kill -9", ["", *names], [("", *(f"{found[name]:,}" for name in names))])
    readers = found["readers_that_agree"]
    whole = found["stored"] == found["done"] == found["pages"] and found["lost"] == found["unfinished"] == 0
    once = found["twice"] == found["again"] == found["damaged"] == 0
    held = [
        Held("kills", f"{found['kills']}", f"{_KILLED[2]}", found["kills"] == _KILLED[2]),
        Held("pages in the WARC files and in the frontier", f"{share(found['stored'], found['pages'])} %", "100 %", whole),
        Held("pages stored twice, or asked for again", f"{found['twice']}, {found['again']}", "0, 0", once),
        Held("readers that see what ours sees", ", ".join(readers) or "none", "fastwarc, warcio", len(readers) == 2),
    ]  # fmt: skip
    return {**found, "targets": held}


def _recrawl(inputs: Inputs) -> dict[str, Any]:
    found = recrawl.measure(list(inputs.roots.values()), inputs.scratch, inputs.log)
    rows = [
        (name, f"{size / found['bytes'][0]:.4f}", f"{size / 1e6:.2f}", f"{requests:,}")
        for name, size, requests in zip(("first", "unchanged", "changed"), found["bytes"], found["requests"], strict=True)
    ]  # fmt: skip
    report.table(f"crawls of {found['pages']:,} pages", ["", "bytes / first", "MB", "requests"], rows)
    held = [Held("bytes of a crawl of unchanged pages, of those of the first", f"{100 * found['share_again']:.2f} %", "<= 5 %", found["share_again"] <= 0.05)]  # fmt: skip
    for name in ("changed", "gone", "added"):
        held.append(Held(f"pages {name} that are found to be", f"{found[f'{name}_found']} of {found[name]}", "all", found[f"{name}_found"] == found[name] > 0))  # fmt: skip
    held.append(Held("unchanged pages that were stored again", f"{found['same_stored']} of {found['same']:,}", "0", found["same_stored"] == 0))  # fmt: skip
    return {**found, "targets": held}


def _cpu(inputs: Inputs) -> dict[str, Any]:
    roots = inputs.some("git", "kernel", "libvirt", "postgresql")
    found = cpu.measure(roots, _SMALL_PAGES, _ROUNDS, inputs.scratch, inputs.log)
    rows, held = [], []
    for pages, each in found.items():
        for name, way in each["ways"].items():
            plain = each["ways"][cpu.PLAIN]["cpu_ms_a_page"]
            rows.append(
                (
                    f"{pages}: {name}", f"{way['cpu_ms_a_page'] / plain:.2f}", f"{way['cpu_ms_a_page']:.2f}",
                    f"{way['pages_per_s']:.0f}", f"{way['peak_memory'] / _MIB:.0f}", f"{way['pages']:,.0f}",
                )
            )  # fmt: skip
        ratio = each["cpu_ratio"]
        held.append(Held(f"CPU of a page of {pages}, times plain Scrapy's", f"{ratio:.2f}", "<= 1.3", ratio <= 1.3))
    header = ["", "times plain Scrapy", "ms of CPU a page", "pages/s", "peak MiB", "pages"]
    report.table("CPU of one crawler process", header, rows)
    return {**found, "targets": held}


def _frontier(inputs: Inputs) -> dict[str, Any]:
    grown = frontier.measure(inputs.urls, inputs.scratch, inputs.log)
    more = grown.peak_memory / grown.peak_memory_at_tenth
    row = (
        f"{grown.urls:,}", f"{more:.2f}", f"{grown.inserts_per_s:,.0f}", f"{grown.last_tenth_inserts_per_s:,.0f}",
        f"{grown.leases_per_s:,.0f}", f"{grown.peak_memory / _MIB:.0f}", f"{grown.disk_bytes_per_url:.0f}",
    )  # fmt: skip
    header = [
        "URLs",
        "memory / at a tenth",
        "new/s",
        "new/s in the last tenth",
        "fetched/s",
        "peak MiB",
        "bytes of disk a URL",
    ]
    report.table("frontier", header, [row])
    held = [Held("URLs inserted a second", f"{grown.inserts_per_s:,.0f}", ">= 20,000", grown.inserts_per_s >= 20_000)]
    if grown.urls >= _FULL:
        held.append(
            Held(f"peak memory at {grown.urls:,} URLs, times that at a tenth", f"{more:.2f}", "<= 1.3", more <= 1.3)
        )
    return {**asdict(grown), "targets": held}


def _traps(inputs: Inputs) -> dict[str, Any]:
    roots = inputs.some("postgresql", "git", "kernel", "libvirt")
    found = traps.measure(roots, _TRAPPED, inputs.scratch, inputs.log)
    rows = [
        (f"{pages}: {name}", f"{each['fetched'] / each['real']:.2f}", share(each["found"], each["real"]), each["real"])
        for pages, of_trap in found.items()
        for name, each in of_trap.items()
    ]
    report.table("traps", ["", "fetched / real", "% of real found", "real pages"], rows)
    every = [each for of_trap in found.values() for each in of_trap.values()]
    most = max(each["fetched"] / each["real"] for each in every)
    least = min(each["found"] / each["real"] for each in every)
    held = [
        Held("pages fetched, times the real ones, at worst", f"{most:.2f}", "<= 2", most <= 2),
        Held("real pages found, at worst", f"{100 * least:.2f} %", ">= 99 %", least >= 0.99),
    ]
    return {**found, "targets": held}


PARTS: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
    "politeness": _politeness,
    "kill": _kill,
    "recrawl": _recrawl,
    "cpu": _cpu,
    "frontier": _frontier,
    "traps": _traps,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    scratch = options.cache / "crawl"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    inputs = Inputs(scratch, options.urls, log)
    results: dict[str, Any] = {
        "machine": report.machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    held: list[Held] = []
    for name in options.only:
        log(f"measuring {name}")
        results[name] = PARTS[name](inputs)
        held += results[name].pop("targets")
    report.targets([(each.name, each.figure, each.target, each.holds) for each in held])
    results["inputs"] = inputs.hashes()
    results["targets"] = [each._asdict() for each in held]
    place = options.cache / ("crawl.json" if set(PARTS) <= results.keys() else "crawl-part.json")
    report.write(results, place)
    shutil.rmtree(scratch)
    log(f"wrote {place}")
    return int(options.check and not all(each.holds for each in held))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crawl", description=__doc__)
    parser.add_argument("--only", type=lambda value: value.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument(
        "--urls", type=lambda value: int(float(value)), default=1_000_000,
        help="of `frontier`; 1e7 takes five minutes and 2.5 GB of disk",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "bench", help="results")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
