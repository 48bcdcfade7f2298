"""A stream of LaTeX tokens from which arguments are taken, and to which tokens can be put back."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.extract.latex.tokens import LIFTED, PARAGRAPH

MAX_ARGUMENT = 200_000  # tokens

Tokens = list[str]


class Arguments:
    """Tokens as they come; arguments stand between braces or brackets."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = iter(tokens)
        self._pushed: Tokens = []

    def raw(self) -> str | None:
        """The next token, nothing replaced; None at the end."""
        return self._pushed.pop() if self._pushed else next(self._tokens, None)

    def push(self, tokens: Tokens) -> None:
        """Put tokens before those that follow."""
        self._pushed.extend(reversed(tokens))

    def skip_spaces(self) -> None:
        while (token := self.raw()) is not None:
            if not token.isspace() or token == PARAGRAPH:
                self.push([token])
                return

    def peek(self) -> str:
        """The next token, which stays; empty at the end."""
        token = self.raw()
        if token is None:
            return ""
        self.push([token])
        return token

    def group(self, *, short: bool = False) -> Tokens:
        """An argument: what stands between braces, or one token. A `short` one ends where a paragraph does."""
        self.skip_spaces()
        token = self.raw()
        if token is None or token == PARAGRAPH or token == "}":
            if token is not None:
                self.push([token])
            return []
        if token == "{":
            return self.balanced("}", short)
        if len(token) > 1 and token[0] not in ("\\", LIFTED):
            self.push([token[1:]])
            return [token[0]]
        return [token]

    def optional(self) -> Tokens | None:
        """What stands between brackets, if they follow."""
        spaces: Tokens = []
        while (token := self.raw()) is not None and token.isspace() and token != PARAGRAPH:
            spaces.append(token)
        if token == "[":
            return self.balanced("]", True)
        self.push(spaces + ([token] if token is not None else []))
        return None

    def balanced(self, end: str, short: bool) -> Tokens:
        made: Tokens = []
        depth = 0
        while (token := self.raw()) is not None and len(made) < MAX_ARGUMENT:
            if token == end and depth == 0:
                return made
            if token == PARAGRAPH and short:
                self.push([token])
                return made
            depth += (token == "{") - (token == "}")
            made.append(token)
        return made

    def skip(self, kinds: str) -> None:
        """Leave out arguments: m mandatory, o optional, p between parentheses, s a star."""
        for kind in kinds:
            if kind == "s":
                self.star()
            elif kind == "o":
                self.optional()
            elif kind == "p":
                self.parentheses()
            else:
                self.group(short=True)

    def parentheses(self) -> None:
        """Leave out what stands between parentheses, if they follow."""
        token = self.peek()
        if token.startswith("(") and ")" in token:
            self.raw()
            rest = token[token.index(")") + 1 :]
            self.push([rest] if rest else [])

    def star(self) -> bool:
        """Whether a star follows; it is taken away."""
        token = self.raw()
        if token is not None and token.startswith("*"):
            if token[1:]:
                self.push([token[1:]])
            return True
        if token is not None:
            self.push([token])
        return False
