"""The macros of man(7), with the extensions that its writers and generators use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipelines.extract.man.blocks import Blocks
from pipelines.extract.man.lines import split_arguments
from pipelines.extract.man.node import Node
from pipelines.extract.man.roff import Line, Roff
from pipelines.extract.man.runs import html_of
from pipelines.extract.man.tbl import table_html
from pipelines.extract.man.text import BREAK, Fonts, Run, plain, runs_of

_FONT_MACROS = {"B": "B", "I": "I", "SB": "B", "SM": "R", "R": "R", "CW": "C", "C": "C"}
_ALTERNATING = {"BR": "BR", "RB": "RB", "BI": "BI", "IB": "IB", "IR": "IR", "RI": "RI"}
_PARAGRAPHS = ("PP", "LP", "P", "HP", "Sp")
_NATIVE = (
    "TH SH SS PP LP P HP TP TQ IP RS RE EX EE UR UE MT ME MR SY YS OP B I R SB SM BR RB BI IB IR RI "
    "br sp nf fi TS TE EQ EN PS PE URL MTO"
)
NATIVE = frozenset(_NATIVE.split())
_HELD = ("UR", "MT")


class Man:
    """A page in man(7): reads its lines into `blocks`; `title` holds the arguments of `.TH`."""

    def __init__(self, roff: Roff) -> None:
        self.roff = roff
        self.blocks = Blocks()
        self.fonts = Fonts()
        self.title: tuple[str, ...] = ()
        self.authors: list[str] = []
        self._next_font = ""
        self._link = ""
        self._link_at = 0
        self._term: Callable[[list[Run]], None] | None = None  # what takes the next line of text

    @property
    def name(self) -> str:
        """What the page describes, as its first paragraph spells it."""
        first = next((node for node in self.blocks.root.children if node.tag == "p"), None)
        words = plain(first.runs).split() if first is not None else []
        return words[0].rstrip(",") if words else ""

    @property
    def date(self) -> str:
        """What `.TH` says of the date, as it stands."""
        return self.title[2] if len(self.title) > 2 else ""

    def read(self) -> None:
        """Read all lines."""
        for line in self.roff.lines():
            if not line.name:
                self._text(line.text)
            elif line.name in _REQUESTS:
                _REQUESTS[line.name](self, line)
            elif line.name in _FONT_MACROS or line.name in _ALTERNATING:
                self._font_macro(line)

    # ------------------------------------------------------------ text

    def _text(self, text: str) -> None:
        literal = self.blocks.literal
        glued = text.endswith("\\c")
        if not literal and self._term is None:
            if not text.strip():
                self.blocks.space()
                return
            if text[0] in " \t":
                self.blocks.line_break()
        runs = runs_of(text if literal else text.rstrip(), self.fonts, code=literal)
        self._put(runs, glued)

    def _put(self, runs: list[Run], glued: bool = False) -> None:
        """Runs to the term that waits for them, else to the text. A font macro without text marks the next line."""
        if self._next_font:
            runs = [(text, self._next_font) for text, _ in runs]
            self._next_font = ""
        if self._term is not None:
            term, self._term = self._term, None
            if not glued:
                term(runs)
                return
            self._term = lambda more: term([*runs, *more])
        else:
            self.blocks.text(runs, glued=glued)

    def _font_macro(self, line: Line) -> None:
        arguments = line.arguments
        if line.name in _FONT_MACROS and not arguments:
            self._next_font = _FONT_MACROS[line.name]
            return
        runs: list[Run] = []
        fonts = _ALTERNATING.get(line.name)
        for index, argument in enumerate(arguments):
            font = fonts[index % 2] if fonts else _FONT_MACROS[line.name]
            if index and not fonts:
                runs.append((" ", font))
            runs += runs_of(argument, Fonts(font, "R"), code=self.blocks.literal)
        self._put(runs, bool(arguments) and arguments[-1].endswith("\\c"))

    # ------------------------------------------------------------ requests

    def _heading(self, line: Line, level: int) -> None:
        self.fonts = Fonts()
        self._next_font = ""
        if line.arguments:
            self.blocks.heading(level, runs_of(" ".join(line.arguments), Fonts()))
        else:
            self._term = lambda runs: self.blocks.heading(level, runs)

    def _paragraph(self, _line: Line) -> None:
        self.fonts = Fonts()
        self.blocks.paragraph()

    def _tagged(self, _line: Line, *, more: bool = False) -> None:
        self.fonts = Fonts()
        self._term = lambda runs: self.blocks.item(runs, more=more) if runs else self.blocks.paragraph()

    def _indented(self, line: Line) -> None:
        self.fonts = Fonts()
        self.blocks.item(runs_of(line.arguments[0], Fonts()) if line.arguments else [])

    def _literal(self, _line: Line, on: bool) -> None:
        self.blocks.fill(not on)
        if not on:
            self.fonts = Fonts()

    def _inward(self, line: Line) -> None:
        """`.in`: literal lines keep the indentation it asks for."""
        change = line.text.strip()
        column = 0
        if change[:1] == "+" and change[1:].rstrip("nm").isdecimal():
            column = min(int(change[1:].rstrip("nm")), 40)
        started = self.blocks.literal and self.blocks.has_lines
        self.blocks.levels[-1].column = column if started else 0

    def _link_begins(self, line: Line) -> None:
        self._link = line.arguments[0] if line.arguments else ""
        self._link_at = self.blocks.length()

    def _link_ends(self, line: Line) -> None:
        if self._link and self.blocks.length() == self._link_at:
            self._put([(self._link.replace("\\:", ""), "R")], True)
        self._link = ""
        after = line.arguments[0] if line.arguments else ""
        self.blocks.attach(runs_of(after, Fonts()))

    def _url(self, line: Line) -> None:
        """`.URL address text after`: the text, or the address where there is none."""
        address, text, after = (*line.arguments, "", "", "")[:3]
        self._put(runs_of((text or address) + after, Fonts()))

    def _reference(self, line: Line) -> None:
        name, section, after = (*line.arguments, "", "", "")[:3]
        self._put(runs_of(f"{name}({section}){after}" if section else name, Fonts()))

    def _synopsis(self, line: Line) -> None:
        self.blocks.line_break()
        self._put(runs_of(" ".join(line.arguments), Fonts("B", "R")))

    def _option(self, line: Line) -> None:
        inside = " ".join(line.arguments)
        self._put([("[", "R"), *runs_of(inside, Fonts("B", "R")), ("]", "R")])

    def _table(self, _line: Line) -> None:
        self.blocks.add(Node("table", html=table_html(self.roff.raw_until("TE"), cell_html)))

    def _drawing(self, line: Line) -> None:
        """Equations and pictures: their source, as literal lines."""
        end = {"EQ": "EN", "PS": "PE"}[line.name]
        lines = list(self.roff.raw_until(end))
        self.blocks.add(Node("pre", lines=lines))

    def _fonts(self, line: Line) -> None:
        self.fonts.change(line.arguments[0] if line.arguments else "P")


def cell_html(lines: list[str], font: str) -> str:
    """The text of a cell of a table as inline HTML: lines, font macros and breaks."""
    fonts = Fonts(font)
    runs: list[Run] = []
    for line in lines:
        name, _, rest = line[1:].partition(" ") if line[:1] == "." else ("", "", line)
        if line[:1] == "." and name in ("br", "sp", "IP", "PP", "P", "LP", "TP", "HP") and runs:
            runs.append(BREAK)
        if line[:1] == "." and name not in _FONT_MACROS and name not in _ALTERNATING and name not in ("IP", "MR"):
            continue
        if runs and runs[-1] != BREAK:
            runs.append((" ", "R"))
        runs += _macro_runs(name, rest, fonts)
    return html_of(runs)


def _macro_runs(name: str, rest: str, fonts: Fonts) -> Iterator[Run]:
    if not name:
        yield from runs_of(rest.strip(), fonts)
        return
    pattern = _ALTERNATING.get(name, _FONT_MACROS.get(name, "R"))
    for index, argument in enumerate(split_arguments(rest)):
        if index and len(pattern) == 1:
            yield (" ", pattern)
        yield from runs_of(argument, Fonts(pattern[index % len(pattern)], "R"))


_REQUESTS: dict[str, Callable[[Man, Line], None]] = {
    "TH": lambda man, line: setattr(man, "title", man.title or line.arguments),
    "SH": lambda man, line: man._heading(line, 2),
    "SS": lambda man, line: man._heading(line, 3),
    **dict.fromkeys(_PARAGRAPHS, Man._paragraph),
    "TP": Man._tagged,
    "TQ": lambda man, line: man._tagged(line, more=True),
    "IP": Man._indented,
    "RS": lambda man, _line: man.blocks.indent(),
    "RE": lambda man, _line: man.blocks.outdent(),
    **dict.fromkeys(("nf", "EX", "Vb"), lambda man, line: man._literal(line, True)),
    **dict.fromkeys(("fi", "EE", "Ve"), lambda man, line: man._literal(line, False)),
    "br": lambda man, _line: man.blocks.line_break(),
    "ti": lambda man, _line: man.blocks.line_break(),
    "sp": lambda man, _line: man.blocks.space(),
    "in": Man._inward,
    "ft": Man._fonts,
    **dict.fromkeys(_HELD, Man._link_begins),
    **dict.fromkeys(("UE", "ME"), Man._link_ends),
    **dict.fromkeys(("URL", "MTO"), Man._url),
    "MR": Man._reference,
    "SY": Man._synopsis,
    "YS": lambda man, _line: man.blocks.line_break(),
    "OP": Man._option,
    "TS": Man._table,
    "EQ": Man._drawing,
    "PS": Man._drawing,
}
