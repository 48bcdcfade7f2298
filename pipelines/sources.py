"""`syscorpus sources`: which sources there are, how each is read and under which licence; and what becomes of a URL.

It reads manifests alone: nothing is fetched.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from crawlers.scope import is_never_a_page
from crawlers.urls import canonical_url, host_of
from manifests import load
from manifests.load import ManifestError, load_categories, load_licences, load_sources, read_recipe
from manifests.models import CrawlSettings, ExtractSettings, Source
from pipelines.extract.licences import UNKNOWN, allowed, class_of

SITES = Path(load.__file__).with_name("sites")

#: Stands for the licence of a source each of whose documents states its own.
EACH = "each its own"

_WIDTH = 100
_LABEL = 10
_SHOWN = 8
_DAY = 86_400
# The shortest pause, in seconds, between two requests to a real host.
_LEAST_DELAY = 1.0
# Readers that ask once for each document.
_ONE_EACH = frozenset(("file_tree", "oai_arxiv", "pdf_index", "rfc_index"))


@dataclass(frozen=True)
class Asked:
    """The sources in question in order of their id, and the settings with which they would be fetched and judged."""

    sources: Sequence[Source]
    crawl: CrawlSettings
    extract: ExtractSettings


@dataclass(frozen=True)
class Wanted:
    """Which sources a listing shows; None and False: all of them."""

    category: str | None = None
    licence: str | None = None
    kind: str | None = None
    on: bool = False


def asked(manifests: str | None, recipe: str | None) -> Asked:
    """The sources of a recipe with its settings, or of a file or directory with the defaults. Raises ManifestError."""
    if recipe is None:
        return Asked(load_sources(Path(manifests) if manifests else SITES), CrawlSettings(), ExtractSettings())
    read, known = read_recipe(recipe)
    chosen = [source for source in known if read.sources is None or source.id in read.sources]
    return Asked(chosen, read.crawl, read.extract)


# ---------------------------------------------------------------- what an entry says


def lacking(source: Source) -> list[str]:
    """What an entry does not say and should, by key; a source that is served on loopback needs none of it."""
    if source.farm:
        return []
    stated = source.model_fields_set
    missing = [key for key in ("kind", "format", "homepage", "language", "expected_pages") if key not in stated]
    if source.is_on and source.licence is None and not source.licence_each:
        missing.append("licence")
    if not source.licence_evidence.strip():
        missing.append("licence_evidence")
    if bool(source.seeds) != bool(source.scope):
        missing.append("scope" if source.seeds else "seeds")
    if _is_paced(source) and (source.politeness.delay_s or 0.0) < _LEAST_DELAY:
        missing.append(f"politeness.delay_s of {_LEAST_DELAY:g} or more")
    if source.bulk and source.bulk.reader == "stackexchange" and not (source.bulk.dated and source.bulk.agreement):
        missing.append("bulk.dated and bulk.agreement")
    return missing


def is_complete(source: Source) -> bool:
    """Whether an entry says all that a crawl or a reader needs."""
    return not lacking(source)


def has_pages(source: Source) -> bool:
    """Whether an entry says where its pages are: it is a manifest of a site, also where it is read in bulk."""
    return bool(source.seeds and source.scope)


def page_hosts(source: Source) -> list[str]:
    """Host names that the pages of a source lie on, sorted."""
    return sorted({urlsplit(seed).hostname or "" for seed in source.seeds} | set(source.further_hosts))


def _is_paced(source: Source) -> bool:
    """Whether a host is asked more than once for it; a repository comes in one piece."""
    return has_pages(source) or _read_by(source) != "git"


def _read_by(source: Source) -> str:
    return source.bulk.reader if source.kind == "bulk" and source.bulk else "site"


def _class(source: Source) -> str:
    if source.licence_each:
        return EACH
    return class_of(source.licence) if source.licence else UNKNOWN


def _licence(source: Source, extract: ExtractSettings) -> str:
    """The licence of its documents in words."""
    if source.licence_each:
        return "each document has its own; those are dropped that state none, or one that is not allowed"
    may = "may be trained on" if _may_train(source, extract) else "not to be trained on"
    return f"{source.licence or 'not known'} (class {_class(source)}: {may})"


def _may_train(source: Source, extract: ExtractSettings) -> bool:
    """Whether its documents may be trained on; where each states its own licence, `extract` judges each."""
    return source.licence_each or allowed(source.licence, extract.licences)


# ---------------------------------------------------------------- the list


def listing(asked_for: Asked, wanted: Wanted) -> str:
    """The wanted sources by category, a line each, and what they come to. Raises ManifestError for what none can be."""
    _check(asked_for.sources, wanted)
    chosen = [source for source in asked_for.sources if _is_wanted(source, wanted)]
    lines: list[str] = []
    for category in load_categories():
        of_category = [source for source in chosen if source.category == category]
        if of_category:
            lines += [category, *(_row(source) for source in of_category), ""]
    return "\n".join([*lines, *summary(chosen, asked_for.extract)])


def _check(sources: Iterable[Source], wanted: Wanted) -> None:
    categories = load_categories()
    if wanted.category and wanted.category not in categories:
        raise ManifestError([f"--category {wanted.category}: must be one of {', '.join(categories)}"])
    classes = [*load_licences().classes, UNKNOWN, EACH]
    if (
        wanted.licence
        and wanted.licence not in classes
        and not any(_is_under(each, wanted.licence) for each in sources)
    ):
        raise ManifestError(
            [f"--licence {wanted.licence}: no source is under it, and it is no class; classes are {', '.join(classes)}"]
        )


def _is_wanted(source: Source, wanted: Wanted) -> bool:
    return (
        wanted.category in (None, source.category)
        and wanted.kind in (None, source.kind)
        and (source.is_on or not wanted.on)
        and (wanted.licence is None or wanted.licence == _class(source) or _is_under(source, wanted.licence))
    )


def _is_under(source: Source, licence: str) -> bool:
    return licence in re.split(r"[\s()]+", source.licence or "")


def _row(source: Source) -> str:
    status = f"{source.status}+" if source.confirmed else source.status
    licence = textwrap.shorten(EACH if source.licence_each else source.licence or UNKNOWN, 21, placeholder=" ...")
    checked = "checked" if source.licence_checked else "recall"
    pages = f"{source.expected_pages:,}" if source.expected_pages else "?"
    return f"  {source.id:<34} {_read_by(source):<14} {status:<7} {licence:<21} {checked:<7} {pages:>10}"


def summary(sources: Sequence[Source], extract: ExtractSettings) -> list[str]:
    """What sources come to: how many are on and how they are read, and whatever is wrong with any of them."""
    on = [source for source in sources if source.is_on]
    crawled = sum(source.kind == "site" for source in on)
    web = [source for source in sources if has_pages(source)]
    categories = len({source.category for source in on})
    forbidden = [source.id for source in on if not _may_train(source, extract)]
    confirmed = [source.id for source in sources if source.confirmed]
    told = sum(not source.licence_checked for source in on)
    lines = [
        f"{len(on)} of {len(sources)} sources are on, in {categories} of {len(load_categories())} categories: "
        f"{crawled} crawled, {len(on) - crawled} read in bulk",
        f"{sum(map(is_complete, web))} of {len(web)} web manifests are complete; pages that are read in bulk count too",
        f"{told} of those on have a licence told from memory (recall)",
        f"on although the class of the licence forbids training: {', '.join(forbidden) or 'none'}",
    ]
    if confirmed:
        lines.append(f"under review, and turned on by a person (+): {', '.join(confirmed)}")
    lines += [f"{source.id} lacks {', '.join(lacking(source))}" for source in sources if not is_complete(source)]
    return [part for line in lines for part in textwrap.wrap(line, _WIDTH, subsequent_indent="  ")]


# ---------------------------------------------------------------- one source, or one URL


def check(asked_for: Asked, target: str) -> str:
    """What would become of a URL or of a source, in words. Raises ManifestError for what is neither."""
    if "://" in target:
        return "\n".join(_check_url(asked_for, target))
    known = {source.id: source for source in asked_for.sources}
    if target not in known:
        near = get_close_matches(target, known, n=3)
        meant = f"; is it {' or '.join(near)}?" if near else ""
        raise ManifestError([f"{target} is neither a URL nor the id of one of {len(known)} sources{meant}"])
    return "\n".join(explain(known[target], asked_for))


def explain(source: Source, asked_for: Asked) -> Iterator[str]:
    """A source in words: what would be fetched and how, under which licence, and why not."""
    yield f"{source.id}: {source.name}"
    yield from _told("category", source.category)
    yield from _told("fetched", _verdict(source, asked_for))
    yield from _told("read", *(_bulk(source) if source.kind == "bulk" else _crawl(source)))
    if source.kind == "bulk" and has_pages(source):
        yield from _told("pages", f"of {', '.join(page_hosts(source))}: known, not crawled, for the bulk has them")
    yield from _told("expected", *_pace(source, asked_for.crawl))
    yield from _told("licence", _licence(source, asked_for.extract))
    looked = "somebody has looked" if source.licence_checked else "told from memory, nobody has looked"
    yield from _told("evidence", f"{source.licence_evidence} ({looked})")
    yield from _told("signals", *_signals(source, asked_for.extract))
    if not is_complete(source):
        yield from _told("lacks", ", ".join(lacking(source)))


def _told(label: str, *texts: str) -> Iterator[str]:
    """A label, and its texts wrapped beside it."""
    for text in texts:
        begin = f"  {label:<{_LABEL}}"
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin), break_on_hyphens=False
        )
        label = ""


def _verdict(source: Source, asked_for: Asked) -> str:
    if source.confirmed:
        word = source.confirmed
        yes = f"yes, turned on by {word.who} on {word.when}: {word.why} (under review, for {source.reason})"
    elif not source.is_on:
        opened = "; a person may confirm it" if source.status == "review" else "; nothing turns it on"
        return f"no, its status is {source.status}: {source.reason}{opened}"
    else:
        yes = "yes, it is on"
    if not _may_train(source, asked_for.extract):
        return f"{yes}; but no document that names no other licence is kept, for the class of this one is not allowed"
    return yes


def _crawl(source: Source) -> Iterator[str]:
    yield f"crawled ({source.format}), from {_some(source.seeds)}"
    yield f"on the hosts {', '.join(page_hosts(source))}, where a URL matches {_some(source.scope)}"
    if source.exclude:
        yield f"but does not hold {_some(source.exclude)}"


def _bulk(source: Source) -> Iterator[str]:
    bulk = source.bulk
    if bulk is None:
        return
    yield f"in bulk ({source.format}), by the reader {bulk.reader}, from {bulk.url}"
    yield f"names that match {_some(bulk.include)}" if bulk.include else "everything in it"
    if bulk.exclude:
        yield f"but not {_some(bulk.exclude)}"
    if bulk.fields:
        yield f"fields {', '.join(f'{name}: {value}' for name, value in bulk.fields.items())}"
    for told in (
        bulk.pinned and f"pinned to {bulk.pinned}",
        bulk.dated and f"of {bulk.dated}",
        bulk.agreement and f"handed out under: {bulk.agreement}",
        bulk.checksums and f"compared with the checksums of {bulk.checksums}",
    ):
        if told:
            yield told


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _signals(source: Source, extract: ExtractSettings) -> Iterator[str]:
    if source.kind == "bulk" and source.bulk and source.bulk.offered:
        yield f"programs are invited to it, robots.txt is not asked: {source.bulk.offered}"
    elif _read_by(source) == "git":
        yield "git speaks a protocol for programs, of which robots.txt says nothing"
    else:
        yield "robots.txt (RFC 9309: where it cannot be had, nothing is fetched), Crawl-delay, Retry-After"
    yield f"and of each document: {', '.join(extract.obey)}"


def _pace(source: Source, crawl: CrawlSettings) -> Iterator[str]:
    """How many pages, at which pace, and so for how long."""
    told = f"{source.expected_pages:,}" if source.expected_pages else "nobody has estimated how many"
    told += " documents" if source.kind == "bulk" else " pages"
    if _read_by(source) == "git":
        yield f"{told}, in one piece"
        return
    delay = max(crawl.delay_s, source.politeness.delay_s or 0.0)
    if not delay:
        yield f"{told}, as fast as the host answers"
        return
    yield f"{told}; a request every {delay:g} s to a host, {1 / delay:.2g} requests/s"
    if source.kind == "bulk" and _read_by(source) not in _ONE_EACH:
        yield "a response holds many of them"
    else:
        yield from _how_long(source, delay, crawl.max_pages_per_source)


def _how_long(source: Source, delay: float, most: int) -> Iterator[str]:
    """For how long, within the limits of the source and the most pages that a recipe takes of one."""
    manners, pages = source.politeness, source.expected_pages or 0
    a_day = _open_seconds(manners.window) / delay
    if manners.window:
        yield f"only from {manners.window} UTC"
    if manners.pages_per_day:
        yield f"at most {manners.pages_per_day:,} pages a day"
        a_day = min(a_day, manners.pages_per_day)
    if manners.bytes_per_day:
        yield f"at most {manners.bytes_per_day:,} bytes a day"
    if pages > most:
        yield f"the recipe stops at {most:,} pages of a source (crawl.max_pages_per_source)"
        pages = most
    if pages:
        yield f"so about {_span(pages / a_day * _DAY)}"


def _span(seconds: float) -> str:
    """A time in the unit in which it is a small number."""
    for unit, length in (("days", _DAY), ("hours", 3600)):
        if seconds >= length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds / 60:.0f} minutes"


def _open_seconds(window: str | None) -> int:
    """Seconds of a day within a window such as 22:00-06:00; its ends may lie on two days."""
    if window is None:
        return _DAY
    (h1, m1), (h2, m2) = (map(int, end.split(":")) for end in window.split("-"))
    return ((h2 * 60 + m2) - (h1 * 60 + m1)) * 60 % _DAY or _DAY


def _check_url(asked_for: Asked, url: str) -> Iterator[str]:
    """Which source takes a URL, and for each that knows its host but does not take it, why."""
    canonical = canonical_url(url)
    if canonical is None:
        raise ManifestError([f"{url} is no http or https URL that can be fetched"])
    yield f"{canonical}" + ("" if canonical == url else f"  (the canonical form of {url})")
    if is_never_a_page(canonical):
        yield from _told("", "its ending says that it holds no page: no crawl fetches it")
    takers = [source for source in asked_for.sources if _takes(source, canonical)]
    for source in takers:
        yield from _told("", f"in the scope of {source.id}:")
        yield from explain(source, asked_for)
    reasons = [told for source in asked_for.sources if source not in takers for told in _refusal(source, canonical)]
    for told in reasons:
        yield from _told("", told)
    if not takers and not reasons:
        yield from _told("", f"no source lists the host {host_of(canonical)}: nothing of it is fetched")


def _takes(source: Source, canonical: str) -> bool:
    """Whether a URL is a page of the source, on its hosts, in scope and not excluded; or is what it reads in bulk."""
    bulk = (source.bulk and canonical_url(source.bulk.url)) or ""
    if bulk and (canonical == bulk or canonical.startswith(bulk.rstrip("/") + "/")):
        return True
    if host_of(canonical) not in page_hosts(source):
        return False
    return _scoped(source, canonical) and not _pattern(source.exclude, canonical)


def _refusal(source: Source, canonical: str) -> Iterator[str]:
    """Why a source that could be meant does not take a URL."""
    listed = host_of(canonical) in page_hosts(source)
    excluded = _pattern(source.exclude, canonical)
    if not _scoped(source, canonical):
        if listed:
            yield f"{source.id} lists its host, and has it out of scope: {_some(source.scope)}"
    elif excluded:
        yield f"{source.id} has it in scope, and refuses it by its exclusion {excluded}"
    elif not listed:
        yield f"{source.id} has it in scope, and does not list its host: name it under further_hosts"


def _scoped(source: Source, canonical: str) -> bool:
    return any(re.match(pattern, canonical) for pattern in source.scope)


def _pattern(patterns: Sequence[str], canonical: str) -> str | None:
    """The first pattern that a URL holds."""
    return next((pattern for pattern in patterns if re.search(pattern, canonical)), None)
