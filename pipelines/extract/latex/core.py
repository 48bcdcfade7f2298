"""The reading of LaTeX: tokens go to what handles them; what is open waits on a stack for its end."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipelines.extract.latex import commands
from pipelines.extract.latex.arguments import Arguments, Tokens
from pipelines.extract.latex.macros import Expander
from pipelines.extract.latex.marks import MARKS, settled
from pipelines.extract.latex.symbols import ACCENTS, SYMBOLS, accented, typeset
from pipelines.extract.latex.tables import Table
from pipelines.extract.latex.tokens import LIFTED, PARAGRAPH, Lifted, Source
from pipelines.extract.latex.writer import Writer

MAX_DEPTH = 40  # of lists, quotes and pieces written aside; deeper ones are read as if they were none

_LENGTH = re.compile(r"=?-?[\d.]*(?:pt|em|ex|cm|mm|in|sp|bp|pc|fil+|plus|minus|true)*-?[\d.]*")
_SENTINEL = "\\@end of what is set aside"


@dataclass
class Open:
    """What waits for its end: a group, brackets, or an environment by its name."""

    kind: str
    styles: list[str]
    name: str = ""
    finish: Callable[[], None] | None = None
    table: Table | None = None
    tag: str = ""


@dataclass
class Document:
    """What a source holds: HTML of the body, and what it says of itself."""

    body: str = ""
    title: str = ""
    heading: str = ""  # the first one
    authors: list[str] = field(default_factory=list)
    date: str = ""


class Reader:
    """Reads a source into a `Document`."""

    def __init__(
        self,
        text: str,
        handlers: Mapping[str, Callable[[Reader, str], None]],
        characters: Mapping[str, Callable[[Reader], None]],
    ) -> None:
        self._handlers, self._characters = handlers, _CHARACTERS | dict(characters)
        source = Source(MARKS.sub("", text))
        self.lifted: list[Lifted] = source.lifted
        self.tokens = Expander(source.tokens(), self._is_known, len(text))
        self.writer = Writer()
        self.document = Document()
        self.footnotes: list[str] = []
        self.titles: dict[str, str] = {}  # of labels of sections
        self.numbers: dict[str, str] = {}  # of labels of figures, tables, listings, formulas and lines of code
        self.counts: Counter[str] = Counter()  # of captions of each kind, and of formulas that are referred to
        self.number = ""  # of the caption that a label now stands for
        self.opened: list[Open] = []
        self.names: Counter[str] = Counter()
        self.aside = 0
        self.anchor = ""  # the title of the section that a label now stands for
        self._text = text
        self._has_begin = "\\begin{document}" in text
        self.in_body = not self._has_begin

    def read(self) -> Document:
        """Read all; what is still open at the end is closed."""
        while (token := self.tokens.next()) is not None and token != _SENTINEL:
            self._read(token)
        while self.opened:
            self.close_last()
        self.writer.end_paragraph()
        for number, text in enumerate(self.footnotes, 1):
            self.writer.block(f"<p>[^{number}]: {text}</p>\n")
        self.document.body = settled(self.writer.end_all(), self.titles, self.numbers)
        return self.document

    def _read(self, token: str) -> None:
        first = token[0]
        if first == "\\" and len(token) > 1:
            self._command(token)
        elif first == LIFTED:
            self._lifted(self.lifted[int(token[1:])])
        elif not self.in_body:
            return
        elif token in self._characters:
            self._characters[token](self)
        elif "code" in self.writer.styles:
            self.writer.text(token)
        else:
            self.writer.text(typeset(token))

    # ------------------------------------------------------------ groups

    def push(
        self, kind: str, name: str = "", finish: Callable[[], None] | None = None, styles: list[str] | None = None
    ) -> Open:
        opened = Open(kind, self.writer.styles, name, finish)
        self.writer.styles = list(self.writer.styles if styles is None else styles)
        self.opened.append(opened)
        self.names[name] += kind == "env"
        return opened

    def _group(self) -> None:
        self.push("group")

    def close_last(self) -> None:
        opened = self.opened.pop()
        self.names[opened.name] -= opened.kind == "env"
        if opened.finish is not None:
            opened.finish()
        self.writer.styles = opened.styles

    def _close_group(self) -> None:
        if self.opened and self.opened[-1].kind == "bracket":
            self.close_last()
        if self.opened and self.opened[-1].kind == "group":
            self.close_last()

    def _close_bracket(self) -> None:
        if self.opened and self.opened[-1].kind == "bracket":
            self.close_last()
        else:
            self.writer.text("]")

    def close_to_environment(self) -> Open | None:
        """Close groups up to the environment they stand in."""
        while self.opened and self.opened[-1].kind != "env":
            if self.aside and self.opened[-1].finish is not None:
                return None
            self.close_last()
        return self.opened[-1] if self.opened else None

    def argument(self, styles: list[str], finish: Callable[[], None] | None = None) -> bool:
        """Read the argument that follows as a group of these styles; whether one follows in braces."""
        self.tokens.skip_spaces()
        if self.tokens.peek() != "{":
            return False
        self.tokens.raw()
        self.push("group", finish=finish, styles=styles)
        return True

    def set_aside(self, finish: Callable[[str], None]) -> None:
        """Read the argument that follows into a place of its own, and give its HTML to `finish`."""
        if self.aside >= MAX_DEPTH:
            return

        def ended() -> None:
            self.aside -= 1
            finish(self.writer.end())

        self.aside += 1
        self.writer.begin(inline=True)
        if not self.argument([], ended):
            ended()

    def expanded(self, tokens: Tokens) -> Tokens:
        """Tokens with the macros in them replaced."""
        made: Tokens = []
        self.tokens.push([*tokens, _SENTINEL])
        while (token := self.tokens.next()) is not None and token != _SENTINEL:
            made.append(token)
        return made

    def plain(self, tokens: Tokens) -> str:
        """Tokens as text alone, macros replaced."""
        made: list[str] = []
        self.tokens.push([*tokens, _SENTINEL])
        while (token := self.tokens.next()) is not None and token != _SENTINEL:
            if token in SYMBOLS:
                made.append(SYMBOLS[token])
            elif token in ACCENTS:
                made.append(accented(token, "".join(self.tokens.group())))
            elif token in commands.SKIPPED:
                self.tokens.skip(commands.SKIPPED[token].replace("d", ""))
            elif token[0] == LIFTED:
                made.append(self.lifted[int(token[1:])].text)
            elif token == PARAGRAPH or token[:2] == "\\\\" or token == "~":
                made.append(" ")
            elif token[0] != "\\" and token not in ("{", "}", "$"):
                made.append(typeset(token))
        return " ".join("".join(made).split())

    # ------------------------------------------------------------ commands

    def _command(self, token: str) -> None:
        handler = self._handlers.get(token)
        if handler is not None:
            handler(self, token)
        elif token in commands.SKIPPED:
            self._skip(token)
        elif not self.in_body:
            return
        elif token in SYMBOLS:
            self._symbol(token)
        elif token in ACCENTS:
            self.tokens.skip_spaces()
            self.writer.text(accented(token, self.plain(self.tokens.group())))
        elif token in commands.DECLARATIONS:
            style = commands.DECLARATIONS[token]
            self.writer.styles = [*self.writer.styles, style] if style else []
        else:
            self._unknown(token)

    def _skip(self, token: str) -> None:
        kinds = commands.SKIPPED[token]
        if kinds == "d":
            self._skip_length()
        else:
            self.tokens.skip(kinds)

    def _skip_length(self) -> None:
        for _ in range(8):
            self.tokens.skip_spaces()
            token = self.tokens.raw()
            if token is None:
                return
            found = _LENGTH.match(token)
            if found is None or not found[0] or token[0] == "\\":
                self.tokens.push([token])
                return
            if found.end() < len(token):
                self.tokens.push([token[found.end() :]])
                return

    def _symbol(self, token: str) -> None:
        sign = SYMBOLS[token]
        if len(sign) == 1 and sign.isalpha() and token[-1].isalpha():
            self.tokens.skip_spaces()
        if sign:
            self.writer.text(sign)

    def _unknown(self, token: str) -> None:
        """A command that nobody defines: what stands in its braces is text, with spaces between."""
        option = self.tokens.optional()
        if option is not None and self.tokens.peek() != "{":
            self.tokens.push(["[", *option, "]"])
        self._open_unknown([*self.writer.styles, "code"] if token in commands.CODE else self.writer.styles)

    def _open_unknown(self, styles: list[str]) -> None:
        if self.tokens.peek() != "{":
            return
        self.tokens.raw()
        first = self.tokens.peek()
        # A text on lines of its own is a block; a label is no text.
        block = first.isspace() and "\n" in first
        if first.partition(":")[0] in commands.KINDS and ":" in first:
            self.tokens.push(["{"])
            self.tokens.group(short=True)
            self._open_unknown(styles)
            return

        def ended() -> None:
            if block:
                self.writer.end_paragraph()
            if self.tokens.peek() == "{":
                self.writer.text(" ")
                self._open_unknown(styles)

        if block:
            self.writer.end_paragraph()
        self.push("group", finish=ended, styles=styles)

    # ------------------------------------------------------------ formulas, lifted pieces, tables

    def _lifted(self, piece: Lifted) -> None:
        if not self.in_body:
            return
        if piece.kind == "address":
            self.writer.text(piece.text)
        elif piece.kind == "inline":
            self.writer.inline(f"<code>{html.escape(piece.text, quote=False)}</code>")
        elif piece.text.strip():
            self.numbers |= {name: str(line) for name, line in piece.labels}
            language = f' class="language-{html.escape(piece.language)}"' if piece.language else ""
            self.writer.block(f"<pre><code{language}>{html.escape(piece.text, quote=False)}\n</code></pre>\n")

    # ------------------------------------------------------------ environments

    def heading(self, level: int, made: str) -> None:
        """A heading, and what labels after it stand for."""
        text = made.replace("<br>", " ").strip()
        if not text or not self.in_body:
            return
        self.anchor, self.number = re.sub(r"<[^>]*>", "", text), ""
        self.document.heading = self.document.heading or html.unescape(settled(self.anchor, {}, {}))
        self.writer.block(f"<h{level}>{text}</h{level}>\n")

    def numbered(self, formula: Tokens) -> Tokens:
        """A formula whose labels, where the document refers to them, are the numbers that it shows."""
        made: Tokens = []
        tags: Tokens = []
        depth = 0  # of environments inside: none of them may have a tag
        waiting = Arguments(formula)
        while (token := waiting.raw()) is not None:
            if token != "\\label":
                made.append(token)
                depth += (token == "\\begin") - (token == "\\end")
            elif self._is_referred_to(name := name_of(waiting.group())):
                self.counts["equation"] += 1
                self.numbers[name] = str(self.counts["equation"])
                tags = ["\\tag", "{", self.numbers[name], "}"]
            if tags and depth == 0 and token in ("\\label", "}"):
                made += tags
                tags = []
        return made

    def _is_referred_to(self, name: str) -> bool:
        return bool(name) and self._text.count(f"{{{name}}}") > self._text.count(f"\\label{{{name}}}")

    def end_paragraph(self) -> None:
        """The end of a paragraph of the text."""
        if self.in_body:
            self.writer.end_paragraph()

    def _is_known(self, name: str) -> bool:
        """Whether a command or an environment has a meaning that a document cannot change."""
        if name.startswith("\\"):
            known = (self._handlers, commands.SKIPPED, ACCENTS, commands.DECLARATIONS)
            return any(name in each for each in known)
        return any(name in each for each in (commands.LISTS, commands.TABLES, commands.ENVIRONMENTS, commands.FORMULAS))


def name_of(tokens: Tokens) -> str:
    return " ".join("".join(token for token in tokens if token[0] != LIFTED).split())


_CHARACTERS: dict[str, Callable[[Reader], None]] = {
    "{": Reader._group,
    "}": Reader._close_group,
    "]": Reader._close_bracket,
    "~": lambda reader: reader.writer.text(" "),
    PARAGRAPH: Reader.end_paragraph,
}
