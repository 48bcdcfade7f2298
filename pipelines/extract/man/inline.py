"""The macros of mdoc(7) that stand in lines and may be called by others: fonts, enclosures, names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.extract.man.text import Fonts, Run, runs_of

_FONT = dict.fromkeys(("Ar", "Va", "Vt", "Fa", "Em", "Ad", "Ft", "Pa"), "I")
_FONT |= dict.fromkeys(("Cm", "Ic", "Fl", "Cd", "Sy", "Fd"), "B") | dict.fromkeys(("Li", "Ev", "Dv", "Er", "Ms"), "C")
_FONT |= dict.fromkeys(("No", "Tn", "Sx", "An", "Lb", "Mt"), "R")
_ENCLOSING = {"Op": "[]", "Dq": "“”", "Sq": "‘’", "Qq": '""', "Pq": "()", "Bq": "[]", "Brq": "{}", "Aq": "<>"}
_OPENING = {"Oo": "[", "Do": "“", "So": "‘", "Qo": '"', "Po": "(", "Bo": "[", "Bro": "{", "Ao": "<", "Xo": "", "Eo": ""}
_CLOSING = {"Oc": "]", "Dc": "”", "Sc": "’", "Qc": '"', "Pc": ")", "Bc": "]", "Brc": "}", "Ac": ">", "Xc": "", "Ec": ""}
_SYSTEMS = {"Bx": "BSD", "Fx": "FreeBSD", "Nx": "NetBSD", "Ox": "OpenBSD", "Dx": "DragonFly", "Bsx": "BSD/OS"}
_SYSTEMS |= {"Ux": "UNIX", "At": "AT&T UNIX", "Bt": "is currently in beta test.", "Ud": "currently under development."}
_OWN = ("Xr", "Ns", "Pf", "Ap", "Lk", "St", "Ta", "Nd", "Nm", "Fn", "Fo", "Fc", "In", "Ql", "Sm")
CALLABLE = frozenset({*_FONT, *_ENCLOSING, *_OPENING, *_CLOSING, *_SYSTEMS, *_OWN})
CLOSERS = frozenset(".,:;)]?!")
_OPENERS = frozenset("([")


class Inline:
    """Reads lines of macros into runs; spacing and open enclosures go from one line to the next."""

    def __init__(self) -> None:
        self.name = ""  # of what the page describes
        self.synopsis = False
        self.spacing = True
        self.close_up = False  # no space before what comes next
        self.led = False  # whether the last line began without a space before it
        self.partial = 0  # enclosures open over lines
        self._parameters = -1  # of the function that is open, how many have been; -1 outside
        self._runs: list[Run] = []
        self._parts: list[list[Run]] = []
        self._at = 0
        self._arguments: Sequence[str] = ()

    def begin_section(self, synopsis: bool) -> None:
        """A new section: nothing is open in it."""
        self.synopsis = synopsis
        self.spacing, self.close_up, self.partial, self._parameters = True, False, 0, -1

    def set_spacing(self, on: bool) -> None:
        """Whether words have spaces between them."""
        self.spacing = on
        self.close_up = False

    def read(self, arguments: Sequence[str], *, code: bool = False) -> list[list[Run]]:
        """The runs of a line, in parts where it holds `Ta`; the first argument is a macro."""
        end = len(arguments)
        while end > 1 and arguments[end - 1] in CLOSERS:
            end -= 1
        self._runs, self._parts, self._code = [], [], code
        self._arguments, self._at = arguments[:end], 0
        self.led = self.close_up
        closing: list[str] = []
        while self._at < end:
            name = self._take()
            if name in _ENCLOSING:
                self._word(_ENCLOSING[name][0], "R")
                self.close_up = True
                closing.append(_ENCLOSING[name][1])
            elif name in CALLABLE:
                _READERS.get(name, Inline._font)(self, name)
            else:
                self._plain(name, "R")
        close_up = self.close_up
        for mark in [*reversed(closing), *arguments[end:]]:
            self.close_up = True
            self._word(mark, "R")
        self.close_up = close_up
        return [*self._parts, self._runs] if self._runs or self._parts else []

    def _take(self) -> str:
        self._at += 1
        return self._arguments[self._at - 1]

    def _words(self) -> list[str]:
        """The arguments up to the next macro."""
        begin = self._at
        while self._at < len(self._arguments) and self._arguments[self._at] not in CALLABLE:
            self._at += 1
        return list(self._arguments[begin : self._at])

    def _one(self) -> str:
        """The next argument, if it is a word."""
        if self._at < len(self._arguments) and self._arguments[self._at] not in CALLABLE | CLOSERS:
            return self._take()
        return ""

    def _word(self, text: str, font: str) -> None:
        if not self._runs:
            self.led = self.close_up
        elif not self.close_up:
            self._runs.append((" ", font if self._runs[-1][1] == font else "R"))
        made = runs_of(text, Fonts(font, "R"), code=self._code)
        self._runs += made or [("", font)]
        self.close_up = not self.spacing

    def _plain(self, word: str, font: str) -> None:
        """A word, or a mark that closes up to what stands before or behind it."""
        if word in CLOSERS:
            self.close_up = True
            self._word(word, "R")
        elif word in _OPENERS:
            self._word(word, "R")
            self.close_up = True
        else:
            self._word(word, "R" if word == "|" else font)

    # ------------------------------------------------------------ macros

    def _font(self, name: str) -> None:
        words = self._words()
        font = _FONT.get(name, "R")
        if not any(word not in CLOSERS | _OPENERS for word in words):
            words = {"Ar": ["file", "..."], "Pa": ["~"], "Fl": ["\\-"]}.get(name, []) + words
        elif name == "Fl":
            words = ["", *words] if words[0] == "|" else words
            words = [word if word in CLOSERS | _OPENERS | {"|"} else "\\-" + word for word in words]
        elif name == "An":
            words = [word for word in words if word not in ("-nosplit", "-split")]
        if name == "Fa":
            self._parameter(words)
            return
        for word in words:
            self._plain(word, font)
        if name == "Fl" and words == ["\\-"] and self._at < len(self._arguments):
            self.close_up = True

    def _parameter(self, words: list[str]) -> None:
        for index, word in enumerate(words):
            if word not in CLOSERS and (index or self._parameters > 0):
                self.close_up = True
                self._word(",", "R")
            self.close_up = self.close_up or self._parameters == 0
            self._plain(word, "I")
            self._parameters += self._parameters >= 0

    def _function(self, name: str) -> None:
        """`.Fn name parameters`, and `.Fo name` whose parameters follow up to `.Fc`."""
        if name == "Fc":
            self.close_up = True
            self._word(");" if self.synopsis else ")", "R")
            self._parameters = -1
            return
        words = self._words()
        self._word(words[0] if words else "", "B")
        self.close_up = True
        self._word("(", "R")
        self._parameters = 0
        if name == "Fn":
            marks = [word for word in words[1:] if word in CLOSERS]
            self._parameter([word for word in words[1:] if word not in CLOSERS])
            self._function("Fc")
            for mark in marks:
                self._plain(mark, "R")

    def _open(self, name: str) -> None:
        mark = self._one() if name == "Eo" else _OPENING[name]
        self.partial += 1
        if mark:
            self._word(mark, "R")
            self.close_up = True

    def _close(self, name: str) -> None:
        mark = self._one() if name == "Ec" else _CLOSING[name]
        self.partial = max(self.partial - 1, 0)
        if mark:
            self.close_up = True
            self._word(mark, "R")

    def _own_name(self, _name: str) -> None:
        words = self._words()
        if words and words[0] not in CLOSERS:
            self.name = self.name or words[0]
        else:
            words.insert(0, self.name)
        for word in words:
            self._plain(word, "B")

    def _refer(self, _name: str) -> None:
        page, section = self._one(), self._one()
        self._word(f"{page}({section})" if section else page, "R")

    def _header(self, _name: str) -> None:
        self._word(f"#include <{self._one()}>" if self.synopsis else f"<{self._one()}>", "B")

    def _link(self, _name: str) -> None:
        words = self._words()
        for word in words[1:] or words:
            self._plain(word, "R")

    def _system(self, name: str) -> None:
        version = self._one().lstrip("vV")
        if name == "Bx":
            self._word(f"{version}BSD", "R")
        elif name == "At" and version:
            self._word(f"Version {version} AT&T UNIX" if version.isdecimal() else f"AT&T UNIX {version}", "R")
        else:
            self._word(f"{_SYSTEMS[name]} {version}".strip(), "R")

    def _standard(self, _name: str) -> None:
        named = self._one().removeprefix("-")
        self._word(named.replace("p1003", "IEEE Std 1003").replace("iso", "ISO ").replace("ansi", "ANSI "), "R")

    def _prefix(self, _name: str) -> None:
        self._word(self._one(), "R")
        self.close_up = True

    def _no_space(self, name: str) -> None:
        self.close_up = True
        if name == "Ap":
            self._word("'", "R")
            self.close_up = True

    def _describe(self, _name: str) -> None:
        for word in ["-", *self._words()]:
            self._plain(word, "R")

    def _quote(self, _name: str) -> None:
        for word in self._words():
            self._plain(word, "C")

    def _space(self, _name: str) -> None:
        self.set_spacing(self._one() != "off")

    def _library(self, _name: str) -> None:
        library = self._one()
        self._word(f"{library} (-l{library.removeprefix('lib')})", "R")

    def _cell(self, _name: str) -> None:
        self._parts.append(self._runs)
        self._runs = []


_READERS: dict[str, Callable[[Inline, str], None]] = {
    **dict.fromkeys(_OPENING, Inline._open),
    **dict.fromkeys(_CLOSING, Inline._close),
    **dict.fromkeys(_SYSTEMS, Inline._system),
    **dict.fromkeys(("Fn", "Fo", "Fc"), Inline._function),
    **dict.fromkeys(("Ns", "Ap"), Inline._no_space),
    "Nm": Inline._own_name,
    "Xr": Inline._refer,
    "In": Inline._header,
    "Lk": Inline._link,
    "St": Inline._standard,
    "Pf": Inline._prefix,
    "Nd": Inline._describe,
    "Ql": Inline._quote,
    "Sm": Inline._space,
    "Lb": Inline._library,
    "Ta": Inline._cell,
}
