"""Macros of LaTeX: definitions are taken from the tokens, calls are replaced by what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipelines.extract.latex.arguments import Arguments, Tokens
from pipelines.extract.latex.tokens import LIFTED, PARAGRAPH
from pipelines.extract.page import Unreadable

MAX_GROWTH = 1_000_000  # tokens that macros may add, and as many again as the document has characters


@dataclass(frozen=True, slots=True)
class Macro:
    """What a macro stands for. `kinds` has a letter for each parameter: m, o (then its default), s, or t for a text
    that must follow (of TeX's own definitions), with `delimiters` in their order."""

    kinds: str
    body: Tokens
    defaults: tuple[Tokens, ...] = ()
    delimiters: tuple[Tokens, ...] = ()


class Expander(Arguments):
    """The tokens of a document of `size` characters, macros replaced; what is `known` a document cannot redefine."""

    def __init__(self, tokens: Iterable[str], known: Callable[[str], bool], size: int = 0) -> None:
        super().__init__(tokens)
        self._known = known
        self._budget = MAX_GROWTH + size
        self.macros: dict[str, Macro] = {}
        self.kept: dict[str, str] = {}  # other names of commands that the document did not define
        self.environments: dict[str, tuple[Macro, Tokens]] = {}
        self.theorems: dict[str, str] = {}
        self.flags: dict[str, bool] = {}

    def expand(self, tokens: Tokens) -> None:
        """Put before those that follow what a macro stands for. Raises `Unreadable` where that has no end."""
        self._budget -= len(tokens) + 1
        if self._budget < 0:
            raise Unreadable("parser_error", "the macros of the document grow without end")
        self.push(tokens)

    def next(self) -> str | None:
        """The next token that is no macro of the document; definitions are carried out."""
        while (token := self.raw()) is not None:
            if token[0] != "\\":
                return token
            if token in _DEFINITIONS:
                _DEFINITIONS[token](self, token)
            elif (macro := self.macros.get(token)) is not None:
                self.expand(self._call(macro))
            elif token in self.kept:
                return self.kept[token]
            elif not self._conditional(token):
                return token
        return None

    def __iter__(self) -> Iterator[str]:
        while (token := self.next()) is not None:
            yield token

    # ------------------------------------------------------------ macros

    def _call(self, macro: Macro) -> Tokens:
        """The body of a macro with its arguments put in."""
        arguments: list[Tokens] = []
        defaults = iter(macro.defaults)
        if macro.delimiters and macro.delimiters[0]:
            self._delimited(macro.delimiters[0])
        for index, kind in enumerate(macro.kinds):
            if kind == "s":
                arguments.append(["*"] if self.star() else [])
            elif kind == "o":
                given, default = self.optional(), next(defaults, [])
                arguments.append(default if given is None else given)
            elif kind == "t" and macro.delimiters[index + 1]:
                arguments.append(self._delimited(macro.delimiters[index + 1]))
            else:
                arguments.append(self.group())
        return fill(macro.body, arguments)

    def _delimited(self, end: Tokens) -> Tokens:
        made: Tokens = []
        while (token := self.raw()) is not None and len(made) < 1000 and token != PARAGRAPH:
            if len(token) > 1 and token[0] not in ("\\", LIFTED):
                self.push(list(token))
                continue
            made.append(token)
            if made[-len(end) :] == end:
                return made[: -len(end)]
        if token is not None and token == PARAGRAPH:
            self.push([token])
        return made

    def begin(self, name: str) -> Tokens | None:
        """What the begin of an environment of the document stands for; its end is put before `\\end`."""
        found = self.environments.get(name)
        return self._call(found[0]) if found else None

    def _define(self, token: str) -> None:
        self.star()
        name = self._name()
        if token == "\\NewDocumentCommand" or token.endswith("DocumentCommand"):
            kinds, defaults = _document_kinds(self.group())
        else:
            kinds, defaults = self._parameters()
        self._set(name, Macro(kinds, self.group(), defaults), keep=token == "\\providecommand")

    def _parameters(self) -> tuple[str, tuple[Tokens, ...]]:
        count = "".join(self.optional() or [])
        number = min(int(count), 9) if count.isdecimal() else 0
        default = self.optional()
        if default is not None and number:
            return "o" + "m" * (number - 1), (default,)
        return "m" * number, ()

    def _name(self) -> str:
        token = self.group()
        return "".join(token).strip()

    def _set(self, name: str, macro: Macro, *, keep: bool = False) -> None:
        if name.startswith("\\") and not self._known(name) and not (keep and name in self.macros):
            self.macros[name] = macro
            self.kept.pop(name, None)

    def _define_plain(self, _token: str) -> None:
        """TeX's own `\\def`: parameters with texts between them."""
        self.skip_spaces()
        name = self.raw() or ""
        delimiters: list[Tokens] = [[]]
        while (token := self.raw()) is not None and token != "{" and len(delimiters) < 11:
            if token == "#":
                number = self.raw() or ""
                delimiters.append(list(number[1:]))
            else:
                delimiters[-1] += [token] if token[0] == "\\" else list(token)
        body = self.balanced("}", False)
        self._set(name, Macro("t" * (len(delimiters) - 1), body, (), tuple(delimiters)))

    def _let(self, _token: str) -> None:
        self.skip_spaces()
        name = self.raw() or ""
        self.skip_spaces()
        other = self.raw() or ""
        if other.startswith("="):
            other = other[1:] or self.raw() or ""
        if other in self.macros:
            self._set(name, self.macros[other])
        elif other.startswith("\\") and not self._known(name):
            # The command itself: a document that redefines it later calls it by this name.
            self.kept[name] = self.kept.get(other, other)

    def _operator(self, _token: str) -> None:
        star = "*" if self.star() else ""
        name = self._name()
        self._set(name, Macro("", ["\\operatorname" + star, "{", *self.group(), "}"]))

    def _delimiters(self, _token: str) -> None:
        name = self._name()
        left, right = self.group(), self.group()
        self._set(name, Macro("sm", [*left, " ", "#", "2", " ", *right]))

    def _environment(self, _token: str) -> None:
        self.star()
        name = "".join(self.group())
        kinds, defaults = self._parameters()
        begin, end = self.group(), self.group()
        if name and not self._known(name):
            self.environments[name] = (Macro(kinds, begin, defaults), end)

    def _theorem(self, _token: str) -> None:
        self.star()
        name = "".join(self.group())
        self.optional()
        self.theorems[name] = "".join(self.group())
        self.optional()

    # ------------------------------------------------------------ conditions

    def _conditional(self, token: str) -> bool:
        """Carry out a condition of TeX; whether the token was one. Of what is not known the else-branch is taken."""
        if token == "\\newif":
            name = (self.raw() or "").removeprefix("\\if")
            self.flags.setdefault(name, False)
            return True
        if token in ("\\fi", "\\else"):
            if token == "\\else":
                self._skip_branch(stop_at_else=False)
            return True
        for value in ("true", "false"):
            if token.endswith(value) and token[1 : -len(value)] in self.flags:
                self.flags[token[1 : -len(value)]] = value == "true"
                return True
        if not token.startswith("\\if") or token in ("\\ifthenelse", "\\iff", "\\ifnum@") or self._known(token):
            return False
        name = token[3:]
        if name not in self.flags and name not in _CONDITIONS:
            return False
        holds = name == "true" or self.flags.get(name, False)
        for _ in range(_CONDITIONS.get(name, 0)):
            self.skip_spaces()
            self.raw()
        if not holds:
            self._skip_branch(stop_at_else=True)
        return True

    def _skip_branch(self, *, stop_at_else: bool) -> None:
        depth = 0
        while (token := self.raw()) is not None:
            if token.startswith("\\if") and (token[3:] in self.flags or token[3:] in _CONDITIONS):
                depth += 1
            elif token == "\\fi":
                if depth == 0:
                    return
                depth -= 1
            elif token == "\\else" and depth == 0 and stop_at_else:
                return


# How many tokens a condition compares.
_CONDITIONS = {"false": 0, "true": 0, "x": 2, "cat": 2, "defined": 1, "csname": 0, "mmode": 0, "hmode": 0, "vmode": 0}
_CONDITIONS |= {"pdf": 0, "eof": 0, "case": 1, "num": 1, "dim": 1, "inner": 0}

_Definition = Callable[[Expander, str], None]
_DEFINITIONS: dict[str, _Definition] = {
    **dict.fromkeys(
        (
            "\\newcommand",
            "\\renewcommand",
            "\\providecommand",
            "\\DeclareRobustCommand",
            "\\NewDocumentCommand",
            "\\RenewDocumentCommand",
            "\\ProvideDocumentCommand",
            "\\DeclareDocumentCommand",
            "\\newcommandx",
        ),
        Expander._define,
    ),
    **dict.fromkeys(("\\def", "\\edef", "\\gdef", "\\xdef"), Expander._define_plain),
    **dict.fromkeys(("\\let", "\\futurelet"), Expander._let),
    "\\DeclareMathOperator": Expander._operator,
    "\\DeclarePairedDelimiter": Expander._delimiters,
    **dict.fromkeys(("\\newenvironment", "\\renewenvironment"), Expander._environment),
    "\\newtheorem": Expander._theorem,
}


def fill(body: Tokens, arguments: list[Tokens]) -> Tokens:
    """The body of a macro with arguments for `#1`, `#2` ...; `##` is a single sign."""
    made: Tokens = []
    tokens = iter(body)
    for token in tokens:
        if token != "#":
            made.append(token)
            continue
        number = next(tokens, "")
        if number == "#" or not number[:1].isdecimal():
            made += ["#", number] if number != "#" else ["#"]
            continue
        index = int(number[0]) - 1
        made += arguments[index] if 0 <= index < len(arguments) else []
        if number[1:]:
            made.append(number[1:])
    return made


def _document_kinds(tokens: Tokens) -> tuple[str, tuple[Tokens, ...]]:
    """The parameters of `\\NewDocumentCommand`: m, o, O{default}, s; others count as m."""
    kinds = ""
    defaults: list[Tokens] = []
    waiting = iter(tokens)
    for token in waiting:
        for letter in token if token[:1].isalpha() else "":
            kinds += {"m": "m", "o": "o", "s": "s", "O": "o"}.get(letter, "m")
            if letter == "o":
                defaults.append([])
            elif letter == "O":
                default: Tokens = []
                depth = 0
                for each in waiting:
                    depth += (each == "{") - (each == "}")
                    if depth == 0:
                        break
                    if each != "{" or depth > 1:
                        default.append(each)
                defaults.append(default)
    return kinds, tuple(defaults)
