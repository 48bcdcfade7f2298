"""The TeX of a formula, however its page carries it: MathML, KaTeX, scripts and marks of MathJax, images."""

from __future__ import annotations

import html as entities
import re

from pipelines.extract.html.mathml.formula import clean_tex, to_latex
from pipelines.extract.html.tree import INNER, START, STOP, TAG, Tree

_ANNOTATION = re.compile(r'<annotation encoding="application/x-tex">(.*?)</annotation>', re.DOTALL)
_MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
_ALT = re.compile(r'\salt="([^"]*)"')
_TAGS = re.compile(r"<[^>]*>")
# What is set with HTML alone, as pandoc does without a library for formulas.
_RAISED = re.compile(r"<(/?su[bp])>")
_TEX_OF = {"sup": "^{", "sub": "_{", "/sup": "}", "/sub": "}"}
_DISPLAY = re.compile(
    r'\sdisplay="block"|mode=display|\bdisplay(?:-?math|style)?\b(?!="(?:inline|false)")|katex-display|mwe-math-fallback-image-display'
)
_MAX_BYTES = 1 << 20
_DIV, _IMAGE, _SCRIPT = TAG["div"], TAG["img"], TAG["script"]


def read_formula(tree: Tree, node: int) -> tuple[str, bool]:
    """The Markdown of a formula, `$tex$` or `$$tex$$`, and whether it stands on its own line; ("", False) if empty."""
    start, inner, stop = (int(tree.nodes[row, node]) for row in (START, INNER, STOP))
    if stop - start > _MAX_BYTES:
        return "", False
    markup = tree.html[start:stop].tobytes().decode("utf-8", "replace")
    tag = markup[: inner - start]
    text = _tex(markup, tag, int(tree.tag[node]))
    is_block = tree.tag[node] == _DIV or bool(_DISPLAY.search(tag)) or text.startswith(("\\[", "$$"))
    tex = clean_tex(text)
    if not tex:
        return "", False
    return (f"$${tex}$$", True) if is_block else (f"${tex}$", False)


def _tex(markup: str, tag: str, number: int) -> str:
    if found := _ANNOTATION.search(markup):
        return entities.unescape(found[1])
    if found := _MATH.search(markup):
        return to_latex(found[0])
    if found := _ALT.search(tag if number == _IMAGE else markup):
        return entities.unescape(found[1])
    inside = markup[len(tag) :].rpartition("</")[0]
    if number == _SCRIPT:
        return inside
    inside = _RAISED.sub(lambda found: _TEX_OF[found[1]], inside)
    return entities.unescape(_TAGS.sub("", inside)).strip()
