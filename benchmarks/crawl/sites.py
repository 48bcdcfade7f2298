"""What the server of the benchmark serves: real documentation, and pages that are made."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from benchmarks.crawl.server import Answer

PAGE_SUFFIXES = (".html", ".htm")
MISSING = Answer(b"<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n", status=404)
# HTML names no charset: real pages declare their own.
HTML = "text/html"
_TYPES = {".html": HTML, ".htm": HTML, ".txt": "text/plain; charset=utf-8"}


def robots(*lines: str) -> Answer:
    """A robots.txt with these lines for everyone."""
    return Answer("\n".join(("User-agent: *", *lines, "")).encode(), "text/plain")


class Documents:
    """Real documentation: host to document root. Files are read once, and stay in memory."""

    def __init__(self, roots: Mapping[str, Path]) -> None:
        self._roots = {host: root.resolve() for host, root in roots.items()}
        self._robots = robots("Disallow:")
        self._read = cache(_answer_of)

    def answer(self, host: str, target: str) -> Answer:
        """The file that a target names; the index of a directory."""
        if target == "/robots.txt":
            return self._robots
        return self._read(self._roots[host], target.partition("?")[0]) if host in self._roots else MISSING

    def page(self, host: str, target: str) -> bytes | None:
        """The HTML of the page that a target names; None where it names none."""
        place = file_of(self._roots[host], target.partition("?")[0]) if host in self._roots else None
        return place.read_bytes() if place and place.suffix in PAGE_SUFFIXES else None


def pages_below(root: Path) -> list[str]:
    """Paths of the HTML pages below a document root, in order."""
    found = []
    for folder, _, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        prefix = "/" if relative == "." else f"/{relative}/"
        found += [prefix + name for name in names if name.endswith(PAGE_SUFFIXES)]
    return sorted(found)


def digest(root: Path) -> str:
    """SHA-256 of the HTML pages below a document root, their paths with them."""
    found = hashlib.sha256()
    for path in pages_below(root):
        body = (root / path[1:]).read_bytes()
        found.update(f"{path} {len(body)}\n".encode() + body)
    return found.hexdigest()


def file_of(root: Path, path: str) -> Path | None:
    """The file at a URL's path below a document root, the index for a directory; None where there is none."""
    place = (root / unquote(path).lstrip("/")).resolve()
    if path.endswith("/"):
        place /= "index.html"
    return place if place.is_relative_to(root) and place.is_file() else None


def _answer_of(root: Path, path: str) -> Answer:
    place = file_of(root, path)
    if place is not None:
        return Answer(place.read_bytes(), _TYPES.get(place.suffix, "application/octet-stream"))
    return Answer(status=301, location=path + "/") if file_of(root, path + "/") else MISSING


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Name and signature are the parser's."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def hrefs(page: str) -> list[str]:
    """What the `a` elements of a page refer to, as written, in order.

    Read by the standard library: the crawler's own way to read links is not asked.
    """
    parser = _Links()
    parser.feed(page)
    return parser.found


@cache
def _links(root: Path, target: str) -> list[str] | None:
    place = file_of(root, target)
    if place is None or place.suffix not in PAGE_SUFFIXES:
        return None
    links = hrefs(place.read_text(encoding="utf-8", errors="replace"))
    urls = (urlsplit(urljoin(f"http://here{target}", link)) for link in links)
    return [url.path or "/" for url in urls if url.netloc == "here" and not url.query]


def reachable(root: Path, allows: Callable[[str], bool]) -> set[str]:
    """The pages that a reader of the documentation comes to from its root, over pages that are allowed."""
    root = root.resolve()
    found: set[str] = set()
    waiting = ["/"]
    while waiting:
        target = waiting.pop()
        if target not in found and allows(target) and (links := _links(root, target)) is not None:
            found.add(target)
            waiting += links
    return found


class Made:
    """Hosts of small made pages: a few hundred words and a dozen links each, all of them within reach. `size`: pages."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._robots = robots("Disallow: /private/")
        self._answer = cache(lambda host, number: Answer(made_page(host, number, self._size)))

    def answer(self, host: str, target: str) -> Answer:
        """The page that a target names."""
        if target == "/robots.txt":
            return self._robots
        number = self._number(target)
        return MISSING if number is None else self._answer(host, number)

    def page(self, host: str, target: str) -> bytes | None:
        """The HTML of the page that a target names; None where it names none."""
        number = self._number(target.partition("?")[0])
        return None if number is None else made_page(host, number, self._size)

    def _number(self, target: str) -> int | None:
        name = target[1:].removesuffix(".html")
        number = int(name) if name.isascii() and name.isdigit() else 0
        return number if number < self._size and target == target_of(number) else None


def target_of(number: int) -> str:
    """The path of a made page; the first is the root."""
    return f"/{number}.html" if number else "/"


def made_page(host: str, number: int, size: int) -> bytes:
    """A made page: links to two pages below it, to those beside it, to the first ones, and to some anywhere."""
    chosen = random.Random(f"{host} {number}")
    linked = (2 * number + 1, 2 * number + 2, number - 1, number + 1, 0, 1, 2, 3, *chosen.choices(range(size), k=4))
    navigation = " ".join(f'<a href="{target_of(each)}">Section {each}</a>' for each in linked if 0 <= each < size)
    paragraphs = "\n".join(f"<p>{' '.join(chosen.choices(_WORDS, k=60))}.</p>" for _ in range(6))
    return (
        f"<!DOCTYPE html>\n<html lang=en><head><title>Page {number} of {host}</title></head>\n"
        f"<body><nav>{navigation}</nav>\n<main><h1>Page {number}</h1>\n{paragraphs}</main></body></html>\n"
    ).encode()


_TEXT = (
    "the kernel maps a page of memory when the process first writes to it and the scheduler then moves the thread to "
    "another queue while an interrupt handler copies the buffer of the device into a socket whose lock is held by the "
    "driver so that no request of the file system waits for the journal longer than a commit takes on this volume"
)
_WORDS = _TEXT.split()
