"""Algorithms in pseudocode (algorithmic, algpseudocode, algorithm2e) and tabbed lines, as lines of text."""

from __future__ import annotations

from pipelines.extract.latex.arguments import Arguments, Tokens
from pipelines.extract.latex.commands import SKIPPED
from pipelines.extract.latex.math import formula_text
from pipelines.extract.latex.symbols import SYMBOLS, typeset
from pipelines.extract.latex.tokens import LIFTED, Lifted

STEP = "    "
_BEGIN = {"if": "if {} then", "elsif": "else if {} then", "else": "else", "for": "for {} do", "forall": "for all {} do"}
_BEGIN |= {
    "while": "while {} do",
    "repeat": "repeat",
    "loop": "loop",
    "procedure": "procedure {}({})",
    "foreach": "for each {} do",
}
_BEGIN |= {"function": "function {}({})", "forp": "for {} do"}
_END = frozenset({"endif", "endfor", "endwhile", "endloop", "endprocedure", "endfunction", "end"})
_LINE = {
    "state": "",
    "statex": "",
    "require": "Require: ",
    "ensure": "Ensure: ",
    "return": "return ",
    "print": "print ",
}
_LINE |= {"input": "Input: ", "output": "Output: ", "kwin": "Input: {}", "kwout": "Output: {}", "kwdata": "Data: {}"}
_LINE |= {"kwresult": "Result: {}", "kwret": "return {}"}
# Of algorithm2e: the words before and behind the condition; the body follows in braces.
_BRACED = {"if": "if {} then", "uif": "if {} then", "eif": "if {} then", "elseif": "else if {} then", "else": "else"}
_BRACED |= {
    "for": "for {} do",
    "foreach": "for each {} do",
    "forall": "for all {} do",
    "while": "while {} do",
    "loop": "loop",
}
_BRACED |= {
    "repeat": "repeat until {}",
    "fn": "function {}",
    "function": "function {}",
    "procedure": "procedure {}",
    "uelse": "else",
}
_BRACED |= {
    "uelseif": "else if {} then",
    "switch": "switch {}",
    "case": "case {}",
    "other": "otherwise",
    "begin": "begin",
}
_COMMENTS = frozenset({"\\comment", "\\tcp", "\\tcc", "\\tcpas", "\\linecomment"})
_QUIET = frozenset(
    {"\\dontprintsemicolon", "\\nosemic", "\\dosemic", "\\setendcharofalgoline", "\\linesnumbered", "\\footnotesize"}
)


def algorithm_text(tokens: Tokens, lifted: list[Lifted]) -> tuple[str, Tokens]:
    """An algorithm as lines of text, and the tokens of its caption. Its formulas are LaTeX between dollars."""
    reader = _Lines(tokens, lifted)
    reader.read()
    return "\n".join(line.rstrip() for line in reader.lines if line.strip()), reader.caption


def tabbed_text(tokens: Tokens, lifted: list[Lifted]) -> str:
    """Lines of a tabbing environment; each tab is an indentation."""
    made: Tokens = []
    for token in tokens:
        made.append(
            {"\\>": "\0tab", "\\=": " ", "\\+": "", "\\-": "", "\\<": "", "\\kill": "\\\\"}.get(token, token) or " "
        )
    text, _ = algorithm_text([token if token != "\0tab" else "\\tabbed" for token in made], lifted)
    return text


