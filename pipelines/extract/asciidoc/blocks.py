"""Blocks of AsciiDoc as HTML: sections, paragraphs, delimited blocks and what their attributes make of them.

The language is that of Asciidoctor (https://docs.asciidoctor.org/asciidoc/latest/).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.extract.asciidoc.about import About, Lines, underlined
from pipelines.extract.asciidoc.inline import Inline
from pipelines.extract.asciidoc.lists import is_item, read_list
from pipelines.extract.asciidoc.tables import Cell, read_table
from pipelines.extract.page import Unreadable
from pipelines.extract.source_html import admonition, balanced, escape, pre, titled

MAX_DEPTH = 60
ADMONITIONS = frozenset(["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"])
_MATH = frozenset(["stem", "latexmath", "asciimath"])
# Drawings whose source is the block, in languages of their own.
_DRAWING_NAMES = (
    "a2s actdiag blockdiag bpmn bytefield ditaa dot erd gnuplot graphviz mermaid msc nomnoml nwdiag packetdiag pikchr "
    "plantuml rackdiag seqdiag svgbob symbolator tikz umlet vega vegalite wavedrom"
)
_DRAWINGS = frozenset(_DRAWING_NAMES.split())

_DELIMITER = re.compile(
    r"(?:-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|\|={3,}|,={3,}|:={3,}|!={3,})$|(`{3,})([\w+#.-]*)[^`]*$"
)
_ATTRIBUTES = re.compile(r"\[(?:|[\w.#\"',%{-].*|\[.*\])\]$")
_ENTRY = re.compile(r":(!?[A-Za-z0-9_][\w -]*?!?):(?:[ \t]+(.*))?$")
_TITLE = re.compile(r"\.(\.?[^ \t.].*)$")
_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?$")
_PARAGRAPH_NOTE = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+")
_MACRO = re.compile(r"(\w[\w-]*)::(\S*?)\[(.*)\]$")
_NOTHING = re.compile(r"(?:'{3,}|<{3,}|-[ ]?-[ ]?-|\*[ ]?\*[ ]?\*)$")
_COMMENT = re.compile(r"//(?!/)")
# A link to the page's source, in words that many projects share.
_EDIT_LINK = re.compile(r"\W{0,4}(?:https?|link):\S{1,300}\[Edit this page\b[^\[\]]{0,40}\]$")
_ROLE_SPAN = re.compile(r"\[\.[\w.-]+\](`+|#+)(.{1,500}?)\1")


class Blocks:
    """Writes the blocks of one document. `title`: that of the document, once it has been read."""

    def __init__(self, inline: Inline) -> None:
        self.inline = inline
        self.title = ""
        self._depth = 0
        self.in_list = False  # there, an item ends a paragraph

    def all(self, lines: Sequence[str]) -> str:
        """The HTML of some lines that hold whole blocks."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("too_deep", f"more than {MAX_DEPTH} blocks in each other")
        source = Lines(lines)
        written, in_list = [], self.in_list
        self.in_list = False
        while source.peek() is not None:
            written.append(self.next(source))
        self._depth -= 1
        self.in_list = in_list
        return "\n".join(filter(None, written))

    def next(self, source: Lines) -> str:
        """The HTML of the next block; nothing where a blank line, a comment or an attribute is next."""
        about = About()
        while (line := source.peek()) is not None and self._preamble(line, source, about):
            pass
        if line is None:
            return ""
        if (heading := self._heading(line, source)) is not None:
            return heading
        if found := _DELIMITER.match(line):
            return self._delimited(found, source, about)
        if is_item(line) and about.style not in ("source", "listing", "literal"):
            return titled(self.inline.html(about.title)) + read_list(self, source)
        if _NOTHING.match(line):
            source.at += 1
            return ""
        if found := _MACRO.match(line):
            source.at += 1
            return self._macro(found, about)
        return self._paragraph(source, about)

    def is_boundary(self, line: str) -> bool:
        """Whether a paragraph ends before this line; a `+` would attach what follows to an item."""
        return not line or line == "+" or bool(_DELIMITER.match(line) or _ATTRIBUTES.match(line))

    def _preamble(self, line: str, source: Lines, about: About) -> bool:
        """Take a line that is no block itself: blank, comment, attribute entry, block attributes, block title."""
        if not line:
            if about.style or about.title:
                about.clear()
        elif line == "+" or (line.startswith("//") and not line.startswith("////")):
            pass
        elif line.startswith("////") and not line.strip("/"):
            self._until(line, source)
            return True
        elif found := _ENTRY.match(line):
            self._entry(found, source)
            return True
        elif _ATTRIBUTES.match(line):
            if not line.startswith("[["):
                about.read(self.inline.value(line[1:-1]))
        elif (found := _TITLE.match(line)) and not _DELIMITER.match(line) and not is_item(line):
            about.title = found[1]
        else:
            return False
        source.at += 1
        return True

    def _entry(self, found: re.Match[str], source: Lines) -> None:
        name, value = found[1].lower(), found[2] or ""
        while value.endswith(" \\") and source.at + 1 < len(source.lines):
            source.at += 1
            value = value[:-2].removesuffix(" +") + " " + source.lines[source.at].strip()
        source.at += 1
        if "!" in name:
            self.inline.attributes.pop(name.strip("!"), None)
        else:
            if passed := re.fullmatch(r"pass:\w*\[(.*)\]", value.strip()):
                value = passed[1]
            self.inline.attributes[name] = self.inline.value(value.strip())

    def _heading(self, line: str, source: Lines) -> str | None:
        found = _HEADING.match(line)
        if found:
            level, text = len(found[1]), found[2]
            source.at += 1
        else:
            level, text = underlined(source.lines[source.at : source.at + 2]), line
            if not level:
                return None
            source.at += 2
        text = self.inline.html(text)
        if not self.title:
            self.title = text
        return f"<h{level}>{text}</h{level}>"

    def _until(self, delimiter: str, source: Lines) -> list[str]:
        """The lines up to the delimiter that closes a block, or up to the end; both delimiters are taken."""
        source.at += 1
        begin = source.at
        while (line := source.peek()) is not None and line != delimiter:
            source.at += 1
        source.at += 1
        return list(source.lines[begin : source.at - 1])

    def _delimited(self, found: re.Match[str], source: Lines, about: About) -> str:
        delimiter = found[1] or found[0]
        content = self._until(delimiter, source)
        title = titled(self.inline.html(about.title))
        mark = delimiter[0]
        if mark == "/":
            return ""
        if mark in "|,:!" and len(delimiter) > 2:
            return title + self._table(content, mark, about)
        if found[1] or (mark in "-." and len(delimiter) > 2):
            return title + self._verbatim(content, about, found[2] or "")
        return self.styled(content, about, mark)

    def styled(self, content: list[str], about: About, mark: str = "") -> str:
        """Lines of a block whose style says what they are; `mark`: the character of its delimiter, if it has one."""
        style, title = about.style, titled(self.inline.html(about.title))
        if style in ADMONITIONS:
            return admonition(style.capitalize(), title + (self.all(content) if mark else self._text(content)))
        if style in ("source", "listing", "literal") or style in _DRAWINGS or (not style and about.positional[1:2]):
            return title + self._verbatim(content, about, "")
        if style in _MATH:
            return title + self._formula(style, "\n".join(content))
        if style == "verse":
            return title + "<p>" + "<br>".join(self.inline.html(line) for line in content) + "</p>"
        if mark == "+" or style == "pass":
            return balanced("\n".join(content))
        if style == "quote" or mark == "_":
            said = ", ".join(self.inline.html(part) for part in about.positional[1:] if part)
            inside = self.all(content) if mark else self._text(content)
            return f"{title}<blockquote>{inside}{f'<p>{said}</p>' if said else ''}</blockquote>"
        return title + (self.all(content) if mark else self._text(content))

    def _text(self, content: Sequence[str]) -> str:
        return f"<p>{self.inline.html(chr(10).join(line.strip() for line in content))}</p>"

    def _verbatim(self, content: list[str], about: About, language: str) -> str:
        """Code as it is, callouts included; only the substitutions that the block asks for are made."""
        style, named = about.style, about.named
        if not any(line.strip() for line in content):
            return ""
        if style in _DRAWINGS:
            language = "dot" if style == "graphviz" else style
        elif style in ("source", "") and not language:
            declared = named.get("language") or (about.positional[1] if len(about.positional) > 1 else "")
            default = self.inline.attributes.get("source-language", "") if style == "source" else ""
            language = declared or default
        substitutions = re.split(r"[,+ ]+", named.get("subs", ""))
        code = "\n".join(content)
        if "attributes" in substitutions or "normal" in substitutions:
            code = self.inline.value(code)
        if "quotes" in substitutions or "normal" in substitutions:
            code = _ROLE_SPAN.sub(r"\2", code)
        return pre(code, language)

    def _formula(self, style: str, text: str) -> str:
        latex = self.inline.attributes.get("stem", "").startswith(("latex", "tex"))
        if style == "latexmath" or (style == "stem" and latex):
            return f'<div class="math">\\[{escape(text)}\\]</div>'
        return pre(text, "asciimath")

    def _macro(self, found: re.Match[str], about: About) -> str:
        title = titled(self.inline.html(about.title))
        if found[1] == "image":
            alt = About()
            alt.read(self.inline.value(found[3]))
            text = alt.named.get("alt") or (alt.positional[0] if alt.positional else "")
            return (f"<p>{self.inline.html(text)}</p>" if text else "") + title
        return title

    def _paragraph(self, source: Lines, about: About) -> str:
        first = source.lines[source.at]
        begin = source.at
        source.at += 1
        while (line := source.peek()) is not None and not self.is_boundary(line):
            if self.in_list and is_item(line):
                break
            source.at += 1
        content = [each for each in source.lines[begin : source.at] if not _COMMENT.match(each)]
        if len(content) == 1 and _EDIT_LINK.match(content[0]):
            return ""
        if first[:1] in " \t" and about.style in ("", "literal"):
            return titled(self.inline.html(about.title)) + pre("\n".join(_dedented(content)))
        if not about.style and (found := _PARAGRAPH_NOTE.match(first)):
            about.style = found[1]
            content[0] = first[found.end() :]
        return self.styled(content, about)

    def _table(self, lines: list[str], mark: str, about: About) -> str:
        options, named = about.options, about.named
        header = True if "header" in options else False if "noheader" in options else None
        form = "csv" if mark == "," or named.get("format") == "csv" else named.get("separator", mark)[:1]
        lines = [line for line in lines if not _COMMENT.match(line)]
        rows, has_header = read_table(lines, form, named.get("cols", ""), header)
        written = [self._row(row, has_header and number == 0) for number, row in enumerate(rows)]
        return f"<table>{''.join(written)}</table>" if rows else ""

    def _row(self, row: Sequence[Cell], header: bool) -> str:
        return f"<tr>{''.join(self._cell(cell, header) for cell in row)}</tr>"

    def _cell(self, cell: Cell, header: bool) -> str:
        tag = "th" if header or cell.style == "h" else "td"
        text = cell.text.strip()
        if cell.style == "a" and not header:
            inside = self.all(cell.text.split("\n"))
        elif cell.style == "l":
            inside = pre(cell.text)
        elif cell.style == "m" and text:
            inside = f"<code>{re.sub('</?code>', '', self.inline.html(text))}</code>"
        else:
            parts = [self.inline.html(part.strip()) for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
            inside = parts[0] if len(parts) == 1 else "".join(f"<p>{part}</p>" for part in parts)
        return f'<{tag} colspan="{cell.columns}" rowspan="{cell.rows}">{inside}</{tag}>'


def _dedented(lines: Sequence[str]) -> list[str]:
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[width:] for line in lines]
