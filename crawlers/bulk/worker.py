"""One process that reads bulk sources: `python -m crawlers.bulk.worker JOB.json`.

Exit code 0: every source was read to its end. 1: an error, in one line on stderr; the other sources were read. 128 + n:
ended by signal n, to be continued by the same command.
"""

from __future__ import annotations

import signal
import sys
from contextlib import closing

from crawlers import PRODUCT_TOKEN
from crawlers.addresses import Resolver
from crawlers.bulk.http_client import Client, Unavailable
from crawlers.bulk.manners import Pace
from crawlers.bulk.readers import find_reader
from crawlers.bulk.stop import Stop, Stopped
from crawlers.bulk.store import Store
from crawlers.job import CrawlJob, JobError, read_job
from manifests.models import Source


def main(arguments: list[str]) -> int:
    """Run the job in the file that is the only argument; returns the exit code."""
    try:
        job = read_job(arguments, "crawlers.bulk.worker")
    except JobError as error:
        return _complain(str(error))
    received: list[int] = []
    with closing(Stop()) as stop:

        def on_signal(number: int, _: object) -> None:
            received.append(number)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
        broken, unfinished = read_sources(job, stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    if broken:
        return _complain("; ".join(f"{source}: {problem}" for source, problem in broken.items()))
    if received:
        name = signal.Signals(received[0]).name
        _complain(f"stopped by {name}; unfinished: {', '.join(unfinished) or 'none'}")
        return 128 + received[0]
    return 0


def read_sources(job: CrawlJob, stop: Stop) -> tuple[dict[str, str], list[str]]:
    """Reads source after source; what broke, by source, and the ids of those that a signal left unfinished."""
    resolver = Resolver(job.connect_to, job.settings.private_addresses)
    contact = f" (+{job.settings.contact})" if job.settings.contact else ""
    client = Client(resolver, f"{PRODUCT_TOKEN}/{job.version}{contact}", job.settings.timeout_s, stop)
    pace = Pace(stop)
    broken: dict[str, str] = {}
    unfinished: list[str] = []
    # A source that has its hours may have to be waited for.
    for source in sorted(job.sources, key=lambda source: source.politeness.window is not None):
        try:
            stop.check()
            directory = job.directory / source.id
            with closing(Store(source, job.settings, directory, client, pace, stop, job.generation)) as store:
                _read(source, store)
        except Stopped:
            unfinished.append(source.id)
        except Exception as error:  # noqa: BLE001 - the other sources are read in any case
            broken[source.id] = " ".join(f"{type(error).__name__}: {error}".split())
    return broken, unfinished


def _read(source: Source, store: Store) -> None:
    """Runs a source's reader; what it cannot do without and cannot have ends it, and stands in the index."""
    assert source.bulk is not None
    try:
        find_reader(source.bulk.reader).bring(source, store)
    except Unavailable:
        pass
    store.finish()


def _complain(message: str) -> int:
    print(f"crawlers.bulk.worker: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
