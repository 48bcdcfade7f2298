"""Formulas come out as LaTeX that means the same; whatever is put in, its braces match."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.html.mathml.formula import MAX_DEPTH, clean_tex, is_balanced, to_latex
from pipelines.extract.html.mathml.symbols import FUNCTIONS, SYMBOLS

#: The sign that nobody sees between factors.
TIMES = "\u2062"


def row(*tokens: str) -> str:
    """Tokens written short: letters are identifiers, digits are numbers, anything else is an operator."""
    tags = ("mn" if token.isdigit() else "mi" if token.isalpha() else "mo" for token in tokens)
    return "".join(f"<{tag}>{escape(token)}</{tag}>" for tag, token in zip(tags, tokens, strict=True))


def table(*rows: str, attributes: str = "") -> str:
    cells = ("".join(f"<mtd>{row(*cell.split())}</mtd>" for cell in each.split("&")) for each in rows)
    return f"<mtable{attributes}>{''.join(f'<mtr>{each}</mtr>' for each in cells)}</mtable>"


CASES = {
    "quadratic": (
        row("x", "=")
        + f"<mfrac><mrow>{row('−', 'b', '±')}<msqrt><msup>{row('b', '2')}</msup>{row('−', '4', TIMES, 'a', TIMES, 'c')}</msqrt></mrow>"
        + f"<mrow>{row('2', 'a')}</mrow></mfrac>",
        r"x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}",
    ),
    "sum": (
        f"<munderover><mo>∑</mo><mrow>{row('i', '=', '1')}</mrow><mi>n</mi></munderover><msub>{row('x', 'i')}</msub>",
        r"\sum_{i=1}^n x_i",
    ),
    "integral": (
        f"<msubsup>{row('∫', '0', '∞')}</msubsup>{row('f')}<mspace width='0.17em'/>{row('d', 'x')}",
        r"\int_0^\infty f\,dx",
    ),
    "limit": (
        f"<munder><mi>lim</mi><mrow>{row('n', '→', '∞')}</mrow></munder><msub>{row('a', 'n')}</msub>",
        r"\lim_{n \to \infty}a_n",
    ),
    "complexity": (row("O", "(", "n", "log", "\u2061", "n", ")"), r"O(n\log n)"),
    "greek": (row("α", "x", "≤", "β", "Δ", "t"), r"\alpha x \le \beta\Delta t"),
    "function name": (row("rank", "\u2061", "A", "+", "foo"), r"\operatorname{rank}A+\mathrm{foo}"),
    "function in a script": (f"<msub>{row('T', 'max')}</msub>", r"T_{\max}"),
    "text": ("<mtext>if x_1 &gt; 5% &amp; $y</mtext>", r"\text{if x\_1 > 5\% \& \$y}"),
    "text with spaces": (row("x") + "<mtext>\u00a0if\u00a0</mtext>" + row("y"), r"x\text{ if }y"),
    "string": ('<ms lquote="«" rquote="»">a{</ms>', r"\text{«a\{»}"),
    "number": ("<mn>12</mn><msup><mn>10</mn><mrow><mo>-</mo><mn>3</mn></mrow></msup><mn>1.5</mn>", r"12 10^{-3}1.5"),
    "root": (f"<mroot>{row('x', '3')}</mroot>", r"\sqrt[3]{x}"),
    "binomial": (f'{row("(")}<mfrac linethickness="0">{row("n", "k")}</mfrac>{row(")")}', r"\binom{n}{k}"),
    "bevelled": (f'<mfrac bevelled="true">{row("a", "b")}</mfrac>', "a/b"),
    "matrix": (row("(") + table("a & b", "c & d") + row(")"), r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}"),
    "determinant": (row("|") + table("a & b", "c & ") + row("|"), r"\begin{vmatrix} a & b \\ c & \end{vmatrix}"),
    "fenced matrix": (
        f'<mfenced open="[" close="]">{table("1 & 0", "0 & 1")}</mfenced>',
        r"\begin{bmatrix} 1 & 0 \\ 0 & 1 \end{bmatrix}",
    ),
    "cases": (row("f", "=", "{") + table("0 & x < 0", "1 & x"), r"f = \begin{cases} 0 & x < 0 \\ 1 & x \end{cases}"),
    "aligned": (
        table("a & = b", " & = c", attributes=' columnalign="right left"'),
        r"\begin{aligned} a & =b \\ & =c \end{aligned}",
    ),
    "aligned cells": (
        '<mtable><mtr><mtd columnalign="right"><mi>a</mi></mtd><mtd style="text-align: left"><mi>b</mi></mtd></mtr></mtable>',
        r"\begin{aligned} a & b \end{aligned}",
    ),
    "numbered": (
        f"<mtable><mlabeledtr><mtd><mtext>(1)</mtext></mtd><mtd>{row('x')}</mtd></mlabeledtr></mtable>",
        r"\begin{matrix} x \tag{1} \end{matrix}",
    ),
    "fences": ("<mfenced><mi>a</mi><mi>b</mi><mi>c</mi></mfenced>", "(a,b,c)"),
    "separators": (
        '<mfenced open="⟨" close="⟩" separators=";|"><mi>a</mi><mi>b</mi><mi>c</mi><mi>d</mi></mfenced>',
        r"\langle a;b|c|d\rangle",
    ),
    "high fences": (f"{row('(')}<mfrac>{row('a', 'b')}</mfrac>{row(')')}", r"\left(\frac{a}{b} \right)"),
    "one high fence": (
        f'<mfenced open="" close="|"><mfrac>{row("a", "b")}</mfrac></mfenced>',
        r"\left.\frac{a}{b} \right|",
    ),
    "bars": ('<mo form="prefix">|</mo><mi>x</mi><mo form="postfix">|</mo>', "|x|"),
    "script of a fenced row": (f"<msup><mrow>{row('(', 'a', '+', 'b', ')')}</mrow>{row('2')}</msup>", "(a+b)^2"),
    "script of two fenced rows": (
        f"<msup><mrow>{row('(', 'a', ')', '(', 'b', ')')}</mrow>{row('2')}</msup>",
        "{(a)(b)}^2",
    ),
    "script of a row": (f"<msup><mrow>{row('a', 'b')}</mrow><mi>α</mi></msup>{row('x')}", r"{ab}^\alpha x"),
    "script of a script": (f"<msup><msub>{row('x', 'i')}</msub>{row('2')}</msup>", "x_i^2"),
    "power of a power": (f"<msup><msup>{row('x', '2')}</msup>{row('3')}</msup>", "{x^2}^3"),
    "primes": (f"<msup>{row('f', '″')}</msup><msubsup>{row('x', 'i', '′')}</msubsup>", "f''x_i'"),
    "isotope": (
        "<mmultiscripts><mi>C</mi><none></none><none></none><mprescripts></mprescripts><mn>6</mn><mn>14</mn></mmultiscripts>",
        "{}_6^{14}C",
    ),
    "tensor": ("<mmultiscripts><mi>R</mi><mi>a</mi><none/><none/><mi>b</mi></mmultiscripts>", "R_a{}^b"),
    "accents": (
        f"<mover>{row('x', '^')}</mover><mover>{row('v', '→')}</mover><mover><mrow>{row('A', 'B')}</mrow><mo>¯</mo></mover><mover>{row('x', '˙')}</mover>",
        r"\hat{x}\vec{v}\overline{AB}\dot{x}",
    ),
    "brace": (
        f"<munder><munder><mrow>{row('a', '+', 'b')}</mrow><mo>⏟</mo></munder><mtext>sum</mtext></munder>",
        r"\underbrace{a+b}_{\text{sum}}",
    ),
    "arrow": ("<mi>X</mi><mover><mo>→</mo><mi>p</mi></mover><mi>Y</mi>", r"X \xrightarrow{p} Y"),
    "over": (f"<mover>{row('=', '!')}</mover><munder>{row('x', 'n')}</munder>", r"\overset{!}{=}\underset{n}{x}"),
    "styles": (
        '<mi mathvariant="normal">d</mi><mi mathvariant="bold">x</mi><mi>ℝ</mi><mi>𝐀</mi><mi>𝛼</mi><mi mathvariant="double-struck">N</mi>'
        '<mi mathvariant="bold">β</mi><mi mathvariant="script">L</mi>',
        r"\mathrm{d}\mathbf{x}\mathbb{R}\mathbf{A}\alpha\mathbb{N}\boldsymbol{\beta}\mathcal{L}",
    ),
    "spelled word": ("".join(f'<mi mathvariant="monospace">{letter}</mi>' for letter in "SHA256"), r"\mathtt{SHA256}"),
    "box": (
        '<menclose notation="box"><mi>y</mi></menclose><menclose notation="updiagonalstrike"><mi>z</mi></menclose>',
        r"\boxed{y}\cancel{z}",
    ),
    "spaces": (
        "<mi>a</mi><mspace width='2em'/><mi>b</mi><mspace width='-1em'/><mphantom><mi>c</mi></mphantom>",
        r"a\qquad b\phantom{c}",
    ),
    "prefix": ("<m:msup><m:mi>e</m:mi><m:mrow><m:mi>i</m:mi><m:mi>π</m:mi></m:mrow></m:msup>", r"e^{i\pi}"),
    "style elements": (
        '<mstyle displaystyle="true" data-x="a>b"><mpadded><mi>x</mi></mpadded></mstyle><merror><mi>y</mi></merror>',
        "xy",
    ),
    "not MathML": ("<span>a &lt; b</span><br><!-- <mi>c</mi> --><mi>d</mi>", r"\text{a < b}d"),
    "empty": ("", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    mathml, tex = CASES[name]
    assert to_latex(f'<math xmlns="http://www.w3.org/1998/Math/MathML">{mathml}</math>') == tex


def test_latex_that_a_formula_carries_wins() -> None:
    shown = "<semantics><mrow><mi>y</mi></mrow>{}</semantics>"
    tex = '<annotation encoding="application/x-tex">{\\displaystyle  x_{1}\n &lt; 5 }</annotation>'
    assert to_latex(f"<math>{shown.format(tex)}</math>") == "x_{1} < 5"
    assert to_latex(f"<math>{shown.format('<annotation-xml><mi>z</mi></annotation-xml>' + tex)}</math>") == "x_{1} < 5"
    for other in (
        '<annotation encoding="application/x-tex">\\frac{1</annotation>',
        '<annotation encoding="application/x-tex"> </annotation>',
        '<annotation encoding="MathType-MTEF">xyz</annotation>',
        '<annotation-xml encoding="MathML-Content"><ci>z</ci></annotation-xml>',
    ):
        assert to_latex(f"<math>{shown.format(other)}</math>") == "y"


@pytest.mark.parametrize(
    ("written", "tex"),
    [
        (r"{\displaystyle x^{2}}", "x^{2}"),
        (r" $\displaystyle\frac{1}{2}$ ", r"\frac{1}{2}"),
        (r"$$ a $$", "a"),
        (r"\(x\)", "x"),
        (r"\[ {\textstyle {x}} \]", "x"),
        ("\\begin{equation*}\nx\n= y\n\\end{equation*}", "x = y"),
        ("a % of x\n  + 50\\% b", "a + 50\\% b"),
        (r"{a}{b}", "{a}{b}"),
        (r"\{a\}", r"\{a\}"),
        (r"$a$ and $b$", "$a$ and $b$"),
        (r"\(a\) and \(b\)", r"\(a\) and \(b\)"),
        (r"\displaystylex", r"\displaystylex"),
        (r"$a\$", r"$a\$"),
        ("x\\ ", "x"),
        ("a \\\\", "a \\\\"),
        ("$$", "$$"),
        ("", ""),
    ],
)
def test_clean_tex(written: str, tex: str) -> None:
    assert clean_tex(written) == tex


def test_every_symbol_stands_for_itself() -> None:
    for character, tex in SYMBOLS.items():
        assert is_balanced(tex)
        spaced = to_latex(f"<math><mi>{'&amp;' if character == '&' else character}</mi><mi>x</mi></math>")
        # A command does not run into the letter behind it.
        assert spaced.replace(" ", "") == (tex + "x").replace(" ", "")
        assert not tex[-1:].isalpha() or spaced.endswith(" x")
    for name, tex in FUNCTIONS.items():
        assert to_latex(f"<math><mi>{name}</mi><mi>x</mi></math>") == f"{tex} x"


names = st.sampled_from(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "ms",
        "mspace",
        "msup",
        "msub",
        "msubsup",
        "mfrac",
        "msqrt",
        "mroot",
        "mover",
        "munder",
        "munderover",
        "mtable",
        "mtr",
        "mlabeledtr",
        "mtd",
        "mfenced",
        "menclose",
        "mstyle",
        "mphantom",
        "merror",
        "semantics",
        "annotation",
        "mmultiscripts",
        "mprescripts",
        "none",
        "maction",
        "span",
        "br",
    ]
)
texts = st.text(max_size=6) | st.sampled_from(
    [*"∑(){}[]|→^¯⏟=−′&<\\$%_~#", "lim", "x", "12", "\u2061", "&lt;", "{\\a", "}"]
)
attributes = st.sampled_from(
    [
        *(
            "",
            ' open="{" close=""',
            ' open="\\" separators="}{"',
            ' linethickness="0"',
            ' columnalign="right left"',
            ' mathvariant="bold"',
            " a='\"'",
        ),
        *(
            ' encoding="application/x-tex"',
            ' width="1.5em"',
            ' width="9.9.9"',
            ' notation="box top"',
            ' form="prefix"',
            ' lquote="{"',
            ' x=">"',
        ),
    ]
)
trees = st.recursive(
    texts,
    lambda inner: st.builds(
        lambda name, extra, parts: f"<{name}{extra}>{''.join(parts)}</{name}>",
        names,
        attributes,
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)


@given(
    trees
    | st.lists(trees | st.sampled_from(["<mi", "</mrow>", "<mrow>", "<!--", "-->", "<>", "</", '"', '<a b="'])).map(
        "".join
    )
)
def test_braces_match_whatever_comes(mathml: str) -> None:
    tex = to_latex(mathml)
    assert is_balanced(tex)
    assert "\n" not in tex
    clean_tex(mathml)


def test_deep_elements_count_as_their_text() -> None:
    for depth in (MAX_DEPTH // 2, MAX_DEPTH * 100):
        tex = to_latex("<math>" + "<msqrt>" * depth + "<mi>x</mi>" + "</msqrt>" * depth + "<mi>y</mi></math>")
        assert tex.count("\\sqrt") == min(depth, MAX_DEPTH - 1)
        assert tex.endswith("y")
        assert "x" in tex
        assert is_balanced(tex)
