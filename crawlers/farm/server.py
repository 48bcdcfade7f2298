"""Serves document roots on loopback over HTTP/1.1, one virtual host each, in a process of its own.

What a crawler meets on a real site is here: robots.txt and sitemaps (generated where the root has none),
redirects, validators and 304, gzip, HEAD, keep-alive, error pages. Answers are computed by `Site`, which
knows no sockets; the connections are below it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gzip
import hashlib
import html
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote_to_bytes

MAX_HEAD_BYTES = 64 * 1024
MIN_GZIP_BYTES = 256
SITEMAP_URLS = 1000
DISALLOWED = ("/private/", "/search.html")
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
PR_SET_PDEATHSIG = 1
REPOSITORY = Path(__file__).resolve().parents[2]

# HTML names no charset: the pages declare their own.
_TYPES = {
    ".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml",
    ".txt": "text/plain; charset=utf-8", ".xml": "application/xml", ".css": "text/css",
    ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml",
    ".png": "image/png", ".gif": "image/gif", ".jpg": "image/jpeg", ".ico": "image/x-icon",
    ".pdf": "application/pdf", ".gz": "application/gzip",
}  # fmt: skip
_COMPRESSED = ("image/png", "image/gif", "image/jpeg", "application/pdf", "application/gzip")
_SITEMAP_SCHEMA = "http://www.sitemaps.org/schemas/sitemap/0.9"


# ---------------------------------------------------------------- answers


@dataclass(frozen=True)
class Request:
    """What a client asked for; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A status, the headers that belong to the content, and the content."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def _error(status: HTTPStatus) -> Answer:
    line = f"{status.value} {status.phrase}"
    page = f"<!DOCTYPE html>\n<html lang=en><title>{line}</title>\n<h1>{line}</h1>\n</html>\n"
    return Answer(status.value, {"Content-Type": "text/html; charset=utf-8"}, page.encode())


def _generated(content_type: str, text: str) -> Answer:
    body = text.encode()
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
    return Answer(200, {"Content-Type": content_type, "ETag": tag}, body)


