"""Whether a text is a shell script, and how many functions and commands it has; it is read, never run.

The grammar is that of POSIX.1-2024 (XCU 2.10) with what bash adds: arrays, `[[ ]]`, `(( ))`, `$' '`, process
substitution, here-strings, `function`. Quotes, substitutions, here-documents, compound commands and their words must
close; words and redirections are not looked into. What stands in backquotes is skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DEEPEST = 40
_PLAIN = re.compile(r"[^ \t\r\f\v\n;&|<>()'\"`$\\]+")
_BLANK = re.compile(r"(?:[ \t\r\f\v]|\\\n)+")
_REDIRECTION = re.compile(r"\d{0,9}(?:<<<|<<-|<<|<>|<&|>&|>>|>\||<|>)(?!\()|&>>?")
_OPERATOR = re.compile(r";;&|;;|;&|&&|\|\||\|&|[;&|()\n]")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_SEPARATORS = frozenset(("\n", ";", "&", "|", "||", "&&", "|&"))
_CASE_ENDS = frozenset((";;", ";&", ";;&", "esac"))
_MAY_BE_EMPTY = _CASE_ENDS | {"", ")"}
_COMPOUND = frozenset(("if", "while", "until", "for", "select", "case", "{", "(", "[[", "function"))
# Words that close or go on with something: where a command is expected, and nothing is open, they are wrong.
_CLOSING = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}", ")", ";;", ";&", ";;&"))


class ShellError(ValueError):
    """A script that does not parse; the message says where."""


@dataclass
class Script:
    """What a script has: functions that it defines, simple commands, and words that begin with a hyphen.

    `calls`: the words of each simple command, in quotes as they stand, without assignments and redirections.
    """

    functions: int = 0
    commands: int = 0
    options: set[str] = field(default_factory=set)
    calls: list[list[str]] = field(default_factory=list)


def parse_shell(code: str) -> Script:
    """Reads a script whole. Raises ShellError."""
    reader = _Reader(code)
    reader.commands(frozenset(("",)))
    return reader.script


class _Reader:
    """One pass over the code; `at` is the next character, `here` the here-documents that the next line begins."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.at = 0
        self.depth = 0
        self.here: list[tuple[str, bool]] = []
        self.script = Script()

    def error(self, what: str) -> ShellError:
        return ShellError(f"line {self.code.count(chr(10), 0, self.at) + 1}: {what}")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("nested too deep")

    def token(self) -> str:
        """The next word, operator or redirection as it stands; empty at the end."""
        if blank := _BLANK.match(self.code, self.at):
            self.at = blank.end()
        if self.code.startswith("#", self.at):
            end = self.code.find("\n", self.at)
            self.at = len(self.code) if end < 0 else end
        if self.at >= len(self.code):
            if self.here:
                raise self.error(f"here-document {self.here[0][0][:20]} does not end")
            return ""
        if found := _REDIRECTION.match(self.code, self.at) or _OPERATOR.match(self.code, self.at):
            self.at = found.end()
            if found[0] == "\n":
                self.documents()
            return found[0]
        return self.word()

    def peek(self) -> str:
        """The next operator or redirection, or how the next word begins; a comment is a line end. Nothing is read."""
        if blank := _BLANK.match(self.code, self.at):
            self.at = blank.end()
        if self.code.startswith("#", self.at):
            return "\n"
        for pattern in (_REDIRECTION, _OPERATOR, _PLAIN):
            if found := pattern.match(self.code, self.at):
                return found[0]
        return self.code[self.at : self.at + 1]

    def commands(self, ends: frozenset[str]) -> str:
        """Commands up to one of the tokens that end them, which is returned."""
        self.enter()
        begun = closed = False
        empty = not ends & _MAY_BE_EMPTY
        while (token := self.token()) not in ends:
            if not token:
                raise self.error(f"{' or '.join(sorted(ends - {''}))} is missing")
            if _REDIRECTION.fullmatch(token):
                self.redirection(token)
            elif token in _SEPARATORS and (begun or token == "\n"):
                closed = False
            elif token in _SEPARATORS or closed:
                raise self.error(f"unexpected {token[:40]}")
            else:
                closed = self.command(token)
            begun = token not in _SEPARATORS
            empty = empty and not begun
        if empty:
            raise self.error(f"nothing stands before {token}")
        self.depth -= 1
        return token

    def command(self, token: str) -> bool:
        """A command that begins with a token, or the part of one after which another may begin; whether none may."""
        if token in _CLOSING:
            raise self.error(f"unexpected {token}")
        if token in _COMPOUND:
            self.compound(token)
            return token != "function"
        if token not in ("!", "time", "coproc") and not _ASSIGNMENT.match(token):
            self.script.commands += 1
            self.script.calls.append([token])
            self.arguments(self.script.calls[-1])
        return False

    def compound(self, token: str) -> None:
        if token == "if":
            while self.commands(frozenset(("then",))):
                if (end := self.commands(frozenset(("elif", "else", "fi")))) != "elif":
                    break
            if end == "else":
                self.commands(frozenset(("fi",)))
        elif token == "case":
            self.case()
        elif token == "[[":
            self.test()
        elif token == "function":
            self.token()
            self.script.functions += 1
            if self.peek() == "(":
                self.token()
                self.token()
        elif token == "(" and self.code.startswith("(", self.at):
            self.at += 1
            self.arithmetic()
        elif token in ("(", "{"):
            self.commands(frozenset((")" if token == "(" else "}",)))
        else:
            self.loop(token)

    def loop(self, token: str) -> None:
        """`for`, `select`, `while` or `until`, up to its `done`."""
        if token in ("for", "select"):
            if self.token() == "(":
                self.at += 1
                self.arithmetic()
            else:
                while self.peek() not in ("\n", ";", "", "do"):
                    self.token()
            while (head := self.token()) in (";", "\n"):
                pass
            if head != "do":
                raise self.error("do is missing")
        else:
            self.commands(frozenset(("do",)))
        self.commands(frozenset(("done",)))

    def case(self) -> None:
        self.token()
        while (token := self.token()) == "\n":
            pass
        if token != "in":
            raise self.error("in is missing")
        while True:
            while (token := self.token()) == "\n":
                pass
            if token == "esac":
                return
            while token != ")":
                if token in ("", "\n"):
                    raise self.error("a pattern of case does not end")
                token = self.token()
            if self.commands(_CASE_ENDS) == "esac":
                return

    def test(self) -> None:
        """`[[`, up to its `]]`: a regular expression in it may hold operators, and parentheses that do not close."""
        while (token := self.token()) != "]]":
            if not token:
                raise self.error("]] is missing")

    def arguments(self, words: list[str]) -> None:
        """The rest of a simple command, which is added to its words, or of the head of a function, which has none."""
        first = True
        while (token := self.peek()) not in _SEPARATORS and token not in ("", ")", ";;", ";&", ";;&"):
            word = self.token()
            if token == "(":
                if not first or self.token() != ")":
                    raise self.error("unexpected (")
                self.script.functions += 1
                self.script.commands -= 1
                words.clear()
                return
            if _REDIRECTION.fullmatch(token):
                self.redirection(token)
            else:
                words.append(word)
                if token.startswith("-") and len(token) > 1:
                    self.script.options.add(token)
            first = False

    def redirection(self, token: str) -> None:
        """The word behind a redirection; a here-document begins at the next line."""
        word = self.token()
        if not word or word in _SEPARATORS or word in ("(", ")") or _REDIRECTION.fullmatch(word):
            raise self.error(f"nothing follows {token}")
        if token.lstrip("0123456789") in ("<<", "<<-"):
            self.here.append((re.sub(r"['\"\\]", "", word), token.endswith("-")))

    def documents(self) -> None:
        """The here-documents that begin here."""
        for name, indented in self.here:
            while True:
                if self.at >= len(self.code):
                    raise self.error(f"here-document {name[:20]} does not end")
                end = self.code.find("\n", self.at)
                end = len(self.code) if end < 0 else end
                line = self.code[self.at : end]
                self.at = min(end + 1, len(self.code))
                if (line.lstrip("\t") if indented else line) == name:
                    break
        self.here.clear()

    def word(self) -> str:
        """A word, with what is quoted and substituted in it."""
        begin = self.at
        while self.at < len(self.code):
            if plain := _PLAIN.match(self.code, self.at):
                self.at = plain.end()
            elif self.code.startswith(("<(", ">("), self.at):
                self.at += 2
                self.commands(frozenset((")",)))
            elif self.code.startswith("(", self.at) and self.code[begin : self.at].endswith(
                ("=", "@", "?", "!", "*", "+")
            ):
                self.group(self.code[self.at - 1] == "=")
            elif self.code[self.at] in "\\'\"`$":
                self.quoted(False)
            else:
                break
        return self.code[begin : self.at]

    def group(self, array: bool) -> None:
        """The words of an array, or the patterns of an extended glob, up to the parenthesis that closes."""
        self.enter()
        self.at += 1
        while (token := self.token()) != ")":
            if not token or (token == "(" and array):
                raise self.error(") is missing")
        self.depth -= 1

    def quoted(self, within: bool) -> None:
        """One quoted or substituted thing, or a character; `within` double quotes a single quote is no quote."""
        character = self.code[self.at]
        if character == "\\":
            self.at += 2
        elif character == "'" and not within:
            self.skip_to("'")
        elif character == "`":
            self.skip_to("`", escapes=True)
        elif character == '"':
            self.at += 1
            self.until('"', True)
        elif character == "$":
            self.dollar(within)
        else:
            self.at += 1

    def dollar(self, within: bool) -> None:
        self.enter()
        if self.code.startswith("$((", self.at):
            self.at += 3
            self.arithmetic()
        elif self.code.startswith("$(", self.at):
            self.at += 2
            self.commands(frozenset((")",)))
        elif self.code.startswith("${", self.at):
            self.at += 2
            self.until("}", within)
        elif self.code.startswith("$'", self.at) and not within:
            self.at += 1
            self.skip_to("'", escapes=True)
        else:
            self.at += 1
        self.depth -= 1

    def until(self, end: str, within: bool) -> None:
        """What stands before a closing character, in which quotes and substitutions count."""
        begin = self.at
        while self.at < len(self.code):
            if self.code[self.at] == end:
                self.at += 1
                return
            self.quoted(within)
        self.at = begin
        raise self.error(f"{end} is missing")

    def arithmetic(self) -> None:
        """An expression, up to the two parentheses that close it."""
        begin, depth = self.at, 2
        while self.at < len(self.code):
            character = self.code[self.at]
            if character in "()":
                depth += 1 if character == "(" else -1
                self.at += 1
                if depth == 0:
                    return
            else:
                self.quoted(False)
        self.at = begin
        raise self.error(")) is missing")

    def skip_to(self, end: str, escapes: bool = False) -> None:
        """Behind the next `end` after this character; escaped ones do not count."""
        begin = self.at
        self.at += 1
        while self.at < len(self.code):
            character = self.code[self.at]
            self.at += 2 if escapes and character == "\\" else 1
            if character == end:
                return
        self.at = begin
        raise self.error(f"{end} is missing")
