"""Wikitext of MediaWiki to Markdown, by way of HTML: code and tables kept, templates as far as they carry text."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body, check_structure
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page
from pipelines.extract.wikitext.blocks import blocks, heading_of
from pipelines.extract.wikitext.links import replace_links
from pipelines.extract.wikitext.strip import Kept, strip
from pipelines.extract.wikitext.templates import expand
from pipelines.extract.write import heading

_CONTROLS = re.compile("[\x7f\x1d\x1e]")
_REDIRECT = re.compile(r"\s*#\w{4,20}[ :]*\[\[", re.IGNORECASE)
_POEM = re.compile(r"<poem\b[^<>]*>(.*?)</poem>", re.IGNORECASE | re.DOTALL)
# Sections that hold lists of links; they stay if they hold a paragraph.
_LINKS = (
    "references|external links|see also|further reading|notes|bibliography|footnotes|sources|notes and references|"
    "works cited|citations|external resources|einzelnachweise|weblinks|siehe auch|literatur|références|liens externes|"
    "voir aussi|notes et références|примечания|ссылки|литература|см. также|външни препратки|вижте също|източници"
)
LINK_SECTIONS = frozenset(_LINKS.split("|"))


def extract_wikitext(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that wikitext makes; a pure function of its arguments.

    name: the title, or an address that ends with it. Raises `Unreadable` (to quarantine) and `NoText` (to drop; a
    redirect is one).
    """
    check_body(body, limits)
    text = _CONTROLS.sub("", decode(body, content_type))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _REDIRECT.match(text):
        raise NoText
    title = _title(name)
    kept = Kept()
    text = strip(_verses(text), kept)
    text = replace_links(expand(text, title, kept))
    html = kept.restore(blocks(_without_link_sections(text), kept))
    check_structure(html, limits)
    markdown = to_markdown(html).strip("\n")
    if not markdown:
        raise NoText
    return Page(title, (f"{heading(1, title)}\n\n" if title else "") + markdown + "\n", (), "wikitext")


def _title(name: str) -> str:
    """The title in a name such as `https://wiki.example.org/wiki/Main_Page`."""
    if "://" in name:
        path = name.partition("://")[2].partition("/")[2].partition("#")[0]
        page = re.search(r"[?&]title=([^&]*)", path)
        name = unquote(page.group(1) if page else path.partition("?")[0].removeprefix("wiki/").removeprefix("title/"))
    return unicodedata.normalize("NFC", " ".join(name.replace("_", " ").split()))


def _verses(text: str) -> str:
    """The text with line breaks where verses end."""
    if "</poem>" not in text.lower():
        return text
    return _POEM.sub(lambda found: found.group(1).strip().replace("\n", "<br>\n"), text)


def _without_link_sections(text: str) -> str:
    """The text without empty sections, and without those that hold nothing but lists of links or sources."""
    sections: list[tuple[int, str, list[str]]] = [(0, "", [])]
    for line in text.split("\n"):
        if found := heading_of(line):
            sections.append((found[0], found[1], [line]))
        else:
            sections[-1][2].append(line)
    out: list[list[str]] = []
    deeper = 0
    for level, title, lines in reversed(sections):
        content = [line for line in lines[1 if level else 0 :] if line.strip()]
        if title.lower() in LINK_SECTIONS and all(line.lstrip()[:1] in "*#:;{|!" for line in content):
            content = []
        # A section without text of its own stays above one that is deeper.
        if content or deeper > level:
            out.append(lines if content else lines[:1])
            deeper = level
    return "\n".join(line for lines in reversed(out) for line in lines)
