"""Jupyter notebooks (nbformat 3 and 4): Markdown cells, code cells, and what the code printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from manifests.models import ExtractSettings
from pipelines.extract.guards import check_structure
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.markdown.reader import convert, first_heading
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.plain import read_text
from pipelines.extract.source_code import LANGUAGE_OF_INTERPRETER, language_of
from pipelines.extract.write import fence, heading

MAX_OUTPUT_LINES = 100
MAX_OUTPUT_CHARS = 10_000

# Colours and cursor moves (CSI), titles and links (OSC), single characters; and what a carriage return overwrites.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])|\x08")
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?!\n|$)", re.MULTILINE)
# What an object without a text of its own prints, such as a picture: its type and its address.
_OBJECT = re.compile(r"\s*<[\w.]+(?: size \d+x\d+ with \d+ Axes| (?:object )?at 0x[0-9a-fA-F]+| object)>\s*")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MAGIC = re.compile(
    r"%%(bash|sh|script bash|sql|bigquery|html|javascript|js|latex|markdown|perl|ruby|writefile\s+\S+)\b"
)
_HTML_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_TEX = re.compile(r"^\s*(\$\$?|\\\[|\\begin\b)")


def extract_notebook(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a notebook is; a pure function of its arguments.

    Outputs stay in part: text, errors and tables, each up to `MAX_OUTPUT_LINES` lines; no pictures, no widgets.
    Raises `Unreadable` (to quarantine; `parser_error` for what is no notebook) and `NoText` (to drop).
    """
    notebook = _read(read_text(body, content_type, limits))
    metadata = _mapping(notebook.get("metadata"))
    language = _language(metadata)
    blocks = [block for cell in _cells(notebook) for block in _blocks(cell, language, name, limits) if block.strip()]
    if not blocks:
        raise NoText
    text = "\n\n".join(block.strip("\n") for block in blocks) + "\n"
    stated = _string(metadata.get("title"))
    first, level = first_heading("\n\n".join(block for block in blocks if not block.startswith("```")))
    if stated and level != 1:
        text = heading(1, stated) + "\n\n" + text
    people = metadata.get("authors")
    authors = [_string(_mapping(each).get("name")) for each in people] if isinstance(people, list) else []
    named = tuple(dict.fromkeys(author for author in authors if author))
    return Page(stated or first, text, (), "notebook", authors=named, found={"authors": "notebook"} if named else {})


def _read(text: str) -> dict[str, Any]:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("parser_error", f"no JSON: {type(error).__name__}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells", notebook.get("worksheets")), list):
        raise Unreadable("parser_error", "JSON, but no notebook")
    return notebook


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells of version 4, or those of the worksheets of version 3."""
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    for sheet in sheets:
        cells = _mapping(sheet).get("cells")
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, dict):
                yield cell


def _blocks(cell: dict[str, Any], language: str, name: str, limits: ExtractSettings) -> Iterator[str]:
    """The Markdown of a cell and of its outputs."""
    source = _text(cell.get("source", cell.get("input")))
    kind = cell.get("cell_type")
    if kind == "markdown":
        yield convert(source, name, limits)
    elif kind == "heading":
        level = cell.get("level")
        yield heading(level if isinstance(level, int) else 1, source)
    elif kind in ("raw", "html"):
        yield fence(source) if source.strip() else ""
    elif kind == "code":
        if source.strip():
            yield fence(source, _magic(source) or _string(cell.get("language")).lower() or language)
        outputs = cell.get("outputs")
        printed = ""
        for output in outputs if isinstance(outputs, list) else []:
            stream, block = _output(_mapping(output), limits)
            if stream:
                printed += stream
                continue
            yield from (_shown(printed), block)
            printed = ""
        yield _shown(printed)


def _output(output: dict[str, Any], limits: ExtractSettings) -> tuple[str, str]:
    """What an output prints (streams that follow each other are one), or the block that it is."""
    kind = output.get("output_type")
    if kind == "stream":
        return _text(output.get("text")), ""
    if kind in ("error", "pyerr"):
        trace = output.get("traceback")
        lines = [_text(line) for line in trace] if isinstance(trace, list) else []
        return "", _shown("\n".join(lines) or f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}")
    # Version 3 has the kinds of data beside the output's type, by short names.
    data = _mapping(output.get("data")) or output
    html = _text(data.get("text/html", data.get("html")))
    if _HTML_TABLE.search(html) and len(html) <= MAX_OUTPUT_CHARS * 4:
        check_structure(html, limits)
        return "", _capped_table(to_markdown(html, keep_links=limits.keep_links))
    for key in ("text/markdown", "markdown"):
        if key in data:
            return "", convert(_text(data[key]), "", limits)
    tex = _text(data.get("text/latex", data.get("latex")))
    if _TEX.match(tex):
        return "", convert(tex, "", limits)
    plain = _text(data.get("text/plain", data.get("text")))
    return "", "" if _OBJECT.fullmatch(plain) else _shown(plain)


def _shown(text: str) -> str:
    """Printed text in a fence without a language: no escape sequences, and not more than the limits."""
    text = _OVERWRITTEN.sub("", _ESCAPES.sub("", text).replace("\r\n", "\n")).replace("\r", "")
    text = _CONTROLS.sub("", text).strip("\n")
    if not text.strip():
        return ""
    lines = text.split("\n")
    kept, size = [], 0
    for line in lines[:MAX_OUTPUT_LINES]:
        size += len(line) + 1
        if size > MAX_OUTPUT_CHARS:
            break
        kept.append(line.rstrip())
    if len(kept) < len(lines):
        kept = kept or [lines[0][:MAX_OUTPUT_CHARS]]
        kept.append(f"[... {len(lines) - len(kept)} more lines]" if len(lines) > len(kept) else "[...]")
    return fence("\n".join(kept))


def _capped_table(markdown: str) -> str:
    lines = markdown.strip("\n").split("\n")
    left = len(lines) - MAX_OUTPUT_LINES
    return "\n".join(lines) if left <= 0 else "\n".join(lines[:MAX_OUTPUT_LINES]) + f"\n\n[... {left} more lines]"


def _language(metadata: dict[str, Any]) -> str:
    """The language of the kernel, lower case."""
    info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    named = _string(info.get("name")) or _string(kernel.get("language")) or _string(metadata.get("language"))
    named = named.lower() or _string(kernel.get("name")).lower()
    return LANGUAGE_OF_INTERPRETER.get(
        named.rstrip("0123456789."), named.replace("ipython", "python").replace(" ", "-")
    )


def _magic(source: str) -> str:
    """The language of a cell that hands its text to another program."""
    found = _MAGIC.match(source.lstrip())
    word = found.group(1).split()[-1] if found else ""
    if "." in word:
        return language_of(word, "") or ""
    return {"js": "javascript", "bigquery": "sql"}.get(word, word)


def _text(value: Any) -> str:
    """A text of the format: a string, or a list of its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _string(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
