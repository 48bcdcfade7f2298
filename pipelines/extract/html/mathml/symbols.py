"""Characters of formulas and the LaTeX commands for them: those of LaTeX itself and of amsmath, amssymb."""

from __future__ import annotations

import unicodedata

_GREEK = """
α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa ϰ varkappa
λ lambda μ mu µ mu ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi
ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega
"""
_LETTERS = """
ℓ ell ℏ hbar ℘ wp ℜ Re ℑ Im ℵ aleph ℶ beth ı imath ȷ jmath ∂ partial ∇ nabla ∞ infty ∅ emptyset ⌀ varnothing
∀ forall ∃ exists ∄ nexists ¬ neg ⊤ top ⊥ bot ∠ angle ∡ measuredangle △ triangle ▽ triangledown □ square ■ blacksquare
◊ lozenge ♠ spadesuit ♡ heartsuit ♢ diamondsuit ♣ clubsuit ♭ flat ♮ natural ♯ sharp † dagger ‡ ddagger § S ¶ P
© copyright ⋆ star ✓ checkmark ∁ complement ∎ blacksquare ð eth ℧ mho
"""
_INFIX = """
± pm ∓ mp × times ÷ div ⋅ cdot · cdot ∙ bullet • bullet ∘ circ ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot ⊞ boxplus
⊠ boxtimes ∩ cap ∪ cup ⊎ uplus ⊓ sqcap ⊔ sqcup ∧ wedge ∨ vee ∖ setminus ≀ wr ⋄ diamond ⋉ ltimes ⋊ rtimes ⋈ bowtie
≤ le ≥ ge ≦ leqq ≧ geqq ⩽ leqslant ⩾ geqslant ≠ ne ≡ equiv ≢ not\\equiv ≈ approx ≅ cong ≃ simeq ∼ sim ≁ nsim ≪ ll
≫ gg ≺ prec ≻ succ ⪯ preceq ⪰ succeq ≼ preccurlyeq ≽ succcurlyeq ∝ propto ≐ doteq ≜ triangleq ≔ coloneqq ∈ in ∉ notin
∋ ni ⊂ subset ⊃ supset ⊄ not\\subset ⊆ subseteq ⊇ supseteq ⊊ subsetneq ⊋ supsetneq ⊏ sqsubset ⊑ sqsubseteq ⊒ sqsupseteq
∣ mid ∤ nmid ∥ parallel ∦ nparallel ⟂ perp ⊢ vdash ⊣ dashv ⊨ models ⊩ Vdash ≍ asymp ≲ lesssim ≳ gtrsim ≮ nless ≯ ngtr
≰ nleq ≱ ngeq ∴ therefore ∵ because
→ to ← leftarrow ↔ leftrightarrow ⇒ Rightarrow ⇐ Leftarrow ⇔ Leftrightarrow ⟶ longrightarrow ⟵ longleftarrow
⟷ longleftrightarrow ⟹ Longrightarrow ⟸ Longleftarrow ⟺ iff ↦ mapsto ⟼ longmapsto ↑ uparrow ↓ downarrow
↕ updownarrow ⇑ Uparrow ⇓ Downarrow ↗ nearrow ↘ searrow ↙ swarrow ↖ nwarrow ↪ hookrightarrow ↩ hookleftarrow
⇀ rightharpoonup ⇁ rightharpoondown ↼ leftharpoonup ⇌ rightleftharpoons ⇋ leftrightharpoons ↠ twoheadrightarrow
⇝ rightsquigarrow ↝ leadsto ⊸ multimap ⊲ triangleleft ⊳ triangleright ⊴ trianglelefteq ⊵ trianglerighteq
"""
_BIG = """
∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋃ bigcup ⋂ bigcap ⨆ bigsqcup ⋁ bigvee ⋀ bigwedge ⨁ bigoplus
⨂ bigotimes ⨀ bigodot ⨄ biguplus
"""
_FENCES = "⟨ langle 〈 langle ⌈ lceil ⌊ lfloor ⟦ llbracket", "⟩ rangle 〉 rangle ⌉ rceil ⌋ rfloor ⟧ rrbracket"
_OTHER = {
    "−": "-",
    "‐": "-",
    "‑": "-",
    "∗": "*",
    "⁎": "*",
    "∶": ":",
    "∕": "/",
    "′": "'",
    "″": "''",
    "‴": "'''",
    "’": "'",
    "…": "\\ldots",
    "⋯": "\\cdots",
    "⋮": "\\vdots",
    "⋱": "\\ddots",
    "‖": "\\|",
    "√": "\\surd",
    "°": "^\\circ",
    "\\": "\\backslash",
    "%": "\\%",
    "#": "\\#",
    "$": "\\$",
    "&": "\\&",
    "_": "\\_",
    "~": "\\sim",
    "^": "\\text{\\textasciicircum}",
    "\u2206": "\\Delta",
    "\u2126": "\\Omega",
    "½": "\\tfrac{1}{2}",
    # Function application, invisible times, separator and plus; spaces and joiners.
    **dict.fromkeys("\u2061\u2062\u2063\u2064\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
    **dict.fromkeys("\u2009\u200a\u202f\u205f", "\\,"),
    "\u2003": "\\quad",
    "\u2002": "\\;",
    "\u2004": "\\;",
    "\u2005": "\\:",
    "\u00a0": "\\ ",
}


def _commands(table: str) -> dict[str, str]:
    words = table.split()
    return {symbol: f"\\{name}" for symbol, name in zip(words[::2], words[1::2], strict=True)}


OPEN = {"(": "(", "[": "[", "{": "\\{", **_commands(_FENCES[0])}
CLOSE = {")": ")", "]": "]", "}": "\\}", **_commands(_FENCES[1])}
BIG = _commands(_BIG)
INFIX = _commands(_INFIX)
#: Every character that has another spelling in LaTeX.
SYMBOLS: dict[str, str] = {**_commands(_GREEK), **_commands(_LETTERS), **INFIX, **BIG, **OPEN, **CLOSE, **_OTHER}

_FUNCTIONS = (
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max "
    "min Pr sec sin sinh sup tan tanh"
)
#: Names with a command of their own, and those among them that carry their limits below.
FUNCTIONS = {name: f"\\{name}" for name in _FUNCTIONS.split()} | {"lim sup": "\\limsup", "lim inf": "\\liminf"}
_WITH_LIMITS = "det gcd inf lim liminf limsup max min Pr sup"
LIMITS = frozenset({f"\\{name}" for name in _WITH_LIMITS.split()} | set(BIG.values()))

#: Accents over and under, for one letter and for more.
OVER = {
    **dict.fromkeys("^ˆ\u0302", ("\\hat", "\\widehat")),
    **dict.fromkeys("~˜∼\u0303", ("\\tilde", "\\widetilde")),
    **dict.fromkeys("¯‾ˉ\u0304\u0305_―─", ("\\bar", "\\overline")),
    **dict.fromkeys("→⃗⇀", ("\\vec", "\\overrightarrow")),
    **dict.fromkeys("←", ("\\overleftarrow", "\\overleftarrow")),
    **dict.fromkeys("↔", ("\\overleftrightarrow", "\\overleftrightarrow")),
    **dict.fromkeys("˙\u0307.", ("\\dot", "\\dot")),
    **dict.fromkeys("¨\u0308", ("\\ddot", "\\ddot")),
    **dict.fromkeys("ˇ\u030c", ("\\check", "\\check")),
    **dict.fromkeys("˘\u0306", ("\\breve", "\\breve")),
    **dict.fromkeys("´\u0301", ("\\acute", "\\acute")),
    **dict.fromkeys("`\u0300", ("\\grave", "\\grave")),
    **dict.fromkeys("˚\u030a", ("\\mathring", "\\mathring")),
    **dict.fromkeys("⏞︷", ("\\overbrace", "\\overbrace")),
}
UNDER = {
    **dict.fromkeys("_¯‾\u0332―─", "\\underline"),
    **dict.fromkeys("⏟︸", "\\underbrace"),
    **dict.fromkeys("→", "\\underrightarrow"),
    **dict.fromkeys("←", "\\underleftarrow"),
}
#: Arrows that stretch under a label.
ARROWS = {"→": "\\xrightarrow", "⟶": "\\xrightarrow", "←": "\\xleftarrow", "⟵": "\\xleftarrow", "⇒": "\\xRightarrow"}

VARIANTS = {
    "normal": "\\mathrm",
    "bold": "\\mathbf",
    "italic": "",
    "bold-italic": "\\boldsymbol",
    "double-struck": "\\mathbb",
    "script": "\\mathcal",
    "bold-script": "\\mathcal",
    "fraktur": "\\mathfrak",
    "bold-fraktur": "\\mathfrak",
    "sans-serif": "\\mathsf",
    "bold-sans-serif": "\\mathsf",
    "sans-serif-italic": "\\mathsf",
    "sans-serif-bold-italic": "\\mathsf",
    "monospace": "\\mathtt",
}
# Beginnings of Unicode names, the longer ones first.
_STYLES = (
    ("MATHEMATICAL SANS-SERIF ", "\\mathsf"),
    ("MATHEMATICAL BOLD ITALIC ", "\\boldsymbol"),
    ("MATHEMATICAL BOLD SCRIPT ", "\\mathcal"),
    ("MATHEMATICAL BOLD FRAKTUR ", "\\mathfrak"),
    ("MATHEMATICAL BOLD ", "\\mathbf"),
    ("MATHEMATICAL ITALIC ", ""),
    ("MATHEMATICAL SCRIPT ", "\\mathcal"),
    ("MATHEMATICAL FRAKTUR ", "\\mathfrak"),
    ("MATHEMATICAL DOUBLE-STRUCK ", "\\mathbb"),
    ("MATHEMATICAL MONOSPACE ", "\\mathtt"),
    ("DOUBLE-STRUCK ", "\\mathbb"),
    ("SCRIPT ", "\\mathcal"),
    ("BLACK-LETTER ", "\\mathfrak"),
)


def letter(character: str) -> str:
    """LaTeX of one character: its command, its letter in a mathematical alphabet, or the character itself."""
    if (known := SYMBOLS.get(character)) is not None:
        return known
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    for style, command in _STYLES:
        if name.startswith(style):
            plain = unicodedata.normalize("NFKC", character)
            plain = SYMBOLS.get(plain, plain)
            if plain.startswith("\\"):
                command = "\\boldsymbol" if "BOLD" in style else ""
            return f"{command}{{{plain}}}" if command else plain
    return character
