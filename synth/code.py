"""Code that a teacher rewrites: what of it can be parsed, and what must be the same before and after.

Python is read by its own parser; shell by `synth/shell.py`; JSON, TOML and YAML by theirs; of languages with braces
the strings, comments and brackets are read. Nothing is run, imported or loaded as an object.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import yaml

from synth.outline import Outline
from synth.shell import ShellError, parse_shell

_LARGEST = 200_000
_DEEPEST = 60
_LONGEST_LINE = 2_000

_OPENING, _CLOSING = "([{", ")]}"
_PYTHON_INDENT = re.compile(r"[ \t]*")
_PROMPT = re.compile(r"(?:\$|>>>|>|[\w.-]{1,40}@[\w.-]{1,60}[:~\w/ .-]{0,60}[#$%]) ")
_SECTION = re.compile(r"\[[^\[\]]{1,200}\]")
_KEY = re.compile(r"[^=:#;\[\s][^=:]{0,200}[=:]")
_GO_FUNCTION = re.compile(r"\bfunc\b")
_RUST_FUNCTION = re.compile(r"\bfn\b")
# A name and its parameters, then a brace; what stands between them in C++ and Java is short.
_C_FUNCTION = re.compile(r"\b([A-Za-z_]\w{0,100})\s{0,4}\(\)[^(){};=]{0,100}\{")
_CALL = re.compile(r"\b([A-Za-z_]\w{0,100})\s{0,4}\(")
_NO_CALLS = frozenset(
    ("if", "for", "while", "switch", "return", "sizeof", "catch", "match", "func", "fn", "defined", "typeof", "alignof")
)


class CodeError(ValueError):
    """Code that does not parse; the message says where, or that its language is not known."""


class UnknownLanguage(CodeError):
    """A language that nothing here parses."""


@dataclass(frozen=True)
class Block:
    """A fenced block of code and its language, by one name."""

    language: str
    code: str


@dataclass(frozen=True)
class Shape:
    """What a rewrite keeps: at least so many functions and commands (or calls), each literal, and a file's content.

    `content`: of configuration, all that it says, in order, without comments; of programs nothing.
    """

    functions: int = 0
    commands: int = 0
    literals: frozenset[str] = frozenset()
    content: tuple[str, ...] = ()


def longest_block(page: Outline) -> Block | None:
    """The block with most characters, whatever its language; None if a page has none."""
    blocks = [Block(language_of(fence.language), page.code(fence)) for fence in page.fences if fence.closed]
    return max(blocks, key=lambda block: len(block.code), default=None)


def language_of(name: str) -> str:
    """The name that PARSERS has for a language, or the name as it is."""
    plain = name.strip("{}.").lower()
    return _ALIASES.get(plain, plain)


def parse(language: str, code: str) -> Shape:
    """The shape of code. Raises CodeError, and UnknownLanguage."""
    if language not in PARSERS:
        raise UnknownLanguage(f"no parser for {language[:40] or 'a block without a language'}")
    if len(code) > _LARGEST:
        raise CodeError(f"{len(code)} characters are more than {_LARGEST}")
    try:
        return PARSERS[language](code)
    except CodeError:
        raise
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        raise CodeError(" ".join(str(error).split())[:200]) from None
    except (RecursionError, MemoryError):
        raise CodeError("nested too deep") from None


def losses(before: Shape, after: Shape) -> Iterator[tuple[str, str]]:
    """What a rewrite lost: (reason, how much)."""
    if after.functions < before.functions:
        yield "fewer_functions", f"{after.functions} of {before.functions}"
    if after.commands < before.commands:
        yield "fewer_commands", f"{after.commands} of {before.commands}"
    if lost := sorted(before.literals - after.literals):
        yield "lost_literal", lost[0]
    if after.content != before.content:
        pairs = zip((*before.content, ""), (*after.content, ""), strict=False)
        yield "changed_content", next((old or new for old, new in pairs if old != new), "")


def _python(code: str) -> Shape:
    _check_depth(code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    functions = commands = 0
    literals: set[str] = set()
    documented = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        functions += isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        commands += isinstance(node, ast.Call)
        if isinstance(node, ast.Constant) and id(node) not in documented and node.value not in (None, ...):
            literals.add(repr(node.value))
    return Shape(functions, commands, frozenset(literals))


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    """Strings that are statements: they document, and may change."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _check_depth(code: str) -> None:
    """Raises CodeError for code on which a parser written by recursion could run out of its stack."""
    depth = 0
    for character in code:
        if character in _OPENING:
            depth += 1
            if depth > _DEEPEST:
                raise CodeError("nested too deep")
        elif character in _CLOSING:
            depth = max(0, depth - 1)
    for number, line in enumerate(code.split("\n"), 1):
        if len(line) > _LONGEST_LINE:
            raise CodeError(f"line {number} has more than {_LONGEST_LINE} characters")
        indent = _PYTHON_INDENT.match(line)
        if indent is not None and indent.end() > 4 * _DEEPEST:
            raise CodeError("nested too deep")


def _shell(code: str) -> Shape:
    first = next(iter(_said(code)), "")
    if _PROMPT.match(first):
        raise CodeError(f"it begins with a prompt, and is a session: {first[:60]}")
    try:
        script = parse_shell(code)
    except ShellError as error:
        raise CodeError(str(error)) from None
    return Shape(script.functions, script.commands, frozenset(script.options))


def _json(code: str) -> Shape:
    _check_depth(code)
    return Shape(content=tuple(json.dumps(json.loads(code), sort_keys=True, indent=0).split("\n")))


def _toml(code: str) -> Shape:
    _check_depth(code)
    return Shape(content=tuple(json.dumps(tomllib.loads(code), sort_keys=True, indent=0, default=str).split("\n")))


