"""A paper as its authors sent it to arXiv (https://info.arxiv.org/help/submit_tex.html): one document.

It is LaTeX, by itself or in a gzip; or a tar archive, mostly in a gzip, of a project; or PDF. Its `00README`
(https://info.arxiv.org/help/00README.html) says which files of a project are the document; where it says nothing, that
is the longest file with a document class.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import tarfile
from collections.abc import Mapping
from dataclasses import replace

from crawlers.bulk.archive import ArchivedFile, read_files
from crawlers.content import BodyError, decode_body
from manifests.models import ExtractSettings
from pipelines.extract.latex.project import ENDINGS, documents, is_document
from pipelines.extract.latex.reader import extract_latex
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.pdf.reader import extract_pdf

#: What a paper may be unpacked, its figures among it: arXiv takes 50 MB packed.
MAX_UNPACKED_BYTES = 512 << 20

_GZIP, _PDF, _POSTSCRIPT = b"\x1f\x8b", b"%PDF-", b"%!PS"
_README = re.compile(r"00README(?:\.json|\.XXX|\.txt)?", re.IGNORECASE)
_TOP = re.compile(r"^[ \t]*(\S+)[ \t]+toplevelfile[ \t]*\r?$", re.MULTILINE)


def extract_eprint(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a paper makes; a pure function of its arguments.

    content_type: not used. What has a document class and is no part of the document stands in `found` under `left_out`.
    Raises `Unreadable` (damaged, too large, or nothing of the above) and `NoText`.
    """
    if body.startswith(_GZIP):
        try:
            body = decode_body(body, "gzip", MAX_UNPACKED_BYTES)
        except BodyError as error:
            reason = "too_large" if error.reason == "too_large" else "damaged_archive"
            raise Unreadable(reason, f"the paper cannot be unpacked: {error.detail or 'too large'}") from None
    if _is_tar(body):
        return _project_page(body, name, limits)
    if body.startswith(_PDF):
        return extract_pdf(body, None, name, limits)
    if body.startswith(_POSTSCRIPT):
        raise Unreadable("not_text", "the paper is PostScript")
    return extract_latex(body, None, name, limits)


def _is_tar(body: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(body[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _project_page(archive: bytes, name: str, limits: ExtractSettings) -> Page:
    files: dict[str, bytes] = {}
    named: list[str] = []
    pdfs: list[bytes] = []
    for each in read_files(io.BytesIO(archive), MAX_UNPACKED_BYTES):
        if not isinstance(each, ArchivedFile):
            raise Unreadable(each.reason if each.reason in Unreadable.REASONS else "too_large", each.detail)
        if _README.fullmatch(each.path):
            named = _named_in(each.body)
        elif each.path.lower().endswith(ENDINGS):
            files[each.path] = each.body
        elif each.path.lower().endswith(".pdf") and "/" not in each.path:
            pdfs.append(each.body)
    if not files and len(pdfs) == 1:
        return extract_pdf(pdfs[0], None, name, limits)
    if not files:
        raise NoText
    texts = dict(documents(files))
    chosen = _chosen(texts, named)
    pages = [extract_latex(texts[path].encode("utf-8", "replace"), None, path, limits) for path in chosen]
    left_out = [path for path, text in texts.items() if path not in chosen and is_document(text)]
    found = {**pages[0].found, **({"left_out": ", ".join(left_out)[:300]} if left_out else {})}
    return replace(pages[0], text="\n".join(page.text for page in pages), found=found)


def _chosen(texts: Mapping[str, str], named: list[str]) -> list[str]:
    """The files that are the document: those that are named, else the longest, of those with a document class first."""
    there = [path for path in named if path in texts]
    return there or [max(texts, key=lambda path: (is_document(texts[path]), len(texts[path]), path))]


def _named_in(readme: bytes) -> list[str]:
    """The files that a `00README` calls the top level, in its order; of JSON or, as it was of old, a file a line."""
    text = readme.decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return [posixpath.normpath(path) for path in _TOP.findall(text)]
    sources = told.get("sources") if isinstance(told, dict) else None
    named = [each for each in sources if isinstance(each, dict)] if isinstance(sources, list) else []
    return [str(each.get("filename")) for each in named if each.get("usage") == "toplevel"]