class _Lines:
    """Reads tokens into lines; blocks in braces are closed by what stands on `_open`."""

    def __init__(self, tokens: Tokens, lifted: list[Lifted]) -> None:
        self.tokens = Arguments(tokens)
        self.lifted = lifted
        self.lines = [""]
        self.depth = 0
        self.caption: Tokens = []
        self._open: list[str] = []  # of each open brace what its end means: "" nothing, "block", "else"

    def read(self) -> None:
        braced = not self._is_algorithmic()
        while (token := self.tokens.raw()) is not None:
            if token == "{":
                self._open.append("")
            elif token == "}":
                self._close()
            elif token[0] == "\\" and len(token) > 1:
                self._command(token, braced)
            elif token == "$":
                self._formula()
            elif token[0] == LIFTED:
                self._add(self.lifted[int(token[1:])].text)
            elif token.isspace() or token == "~":
                self._add(" ")
            else:
                self._add(typeset(token))

    def _is_algorithmic(self) -> bool:
        """Whether lines begin with `\\State`; else blocks stand in braces."""
        tokens: Tokens = []
        while (token := self.tokens.raw()) is not None:
            tokens.append(token)
        self.tokens.push(tokens)
        return any(token.lower() in ("\\state", "\\statex", "\\endif", "\\endfor", "\\endwhile") for token in tokens)

    def _add(self, text: str) -> None:
        if not text.isspace() or (self.lines[-1].strip() and self.lines[-1][-1] != " "):
            self.lines[-1] += text

    def _line(self, text: str = "") -> None:
        """Begin a line on the depth of now."""
        if self.lines[-1].strip():
            self.lines.append("")
        self.lines[-1] = STEP * min(self.depth, 20) + text

    def _close(self) -> None:
        meaning = self._open.pop() if self._open else ""
        if meaning:
            self.depth = max(self.depth - 1, 0)
            self._line()
        if meaning == "else":
            self._line("else")
            self._block("block")

    def _block(self, meaning: str) -> None:
        """The braces of a body: what is in them stands deeper."""
        self.tokens.skip_spaces()
        if self.tokens.peek() == "{":
            self.tokens.raw()
            self._open.append(meaning)
            self.depth += 1
            self._line()

    def _formula(self) -> None:
        made: Tokens = []
        while (token := self.tokens.raw()) is not None and token != "$":
            made.append(token)
        self._add(f"${formula_text(made, self.lifted)}$")

    def _command(self, token: str, braced: bool) -> None:
        name = token[1:].lower()
        if braced and name in _BRACED:
            self._braced(name)
        elif not braced and name in _BEGIN:
            self._begins(name)
        elif name in _END and not braced:
            self.depth = max(self.depth - 1, 0)
        elif name == "until":
            self.depth = max(self.depth - 1, 0)
            self._line(f"until {self._argument()}")
        elif name in _LINE:
            text = _LINE[name]
            self._line(text.format(self._argument()) if "{}" in text else text)
        else:
            self._other(token)

    def _begins(self, name: str) -> None:
        if name in ("elsif", "else"):
            self.depth = max(self.depth - 1, 0)
        text = _BEGIN[name]
        self._line(text.format(*(self._argument() for _ in range(text.count("{}")))))
        self.depth += 1

    def _braced(self, name: str) -> None:
        text = _BRACED[name]
        if name == "elseif" or name == "else":
            self._line()
        self._line(text.format(self._argument()) if "{}" in text else text)
        self._block("else" if name == "eif" else "block")

    def _other(self, token: str) -> None:
        name = token.lower()
        if token in ("\\\\", "\\;", "\\newline", "\\par"):
            self._line()
        elif token == "\\tabbed":
            self.lines[-1] += STEP
        elif token == "\\caption":
            self.caption = self.tokens.group()
        elif name in _COMMENTS:
            self.tokens.star()
            before = self.lines[-1].rstrip()
            self.lines[-1] = f"{before}  // {self._argument()}" if before else f"{self.lines[-1]}// {self._argument()}"
            if name.startswith("\\tc"):
                self._line()
        elif token == "\\Call":
            self._add(f"{self._argument()}({self._argument()})")
        elif token in SYMBOLS:
            self._add(SYMBOLS[token])
        elif name.startswith("\\setkw"):
            self.tokens.skip("mmmm"[: {"\\setkwblock": 3, "\\setkwprog": 4}.get(name, 2)])
        elif token in SKIPPED or name in _QUIET:
            self.tokens.skip(SKIPPED.get(token, "").replace("d", ""))
        elif token in ("\\begin", "\\end"):
            self.tokens.group()
            self.tokens.optional()

    def _argument(self) -> str:
        """An argument as one line of text."""
        inner = _Lines(self.tokens.group(), self.lifted)
        made: list[str] = []
        while (token := inner.tokens.raw()) is not None:
            if token == "$":
                inner.lines = [""]
                inner._formula()
                made.append(inner.lines[-1])
            elif token in SYMBOLS:
                made.append(SYMBOLS[token])
            elif token in SKIPPED:
                inner.tokens.skip(SKIPPED[token].replace("d", ""))
            elif token[0] == LIFTED:
                made.append(self.lifted[int(token[1:])].text)
            elif token[0] != "\\" and token not in ("{", "}"):
                made.append(" " if token.isspace() or token == "~" else typeset(token))
        return " ".join("".join(made).split())
