"""Sites that never end: does a crawl of one come to its end, with all of its real pages and not much else?

Each host serves real pages with one trap among them, and one host has them all. What they are made of is what crawlers of
real sites fall into: calendars, facets, session ids, redirects without end, paths without end, soft 404s, templates.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
from calendar import month_name
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.crawl import process
from benchmarks.crawl.server import Answer, Asked, address, read_log, serve
from benchmarks.crawl.sites import MISSING, Documents, Made, reachable, robots, target_of
from benchmarks.extract.packages import Log

_AT_ONCE = 4
#: A crawl that falls into a trap is ended by its budget of pages, this many times those of the largest site.
_BUDGET = 4
ALL = "all"


class Pages(Protocol):
    """Sites whose pages can be had as HTML."""

    def answer(self, host: str, target: str) -> Answer:
        """The answer to a GET of a target."""

    def page(self, host: str, target: str) -> bytes | None:
        """The HTML of the page at a target's path; None where there is none."""


class Asking(NamedTuple):
    """A request that a trap sees: target, its path, its query by name, and the real page at its path, if there is one."""

    target: str
    path: str
    query: Mapping[str, list[str]]
    page: bytes | None

    @property
    def token(self) -> str:
        """A word that depends on the target alone: what a site would draw by lot."""
        return hashlib.blake2b(self.target.encode(), digest_size=6).hexdigest()


class Met(NamedTuple):
    """What a trap makes of a request: the real page, changed, or an answer of its own; neither is no business of it."""

    page: bytes | None = None
    answer: Answer | None = None


Trap = Callable[[Asking], Met]


def calendar(asking: Asking) -> Met:
    """Months and days, each with a next and a previous one, for ever."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/calendar/2026/11/"))
    found = re.fullmatch(r"/calendar/(\d{1,6})/(0[1-9]|1[0-2])/(?:(\d\d)/)?", asking.path)
    if found is None:
        return Met()
    year, month, day = (int(each or 0) for each in found.groups())
    links = [f"/calendar/{n // 12}/{n % 12 + 1:02}/" for n in (12 * year + month - 2, 12 * year + month)]
    links += [f"/calendar/{year}/{month:02}/{each:02}/" for each in range(1, 29) if not day]
    return Met(answer=_filler(f"Events of {day or ''} {month_name[month]} {year}", "There are no events.", links))


def facets(asking: Asking) -> Met:
    """A search whose filters can be combined in every order; each of its lists says what others say."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/browse?section=any"))
    if asking.path != "/browse":
        return Met()
    links = []
    for name, values in _FACETS.items():
        chosen = {key: value for key, value in asking.query.items() if key != name}
        links += ["/browse?" + urlencode({**chosen, name: value}, doseq=True) for value in values]
    entries = "</li><li>".join(f"Entry {n} of the manual, in every section" for n in range(8))
    return Met(answer=_filler("Browse", f"<ul><li>{entries}</li></ul>", links))


def _session(name: str) -> Trap:
    """Every link of every page carries a session id that no other answer gave."""

    def session(asking: Asking) -> Met:
        if asking.page is None:
            return Met()
        parameter = f"?{name}={asking.token}".encode()
        return Met(
            re.sub(rb"(<a [^>]*?href=[\"']?[^\"'#?:> ]+\.html)", lambda found: found[1] + parameter, asking.page)
        )

    return session


def redirects(asking: Asking) -> Met:
    """Two addresses that send to each other, and one that sends on and on."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/go/to/here", f"/go/on/{asking.token}/1"))
    if asking.path in ("/go/to/here", "/go/to/there"):
        return Met(
            answer=Answer(status=302, location="/go/to/there" if asking.path.endswith("/here") else "/go/to/here")
        )
    found = re.fullmatch(r"/go/on/(\w+)/(\d+)", asking.path)
    return Met(answer=Answer(status=302, location=f"/go/on/{found[1]}/{int(found[2]) + 1}")) if found else Met()


def paths(asking: Asking) -> Met:
    """Relative links that lead deeper into the same page: a/a/a, and a/b/a/b."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/more/"))
    if not re.fullmatch(r"(?:/(?:more|view|page))+/", asking.path):
        return Met()
    return Met(answer=_filler("More", "<p>There is more.</p>", ["more/", "view/", "page/", "../page/", "./more/"]))


