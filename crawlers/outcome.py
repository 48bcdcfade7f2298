"""What a crawl of one source came to, read from its frontier: all of it at the end, counts while it runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crawlers.frontier import Kind, State, all_fates, count_states
from crawlers.urls import doc_id


@dataclass(frozen=True, slots=True)
class Fetched:
    """A URL whose response is in a WARC file. `kind`: robots, sitemap or page; `status`: HTTP."""

    url: str
    doc_id: str
    kind: str
    status: int
    content_type: str | None
    file: str
    offset: int
    length: int
    digest: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A URL that was not fetched: excluded by a rule, or `failed` after all tries."""

    url: str
    kind: str
    reason: str
    detail: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of every URL of a source, in URL order.

    `unfinished`: URLs without a fate yet, none after a whole crawl. `ignored`: links that were never
    URLs of the source, by reason (`out_of_scope`, `never_a_page`, `redirect_limit`, `sitemap_depth`).
    """

    fetched: list[Fetched]
    not_fetched: list[NotFetched]
    unfinished: list[str]
    ignored: dict[str, int]


def read_outcome(directory: Path) -> Outcome:
    """The outcome of the crawl in a source's directory; FileNotFoundError where there was none."""
    outcome = Outcome([], [], [], {})
    with closing(_open(directory)) as db:
        for fate in all_fates(db):
            kind = fate.kind.name.lower()
            if fate.state is State.DONE:
                assert fate.status is not None and fate.file is not None and fate.offset is not None
                assert fate.length is not None and fate.digest is not None and fate.fetched_at is not None
                outcome.fetched.append(
                    Fetched(
                        url=fate.url,
                        doc_id=doc_id(fate.url),
                        kind=kind,
                        status=fate.status,
                        content_type=fate.content_type,
                        file=fate.file,
                        offset=fate.offset,
                        length=fate.length,
                        digest=fate.digest,
                        fetched_at=datetime.fromisoformat(fate.fetched_at),
                    )
                )
            elif fate.state in (State.EXCLUDED, State.FAILED):
                outcome.not_fetched.append(
                    NotFetched(fate.url, kind, fate.reason or "", fate.detail or "", fate.state is State.FAILED)
                )
            else:
                outcome.unfinished.append(fate.url)
        outcome.ignored.update(db.execute("SELECT name, value FROM counter ORDER BY name"))
    return outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a source's URLs: pages in the WARC, everything else with a fate, everything without."""

    pages: int
    others: int
    unfinished: int


def progress(directory: Path) -> Progress:
    """Where the crawl in a source's directory stands; another process may be at it. Zeros before it began."""
    try:
        with closing(_open(directory)) as db:
            counts = count_states(db)
    except (FileNotFoundError, sqlite3.OperationalError):
        return Progress(0, 0, 0)
    pages = counts.get((Kind.PAGE, State.DONE), 0)
    unfinished = sum(n for (_, state), n in counts.items() if state in (State.PENDING, State.LEASED))
    return Progress(pages, sum(counts.values()) - pages - unfinished, unfinished)


def _open(directory: Path) -> sqlite3.Connection:
    path = directory / "frontier.sqlite"
    if not path.exists():
        raise FileNotFoundError(f"no crawl in {directory}")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
