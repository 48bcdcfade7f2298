"""The tools: HTML to Markdown or text, each called as its documentation says, in a process that may be killed."""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.extract.dom import decode

TIME_LIMIT_S = 10
LONGEST_WAIT = 6  # times the limit, for a process that hangs without computing
START_LIMIT_S = 120
# Converted once before the clock runs: what is compiled or loaded at first use is no page's fault.
FIRST_PAGE = (
    b"<html><head><title>t</title></head><body><main><h1>t</h1><p>one <code>two</code> <b>three</b></p><pre>four</pre>"
    b"<ul><li>five</li></ul><dl><dt>six</dt><dd>seven</dd></dl><table><tr><th>8</th><th>9</th></tr></table></main></body></html>"
)

Convert = Callable[[bytes, str], str]  # a page's bytes and its URL to Markdown or text


@dataclass(frozen=True)
class Tool:
    """A tool: the distribution that it comes from, how it is loaded, and whether it writes Markdown or plain text.

    `load` is called in another process: it is a function of a module, or a partial one.
    """

    name: str
    distribution: str
    load: Callable[[], Convert]
    markdown: bool = True


def _ours(column: str = "text") -> Convert:
    from manifests.models import ExtractSettings
    from pipelines.extract.html.reader import extract_html
    from pipelines.extract.page import NoText

    settings = ExtractSettings()

    def convert(body: bytes, url: str) -> str:
        try:
            return str(getattr(extract_html(body, "text/html", url, settings), column))
        except NoText:
            return ""

    return convert


def _trafilatura(**options: Any) -> Convert:
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    return lambda body, url: trafilatura.extract(decode(body), url=url, output_format="markdown", **options) or ""


def _resiliparse(**options: Any) -> Convert:
    from resiliparse.extract.html2text import extract_plain_text

    return lambda body, url: extract_plain_text(decode(body), **options)


def _html_to_markdown() -> Convert:
    import html_to_markdown

    return lambda body, url: html_to_markdown.convert(decode(body)).content or ""


def _markdownify() -> Convert:
    import markdownify

    return lambda body, url: markdownify.markdownify(decode(body))


def _markitdown() -> Convert:
    from markitdown import MarkItDown, StreamInfo

    tool = MarkItDown(enable_plugins=False)
    kind = StreamInfo(mimetype="text/html", extension=".html", charset="utf-8")

    def convert(body: bytes, url: str) -> str:
        return tool.convert_stream(io.BytesIO(decode(body).encode("utf-8", "replace")), stream_info=kind).markdown

    return convert


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("ours", "syscorpus", _ours),
        Tool("trafilatura", "trafilatura", _trafilatura),
        Tool("trafilatura-recall", "trafilatura", partial(_trafilatura, favor_recall=True)),
        Tool(
            "resiliparse-main", "resiliparse", partial(_resiliparse, main_content=True, preserve_formatting=True), False
        ),
        Tool("resiliparse-plain", "resiliparse", partial(_resiliparse, preserve_formatting=True), False),
        Tool("html-to-markdown", "html-to-markdown", _html_to_markdown),
        Tool("markdownify", "markdownify", _markdownify),
        Tool("markitdown", "markitdown", _markitdown),
    )
}


def version(tool: Tool) -> str:
    """The version of a tool's distribution, or nothing where it is not installed."""
    try:
        return metadata.version(tool.distribution)
    except metadata.PackageNotFoundError:
        return ""


# Not a tool: by which way ours chose the content of a page.
METHOD = Tool("method", "syscorpus", partial(_ours, "method"))


@dataclass
class Watched:
    """A tool in a process of its own: who uses the limit without an answer is killed, and starts anew.

    `failures` counts the pages that gave nothing, by why: `time`, `crash`, or the name of the exception; `seconds`
    is the processor time that the last page took, all threads together.
    """

    tool: Tool
    limit_s: float = TIME_LIMIT_S
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    _process: multiprocessing.process.BaseProcess | None = None
    _connection: Connection | None = None

    def __call__(self, body: bytes, url: str) -> str:
        """What the tool makes of a page; nothing where it fails."""
        connection = self._connection or self._start()
        why = "crash"
        try:
            connection.send((body, url))
            if self._answers(connection):
                text, why, self.seconds = connection.recv()
                if why:
                    self._fail(why)
                return str(text)
            why, self.seconds = "time", self.limit_s
        except (EOFError, OSError):
            self.seconds = 0.0
        self.close()
        self._fail(why)
        return ""

    def _answers(self, connection: Connection) -> bool:
        """Whether an answer comes before the process has used the limit: on a busy machine it has longer."""
        begin = self._used()
        for _ in range(LONGEST_WAIT):
            if connection.poll(self.limit_s):
                return True
            if self._used() - begin >= 0.9 * self.limit_s:
                return False
        return False

    def _used(self) -> float:
        """The processor time that the process has used, in seconds; without /proc, the time that has passed."""
        assert self._process is not None
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def _fail(self, why: str) -> None:
        self.failures[why] = self.failures.get(why, 0) + 1

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self.tool.load, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            started = ours.poll(START_LIMIT_S) and ours.recv()
        except EOFError:
            started = False
        if not started:
            process.kill()
            raise RuntimeError(f"{self.tool.name} does not start")
        self._process, self._connection = process, ours
        return ours


def _serve(load: Callable[[], Convert], connection: Connection) -> None:
    """Answer pages until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.simplefilter("ignore")
    convert = load()
    with contextlib.suppress(Exception):
        convert(FIRST_PAGE, "https://docs.example/")
    connection.send(True)
    while True:
        try:
            body, url = connection.recv()
        except EOFError:
            return
        begin = time.process_time()
        text, why = "", ""
        try:
            text = convert(body, url)
        except Exception as error:  # noqa: BLE001 - whatever it trips over, it gave nothing
            why = type(error).__name__
        seconds = time.process_time() - begin
        connection.send((text.encode("utf-8", "replace").decode("utf-8"), why, seconds))
