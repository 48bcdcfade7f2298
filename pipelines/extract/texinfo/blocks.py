"""Blocks of Texinfo as HTML: headings, paragraphs, examples, lists, tables and definitions (Texinfo manual, 7.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from pipelines.extract.page import Unreadable
from pipelines.extract.source_html import admonition, escape, pre
from pipelines.extract.texinfo.inline import Inline

MAX_DEPTH = 60

_LEVELS = {
    **dict.fromkeys(("top", "part"), 1),
    **dict.fromkeys(("chapter", "unnumbered", "appendix", "majorheading", "chapheading", "centerchap"), 2),
    **dict.fromkeys(("section", "unnumberedsec", "appendixsec", "appendixsection", "heading"), 3),
    **dict.fromkeys(("subsection", "unnumberedsubsec", "appendixsubsec", "subheading"), 4),
    **dict.fromkeys(("subsubsection", "unnumberedsubsubsec", "appendixsubsubsec", "subsubheading"), 5),
}
_CODE_NAMES = "example smallexample lisp smalllisp display smalldisplay format smallformat"
_CODE = frozenset(_CODE_NAMES.split())
_QUOTES = frozenset(["quotation", "smallquotation", "indentedblock", "smallindentedblock"])
_OPEN = frozenset(["cartouche", "group", "flushleft", "flushright", "raggedright", "float", "defblock"])
# The category of a definition, where its command says it; else it is the first word.
_CATEGORIES = {
    "defun": "Function", "deftypefun": "Function", "defmac": "Macro", "defspec": "Special Form", "defvar": "Variable",
    "deftypevar": "Variable", "defopt": "User Option", "defivar": "Instance Variable",
    "deftypeivar": "Instance Variable", "defmethod": "Method", "deftypemethod": "Method",
}  # fmt: skip
# Definitions that name a class before what they define.
_OF_CLASSES = frozenset(["defcv", "deftypecv", "defivar", "deftypeivar"])
_ON_CLASSES = frozenset(["defop", "deftypeop", "defmethod", "deftypemethod"])
_DEFINITIONS = frozenset(["deffn", "defvr", "deftp", "deftypefn", "deftypevr", "defline", "deftypeline"])
_DEFINITIONS |= _CATEGORIES.keys() | _OF_CLASSES | _ON_CLASSES
_ITEMS = frozenset(["item", "itemx"])
_OTHER_NAMES = "verbatim displaymath itemize enumerate table ftable vtable multitable center"
_OTHERS = frozenset(_OTHER_NAMES.split())
_DROPPED_NAMES = (
    "node anchor setfilename settitle title subtitle author documentencoding documentlanguage dircategory "
    "setchapternewpage finalout smallbook afourpaper footnotestyle paragraphindent firstparagraphindent "
    "exampleindent headings contents shortcontents summarycontents printindex syncodeindex synindex sp page vskip "
    "need noindent indent refill everyheading everyfooting evenheading oddheading evenfooting oddfooting "
    "kbdinputstyle urefbreakstyle xrefautomaticsectiontitle codequoteundirected codequotebacktick allowcodebreaks "
    "clickstyle deftypefnnewline microtype fonttextsize pagesizes frenchspacing lowersections raisesections "
    "novalidate end headitemfont columnfractions bye listoffloats insertcopying definfoenclose errormsg cindex "
    "findex vindex kindex pindex tindex itemx tab"
)
_DROPPED = frozenset(_DROPPED_NAMES.split())

_COMMAND = re.compile(r"[ \t]*@([A-Za-z]+)(?![A-Za-z{])[ \t]*(.*)$")
_WORD = re.compile(r"\{((?:[^{}]|\{[^{}]*\}){0,1000})\}|(?:@[A-Za-z]+\{[^{}]*\}|@.|[^\s{}])+")
_ROW_PART = re.compile(r"(?<!@)@tab(?![A-Za-z])")


class Blocks:
    """Writes the blocks of one document. indices: further index commands; shift: how far headings move up."""

    def __init__(self, lines: list[str], indices: set[str], shift: int) -> None:
        self.inline = Inline()
        self._lines = lines
        self._at = 0
        self._depth = 0
        self._dropped = _DROPPED | indices
        self._shift = shift

    def all(self) -> str:
        """The HTML of all lines."""
        written = []
        while self._at < len(self._lines):
            written.append(self._content())
            self._at += 1  # an end without its beginning
        return "\n".join(written)

    def _content(self, stop: Callable[[str], bool] = lambda name: False) -> str:
        """The HTML of the lines up to an `@end`, or up to a command at which to stop."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("too_deep", f"more than {MAX_DEPTH} blocks in each other")
        written: list[str] = []
        paragraph: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            found = _COMMAND.match(line)
            name, rest = (found[1], found[2].strip()) if found else ("", "")
            if name == "end" or stop(name):
                break
            if name in self._dropped or name.endswith("index"):
                self._at += 1
                continue
            is_block = self._is_block(name)
            if line.strip() and not is_block:
                paragraph.append(line.strip() if name != "exdent" else rest)
            else:
                self._flush(paragraph, written)
            self._at += 1
            if is_block:
                written.append(self._block(name, rest))
        self._flush(paragraph, written)
        self._depth -= 1
        return "\n".join(filter(None, written))

    def _flush(self, paragraph: list[str], written: list[str]) -> None:
        if text := self.inline.html("\n".join(paragraph)).strip():
            written.append(f"<p>{text}</p>")
        paragraph.clear()

    def _is_block(self, name: str) -> bool:
        known = (_LEVELS, _CODE, _QUOTES, _OPEN, _DEFINITIONS)
        special = (
            "verbatim",
            "displaymath",
            "itemize",
            "enumerate",
            "table",
            "ftable",
            "vtable",
            "multitable",
            "center",
        )
        return name in special or any(name in names for names in known)

    def _block(self, name: str, rest: str) -> str:
        """The HTML of a block whose first line has been taken."""
        if name in _LEVELS:
            level = max(_LEVELS[name] - self._shift, 1)
            return f"<h{level}>{self.inline.html(rest)}</h{level}>" if rest else ""
        if name == "center":
            return f"<p>{self.inline.html(rest)}</p>"
        if name in _CODE or name in ("verbatim", "displaymath"):
            return self._literal(name, rest)
        if name in _DEFINITIONS:
            return self._definition(name, rest)
        if name in ("itemize", "enumerate"):
            return self._list(name, rest)
        if name == "multitable":
            return self._multitable(name)
        if name in ("table", "ftable", "vtable"):
            return self._table(name, rest)
        content = self._content()
        self._take_end()
        if name == "quotation" and rest:
            return admonition(self.inline.html(rest), content)
        return f"<blockquote>{content}</blockquote>" if name in _QUOTES else content

    def _take_end(self) -> None:
        self._at += 1

    def _raw_until(self, name: str) -> list[str]:
        """The lines up to the end of a block that is not read as blocks; the end is taken."""
        begin = self._at
        end = re.compile(rf"[ \t]*@end[ \t]+{name}\b")
        while self._at < len(self._lines) and not end.match(self._lines[self._at]):
            self._at += 1
        self._at += 1
        return self._lines[begin : self._at - 1]

    def _literal(self, name: str, rest: str) -> str:
        lines = self._raw_until(name)
        if name == "verbatim":
            return pre("\n".join(lines))
        if name == "displaymath":
            return f'<div class="math">\\[{escape(chr(10).join(lines).replace("@", chr(92)))}\\]</div>'
        kept = []
        for line in lines:
            found = _COMMAND.match(line)
            command = found[1] if found else ""
            if command == "exdent" and found:
                kept.append(found[2])
            elif not (command in self._dropped or command.endswith("index") or command in _OPEN):
                kept.append(line)
        code = self.inline.html("\n".join(kept), code=True)
        language = "lisp" if "lisp" in name else rest.partition(",")[0].strip().lower() if "example" in name else ""
        text = "\n".join(line.rstrip() if not line.strip() else line for line in code.split("\n")).strip("\n")
        return pre(text, language) if text.strip() else ""

    def _list(self, name: str, rest: str) -> str:
        items = []
        before = self._content(_ITEMS.__contains__)
        while self._command() in _ITEMS:
            self._lines[self._at] = _COMMAND.sub(r"\2", self._lines[self._at])
            items.append(self._content(_ITEMS.__contains__))
        self._take_end()
        inside = "".join(f"<li>{item}</li>" for item in items)
        if name == "itemize":
            return f"{before}<ul>{inside}</ul>"
        start = rest if rest.isdecimal() else "1"
        return f'{before}<ol start="{start}">{inside}</ol>'

    def _command(self) -> str:
        found = _COMMAND.match(self._lines[self._at]) if self._at < len(self._lines) else None
        return found[1] if found else ""

    def _table(self, name: str, rest: str) -> str:
        """A list of terms, each formatted by the command that the first line names."""
        style = re.match(r"@?([A-Za-z]*)", rest)
        entries = []
        before = self._content(_ITEMS.__contains__)
        terms: list[str] = []
        while self._command() in _ITEMS:
            while self._command() in _ITEMS or self._is_dropped_line():
                if self._command() in _ITEMS:
                    text = _COMMAND.sub(r"\2", self._lines[self._at]).strip()
                    terms.append(self.inline.html(f"@{style[1]}{{{text}}}" if style and style[1] else text))
                self._at += 1
            said = self._content(_ITEMS.__contains__)
            entries.append("".join(f"<dt>{term}</dt>" for term in terms) + f"<dd>{said}</dd>")
            terms = []
        self._take_end()
        return f"{before}<dl>{''.join(entries)}</dl>"

    def _is_dropped_line(self) -> bool:
        command = self._command()
        return command.endswith("index") or command in ("anchor", "c", "comment")

    def _multitable(self, name: str) -> str:
        rows = []
        text = "\n".join(self._raw_until(name))
        for part in re.split(r"(?m)^[ \t]*@(?=(?:item|headitem)(?![A-Za-z]))", text)[1:]:
            command, body = ("headitem", part[8:]) if part.startswith("headitem") else ("item", part[4:])
            tag = "th" if command == "headitem" else "td"
            cells = [self._cell(cell) for cell in _ROW_PART.split(body)]
            rows.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>")
        return f"<table>{''.join(rows)}</table>"

    def _cell(self, text: str) -> str:
        inner = Blocks(text.split("\n"), set(self._dropped), self._shift)
        inner.inline, inner._depth = self.inline, self._depth + 1
        content = inner.all().strip()
        single = re.fullmatch(r"<p>((?:(?!<p>).)*)</p>", content, re.DOTALL)
        return single[1] if single else content

    def _definition(self, name: str, rest: str) -> str:
        rest = self._whole(rest)
        terms = [self._signature(name, rest)]
        while self._command() == name + "x" or self._is_dropped_line() or self._command() in ("defline", "deftypeline"):
            if not self._is_dropped_line():
                command = self._command().removesuffix("x")
                line = _COMMAND.sub(r"\2", self._lines[self._at])
                self._at += 1
                terms.append(self._signature(command, self._whole(line)))
            else:
                self._at += 1
        if name in ("defline", "deftypeline"):
            return f"<dl>{''.join(terms)}<dd></dd></dl>"
        said = self._content()
        self._take_end()
        return f"<dl>{''.join(terms)}<dd>{said}</dd></dl>"

    def _whole(self, line: str) -> str:
        """The line of a definition with those that it goes on in: it ends with a single `@` then."""
        while line.rstrip().endswith("@") and not line.rstrip().endswith("@@") and self._at < len(self._lines):
            line = f"{line.rstrip()[:-1]} {self._lines[self._at].strip()}"
            self._at += 1
        return line

    def _signature(self, name: str, rest: str) -> str:
        """The term of a definition: its category, and all else as code; the class of a method belongs to the first."""
        category = _CATEGORIES.get(name, "")
        words = [found[1] if found[1] is not None else found[0] for found in _WORD.finditer(rest)]
        if not category and words:
            category = words.pop(0)
        if name in _OF_CLASSES | _ON_CLASSES and words:
            category = f"{category} {'of' if name in _OF_CLASSES else 'on'} {words.pop(0)}"
        signature = escape(" ".join(self.inline.html(" ".join(words), code=True).split()))
        return f"<dt>{self.inline.html(category)}: <code>{signature}</code></dt>"
