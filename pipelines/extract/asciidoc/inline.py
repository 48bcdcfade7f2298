"""Inline markup of AsciiDoc as HTML: quotes, macros, attributes; in the order that Asciidoctor gives them.

What is finished is set aside behind a mark, so that no later rule reads it. Dashes, arrows and dots stay as
they are written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from manifests.load import load_names
from pipelines.extract.source_html import balanced, escape, footnote_mark

_TAG = re.compile(r"<[^<>]*>")
_MARK = re.compile("\ue000(\\d+)\ue001")
_PASS = re.compile(
    r"(?P<esc>\\?)(?:(?P<triple>\+\+\+)(?P<raw>.{1,5000}?)\+\+\+|\$\$(?P<dollar>.{1,5000}?)\$\$"
    r"|(?P<tick>`)\+(?P<mono>[^\n]{1,1000}?)\+`(?!\w)"
    r"|\bpass:(?P<subs>[a-z,]{0,30})\[(?P<passed>(?:[^\]\\]|\\.){0,5000})\]"
    r"|\b(?P<math>stem|latexmath|asciimath):[a-z,]{0,30}\[(?P<tex>(?:[^\]\\]|\\.){0,5000})\]"
    r"|(?<!\+)\+\+(?P<double>[^+].{0,5000}?)\+\+|(?<![\w+;:`])\+(?P<single>\S|\S[^\n]{0,1000}?\S)\+(?![\w+`]))",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"(\\?)\{([A-Za-z0-9_][\w-]{0,60})\}")
_ENTITY = re.compile(r"&amp;(#\d{1,7};|#x[0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{1,30};)")
_TEXT = r"(?:[^\]\\]|\\.){0,2000}"
_LINK = re.compile(
    r"(?P<esc>\\?)\b(?:(?:link|mailto|xref):(?P<to>[^\s\[\]]{0,2000})|(?P<url>(?:https?|ftp|irc)://[^\s\[\]<>\ue000]{1,2000}))"
    rf"\[(?P<text>{_TEXT})\]",
    re.DOTALL,
)
_URL = re.compile(
    r"&lt;((?:https?|ftp|irc)://[^\s\[\]<>&]{1,2000})&gt;|\b(?:https?|ftp|irc)://[^\s\[\]<>\ue000]{1,2000}"
)
_NAMED_URL = re.compile(rf"(?<!\\)\{{[A-Za-z0-9_][\w-]{{0,60}}\}}[^\s\[\]]{{0,300}}\[({_TEXT})\]", re.DOTALL)
_CROSS = re.compile(r"(\\?)&lt;&lt;([^&<>,\n]{1,300})(?:,((?:(?!&gt;&gt;).){0,500}))?&gt;&gt;", re.DOTALL)
_FOOTNOTE = re.compile(rf"\bfootnote(?:ref)?:([\w-]{{0,60}})\[({_TEXT})\]", re.DOTALL)
_UI = re.compile(r"\b(kbd|btn|menu|icon|image|anchor|indexterm2?|cite):([^\s\[\]]{0,300})\[((?:[^\]\\]|\\.){0,500})\]")
# A page of a manual: `linkgit:git-add[1]`, `man:ls[1]`.
_MANUAL = re.compile(r"(?<![\w:\\])[a-z]{2,20}:([A-Za-z][\w.+-]{0,60})\[(\d[a-z]{0,3})\]")
_INDEX = re.compile(r"\(\(\((?:(?!\)\)\)).){0,300}\)\)\)|\(\(((?:[^()\n]){1,300})\)\)")
_ANCHOR = re.compile(r"\[\[[\w:.,# -]{1,200}\]\]|\[#[\w:.-]{1,100}\](?!#)")
_SMART = re.compile(r"([\"'])`(\S|\S[^\n]{0,1000}?\S)`\1")
_ROLE = r"(?:\[[^\[\]\n]{1,100}\])?"
# Between two or three backticks on each side, what is to be replaced may be code of its own.
_REPLACED = r"\[\.[\w.-]{1,60}\]`"
_INSIDE = rf"(?:[^`\[]|\[(?!\.[\w.-]{{1,60}}\]`)|{_REPLACED}[^`]{{1,500}}`|`(?!`)){{1,500}}?"
_APOSTROPHE = re.compile(r"(?<=\w)`'(?=\w)")
_MONO = (
    re.compile(rf"(\\?){_ROLE}(?<!`)(?P<ticks>`{{2,3}})(?!`)(?P<text>{_INSIDE})(?P=ticks)(?!`)"),
    re.compile(rf"(\\?){_ROLE}``(?P<text>.{{1,3000}}?)``", re.DOTALL),
    re.compile(rf"(\\?){_ROLE}(?<![\w`])`(?P<text>[^\s`]|\S.{{0,3000}}?[^\s\\])`(?![\w`])", re.DOTALL),
)
# A name that is not to be translated is set as code in the source, and as text on the page.
_NAME = re.compile(r"\[\.noloc\]`([^`\[\]\n]{1,200})`")
# A word that nothing defines: macros of a project for its identifiers (`{clFinish}`, `{CL_TRUE}`, `{size_t_TYPE}`).
_UNDEFINED = re.compile(
    r"(?<![\w/${:=-])\{(?=[A-Za-z0-9-]{0,60}_|[a-z0-9]{1,20}[A-Z])([A-Za-z]\w{0,100}?)(?:_(?:anchor|label|TYPE|EXT))?\}(?![\w/}])"
)
_PLACEHOLDER = re.compile(r"(?<!\w)([_*])(&lt;[^&<>\n]{1,60}&gt;)\1(?!\w)")
_ROLE_INSIDE = re.compile(rf"{_REPLACED}([^`]{{1,500}})`")
# Markup inside code: what stands for a value (`reg__i__`), and marks that are escaped.
_VALUE = re.compile(r"(?<=\w)__(\w{1,20})__(?!\w)")
_ESCAPED = re.compile(r"\\([*_`#])(?=[^\\]{1,200}?\1)")
_BREAK = re.compile(r"[ \t]\+$", re.MULTILINE)
_FIRST = re.compile(r"(?:\"([^\"]*)\"|([^,=]*?))(?:,.*|\^)?", re.DOTALL)


def _style(mark: str, tag: str) -> list[tuple[re.Pattern[str], str]]:
    """The rules for a quote of two marks, anywhere, and of one mark, around words."""
    one = re.escape(mark)
    free = re.compile(rf"(\\?){_ROLE}{one}{one}(.{{1,3000}}?){one}{one}", re.DOTALL)
    bound = re.compile(rf"(\\?)(?<![\w:;}}{one}]){_ROLE}{one}(\S|\S.{{0,3000}}?\S){one}(?![\w{one}])", re.DOTALL)
    return [(free, tag), (bound, tag)]


_STYLES = [*_style("*", "strong"), *_style("_", "em"), *_style("#", "")]
for _mark, _tag in (("^", "sup"), ("~", "sub")):
    _STYLES.append((re.compile(rf"(\\?){_ROLE}{re.escape(_mark)}(\S{{1,300}}?){re.escape(_mark)}"), _tag))

INTRINSIC = {
    "blank": "", "empty": "", "sp": " ", "nbsp": "\xa0", "zwsp": "\u200b", "wj": "\u2060", "apos": "'", "quot": '"',
    "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "deg": "°", "plus": "+", "brvbar": "¦", "vbar": "|",
    "amp": "&", "lt": "<", "gt": ">", "startsb": "[", "endsb": "]", "caret": "^", "asterisk": "*", "tilde": "~",
    "backslash": "\\", "backtick": "`", "two-colons": "::", "two-semicolons": ";;", "cpp": "C++", "cxx": "C++",
    "pp": "++",
}  # fmt: skip
# Signs that many projects name in a file of attributes for all of their pages.
_SHARED = {
    "emdash": "—", "mdash": "—", "endash": "–", "ndash": "–", "ge": "≥", "le": "≤", "ne": "≠", "times": "×",
    "plusmn": "±", "pm": "±", "inf": "∞", "approx": "≈", "prime": "′", "check": "✓", "rightarrow": "→", "rarr": "→",
    "vertical-ellipsis": "⋮", "hellip": "…", "pi": "π", "micro": "µ", "bullet": "•", "interpunct": "·",
}  # fmt: skip


class Inline:
    """The inline markup of one document: its attributes, its footnotes, and the macros that only it has.

    attributes: name to value; footnotes: HTML texts, in order; macros: names of unknown macros (`insn` of
    `insn:add[]`), whose text is their target.
    """

    def __init__(self, attributes: dict[str, str], macros: frozenset[str] = frozenset()) -> None:
        self.attributes = attributes
        self.footnotes: list[str] = []
        self._named: dict[str, int] = {}
        self._done: list[str] = []
        names = "|".join(map(re.escape, sorted(macros)))
        target = r"([^\s\[\]:][^\s\[\]]{0,200})?\[([^\]\n]{0,300})\]"
        self._macro = re.compile(rf"(?<![\w:\\])(?:{names}):{target}") if names else None

    def html(self, text: str) -> str:
        """The HTML of a paragraph's text, or of a title's or a cell's."""
        self._done = []
        first = len(self.footnotes)
        text = self._finished(self._prepared(text.replace("\ue000", "").replace("\ue001", "")))
        for number in range(first, len(self.footnotes)):
            self.footnotes[number] = self._restored(self._finished(self.footnotes[number]))
        return self._restored(text)

    def value(self, text: str) -> str:
        """The text with its attributes replaced; of those that nothing defines, the reference stays."""
        return _ATTRIBUTE.sub(self._attribute, text)

    def _prepared(self, text: str) -> str:
        """The text with passthroughs set aside, attributes replaced and links gone."""
        text = escape(self.value(_PASS.sub(self._passed, text)))
        text = _LINK.sub(self._link, _ENTITY.sub(lambda m: self._keep("&" + m[1]), text))
        text = _NAMED_URL.sub(lambda m: _shown(m[1]) or m[0], text)
        text = _URL.sub(lambda m: self._keep(m[1] or m[0]), text)
        return _FOOTNOTE.sub(self._footnote, text)

    def _finished(self, text: str) -> str:
        """Prepared text with the rest of its markup as HTML, but for what is set aside."""
        text = _CROSS.sub(lambda m: m[0][1:] if m[1] else m[3] or m[2].lstrip("#"), text)
        text = _INDEX.sub(lambda m: m[1] or "", _ANCHOR.sub("", _UI.sub(self._ui, text)))
        text = _MANUAL.sub(r"\1(\2)", text)
        if self._macro:
            text = self._macro.sub(lambda m: self._keep(f"<code>{' '.join(filter(None, m.groups()))}</code>"), text)
        if ".noloc]" in text:
            text = _NAME.sub(r"\1", _NAME.sub(r"\1", text))
        text = _APOSTROPHE.sub("’", text)
        text = _SMART.sub(lambda m: f"“{m[2]}”" if m[1] == '"' else f"‘{m[2]}’", text)
        for pattern in _MONO:
            text = pattern.sub(self._mono, text)
        text = _UNDEFINED.sub(lambda m: self._keep(f"<code>{m[1]}</code>"), text)
        for pattern, tag in _STYLES:
            text = pattern.sub(_styled(tag), text)
        return _BREAK.sub("<br>", text)

    def _keep(self, finished: str) -> str:
        self._done.append(finished)
        return f"\ue000{len(self._done) - 1}\ue001"

    def _restored(self, text: str) -> str:
        """The text with all that was set aside; a piece holds only marks of earlier pieces."""
        for number, piece in enumerate(self._done):
            self._done[number] = _MARK.sub(lambda m: self._done[int(m[1])], piece)
        return _MARK.sub(lambda m: self._done[int(m[1])], text)

    def _attribute(self, match: re.Match[str]) -> str:
        name = match[2].lower()
        if match[1]:
            return match[0][1:]
        for known in (self.attributes, INTRINSIC, _SHARED, load_names().aws):
            if name in known:
                return known[name]
        return match[0]

    def _passed(self, match: re.Match[str]) -> str:
        if match["esc"]:
            return match[0][1:]
        if match["math"]:
            return self._keep(self._formula(match["math"], match["tex"].replace("\\]", "]")))
        if match["mono"] is not None:
            return self._keep(f"<code>{escape(match['mono'])}</code>")
        if match["passed"] is not None:
            text = match["passed"].replace("\\]", "]")
            if set(match["subs"].split(",")) & {"q", "a", "m", "n", "quotes", "attributes", "macros", "normal"}:
                return text
            return self._keep(escape(text) if match["subs"] in ("c", "v") else _raw(text))
        if match["raw"] is not None:
            return self._keep(_raw(match["raw"]))
        return self._keep(
            escape(next(match[name] for name in ("dollar", "double", "single") if match[name] is not None))
        )

    def _formula(self, kind: str, text: str) -> str:
        if kind == "latexmath" or (kind == "stem" and self.attributes.get("stem", "").startswith(("latex", "tex"))):
            return f'<span class="math">\\({escape(text)}\\)</span>'
        return f"<code>{escape(text)}</code>"

    def _link(self, match: re.Match[str]) -> str:
        if match["esc"]:
            return match[0][1:]
        target = match["url"] or match["to"]
        shown = _shown(match["text"]) or self._keep(target.removeprefix("#"))
        if "://" not in target:
            return shown
        return self._keep(f'<a href="{html.escape(html.unescape(target))}">') + shown + self._keep("</a>")

    def _ui(self, match: re.Match[str]) -> str:
        kind, target, text = match.groups()
        if kind == "kbd":
            return self._keep(f"<kbd>{text.replace(chr(92) + ']', ']')}</kbd>")
        if kind == "menu":
            return " ‣ ".join([target, *(part.strip() for part in re.split(r"&gt;|,", text) if part.strip())])
        if kind == "cite":
            return self._keep(f"[{text or target}]")
        if kind == "image":
            return self._keep(f'<img alt="{html.escape(_shown(text))}">') if _shown(text) else ""
        return text if kind in ("btn", "indexterm2") else ""

    def _footnote(self, match: re.Match[str]) -> str:
        name, text = match.groups()
        if name and not text.strip():
            return self._keep(footnote_mark(self._named[name])) if name in self._named else ""
        self.footnotes.append(text.replace("\\]", "]"))
        if name:
            self._named[name] = len(self.footnotes)
        return self._keep(footnote_mark(len(self.footnotes)))

    def _mono(self, match: re.Match[str]) -> str:
        """A piece of code. Code in it, such as a part that is to be replaced, is a part of it."""
        if match[1]:
            return match[0][1:]
        text = _MARK.sub(lambda m: _TAG.sub("", self._done[int(m[1])]), match["text"])
        text = _ESCAPED.sub(r"\1", _VALUE.sub(r"\1", _PLACEHOLDER.sub(r"\2", _ROLE_INSIDE.sub(r"\1", text))))
        return self._keep(f"<code>{text}</code>")


def _styled(tag: str) -> Callable[[re.Match[str]], str]:
    def written(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        return f"<{tag}>{match[2]}</{tag}>" if tag else str(match[2])

    return written


def _shown(text: str) -> str:
    """The text of a macro, without its attributes."""
    text = text.strip()
    if text.startswith('"') or re.search(r",\s*[\w-]+=", text) or "=" not in text:
        found = _FIRST.fullmatch(text) if ("," in text and "=" in text) or text.startswith('"') else None
        text = (found[1] or found[2] or "") if found else text
    else:
        text = "" if re.match(r"[\w-]+=", text) else text
    return text.removesuffix("^").replace("\\]", "]").strip()


def _raw(text: str) -> str:
    return balanced(text) if re.search(r"<[/a-zA-Z!]", text) else escape(html.unescape(text))
