"""The blocks of mdoc(7): sections, lists, displays and what else stands on lines of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipelines.extract.man.blocks import Blocks
from pipelines.extract.man.inline import CALLABLE, CLOSERS, Inline
from pipelines.extract.man.macros import cell_html
from pipelines.extract.man.node import Node
from pipelines.extract.man.roff import Line, Roff
from pipelines.extract.man.runs import html_of
from pipelines.extract.man.tbl import rows_html, table_html
from pipelines.extract.man.text import Fonts, Run, plain, runs_of
from pipelines.extract.man.tree import is_synopsis

_BLOCK = "Dd Dt Os Sh Ss Pp Lp Bl It El Bd Ed D1 Dl Rs Re Ex Rv br sp nf fi TS Bf Ef Bk Ek Db"
NATIVE_MDOC = CALLABLE | frozenset(_BLOCK.split())
_BULLETS = frozenset({"-bullet", "-dash", "-hyphen"})
_LISTS = _BULLETS | {"-enum", "-item", "-tag", "-hang", "-ohang", "-inset", "-diag", "-column"}
_BREAK_BEFORE = frozenset({"Nm", "In", "Fd", "Fn", "Fo", "Vt", "Ft", "Cd"})


class Mdoc:
    """A page in mdoc(7): reads its lines into `blocks`; `title` holds the arguments of `.Dt`."""

    def __init__(self, roff: Roff) -> None:
        self.roff = roff
        self.blocks = Blocks()
        self.inline = Inline()
        self.title: tuple[str, ...] = ()
        self.date = ""
        self.authors: list[str] = []
        self._lists: list[tuple[str, int]] = []  # of each open list its type, and how many items it has
        self._displays: list[bool] = []  # of each open display whether the text before it was literal
        self._rows: list[list[list[Run]]] = []  # of the list of columns that is open
        self._term: Callable[[list[Run]], None] | None = None  # takes a term that goes on in the next lines
        self._finish: Callable[[], None] = lambda: None
        self._citation: list[list[Run]] | None = None

    @property
    def name(self) -> str:
        """What the page describes, as its first `.Nm` spells it."""
        return self.inline.name

    def read(self) -> None:
        """Read all lines."""
        for line in self.roff.lines():
            if not line.name:
                self._text(line.text)
            elif line.name in _MACROS:
                _MACROS[line.name](self, line)
            elif line.name in CALLABLE:
                self._inline_line(line)
            elif line.name.startswith("%") and self._citation is not None:
                self._cite(line)

    # ------------------------------------------------------------ lines

    def _text(self, text: str) -> None:
        literal = self.blocks.literal
        if not literal and not text.strip():
            self.blocks.space()
            return
        runs = runs_of(text if literal else text.strip(), Fonts(), code=literal)
        self._put(runs, False, text.endswith("\\c"))

    def _inline_line(self, line: Line) -> None:
        synopsis = self.inline.synopsis
        if synopsis and line.name in _BREAK_BEFORE and self._term is None and not self.inline.partial:
            self.blocks.line_break()
        if line.name == "An":
            self._author(line)
        parts = self.inline.read((line.name, *line.arguments), code=self.blocks.literal)
        for index, part in enumerate(parts):
            if index and self._rows:
                self._rows[-1].append([])
            self._put(part, self.inline.led and not index, self.inline.close_up)
        if not parts and not self.inline.close_up:
            self.blocks.unglue()
            if self._term is not None and not self.inline.partial:
                self._end_term()
        if synopsis and line.name in ("Ft", "Fd", "In") and self._term is None:
            self.blocks.line_break()

    def _put(self, runs: list[Run], glue: bool, glued: bool = False) -> None:
        """Runs to where text goes now: a term, a cell, a citation or the blocks."""
        if self._term is not None:
            self._term(runs)
        elif self._rows and self._lists and self._lists[-1][0] == "-column":
            cell = self._rows[-1][-1]
            cell += [(" ", "R"), *runs] if cell and not glue else runs
        elif glue and self.blocks.length():
            self.blocks.attach(runs, glued=glued)
        else:
            self.blocks.text(runs, glued=glued)

    def _author(self, line: Line) -> None:
        name = " ".join(each for each in _until_macro(line.arguments) if not each.startswith("-"))
        if name and name not in self.authors:
            self.authors.append(plain(runs_of(name, Fonts())))

    def _cite(self, line: Line) -> None:
        text = " ".join(each for each in line.arguments if each not in CLOSERS)
        if self._citation is not None:
            self._citation.append(runs_of(text, Fonts("I" if line.name in ("%T", "%B", "%J") else "R")))

    # ------------------------------------------------------------ blocks

    def _head(self, line: Line) -> None:
        if line.name == "Dd":
            self.date = line.text
        elif not self.title:
            self.title = line.arguments

    def _heading(self, line: Line, level: int) -> None:
        self._lists, self._displays, self._rows, self._term = [], [], [], None
        text = " ".join(line.arguments)
        self.blocks.heading(level, runs_of(text, Fonts()))
        if level == 2:
            self.inline.begin_section(is_synopsis(text))

    def _list(self, line: Line) -> None:
        kind = next((each for each in line.arguments if each in _LISTS), "-item")
        self._lists.append((kind, 0))
        self._rows = []
        self.blocks.nest()

    def _item(self, line: Line) -> None:
        if not self._lists:
            return
        kind, number = self._lists[-1]
        self._lists[-1] = (kind, number + 1)
        self._end_term()
        if kind == "-item":
            self.blocks.paragraph()
        elif kind in _BULLETS or kind == "-enum":
            self.blocks.item([("•" if kind in _BULLETS else f"{number + 1}.", "R")])
        elif kind == "-column":
            self._rows.append([[]])
            fields = [field for each in line.arguments for field in each.replace("\t", " Ta ").split(" ") if field]
            self._inline_line(Line("", "No", tuple(fields)))
        else:
            self._begin_term(line, "B" if kind == "-diag" else "R")

    def _begin_term(self, line: Line, font: str) -> None:
        term: list[Run] = []

        def more(runs: list[Run]) -> None:
            space = [(" ", "R")] if term and runs and not self.inline.led else []
            term.extend([*space, *runs])
            if not self.inline.partial:
                self._end_term()

        self._term = more
        self._finish = partial(self.blocks.item, term)
        self.inline.partial = 0
        first = () if line.arguments[:1] and line.arguments[0] in CALLABLE else ("Sy" if font == "B" else "No",)
        for part in self.inline.read((*first, *line.arguments)) or [[]]:
            if self._term is not None:
                self._term(part)

    def _end_term(self) -> None:
        if self._term is not None:
            self._term = None
            self._finish()

    def _list_ends(self, _line: Line) -> None:
        self._end_term()
        if not self._lists:
            return
        kind, _ = self._lists.pop()
        if kind == "-column" and self._rows:
            header = all(font == "B" for cell in self._rows[0] for text, font in cell if text.strip())
            rows = [[html_of(cell) for cell in row] for row in self._rows]
            self.blocks.add(Node("table", html=rows_html(rows, int(header))))
        self._rows = []
        self.blocks.outdent()

    def _display(self, line: Line) -> None:
        self._displays.append(self.blocks.literal)
        self.blocks.close()
        if "-literal" in line.arguments or "-unfilled" in line.arguments:
            self.blocks.fill(False)

    def _display_ends(self, _line: Line) -> None:
        was = self._displays.pop() if self._displays else False
        self.blocks.close()
        self.blocks.fill(not was)

    def _one_line(self, line: Line) -> None:
        self.blocks.close()
        runs = [run for part in self.inline.read(("No", *line.arguments), code=True) for run in part]
        self.blocks.add(Node("pre", lines=[plain(runs)]))
        self.blocks.close()

    def _cite_begins(self, _line: Line) -> None:
        self._citation = []

    def _cite_ends(self, _line: Line) -> None:
        for index, runs in enumerate(self._citation or []):
            mark = "." if index + 1 == len(self._citation or []) else ","
            self._put([*runs, (mark, "R")], False)
        self._citation = None

    def _standard(self, line: Line) -> None:
        """`.Ex` and `.Rv`: what they say of the exit status and of the return value."""
        names = [each for each in line.arguments if not each.startswith("-")] or [self.name]
        many = len(names) > 1
        marked: list[Run] = []
        for index, name in enumerate(names):
            joint = "" if not index else (" and " if index + 1 == len(names) else ", ")
            marked += [(joint, "R"), (name + ("()" if line.name == "Rv" else ""), "B")]
        if line.name == "Ex":
            says = f" {'utilities exit' if many else 'utility exits'} 0 on success, and >0 if an error occurs."
        else:
            says = f" function{'s return' if many else ' returns'} the value 0 if successful; otherwise the value -1 is"
            says += " returned and the global variable errno is set to indicate the error."
        self._put([("The ", "R"), *marked, (says, "R")], False)


def _until_macro(arguments: tuple[str, ...]) -> list[str]:
    kept = []
    for each in arguments:
        if each in CALLABLE or each in CLOSERS:
            break
        kept.append(each)
    return kept


_MACROS: dict[str, Callable[[Mdoc, Line], None]] = {
    "Dd": Mdoc._head,
    "Dt": Mdoc._head,
    "Sh": lambda page, line: page._heading(line, 2),
    "Ss": lambda page, line: page._heading(line, 3),
    **dict.fromkeys(("Pp", "Lp", "sp"), lambda page, _line: page.blocks.space()),
    "br": lambda page, _line: page.blocks.line_break(),
    "nf": lambda page, _line: page.blocks.fill(False),
    "fi": lambda page, _line: page.blocks.fill(True),
    "Bl": Mdoc._list,
    "It": Mdoc._item,
    "El": Mdoc._list_ends,
    "Bd": Mdoc._display,
    "Ed": Mdoc._display_ends,
    "D1": Mdoc._one_line,
    "Dl": Mdoc._one_line,
    "Rs": Mdoc._cite_begins,
    "Re": Mdoc._cite_ends,
    "Ex": Mdoc._standard,
    "Rv": Mdoc._standard,
    "TS": lambda page, _line: page.blocks.add(
        Node("table", html=table_html(page.roff.raw_until("TE"), cell_html)),
    ),
}
