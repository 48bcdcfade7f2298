"""Mathematics: kept as LaTeX, macros of the document replaced, without labels."""

from __future__ import annotations

import html
import re

from pipelines.extract.latex.arguments import Arguments, Tokens
from pipelines.extract.latex.macros import Expander
from pipelines.extract.latex.tokens import LIFTED, PARAGRAPH, Lifted

_BARE = frozenset({"equation", "equation*", "displaymath", "math", "dmath", "dmath*", "subequations", "displaymath*"})
# Mathematics that is left out, and how many arguments it has.
_DROPPED = {"\\label": 1, "\\nonumber": 0, "\\notag": 0, "\\displaybreak": 0, "\\hypertarget": 1, "\\nopagebreak": 0}
_DROPPED |= {
    "\\hyperlink": 1,
    "\\vspace": 1,
    "\\index": 1,
    "\\protect": 0,
    "\\allowbreak": 0,
    "\\xspace": 0,
    "\\linkdest": 1,
}
_DROPPED |= {"\\footnotemark": 0, "\\scriptsize": 0, "\\tiny": 0, "\\small": 0, "\\footnotesize": 0, "\\noindent": 0}
_DROPPED |= {"\\Hy@raisedlink": 1, "\\setlength": 2, "\\qedhere": 0}
_SPACES = re.compile(r"[ \t]*\n\s*|[ \t]{2,}")
MAX_TOKENS = 100_000


def read_formula(tokens: Expander, end: Tokens, *, short: bool) -> Tokens | None:
    """The tokens up to `end` outside braces. None where it does not come (in its paragraph, if `short`):
    then the tokens are still to be read."""
    made: Tokens = []
    depth = 0
    outside = end.count("{")  # the brace in the end itself
    while (token := tokens.next()) is not None and len(made) < MAX_TOKENS:
        made.append(token)
        if depth <= outside and made[-len(end) :] == end:
            return made[: -len(end)]
        if short and token == PARAGRAPH:
            break
        depth += (token == "{") - (token == "}")
    tokens.push(made)
    return None


def formula_text(tokens: Tokens, lifted: list[Lifted]) -> str:
    """Tokens as LaTeX, without what only sets the page."""
    made: list[str] = []
    waiting = Arguments(tokens)
    while (token := waiting.raw()) is not None:
        if token in _DROPPED:
            waiting.skip("so"[: 1 if token == "\\vspace" else 0] + "m" * _DROPPED[token])
        elif token == "\\ensuremath":
            waiting.push(["{", *waiting.group(), "}"])
        elif token[0] == LIFTED:
            made.append(lifted[int(token[1:])].text)
        elif token.isspace():
            made.append("\n" if "\n" in token else token)
        else:
            if made and token[0].isalpha() and made[-1][0] == "\\" and made[-1][-1].isalpha():
                made.append(" ")
            made.append(token)
    return _SPACES.sub(lambda found: "\n" if "\n" in found[0] else " ", "".join(made)).strip()


def inline_html(text: str) -> str:
    """A formula in a line."""
    return f'<span class="math">\\({html.escape(" ".join(text.split()), quote=False)}\\)</span>' if text else ""


def display_html(text: str, name: str = "equation") -> str:
    """A formula on lines of its own; of an environment other than a bare equation, in that environment."""
    if not text:
        return ""
    if name not in _BARE:
        text = f"\\begin{{{name}}}\n{text}\n\\end{{{name}}}"
    return f'<div class="math">\\[{html.escape(text, quote=False)}\\]</div>\n'
