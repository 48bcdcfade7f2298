"""CPU of our crawler for a page, beside a plain Scrapy spider's: the same real pages, the same concurrency.

Ours stores every response in WARC files and every URL in a frontier that survives a kill; Scrapy's spider keeps nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.crawl import process
from benchmarks.crawl.server import Sites, address, read_log, serve
from benchmarks.crawl.sites import Documents, Made
from benchmarks.extract.packages import Log

OURS, PLAIN = "ours", "plain Scrapy"
_CONCURRENCY = 8  # requests at once to a host: Scrapy's default


def measure(roots: Sequence[Path], made: int, rounds: int, scratch: Path, log: Log) -> dict[str, Any]:
    """Both crawlers on real documentation, a document root a host, and on as many hosts of `made` small pages each.

    Real pages have many links, of which most are known: a crawler's own work. Small ones have few: what it keeps counts.
    """
    hosts = [address(number) for number in range(len(roots))]
    real = dict(zip(hosts, roots, strict=True))
    return {
        "documentation": compare(Documents, real, hosts, rounds, scratch, log),
        "small pages": compare(Made, made, hosts, rounds, scratch, log),
    }


def compare(
    sites: Callable[[Any], Sites], served: Any, hosts: Sequence[str], rounds: int, scratch: Path, log: Log
) -> dict[str, Any]:
    """Of each crawler, its best round: pages, CPU seconds a page, pages a second, peak memory; and how they compare.

    The crawlers take turns, so that a machine that slows down slows both.
    """
    taken: dict[str, list[dict[str, float]]] = {OURS: [], PLAIN: []}
    access = scratch / "cpu.log"
    with serve(sites, served, hosts=len(hosts), log=access) as port:
        for turn in range(rounds):
            for name in (OURS, PLAIN):
                start = access.stat().st_size
                ended = _ours(scratch / "cpu", hosts, port) if name == OURS else _plain(hosts, port)
                pages = sum(each.status == 200 for each in read_log(access, start)) - len(hosts)
                taken[name].append(_figures(ended, pages))
                log(f"round {turn + 1}, {name}: {pages} pages, {1000 * ended.cpu_seconds / pages:.2f} ms of CPU each")
    best = {name: min(each, key=lambda figures: figures["cpu_ms_a_page"]) for name, each in taken.items()}
    return {
        "hosts": len(hosts),
        "ways": best,
        "rounds": taken,
        "cpu_ratio": best[OURS]["cpu_ms_a_page"] / best[PLAIN]["cpu_ms_a_page"],
    }


def _ours(directory: Path, hosts: Sequence[str], port: int) -> process.Ended:
    shutil.rmtree(directory, ignore_errors=True)
    sources = [process.source(f"site{number:03}", [host], port) for number, host in enumerate(hosts)]
    ended = process.crawl(process.job(directory, sources, {}, {"concurrency_per_host": _CONCURRENCY}))
    shutil.rmtree(directory)
    return ended


def _plain(hosts: Sequence[str], port: int) -> process.Ended:
    urls = [f"http://{host}:{port}/" for host in hosts]
    ended = process.finish(process.start_module("benchmarks.crawl.plain_spider", str(_CONCURRENCY), *urls))
    if ended.code:
        raise RuntimeError(f"Scrapy ended with {ended.code}: {ended.said.strip()[-500:]}")
    return ended


def _figures(ended: process.Ended, pages: int) -> dict[str, float]:
    return {
        "pages": pages,
        "cpu_ms_a_page": 1000 * ended.cpu_seconds / pages,
        "pages_per_s": pages / ended.seconds,
        "peak_memory": ended.peak_memory,
    }
