"""What commands of LaTeX stand for in text: symbols, accents, names, units."""

from __future__ import annotations

import unicodedata

_TEXT = (
    "ldots … dots … textellipsis … S § P ¶ dag † ddag ‡ copyright © textcopyright © textregistered ® "
    "texttrademark ™ pounds £ texteuro € euro € textdegree ° degree ° textbullet • textendash – textemdash — "
    "textquotedblleft “ textquotedblright ” textquoteleft ' textquoteright ' textquotesingle ' "
    "textbackslash \\ textasciitilde ~ textasciicircum ^ textunderscore _ textbar | textless < textgreater > "
    "textbraceleft { textbraceright } lbrace { rbrace } textdollar $ textasteriskcentered * textmu µ textpm ± "
    "texttimes × textdiv ÷ textonehalf ½ textrightarrow → textleftarrow ← textsection § textparagraph ¶ "
    "slash / LaTeX LaTeX TeX TeX LaTeXe LaTeX2e BibTeX BibTeX XeTeX XeTeX LuaTeX LuaTeX ss ß o ø O Ø ae æ "
    "AE Æ oe œ OE Œ aa å AA Å l ł L Ł i ı j ȷ dh ð DH Ð th þ TH Þ dj đ DJ Đ ng ŋ guillemotleft « "
    "guillemotright » glqq „ grqq “ quotedblbase „ checkmark ✓ cmark ✓ xmark ✗ square □ Box □ bigstar ★ "
    "star ⋆ rightarrow → Rightarrow ⇒ leftarrow ← to → times × pm ± le ≤ leq ≤ ge ≥ geq ≥ approx ≈ sim ~ "
    "neq ≠ infty ∞ cdot · mu µ alpha α beta β gamma γ delta δ lambda λ pi π sigma σ omega ω Omega Ω Delta Δ "
    "Sigma Σ theta θ epsilon ε ell ℓ circ ∘ bullet • dagger † ddagger ‡ ast * mid | vert | langle ⟨ rangle ⟩ "
    "textperthousand ‰ permil ‰ textonesuperior ¹ texttwosuperior ² textthreesuperior ³ textquestiondown ¿ "
    "textexclamdown ¡ textordfeminine ª textordmasculine º textcelsius ℃ celsius °C textohm Ω ohm Ω second s "
    "meter m metre m gram g kilogram kg ampere A kelvin K hertz Hz newton N pascal Pa joule J watt W volt V "
    "byte B bit b minute min hour h day d percent % milli m micro µ nano n pico p femto f kilo k mega M "
    "giga G tera T peta P kibi Ki mebi Mi gibi Gi tebi Ti per / ms ms us µs ns ns ps ps GHz GHz MHz MHz "
    "kHz kHz "
)
_PAIRS = _TEXT.split()
SYMBOLS = {f"\\{name}": sign for name, sign in zip(_PAIRS[::2], _PAIRS[1::2], strict=True)}
SYMBOLS |= {f"\\{sign}": sign for sign in "%$&#_{}"}
SYMBOLS |= {
    "\\ ": " ",
    "\\,": " ",
    "\\;": " ",
    "\\:": " ",
    "\\>": " ",
    "\\\n": " ",
    "\\\t": " ",
}
SYMBOLS |= dict.fromkeys(
    ("\\quad", "\\qquad", "\\enspace", "\\thinspace", "\\space", "\\nobreakspace", "\\enskip"), " "
)
SYMBOLS |= dict.fromkeys(("\\@", "\\/", "\\-", "\\!", "\\null", "\\relax", "\\protect", "\\leavevmode", "\\break"), "")
ACCENTS = {
    f"\\{name}": mark
    for name, mark in zip(
        ["'", "`", "^", '"', "~", "=", ".", "u", "v", "H", "c", "d", "b", "r", "k", "t"],
        ["́", "̀", "̂", "̈", "̃", "̄", "̇", "̆", "̌", "̋", "̧", "̣", "̱", "̊", "̨", "͡"],
        strict=True,
    )
}
_ALONE = {"\\~": "~", "\\^": "^", "\\`": "`", "\\'": "'"}
QUOTES = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("`", "'"))


def accented(accent: str, letter: str) -> str:
    """A letter under an accent; `letter` may be longer, its first character takes the accent."""
    letter = {"ı": "i", "ȷ": "j"}.get(letter[:1], letter[:1]) + letter[1:]
    return unicodedata.normalize("NFC", letter[:1] + ACCENTS[accent] + letter[1:]) if letter else _ALONE.get(accent, "")


def typeset(text: str) -> str:
    """Text as TeX sets it: dashes and quotes."""
    for source, made in QUOTES:
        if source in text:
            text = text.replace(source, made)
    return text
