"""Renders the manual pages of an unpacked package to HTML, with mandoc."""

from __future__ import annotations

import html
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from crawlers.farm.docroot import included, inflate, resolve_inside

CPU_LIMIT_S = 10
_ALIAS = re.compile(rb'(?:\s*[.\'](?:\\".*)?\n)*\.so\s+(?:\S*/)?([^\s/]+)\s*\Z')
_REFERENCE = re.compile(r'<a class="Xr" href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
_PAGE_NAME = re.compile(r"[^/]+\.[0-9][^/.]*\.html")
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Manual pages of {package}</title></head>
<body>
<h1>Manual pages of {package}</h1>
<ul>
{items}
</ul>
</body>
</html>
"""


@dataclass(frozen=True)
class _Manual:
    """One source file, and what it is served as (`ip-link.8.html`)."""

    source: Path
    page: str


def render(mandoc: Path, tree: Path, root: Path, include: Sequence[str], package: str, target: Path) -> list[str]:
    """Write an HTML page for each manual page below `root/man*/`, and an index; returns what failed.

    A page that only points at another, by link or by `.so`, gets no page of its own: what refers to it
    refers to the other.
    """
    manuals, aliases, failed = _collect(tree, root, include)
    pages = {manual.page for manual in manuals}
    target.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rendered = pool.map(lambda manual: _run(mandoc, manual.source), manuals)
        for manual, text in zip(manuals, rendered, strict=True):
            if text is None:
                failed.append(manual.page)
                pages.discard(manual.page)
                continue
            place = target / manual.page
            place.write_text(_refer(text, pages, aliases), encoding="utf-8")
            stamp = manual.source.stat().st_mtime_ns
            os.utime(place, ns=(stamp, stamp))
    items = "\n".join(f'<li><a href="{_quoted(page)}">{_title(page)}</a></li>' for page in sorted(pages))
    (target / "index.html").write_text(_INDEX.format(package=html.escape(package), items=items), encoding="utf-8")
    return failed


def _collect(tree: Path, root: Path, include: Sequence[str]) -> tuple[list[_Manual], dict[str, str], list[str]]:
    """The pages to render, the page that each alias stands for, and the pages that cannot be read."""
    manuals, aliases, unreadable = [], {}, []
    for path in sorted(root.glob("man*/*")):
        page = f"{path.name.removesuffix('.gz')}.html"
        if not _PAGE_NAME.fullmatch(page) or not included(page, include):
            continue
        real = resolve_inside(tree, path)
        try:
            source = _read(real) if real is not None else None
        except (OSError, ValueError):
            source = None
        if real is None or source is None:
            unreadable.append(page)
        elif alias := _ALIAS.match(source):
            aliases[page] = f"{alias[1].decode('utf-8', 'replace')}.html"
        elif path.is_symlink():
            aliases[page] = f"{real.name.removesuffix('.gz')}.html"
        else:
            manuals.append(_Manual(real, page))
    return manuals, aliases, unreadable


def _read(path: Path) -> bytes:
    return inflate(path) if path.name.endswith(".gz") else path.read_bytes()


def _run(mandoc: Path, source: Path) -> str | None:
    """The page as HTML; None where mandoc fails, crashes or takes more than CPU_LIMIT_S of CPU time."""
    limited = f'ulimit -t {CPU_LIMIT_S}; exec "$0" -T html -O man=%N.%S.html'
    command = ["/bin/sh", "-c", limited, str(mandoc)]
    done = subprocess.run(command, check=False, input=_read(source), capture_output=True)
    text = done.stdout.decode("utf-8", "replace")
    # 1 to 4 are remarks on the style and errors of the source; it is rendered all the same.
    return text if 0 <= done.returncode <= 4 and text.rstrip().endswith("</html>") else None


def _refer(text: str, pages: set[str], aliases: dict[str, str]) -> str:
    """Point cross references at pages that exist; the others keep their text only."""

    def choose(match: re.Match[str]) -> str:
        page = aliases.get(match[1], match[1])
        return f'<a class="Xr" href="{page}"{match[2]}>{match[3]}</a>' if page in pages else match[3]

    return _REFERENCE.sub(choose, text)


def _title(page: str) -> str:
    name, _, section = page.removesuffix(".html").rpartition(".")
    return html.escape(f"{name}({section})")


def _quoted(page: str) -> str:
    # A colon would make a scheme of what stands before it.
    return "./" + quote(page)
