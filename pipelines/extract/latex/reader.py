"""LaTeX to Markdown: one source, or several that one of them puts together."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator, Mapping

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.latex.document import read_document
from pipelines.extract.man.reader import iso_date
from pipelines.extract.page import NoText, Page, Unreadable

MAX_INPUT_DEPTH = 16
MAX_INPUTS = 2000
MAX_INPUT_CHARACTERS = 64 * 1024 * 1024

_COMMAND = re.compile(r"\\(?:[A-Za-z]{2,}|[A-Za-z]\b|[\\%{}$&])")
_INPUT = re.compile(r"\\(input|include|subfile)\s*\{([^{}\n]{1,300})\}|\\(input)[ \t]+([\w./-]{1,300})")
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%.*")
_CLASS = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.MULTILINE)
_MAIN_NAMES = ("main", "paper", "article", "ms", "thesis", "book", "root")


def extract_latex(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a LaTeX source is; a pure function of its arguments.

    Nothing that it includes is read: see `flatten`. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    source = decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n")
    if not _COMMAND.search(source) and not name.lower().endswith((".tex", ".ltx", ".latex")):
        raise Unreadable("not_text", "no LaTeX: no command in it")
    document = read_document(source)
    if not document.body.strip():
        raise NoText
    top = f"<h1>{html.escape(document.title, quote=False)}</h1>\n" if document.title else ""
    markdown = to_markdown(top + document.body)
    if not markdown.strip():
        raise NoText
    date = iso_date(document.date)
    found = {column: "latex" for column, value in (("date", date), ("authors", document.authors)) if value}
    title = document.title or document.heading
    return Page(title, markdown, (), "latex", date=date, authors=tuple(document.authors), found=found)


def find_main(files: Mapping[str, bytes]) -> str | None:
    """The file that puts the document together: it has a document class, and none includes it. Else None."""
    texts = {name: _text(body) for name, body in files.items() if name.lower().endswith((".tex", ".ltx", ".latex"))}
    mains = {name for name, text in texts.items() if _CLASS.search(text) and "\\begin{document}" in text}
    included = {
        path
        for name in mains
        for found in _INPUT.finditer(_COMMENT.sub("", texts[name]))
        if (path := _resolve(found[2] or found[4], name, files)) is not None
    }

    def rank(name: str) -> tuple[bool, bool, int, int, str]:
        stem = posixpath.basename(name).rpartition(".")[0].lower()
        return name in included, stem not in _MAIN_NAMES, name.count("/"), -len(texts[name]), name

    return min(mains, key=rank, default=None)


def flatten(files: Mapping[str, bytes], main: str) -> str:
    """The text of `main` with the files that it inputs or includes put in, at most MAX_INPUT_DEPTH deep.

    files: path to content. Only they are read. What is missing, recursive or too much is left as it stands.
    Raises KeyError if `main` is not among them.
    """
    parts: list[str] = []
    size = inputs = 0
    stack = [(main, _pieces(_text(files[main])))]
    while stack:
        name, pieces = stack[-1]
        piece = next(pieces, None)
        if piece is None:
            stack.pop()
            continue
        text, wanted = piece
        path = _resolve(wanted, main, files) or _resolve(wanted, name, files) if wanted else None
        if path is None or any(path == other for other, _ in stack) or len(stack) > MAX_INPUT_DEPTH:
            size += len(text)
            parts.append(text)
        elif inputs < MAX_INPUTS and size + len(files[path]) <= MAX_INPUT_CHARACTERS:
            inputs += 1
            stack.append((path, _pieces(_text(files[path]))))
        if size > MAX_INPUT_CHARACTERS:
            break
    return "".join(parts)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """A text cut at its inputs: each piece, and the file it asks for or nothing. Those in comments ask for none."""
    at = 0
    for found in _INPUT.finditer(text):
        begin = text.rfind("\n", 0, found.start()) + 1
        if _COMMENT.search(text, begin, found.start()) or found.start() < at:
            continue
        yield text[at : found.start()], ""
        yield found[0], found[2] or found[4]
        at = found.end()
    yield text[at:], ""


def _resolve(wanted: str, base: str, files: Mapping[str, bytes]) -> str | None:
    """The path among `files` that a name means in the file `base`."""
    wanted = wanted.strip().strip('"')
    for folder in (posixpath.dirname(base), ""):
        for ending in ("", ".tex"):
            path = posixpath.normpath(posixpath.join(folder, wanted + ending))
            if path in files:
                return path
    return None


def _text(body: bytes) -> str:
    """The text of a file; of a document of its own that another one includes, only the body counts."""
    try:
        return decode(body, None).replace("\r\n", "\n").replace("\r", "\n")
    except Unreadable:
        return ""