def _yaml(code: str) -> Shape:
    """By the events of its parser: nothing is made of them, so that aliases cannot multiply."""
    _check_depth(code)
    resolver = yaml.resolver.Resolver()
    content = []
    for event in yaml.parse(code, Loader=yaml.CSafeLoader):
        kind = type(event).__name__.removesuffix("Event")
        said = [str(getattr(event, name, None) or "") for name in ("anchor", "tag")]
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag or resolver.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            said = [said[0], str(tag), event.value]
        content.append(" ".join([kind, *said]).strip())
    if not any(line.startswith(("Mapping", "Sequence")) for line in content):
        raise CodeError("neither a mapping nor a sequence")
    return Shape(content=tuple(content))


def _ini(code: str) -> Shape:
    """Sections, and keys with values, as systemd and configparser read them; a line may go on in the next."""
    lines = _said(code)
    behind = False
    for line in lines:
        if not behind and not _SECTION.fullmatch(line) and not _KEY.match(line):
            raise CodeError(f"neither a section nor a key: {line[:60]}")
        behind = line.endswith("\\")
    return Shape(content=lines)


def _dockerfile(code: str) -> Shape:
    lines = _said(code)
    if not any(re.match(r"FROM\s+\S", line, re.IGNORECASE) for line in lines):
        raise CodeError("there is no FROM")
    return Shape(content=lines)


def _said(code: str) -> tuple[str, ...]:
    """The lines that are neither empty nor comments, without the spaces around them."""
    lines = (" ".join(line[:_LARGEST].split()) for line in code.split("\n"))
    return tuple(line for line in lines if line and not line.startswith(("#", ";")))


def _braces(code: str) -> Shape:
    """C and its family: C++, CUDA, OpenCL, Java."""
    shape, text = _braced(code, frozenset("'\""))
    functions = sum(match[1] not in _NO_CALLS for match in _C_FUNCTION.finditer(_without_parameters(text)))
    return replace(shape, functions=functions)


def _go(code: str) -> Shape:
    shape, text = _braced(code, frozenset("'\"`"))
    return replace(shape, functions=len(_GO_FUNCTION.findall(text)))


def _rust(code: str) -> Shape:
    """Rust: a single quote may be that of a lifetime."""
    shape, text = _braced(code, frozenset('"'))
    return replace(shape, functions=len(_RUST_FUNCTION.findall(text)))


def _braced(code: str, quotes: frozenset[str]) -> tuple[Shape, str]:
    """The shape, its functions apart, and the code without comments and what strings hold; brackets must match."""
    opened: list[str] = []
    plain: list[str] = []
    literals: set[str] = set()
    for token in _tokens(code, quotes):
        if token[0] in quotes and len(token) > 1:
            literals.add(token)
            plain.append('""')
            continue
        plain.append(token)
        if token in _OPENING:
            opened.append(token)
        elif token in _CLOSING and (not opened or _OPENING.index(opened.pop()) != _CLOSING.index(token)):
            raise CodeError(f"a {token} closes nothing")
    if opened:
        raise CodeError(f"{len(opened)} brackets are not closed, the last a {opened[-1]}")
    text = "".join(plain)
    calls = sum(match[1] not in _NO_CALLS for match in _CALL.finditer(text))
    return Shape(commands=calls, literals=frozenset(literals)), text


def _tokens(code: str, quotes: frozenset[str]) -> Iterator[str]:
    """Strings whole, comments as a space, brackets, and the text between. Raises CodeError."""
    for match in _LEXEME.finditer(code):
        token = match[0]
        if token.startswith(("//", "/*")):
            if token.startswith("/*") and (len(token) < 4 or not token.endswith("*/")):
                raise CodeError("a comment does not end")
            yield " "
        elif token[0] in quotes:
            if len(token) < 2 or token[-1] != token[0]:
                raise CodeError(f"a string does not end: {token[:40]}")
            yield token
        elif token[0] == "'" and len(token) > 1:  # a character of Rust; a lone quote begins a lifetime
            yield " "
        else:
            yield token


# Each alternative takes at least a character, and none is tried again: the time is linear.
_LEXEME = re.compile(
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|\"(?:[^\"\\\n]|\\[\s\S])*+\"?|`[^`]*+`?"
    r"|'(?:[^'\\\n]|\\[^\n])[^'\n ]{0,10}'|'|[()\[\]{}]|[^/\"`'()\[\]{}]++|/"
)


def _without_parameters(text: str) -> str:
    """A text in which nothing stands between parentheses."""
    kept: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == ")":
            depth -= 1
        if depth == 0:
            kept.append(piece)
        if piece == "(":
            depth += 1
            if depth == 1 and (not kept or kept[-1] != "("):
                kept.append("(")
    return "".join(kept)


PARSERS: Mapping[str, Callable[[str], Shape]] = {
    "python": _python,
    "sh": _shell,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "ini": _ini,
    "dockerfile": _dockerfile,
    "c": _braces,
    "go": _go,
    "java": _braces,
    "rust": _rust,
}
_ALIASES = {
    **dict.fromkeys(("py", "python3"), "python"),
    **dict.fromkeys(("bash", "shell", "zsh", "ksh"), "sh"),
    **dict.fromkeys(("yml", "docker-compose"), "yaml"),
    **dict.fromkeys(("systemd", "desktop"), "ini"),
    **dict.fromkeys(("c++", "cpp", "cxx", "cuda", "cu", "opencl", "opencl_c"), "c"),
    **dict.fromkeys(("golang",), "go"),
    **dict.fromkeys(("docker", "containerfile"), "dockerfile"),
    **dict.fromkeys(("rs",), "rust"),
}