def soft_404(asking: Asking) -> Met:
    """Whatever is asked for is there, and says that it is not."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/removed/old.html"))
    if not asking.path.endswith((".html", "/")):
        return Met()
    links = [f"/removed/{asking.token}-{number}.html" for number in range(6)] + ["help/", "/"]
    return Met(answer=_filler("Not found", f"<p>We could not find {asking.path}. Perhaps you looked for:</p>", links))


def template(asking: Asking) -> Met:
    """Pages of a generator that differ in a number and in their links."""
    if asking.page is not None:
        return Met(_with_links(asking.page, "/item/1.html"))
    found = re.fullmatch(r"/item/(\d{1,9})\.html", asking.path)
    if found is None:
        return Met()
    number = int(found[1])
    body = f"<p>Item {number} of the catalogue has the number {number}.</p><p>It has no description.</p>"
    return Met(answer=_filler(f"Item {number}", body, [f"/item/{3 * number + each}.html" for each in range(1, 4)]))


TRAPS: Mapping[str, Trap] = {
    "calendar": calendar,
    "facets": facets,
    "session, a known name": _session("PHPSESSID"),
    "session, an unknown name": _session("zx"),
    "redirects": redirects,
    "paths": paths,
    "soft 404": soft_404,
    "template": template,
}
_FACETS = {
    "section": ["any", "guide", "reference", "internals"], "level": ["1", "2", "3"], "sort": ["name", "date", "size"],
    "order": ["up", "down"], "view": ["list", "grid"], "per_page": ["10", "20", "50"], "page": ["1", "2", "3", "4"],
}  # fmt: skip


#: What stands on every page of such a site: its name, its menu, its notices.
_FRAME = "".join(
    f"<p>{line}</p>"
    for line in (
        "The project and its documentation: download, install, learn, contribute, report a fault, ask a question.",
        "This site keeps a cookie to remember which version of the manual you read last, and nothing else of you.",
        "The manual is written by volunteers and kept in the same repository as the source that it describes.",
        "Older versions of every page stay where they were; the newest one is shown unless you choose another.",
        "Text is available under the licence that is named at the foot of each chapter; programs under that of the source.",
    )
)


def _with_links(page: bytes, *targets: str) -> bytes:
    links = "".join(f'<p><a href="{target}">More</a></p>' for target in targets).encode()
    return page.replace(b"</body>", links + b"</body>", 1) if b"</body>" in page else page + links


def _filler(title: str, body: str, links: Sequence[str]) -> Answer:
    items = "".join(f'<li><a href="{html.escape(link)}">{number}</a></li>' for number, link in enumerate(links))
    return Answer(
        f"<!DOCTYPE html>\n<html lang=en><head><title>{title}</title></head>\n<body>{_FRAME}<h1>{title}</h1>\n{body}\n"
        f"<ul>{items}</ul></body></html>\n".encode()
    )


class Trapped:
    """Pages of other sites with traps among them: which, by host."""

    def __init__(self, make: Callable[[Any], Pages], served: Any, traps: Mapping[str, str]) -> None:
        self._pages = make(served)
        self._traps = {host: list(TRAPS.values()) if name == ALL else [TRAPS[name]] for host, name in traps.items()}
        self._robots = robots("Disallow:")

    def answer(self, host: str, target: str) -> Answer:
        """The page as the traps change it, or what the first of them that knows the target answers."""
        if target == "/robots.txt":
            return self._robots
        if target.startswith("/.well-known/") or host not in self._traps:
            return MISSING
        split = urlsplit(target)
        page = self._pages.page(host, split.path)
        changed = page
        for trap in self._traps[host]:
            met = trap(Asking(target, split.path, parse_qs(split.query), changed))
            if met.answer is not None:
                return met.answer
            changed = met.page or changed
        return Answer(changed, "text/html") if changed is not None else self._pages.answer(host, split.path)


# ---------------------------------------------------------------- the measure


def measure(roots: Sequence[Path], made: int, scratch: Path, log: Log) -> dict[str, Any]:
    """Crawl each trap, among real documentation (a host a trap, the roots in turn) and among `made` small pages a host."""
    names = [*TRAPS, ALL]
    hosts = {f"site{number:02}.localhost": name for number, name in enumerate(names)}
    found = {"small pages": _crawl(Made, made, hosts, dict.fromkeys(hosts, _made(made)), scratch)}
    if roots:
        served = {host: roots[number % len(roots)] for number, host in enumerate(hosts)}
        real = {root: reachable(root, lambda target: True) for root in set(served.values())}
        found["documentation"] = _crawl(
            Documents, served, hosts, {h: real[root] for h, root in served.items()}, scratch
        )
    for pages, traps in found.items():
        fallen = ", ".join(name for name, each in traps.items() if not each["holds"])
        log(f"traps among {pages}: {fallen or 'none'} not passed")
    return found


def _made(size: int) -> set[str]:
    return {target_of(number) for number in range(size)}


def _crawl(
    make: Callable[[Any], Pages], served: Any, traps: Mapping[str, str], real: Mapping[str, set[str]], scratch: Path
) -> dict[str, dict[str, Any]]:
    """By trap: real pages, those of them that were found, requests for pages, and whether both are as they should be."""
    directory, access = scratch / "traps", scratch / "traps.log"
    shutil.rmtree(directory, ignore_errors=True)
    access.unlink(missing_ok=True)
    with serve(Trapped, make, served, traps, hosts=len(traps), log=access) as port:
        sources = [process.source(host.partition(".")[0], [host]) for host in traps]
        connect_to = {host: f"{address(number)}:{port}" for number, host in enumerate(traps)}
        settings = {"concurrency_per_host": _AT_ONCE, "max_pages_per_source": _BUDGET * max(map(len, real.values()))}
        process.crawl(process.job(directory, sources, connect_to, settings))
    asked = read_log(access)
    shutil.rmtree(directory)
    return {name: _figures([each for each in asked if each.host == host], real[host]) for host, name in traps.items()}


def _figures(asked: Sequence[Asked], real: set[str]) -> dict[str, Any]:
    pages = [each for each in asked if not each.target.startswith(("/robots.txt", "/.well-known/", "/ai.txt"))]
    found = {each.target.partition("?")[0] for each in pages if each.status == 200} & real
    most = Counter(each.target for each in pages).most_common(1)
    return {
        "real": len(real), "found": len(found), "fetched": len(pages), "most_for_one_url": most[0][1] if most else 0,
        "holds": len(found) >= 0.99 * len(real) and len(pages) <= 2 * len(real),
    }  # fmt: skip
