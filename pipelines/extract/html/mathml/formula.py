"""Formulas: presentation MathML to LaTeX, and LaTeX without what encloses it on a page.

The elements are turned into LaTeX as they end, from the inside out: no recursion, whatever the input.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.extract.html.mathml.elements import convert
from pipelines.extract.html.mathml.pieces import TOKENS, Piece, joined, of_text, of_token

#: Elements deeper than this count as their text.
MAX_DEPTH = 100

_TEX_ENCODINGS = ("tex", "latex")
_VOID = frozenset({"br", "hr", "img", "input", "wbr"})
_ATTRIBUTE = re.compile(r"([^\s=\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_ATTRIBUTES_CHARACTERS = 2000
_COMMENT = re.compile(r"((?:^|[^\\])(?:\\\\)*)%[^\n]*\n\s*")
_STYLE = re.compile(r"\\(?:displaystyle|textstyle)(?![A-Za-z])\s*")
_ENVIRONMENT = re.compile(r"\\begin\{(math|displaymath|equation\*?)\}(.*)\\end\{\1\}", re.DOTALL)
_WRAPPINGS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_DOLLAR = re.compile(r"\\.|(\$)", re.DOTALL)
_ODD_BACKSLASH = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_SPELLED = re.compile(r"(\\math(?:rm|tt|bf|sf|it))\{[A-Za-z0-9]\}(?:\1\{[A-Za-z0-9]\})+")
_SPELLED_LETTER = re.compile(r"\{(.)\}")
_MOST_WRAPPINGS = 10


@dataclass
class _Open:
    """An element that has begun."""

    name: str
    attributes: Mapping[str, str]
    pieces: list[Piece] = field(default_factory=list)


def to_latex(mathml: str) -> str:
    """LaTeX of a formula in presentation MathML, without dollar signs around it; on one line.

    mathml: one `math` element, serialised. LaTeX that it carries as an annotation is taken as it is, if its
    braces match. What is no MathML counts as its text; nothing makes it fail.
    """
    stack = [_Open("math", {})]
    too_deep = 0
    for kind, name, rest in _tokens(mathml):
        if kind == "text":
            stack[-1].pieces.append(Piece(rest, "text", rest))
        elif kind == "end":
            if too_deep:
                too_deep -= 1
            else:
                _end(stack, name)
        elif kind == "empty" or name in _VOID:
            stack[-1].pieces.append(_finished(_Open(name, _attributes(rest))))
        elif len(stack) > MAX_DEPTH:
            too_deep += 1
        else:
            stack.append(_Open(name, _attributes(rest)))
    while len(stack) > 1:
        _end(stack, stack[-1].name)
    return _SPELLED.sub(_as_word, " ".join(_finished(stack[0]).tex.split()))


def clean_tex(tex: str) -> str:
    """LaTeX of one formula as it stands between dollar signs: on one line, without marks around the whole.

    These go, in any nesting: `$`, `$$`, `\\\\(` and `\\\\[` pairs, `math` and `equation` environments, braces, and
    `\\\\displaystyle` at the beginning. Comments go too, for their lines end no more.
    """
    tex = " ".join(_COMMENT.sub(r"\1", tex.strip()).split())
    for _ in range(_MOST_WRAPPINGS):
        bare = _unwrapped(tex)
        if bare == tex:
            break
        tex = bare
    # A space that a backslash escaped may have been the last character.
    return tex[:-1].rstrip() if _ODD_BACKSLASH.search(tex) else tex


def is_balanced(tex: str) -> bool:
    """Whether the braces of LaTeX match; escaped ones do not count."""
    depth = 0
    for found in _BRACES.finditer(tex):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth < 0:
            return False
    return depth == 0


def _as_word(found: re.Match[str]) -> str:
    """The letters of a word that is spelled in a style, letter by letter, in that style together."""
    return f"{found.group(1)}{{{''.join(_SPELLED_LETTER.findall(found.group()))}}}"


def _unwrapped(tex: str) -> str:
    tex = _STYLE.sub("", tex, count=1) if _STYLE.match(tex) else tex
    for begin, end in _WRAPPINGS:
        inner = tex[len(begin) : -len(end)]
        if tex.startswith(begin) and tex.endswith(end) and len(tex) > len(begin + end) and _is_one(inner, end):
            return inner.strip()
    if found := _ENVIRONMENT.fullmatch(tex):
        return found.group(2).strip()
    if tex.startswith("{") and tex.endswith("}") and is_balanced(tex[1:-1]):
        return tex[1:-1].strip()
    return tex


def _is_one(inner: str, end: str) -> bool:
    """Whether what encloses a formula encloses no more than one."""
    if end[0] == "$":
        return not any(found.group(1) for found in _DOLLAR.finditer(inner)) and not _ODD_BACKSLASH.search(inner)
    return end not in inner


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Texts, and begins, ends and empty elements with their names and attributes; comments are left out."""
    done = 0
    while (begin := text.find("<", done)) >= 0:
        if begin > done:
            yield "text", "", html.unescape(text[done:begin])
        is_comment = text.startswith("<!--", begin)
        end = text.find("-->", begin) + 2 if is_comment else _tag_end(text, begin)
        if end < begin + 2:
            return
        tag = text[begin + 1 : end]
        done = end + 1
        if tag[0] not in "!?":
            name, _, rest = " ".join(tag.strip("/").split(maxsplit=1)).partition(" ")
            kind = "end" if tag[0] == "/" else "empty" if tag[-1] == "/" else "begin"
            yield kind, name.lower().rpartition(":")[2], rest
    if done < len(text):
        yield "text", "", html.unescape(text[done:])


def _tag_end(text: str, begin: int) -> int:
    """Where the `>` of a tag is, outside of the quotes of its attributes; -1 if it has none."""
    while (end := text.find(">", begin)) >= 0 and text.count('"', begin, end) % 2:
        begin = text.find('"', end) + 1
        if not begin:
            return -1
    return end


def _attributes(rest: str) -> dict[str, str]:
    if "=" not in rest:
        return {}
    found = _ATTRIBUTE.findall(rest[:_ATTRIBUTES_CHARACTERS])
    return {name.lower(): html.unescape(one or two or three) for name, one, two, three in found}


def _end(stack: list[_Open], name: str) -> None:
    """End the innermost element of a name, and with it those that it holds; an end without a begin is nothing."""
    if not any(element.name == name for element in stack[1:]):
        return
    while len(stack) > 1:
        element = stack.pop()
        stack[-1].pieces.append(_finished(element))
        if element.name == name:
            return


def _finished(element: _Open) -> Piece:
    name, pieces = element.name, element.pieces
    if name in TOKENS:
        return of_token(name, "".join(piece.raw for piece in pieces), element.attributes)
    if name == "annotation":
        encoding = element.attributes.get("encoding", "").lower()
        tex = clean_tex("".join(piece.raw for piece in pieces)) if encoding.endswith(_TEX_ENCODINGS) else ""
        return Piece(tex if is_balanced(tex) else "", "annotation")
    children = [of_text(piece.raw) if piece.kind == "text" else piece for piece in pieces if _counts(piece)]
    if name == "semantics":
        return _best(children)
    return convert(name, [piece for piece in children if piece.kind != "annotation"], element.attributes)


def _counts(piece: Piece) -> bool:
    return piece.kind != "text" or bool(piece.raw.strip())


def _best(children: list[Piece]) -> Piece:
    """The LaTeX that a formula carries, or itself."""
    for piece in children:
        if piece.kind == "annotation" and piece.tex:
            return Piece(piece.tex, "row", piece.tex)
    return children[0] if children and children[0].kind != "annotation" else joined([])
