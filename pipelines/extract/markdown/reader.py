"""Markdown of any dialect to Markdown of one: front matter read, templates opened, the rest by way of HTML.

A CommonMark parser (pulldown-cmark) says what is code. Code is lifted out before any tag of a template
language is looked for, and put back as it was; so is the source of what the parser then reads once more.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from html import unescape

import pyromark

from manifests.models import ExtractSettings
from pipelines.extract.front_matter import split_front_matter
from pipelines.extract.guards import check_structure
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.markdown.angles import escape_words
from pipelines.extract.markdown.blocks import open_blocks
from pipelines.extract.markdown.code import OPTIONS, lift, without_roles
from pipelines.extract.markdown.jsx import without_components, without_indentation
from pipelines.extract.markdown.templates import without_templates
from pipelines.extract.page import NoText, Page
from pipelines.extract.plain import read_text
from pipelines.extract.spdx import stated_licence
from pipelines.extract.write import fence, heading

_CODE = re.compile(r"<code>([^<`\n]*)</code>")
# What tells the highlighter of PyMdown the language of a span of code; a file's first line has a path there.
_INLINE_LANGUAGE = re.compile(r"(?<!<pre>)<code>#!\w{1,20} (?=\S)")
_MATH = re.compile(r'<span class="math math-(inline|display)">([^<]*)</span>')
_FOOTNOTE = re.compile(r'<sup class="footnote-reference"><a href="#([^"]*)">\d+</a></sup>')
_FOOTNOTE_TEXT = re.compile(
    r'(<div class="footnote-definition" id="([^"]*)">)<sup class="footnote-definition-label">\d+</sup>\s*(<p>)?'
)
_PARAMETER = re.compile(r"\{\{[<%][ ]*param[ ]+\"?([\w-]{1,60})\"?[ ]*[>%]\}\}")
_SCALAR = re.compile(r"^([\w-]{1,60})[ ]?[:=][ ]?([^\s#|>{\[&*][^\n]*)$", re.MULTILINE)
# A target of links in Elastic's Markdown; a parser would take it for a formula.
_ANCHOR = re.compile(r"^\$\$\$[\w.-]+\$\$\$[ \t]*$", re.MULTILINE)


def extract_markdown(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a body of Markdown or MDX holds; a pure function of its arguments.

    name: the record's path or URL. The title is the front matter's, else the first heading's; a text without
    a heading of level 1 gets it as one. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    text = read_text(body, content_type, limits)
    facts, rest = split_front_matter(text)
    markdown = convert(_with_parameters(rest, text[: len(text) - len(rest)]), name, limits).strip("\n")
    if len(facts.data) > len(rest.strip()):
        markdown = (markdown + "\n\n" + fence(facts.data, "yaml")).strip("\n")
    if not markdown:
        raise NoText
    first, level = first_heading(markdown)
    title = unicodedata.normalize("NFC", facts.title)
    if title and level != 1:
        markdown = heading(1, title) + "\n\n" + markdown
    found = dict(facts.found)
    licence = facts.licence
    if not licence and (licence := stated_licence(text.partition("<!--")[2].partition("-->")[0])):
        found["licence"] = "spdx-comment"
    return Page(
        title or first,
        markdown + "\n",
        facts.opt_out,
        "markdown",
        date=facts.date,
        authors=facts.authors,
        canonical=facts.canonical,
        licence=licence,
        found=found,
    )


def _with_parameters(text: str, matter: str) -> str:
    """The text with the page's own parameters in their places, in code too: `{{% param "url" %}}` of Hugo."""
    if not matter or not _PARAMETER.search(text):
        return text
    values = {name.lower(): value.strip().strip("\"'") for name, value in _SCALAR.findall(matter)}
    return _PARAMETER.sub(lambda match: values.get(match[1].lower()) or match[0], text)


def convert(text: str, name: str, limits: ExtractSettings) -> str:
    """A Markdown text of any dialect, without front matter, as Markdown by our conventions.

    Raises `Unreadable` for what nests too deep.
    """
    text = _ANCHOR.sub("", text) if "$$$" in text else text
    lifted, pieces, word = lift(open_blocks(without_indentation(text, name)))
    if "{" in lifted:
        lifted = without_roles(lifted, pieces, word)
    lifted = without_templates(without_components(lifted, name))
    plain = re.sub(word + r"(\d+)x", lambda match: pieces[int(match.group(1))], lifted)
    html = _INLINE_LANGUAGE.sub("<code>", pyromark.html(escape_words(plain), options=OPTIONS))
    check_structure(html, limits)
    html = _FOOTNOTE_TEXT.sub(r"\1\3[^\2]: ", _FOOTNOTE.sub(r"[^\1]", _MATH.sub(_math, html)))
    return _with_spaces(html, limits)


def first_heading(markdown: str) -> tuple[str, int]:
    """The text of the first heading of level 1, else of the first heading, markup left out, and its level.

    The empty string and 0 if there is none.
    """
    first = "", 0
    words: list[str] = []
    for event in pyromark.events(markdown, options=OPTIONS) if "# " in markdown else ():
        match event:
            case {"Start": {"Heading": _}}:
                words = []
            case {"End": {"Heading": level}}:
                text = " ".join("".join(words).split())
                if level == "H1":
                    return text, 1
                first = first if first[1] else (text, int(level[1:]))
            case {"Text": text} | {"Code": text}:
                words.append(str(text))
            case "SoftBreak" | "HardBreak":
                words.append(" ")
    return first


def _with_spaces(html: str, limits: ExtractSettings) -> str:
    """The Markdown of the page, the spaces of its inline code as they were: HTML would make one of many."""
    codes: list[str] = []
    word = "code" + blake2b(html.encode("utf-8", "replace"), digest_size=8).hexdigest() + "n"

    def lifted(match: re.Match[str]) -> str:
        code = unescape(match.group(1))
        if not code.strip() or code == " ".join(code.split()):
            return match.group()
        codes.append(code)
        return f"<code>{word}{len(codes) - 1}x</code>"

    def restored(match: re.Match[str]) -> str:
        code, text = codes[int(match.group(1))], match.string
        in_table = text.startswith("|", text.rfind("\n", 0, match.start()) + 1)
        return code.replace("|", r"\|") if in_table else code

    markdown = to_markdown(_CODE.sub(lifted, html), keep_links=limits.keep_links)
    return re.sub(word + r"(\d+)x", restored, markdown)


def _math(match: re.Match[str]) -> str:
    kind, tex = match.groups()
    tex = tex.strip("\n")
    if kind == "display":
        return rf'<div class="math">\[{tex}\]</div>'
    return rf'<span class="math">\({tex}\)</span>'
