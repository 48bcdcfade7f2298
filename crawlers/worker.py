"""One crawler process: `python -m crawlers.worker JOB.json`.

Exit code 0: no source has a URL left to fetch. 1: an error, in one line on stderr. 128 + n: ended by
signal n, everything settled, to be continued by the same command.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, cast

from scrapy.crawler import AsyncCrawlerProcess, Crawler

from crawlers.addresses import Resolver
from crawlers.frontier import FrontierLockedError, FrontierVersionError
from crawlers.job import CrawlJob, JobError, read_job
from crawlers.session import SourceSession
from crawlers.spider import FrontierSpider, scrapy_settings

#: Seconds that requests in flight are given after a signal.
_GRACE_S = 2.0


def main(arguments: list[str]) -> int:
    """Run the job in the file that is the only argument; returns the exit code."""
    try:
        job = read_job(arguments, "crawlers.worker")
    except JobError as error:
        return _complain(str(error))
    sessions: list[SourceSession] = []
    try:
        for source in job.sources:
            directory = job.directory / source.id
            sessions.append(SourceSession(source, job.settings, directory, job.generation, job.taken_down))
    except (FrontierLockedError, FrontierVersionError, OSError, ValueError) as error:
        _close(sessions, {})
        return _complain(str(error))
    return _crawl(job, sessions)


def _crawl(job: CrawlJob, sessions: list[SourceSession]) -> int:
    process = AsyncCrawlerProcess(scrapy_settings(job.settings, job.version))
    resolver = Resolver(job.connect_to, job.settings.private_addresses)
    crawler = process.create_crawler(FrontierSpider)
    process.crawl(crawler, sessions, resolver, job.settings)
    received: list[int] = []

    def on_signal(number: int, _: object) -> None:
        from twisted.internet import reactor

        received.append(number)
        cast(Any, reactor).callFromThread(_stop, crawler)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    process.start(install_signal_handlers=False)
    spider = cast(FrontierSpider | None, crawler.spider)
    broken = {} if spider is None else spider.broken
    unfinished = _close(sessions, broken)
    if broken:
        return _complain("; ".join(f"{source}: {type(e).__name__}: {e}" for source, e in broken.items()))
    if received:
        name = signal.Signals(received[0]).name
        _complain(f"stopped by {name}; unfinished: {', '.join(unfinished) or 'none'}")
        return 128 + received[0]
    if unfinished:
        return _complain(f"the crawl ended early; unfinished: {', '.join(unfinished)}")
    return 0


def _stop(crawler: Crawler) -> None:
    """Begin nothing more, wait a little for what is in flight, then give that up."""
    loop = asyncio.get_running_loop()
    spider = cast(FrontierSpider | None, crawler.spider)
    if spider is None or crawler.engine is None:
        loop.call_later(0.05, _stop, crawler)
        return
    spider.stop()
    loop.call_later(_GRACE_S, spider.abort)
    spider.stopping = loop.create_task(crawler.stop_async())


def _close(sessions: list[SourceSession], broken: dict[str, Exception]) -> list[str]:
    """Settle and close every session; ids of sources that have URLs without a final state."""
    unfinished: list[str] = []
    for session in sessions:
        try:
            if session.source.id not in broken and session.has_unfinished():
                unfinished.append(session.source.id)
            session.close()
        except Exception as error:  # noqa: BLE001 - the other sources are closed in any case
            broken.setdefault(session.source.id, error)
    return unfinished


def _complain(message: str) -> int:
    print(f"crawlers.worker: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