class Site:
    """One virtual host: its document root, and what is generated for it."""

    def __init__(self, host: str, root: Path, xhtml: bool) -> None:
        self._host = host
        self._root = root.resolve()
        self._xhtml = xhtml
        self._sitemaps: dict[str, Answer] | None = None

    def answer(self, request: Request) -> Answer:
        """The answer to a GET or HEAD request, before conditions and encodings are applied."""
        path = _decoded(request.target.partition("?")[0])
        if path is None:
            return _error(HTTPStatus.NOT_FOUND)
        real = (self._root / path[1:]).resolve()
        if not real.is_relative_to(self._root):
            return _error(HTTPStatus.NOT_FOUND)
        if real.is_file() and not path.endswith("/"):
            return self._file(real)
        if real.is_dir():
            return self._directory(real, path)
        return self._generated(path)

    def _directory(self, real: Path, path: str) -> Answer:
        if not path.endswith("/"):
            return Answer(HTTPStatus.MOVED_PERMANENTLY, {"Location": quote(path) + "/"})
        index = (real / "index.html").resolve()
        if index.is_file() and index.is_relative_to(self._root):
            return self._file(index)
        names = sorted(entry.name + "/" * entry.is_dir() for entry in real.iterdir())
        items = "\n".join(f'<li><a href="./{quote(name)}">{html.escape(name)}</a></li>' for name in names)
        title = f"Index of {html.escape(path)}"
        page = f"<html lang=en><title>{title}</title>\n<h1>{title}</h1>\n<ul>\n{items}\n</ul>\n</html>\n"
        return _generated("text/html; charset=utf-8", f"<!DOCTYPE html>\n{page}")

    def _file(self, real: Path) -> Answer:
        with open(real, "rb") as stream:
            status = os.fstat(stream.fileno())
            body = stream.read()
        kind = _TYPES.get(real.suffix.lower(), "application/octet-stream")
        if self._xhtml and kind == "text/html":
            kind = "application/xhtml+xml"
        headers = {
            "Content-Type": kind,
            "ETag": f'W/"{status.st_mtime_ns:x}-{status.st_size:x}"',
            "Last-Modified": formatdate(int(status.st_mtime), usegmt=True),
        }
        return Answer(200, headers, body)

    def _generated(self, path: str) -> Answer:
        if path == "/robots.txt":
            rules = "".join(f"Disallow: {prefix}\n" for prefix in DISALLOWED)
            text = f"User-agent: *\n{rules}\nSitemap: http://{self._host}/sitemap.xml\n"
            return _generated("text/plain; charset=utf-8", text)
        if path.startswith("/sitemap") and self._sitemaps is None:
            self._sitemaps = self._make_sitemaps()
        return (self._sitemaps or {}).get(path) or _error(HTTPStatus.NOT_FOUND)

    def _make_sitemaps(self) -> dict[str, Answer]:
        """`/sitemap.xml`, and the sitemaps that it is an index of where one would be long."""
        pages = sorted(self._pages())
        if len(pages) <= SITEMAP_URLS:
            return {"/sitemap.xml": self._sitemap("urlset", "url", pages)}
        parts = [pages[start : start + SITEMAP_URLS] for start in range(0, len(pages), SITEMAP_URLS)]
        answers = {f"/sitemap-{n}.xml": self._sitemap("urlset", "url", part) for n, part in enumerate(parts, 1)}
        index = [(name, max(day for _, day in part)) for name, part in zip(answers, parts, strict=True)]
        return {"/sitemap.xml": self._sitemap("sitemapindex", "sitemap", index), **answers}

    def _sitemap(self, outer: str, inner: str, entries: list[tuple[str, str]]) -> Answer:
        items = "".join(
            f"<{inner}><loc>http://{self._host}{html.escape(quote(path))}</loc><lastmod>{day}</lastmod></{inner}>\n"
            for path, day in entries
        )
        text = f'<{outer} xmlns="{_SITEMAP_SCHEMA}">\n{items}</{outer}>\n'
        return _generated("application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')

    def _pages(self) -> Iterator[tuple[str, str]]:
        """Path and day of change of each page that robots may fetch."""
        for folder, _, names in os.walk(self._root):
            for name in names:
                place = Path(folder, name)
                path = f"/{place.relative_to(self._root)}"
                if not name.endswith(PAGE_SUFFIXES) or path.startswith(DISALLOWED) or place.is_symlink():
                    continue
                if name == "index.html":
                    path = path.removesuffix(name)
                yield path, time.strftime("%Y-%m-%d", time.gmtime(place.stat().st_mtime))


def _decoded(path: str) -> str | None:
    """A request path with its escapes resolved; None where it could mean anything but a path below a root."""
    if not path.startswith("/"):
        return None
    steps = []
    for step in path[1:].split("/"):
        try:
            steps.append(unquote_to_bytes(step).decode())
        except UnicodeDecodeError:
            return None
    if any(step in ("", ".", "..") for step in steps[:-1]) or steps[-1] in (".", ".."):
        return None
    if any(sign in step for step in steps for sign in "/\\\0"):
        return None
    return "/" + "/".join(steps)


def _unchanged(request: Request, answer: Answer) -> bool:
    """Whether the client's copy is good, by RFC 9110 section 13: an entity tag goes before a date."""
    tags, since = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or answer.headers.get("ETag", "").removeprefix("W/") in known
    if since is None or "Last-Modified" not in answer.headers:
        return False
    try:
        return parsedate_to_datetime(answer.headers["Last-Modified"]) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # TypeError: a date without a time zone
        return False


def _takes_gzip(request: Request) -> bool:
    for coding in request.headers.get("accept-encoding", "").split(","):
        name, _, weight = coding.replace(" ", "").lower().partition(";q=")
        if name in ("gzip", "*"):
            return not weight or weight.strip("0.") != ""
    return False


def _negotiated(request: Request, answer: Answer) -> Answer:
    """The answer as this client gets it: 304 where its copy is good, gzip where it takes that."""
    if answer.status != HTTPStatus.OK:
        return answer
    if _unchanged(request, answer):
        kept = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
        return Answer(HTTPStatus.NOT_MODIFIED, kept)
    if answer.headers["Content-Type"] in _COMPRESSED or len(answer.body) < MIN_GZIP_BYTES:
        return answer
    headers = {**answer.headers, "Vary": "Accept-Encoding"}
    if not _takes_gzip(request):
        return Answer(answer.status, headers, answer.body)
    headers["Content-Encoding"] = "gzip"
    return Answer(answer.status, headers, gzip.compress(answer.body, compresslevel=1, mtime=0))


# ---------------------------------------------------------------- connections


class _Connections:
    def __init__(self, sites: Mapping[str, Site], access_log: IO[str] | None) -> None:
        self._sites = sites
        self._access_log = access_log

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after another."""
        try:
            while await self._serve_one(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may carry another."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            writer.write(_encoded(_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), "GET", False))
            return False
        request = _parsed(head)
        if request is None:
            writer.write(_encoded(_error(HTTPStatus.BAD_REQUEST), "GET", False))
            return False
        host = request.headers.get("host", "").partition(":")[0].lower()
        answer = self._answer(host, request)
        # A body would be read as the next request.
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        keep = request.headers.get("connection", "").lower() != "close" and not has_body
        message = _encoded(answer, request.method, keep)
        writer.write(message)
        self._log(host, request, answer)
        return keep

    def _answer(self, host: str, request: Request) -> Answer:
        site = self._sites.get(host)
        if site is None:
            return _error(HTTPStatus.MISDIRECTED_REQUEST)
        if request.method not in ("GET", "HEAD"):
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return _negotiated(request, site.answer(request))
        except (OSError, RuntimeError):  # a name too long, a file that may not be read; a loop of links
            return _error(HTTPStatus.NOT_FOUND)

    def _log(self, host: str, request: Request, answer: Answer) -> None:
        if self._access_log is None:
            return
        sent = 0 if request.method == "HEAD" else len(answer.body)
        entry = {
            "time": time.time(), "host": host, "method": request.method, "path": request.target,
            "status": int(answer.status), "bytes": sent,
        }  # fmt: skip
        self._access_log.write(json.dumps(entry) + "\n")


def _parsed(head: bytes) -> Request | None:
    """The request of a message head; None where it is none that HTTP/1.1 allows."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        return None
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            return None
        headers[name.lower()] = value.strip()
    if words[2] == "HTTP/1.0":
        headers["connection"] = "close"
    elif "host" not in headers:
        return None
    return Request(words[0], words[1], headers)


def _encoded(answer: Answer, method: str, keep: bool) -> bytes:
    status = HTTPStatus(answer.status)
    headers = {"Date": formatdate(usegmt=True), **answer.headers}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET, HEAD"
    if status is not HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(len(answer.body))
    if not keep:
        headers["Connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("latin-1")
    return head if method == "HEAD" else head + answer.body


# ---------------------------------------------------------------- the process


@contextmanager
def serve(
    sites: Mapping[str, Path], xhtml_hosts: Collection[str] = (), access_log: Path | None = None
) -> Iterator[str]:
    """Serve each host's document root for as long as the context lasts; yields "127.0.0.1:PORT".

    Pages of `xhtml_hosts` are sent as application/xhtml+xml. `access_log` gets one JSON line for each
    request: time (seconds), host, method, path, status, bytes (of the body as sent). The server ends with
    the thread that started it, however that ends.
    """
    configuration = {
        "parent": os.getpid(),
        "sites": {host: str(root.resolve()) for host, root in sites.items()},
        "xhtml_hosts": sorted(xhtml_hosts),
        "access_log": str(access_log.absolute()) if access_log else None,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "crawlers.farm.server"],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout
    try:
        process.stdin.write(json.dumps(configuration))
        process.stdin.close()
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"the server of the farm did not start: exit code {process.wait()}")
        yield address
    finally:
        process.kill()  # it holds nothing that has to be saved
        process.wait()
        process.stdout.close()


def _die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit("the process that started the server has ended")


async def _run(configuration: Mapping[str, Any], access_log: IO[str] | None) -> None:
    sites = {
        host: Site(host, Path(root), host in configuration["xhtml_hosts"])
        for host, root in configuration["sites"].items()
    }
    connections = _Connections(sites, access_log)
    server = await asyncio.start_server(connections.serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the configuration from standard input, write the address to standard output, and serve."""
    configuration = json.load(sys.stdin)
    _die_with(configuration["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a crawler that is interrupted still drains what it began
    if configuration["access_log"] is None:
        asyncio.run(_run(configuration, None))
    else:
        with open(configuration["access_log"], "a", encoding="utf-8", buffering=1) as access_log:
            asyncio.run(_run(configuration, access_log))


if __name__ == "__main__":
    main()
