"""Templates of wikitext: those that carry text give it, all others give nothing.

The names are those of Wikipedia, and of the wikis of Arch, Gentoo and Alpine Linux.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from pipelines.extract.wikitext.inline import inline
from pipelines.extract.wikitext.links import replace_links
from pipelines.extract.wikitext.nesting import replace_nested
from pipelines.extract.wikitext.strip import Kept

_PARAMETER = re.compile(r"\{\{\{[^{}|]*(?:\|([^{}]*))?\}\}\}")
_NAMED = re.compile(r"\s*([\w -]{1,40}?)\s*=", re.ASCII)
_BARS = re.compile(r"\|(?![^\[\]]*\]\])")
_EMPTIED = re.compile("[ \t]?\\([ ,;]*\x1e[ ,;\x1e]*\\)")
_IF = re.compile(r"#if\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Call:
    """A template with its arguments; positions count from 1, and their names are numbers."""

    name: str
    args: dict[str, str]
    kept: Kept

    def get(self, *names: str) -> str:
        """The first argument that is there under one of these names."""
        return next((self.args[name] for name in names if self.args.get(name, "").strip()), "")

    def positions(self) -> list[str]:
        """The arguments by position, without spaces around them."""
        count = 0
        while str(count + 1) in self.args:
            count += 1
        return [self.args[str(number)].strip() for number in range(1, count + 1)]


def expand(text: str, title: str, kept: Kept) -> str:
    """Wikitext without templates, parameters and magic words."""
    for _ in range(3):
        text, found = _PARAMETER.subn(lambda match: match.group(1) or "", text)
        if not found:
            break
    words = {"!": "\x1d", "!!": "\x1d\x1d", "=": "=", "pagename": title, "fullpagename": title, "(": "{", ")": "}"}

    def template(inside: str, before: str) -> str:
        name, _, rest = inside.partition("|")
        name = name.strip().replace("_", " ").lower()
        if name in words and not rest:
            return words[name]
        if condition := _IF.match(inside):
            parts = [*_split(inside[condition.end() :]), "", ""]
            return parts[1 if parts[0].strip() else 2].strip()
        name = re.sub(r"^(?:template|шаблон|vorlage|modèle)\s*:\s*", "", name)
        call = _CALLS.get(name) or (_foreign if name.startswith("lang-") else None)
        return call(_Call(name, _arguments(rest), kept)) if call else "\x1e"

    text = replace_nested(text, "{{", "}}", template).replace("\x1d", "|")
    # What a dropped template leaves between parentheses goes, and they go, too.
    return _EMPTIED.sub("", text).replace("\x1e", "")


def _split(text: str) -> list[str]:
    return _BARS.split(text) if "[[" in text else text.split("|")


def _arguments(text: str) -> dict[str, str]:
    args: dict[str, str] = {}
    position = 0
    for part in _split(text) if text else []:
        if named := _NAMED.match(part):
            args[named.group(1).strip().lower()] = part[named.end() :].strip()
        else:
            position += 1
            args[str(position)] = part
    return args


# ---------------------------------------------------------------- what templates give


def _html(text: str) -> str:
    """An argument as inline HTML; spaces and line ends stay."""
    return inline(replace_links(text.replace("\x1d", "|").replace("\x1e", "")))


def _first(call: _Call) -> str:
    return call.get("1", "text", "content").strip()


def _last(call: _Call) -> str:
    return (call.positions() or [""])[-1]


def _foreign(call: _Call) -> str:
    return f"''{_first(call)}''" if _first(call) else ""


def _code(call: _Call) -> str:
    text = call.get("1", "2", "code").strip()
    return call.kept.keep(f"<code>{_html(text)}</code>") if text else ""


def _keys(call: _Call) -> str:
    return "+".join(call.kept.keep(f"<kbd>{_html(key)}</kbd>") for key in call.positions() if key)


def _pre(call: _Call) -> str:
    language = escape(call.get("lang").strip().lower())
    named = f' class="language-{language}"' if language else ""
    code = call.kept.restore(_html(call.get("code", "output", "content", "1"))).strip("\n")
    return call.kept.keep(f"<pre>\n<code{named}>{code}\n</code></pre>", block=True) if code.strip() else ""


def _commands(call: _Call) -> str:
    lines = [*call.positions(), call.get("output").strip("\n")]
    code = "\n".join(line for line in lines if line)
    return call.kept.keep(f"<pre>\n{_html(code)}\n</pre>", block=True) if code else ""


def _file(call: _Call) -> str:
    """A listing with its name above."""
    positions = call.positions()
    name = call.get("filename", "file", "title").strip() or (positions[0] if len(positions) > 1 else "")
    code = call.get("code", "content", "output") or (call.get("2") if len(positions) > 1 else call.get("1"))
    header = call.kept.keep(f"<p><code>{_html(name)}</code></p>", block=True) if name else ""
    return header + _pre(_Call(call.name, {"1": code, "lang": call.get("lang")}, call.kept))


def _admonition(call: _Call) -> str:
    text = _first(call)
    if not text:
        return ""
    title = escape(call.name.capitalize())
    begin = call.kept.keep(
        f'<div class="admonition {escape(call.name.split()[0])}"><p class="admonition-title">{title}</p>', block=True
    )
    return f"{begin}\n{text}\n" + call.kept.keep("</div>", block=True)


def _quote(call: _Call) -> str:
    return f"\n<blockquote>\n{call.get('1', 'text', 'quote').strip()}\n</blockquote>\n"


def _manual(call: _Call) -> str:
    positions = [*call.positions(), "", ""]
    section, name = positions[:2] if positions[0][:1].isdigit() else positions[1::-1]
    return f"{name}({section})" if section else name


def _application(call: _Call) -> str:
    name, description = [*call.positions(), "", ""][:2]
    return f"'''{name}''' — {description}" if description else f"'''{name}'''"


def _convert(call: _Call) -> str:
    """The quantity as it was given: numbers, the words between them, and the unit."""
    out = []
    for part in call.positions()[:6]:
        out.append(part)
        if not re.fullmatch(r"[-+−±\d.,/e]+|to|and|or|by|x|×|[-–]|to\(-\)|\+/-", part):
            break
    return " ".join(out)


def _value(call: _Call) -> str:
    number, *error = call.positions()[:2] or [""]
    power = f"×10<sup>{call.get('e')}</sup>" if call.get("e") else ""
    unit = call.get("u", "ul").strip()
    return f"{number}{' ± ' + error[0] if error and error[0] else ''}{power}{' ' + unit if unit else ''}"


def _fraction(call: _Call) -> str:
    parts = call.positions()
    if len(parts) == 3:
        return f"{parts[0]} {parts[1]}/{parts[2]}"
    return "/".join(parts if len(parts) == 2 else ["1", *parts])


def _joined(sign: str) -> Callable[[_Call], str]:
    return lambda call: sign.join(part for part in call.positions() if part)


def _tagged(tag: str) -> Callable[[_Call], str]:
    return lambda call: f"<{tag}>{_first(call)}</{tag}>" if _first(call) else ""


def _before(word: str) -> Callable[[_Call], str]:
    return lambda call: f"{word}{_first(call)}"


def _said(call: _Call) -> str:
    """A cell of a table that is named by what it says."""
    return _first(call) or call.name.capitalize()


def _sign(sign: str) -> Callable[[_Call], str]:
    return lambda call: sign


_CODE = "ic code mono tt codett samp var env c path command option package useflag usevar filename ebuild"
_PASSED = (
    "abbr anchor_text angbr as_written aur big box center chem2 collapse columns-list dfn div_col_content flag "
    "flagcountry flagdeco flagu flatlist g gloss group grp ill interlanguage_link ipa italic_title_text key_concept "
    "larger math midsize nihongo no_bold no_wrap nobold nobr noitalic normal not_a_typo nowrap pkg plainlist "
    "proper_name r rp_text sc sic small small_caps smallcaps smaller stronger tmath tooltip translit url vanchor "
    "visible_anchor y zh"
)
_CELLS = "any bad beta depends dropped free good included maybe n/a no partial planned proprietary some unknown yes"
_GROUPS: tuple[tuple[str, Callable[[_Call], str]], ...] = (
    (_CODE, _code),
    ("kbd key keypress key_press keys button", _keys),
    ("bc pre syntaxhighlight source_code codeblock output obey", _pre),
    ("cmd rootcmd genericcmd root user", _commands),
    ("hc filebox codebox cat file kernelconfig", _file),
    ("note warning tip important caution attention info notice hint remark", _admonition),
    ("quote blockquote cquote quotation quote_box bquote", _quote),
    ("man manpage man_page", _manual),
    ("app", _application),
    ("convert cvt", _convert),
    ("val", _value),
    ("frac sfrac fraction", _fraction),
    ("chem su", _joined("")),
    ("hlist flat_list comma_separated_entries", _joined(", ")),
    ("ubl ubli unbulleted_list", _joined("<br>")),
    ("date dts start_date iso_date release_date", _joined("-")),
    ("sortname", _joined(" ")),
    ("sub", _tagged("sub")),
    ("sup", _tagged("sup")),
    ("strong bold", _tagged("b")),
    ("em mvar", _tagged("i")),
    ("as_of", _before("As of ")),
    ("circa c.", _before("c. ")),
    ("bug", _before("FS#")),
    ("lang transl transliteration color colour font_color background_color resize script", _last),
    (_PASSED, _first),
    (_CELLS, _said),
    ("snd spnd spaced_ndash spaced_en_dash", _sign(" – ")),
    ("ndash en_dash –", _sign("–")),
    ("mdash em_dash —", _sign("—")),
    ("nbsp space spaces sp thinsp", _sign(" ")),
    ("pipe", _sign("&#124;")),
    ("bull dot middot · •", _sign(" · ")),
    ("br break -break", _sign("<br>")),
    ("'", _sign("&#39;")),
    ('"', _sign("&quot;")),
)
_CALLS = {name.replace("_", " "): function for names, function in _GROUPS for name in names.split()}
