"""LaTeX as tokens, with what is verbatim taken out first: listings, `\\verb`, addresses and drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PARAGRAPH = "\n\n"
LIFTED = "\0"  # begins a token that stands for a lifted piece; its number follows

_TOKEN = re.compile(
    r"(?P<comment>%[^\n]*(?:\n[ \t]*(?P<blank>\n\s*)?)?)"
    r"|(?P<paragraph>[ \t]*\n[ \t]*\n\s*)"
    r"|(?P<space>\s+)"
    r"|(?P<command>\\(?:[A-Za-z@]+|.|$))"
    r"|(?P<special>[{}$&~#^_\[\]])"
    r"|(?P<text>[^\\{}$&~#^_\[\]%\s]+)",
    re.DOTALL,
)
_ENVIRONMENT = re.compile(r"\s*\{([A-Za-z@]+\*?)\}")
_VERBATIM = re.compile(
    r"(?:[BLV]?[Vv]erbatim[A-Za-z]{0,3}|SaveVerbatim|verbatimtab|alltt|lstlisting|lstcode|minted|[Cc]ode|codeblock|"
    r"CodeInput|CodeOutput|Sinput|Soutput|Highlighting|shell|terminal|console|Shell|verbbox|cminted|pythoncode|spverbatim)\*?"
)
_DROPPED = frozenset(
    [
        "comment",
        "tikzpicture",
        "pgfpicture",
        "picture",
        "pspicture",
        "circuitikz",
        "asy",
        "filecontents",
        "filecontents*",
        "CCSXML",
        "axis",
        "forest",
        "pgfplots",
        "tikzcd",
        "overpic",
        "TeXtoEPS",
        "gnuplot",
        "knitrout",
    ]
)
_DEFINED = re.compile(
    r"\\(?:DefineVerbatimEnvironment|lstnewenvironment|newmintedfile|newtcblisting)\s*\{([A-Za-z@]+)\}"
    r"|\\newminted(?:\[([A-Za-z]+)\])?\s*\{([A-Za-z+#-]+)\}"
)
_GLOBAL_LANGUAGE = re.compile(r"\\lstset\s*\{[^}]{0,2000}?\blanguage\s*=\s*(?:\[[^]]*\])?\{?([A-Za-z+#]+)")
_OPTION = re.compile(r"\s*(\w[\w ]*?)\s*=\s*(\{(?:[^{}]|\{[^{}]*\})*\}|[^,{]*)\s*(?:,|$)")
_NO_LANGUAGE = frozenset({"text", "none", "plain", "plaintext", ""})
_ESCAPED = re.compile(
    r"\\(?:lnlbl|label|phantomsection|index|hypertarget)\{[^{}]*\}|\\[A-Za-z]+(?=\{)|(?<!\\)[{}]|\\(?=[&%$#_{}])"
)
_INSIDE = re.compile(r"escapeinside\s*=\s*(?:\{([^{}\n]{1,6})\}\s*\{([^{}\n]{1,6})\}|\{(\S)(\S)\})")
_LINE_LABEL = re.compile(r"\\label\{([^{}\n]{1,100})\}")
_OPTIONS_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Lifted:
    """A piece of the source as it is: `kind` is block, inline or address."""

    kind: str
    text: str
    language: str = ""
    labels: tuple[tuple[str, int], ...] = ()  # of lines of a block: their names, and which line each stands on


@dataclass
class Source:
    """A source being cut into tokens, and what was lifted from it."""

    text: str
    lifted: list[Lifted] = field(default_factory=list)
    _verbatim: dict[str, str] = field(default_factory=dict)  # environments the source defines, and their language
    _absent: set[str] = field(default_factory=set)  # ends of environments that do not come any more
    _language: str = ""
    _inside: re.Match[str] | None = None  # the marks around LaTeX in listings, as set for all of them

    def __post_init__(self) -> None:
        for defined in _DEFINED.finditer(self.text):
            name, alias, language = defined.groups()
            self._verbatim[name or alias or f"{language}code"] = language or ""
        self._inside = _INSIDE.search(self.text)
        if found := _GLOBAL_LANGUAGE.search(self.text):
            self._language = found[1].lower()

    def tokens(self) -> Iterator[str]:
        """Commands, single special characters, words, spaces, PARAGRAPH, and LIFTED with a number."""
        at = 0
        while at < len(self.text):
            found: re.Match[str] | None = _TOKEN.match(self.text, at)
            if found is None:  # cannot be: the patterns cover every character
                return
            at = found.end()
            kind, token = found.lastgroup, found[0]
            if kind == "comment" or kind == "blank":
                if found["blank"] is not None:
                    yield PARAGRAPH
            elif kind == "paragraph":
                yield PARAGRAPH
            elif kind == "command":
                made, at = self._command(token, at)
                yield from made
            else:
                yield token.replace(LIFTED, "")

    def _command(self, token: str, at: int) -> tuple[list[str], int]:
        """The tokens that a command makes, and where the source goes on: lifted pieces, or the command itself."""
        if token == "\\begin":
            return self._begin(token, at)
        if token in ("\\verb", "\\lstinline", "\\mintinline", "\\Verb"):
            return self._inline(token, at)
        if token in ("\\url", "\\path", "\\nolinkurl", "\\href"):
            return self._address(token, at)
        return [token], at

    def _begin(self, token: str, at: int) -> tuple[list[str], int]:
        found = _ENVIRONMENT.match(self.text, at)
        name = found[1] if found else ""
        verbatim = name in self._verbatim or bool(_VERBATIM.fullmatch(name))
        if not found or not (verbatim or name in _DROPPED):
            return [token], at
        end = self._find_end(name, found.end())
        if end < 0:
            return [token], at
        inside, after = self.text[found.end() : end], end + len(f"\\end{{{name}}}")
        if name in _DROPPED:
            return [], after
        return self._listing(name, inside), after

    def _find_end(self, name: str, at: int) -> int:
        if name in self._absent:
            return -1
        end = self.text.find(f"\\end{{{name}}}", at)
        if end < 0:
            self._absent.add(name)
        return end

    def _listing(self, name: str, inside: str) -> list[str]:
        """The tokens of a listing: its block, and its caption behind it."""
        at = 0
        options = ""
        if name.startswith("SaveVerbatim") or name == "minted":
            at = 0
        if (skipped := _skip_brackets(inside, at)) is not None:
            options, at = skipped
        language = ""
        if name.rstrip("*") in ("minted", "cminted") and (found := re.match(r"\s*\{([^{}\n]*)\}", inside[at:])):
            language, at = found[1], at + found.end()
        elif name == "SaveVerbatim" and (found := re.match(r"\s*\{([^{}\n]*)\}", inside[at:])):
            at += found.end()
        said = {key.strip(): value.strip() for key, value in _OPTION.findall(options)}
        language = language or _language(said.get("language", "")) or self._verbatim.get(name, "")
        if name == "lstlisting":
            language = language or self._language
        body = _body(inside[at:], said)
        text = _unescaped(body, said, name, _INSIDE.search(options) or self._inside)
        language = "" if language.lower() in _NO_LANGUAGE else language.lower()
        made = [self._lift(Lifted("block", text, language, _line_labels(body)))]
        caption = said.get("caption", "").removeprefix("{").removesuffix("}")
        if caption:
            made += ["\\listingcaption", "{", *(found[0] for found in _TOKEN.finditer(caption)), "}"]
            if label := said.get("label", "").strip("{}"):
                made += ["\\label", "{", label, "}"]
        return made

    def _inline(self, token: str, at: int) -> tuple[list[str], int]:
        found = re.compile(
            r"\*?(?:\[[^]\n]*\])?(?:\{[\w+-]*\}(?=[^\s\w]))?" if token == "\\mintinline" else r"\*?(?:\[[^]\n]*\])?"
        ).match(self.text, at)
        begin = found.end() if found else at
        mark = self.text[begin : begin + 1]
        if mark == "{":
            return self._braced(token, begin, "inline")
        if not mark or mark.isspace() or mark.isalnum() or mark == "\\":
            return [token], at
        line_end = self.text.find("\n", begin)
        end = self.text.find(mark, begin + 1, line_end if line_end >= 0 else len(self.text))
        if end < 0:
            return [token], at
        return [self._lift(Lifted("inline", self.text[begin + 1 : end]))], end + 1

    def _address(self, token: str, at: int) -> tuple[list[str], int]:
        mark = self.text[at : at + 1]
        if token == "\\path" and mark and not mark.isspace() and not mark.isalnum() and mark not in "{[\\":
            end = self.text.find(mark, at + 1, at + 500)
            return ([self._lift(Lifted("inline", self.text[at + 1 : end]))], end + 1) if end >= 0 else ([token], at)
        begin = at + len(self.text[at : at + 100]) - len(self.text[at : at + 100].lstrip())
        if self.text[begin : begin + 1] != "{":
            return [token], at
        made, end = self._braced(token, begin, "address" if token != "\\path" else "inline")
        if token == "\\href" and len(made) == 1:
            return [], end  # the text of the link follows in braces
        return made, end

    def _braced(self, token: str, begin: int, kind: str) -> tuple[list[str], int]:
        """The piece between braces, unless a macro is to put something into it."""
        depth = 0
        for found in re.compile(r"[{}]|\n\s*\n").finditer(self.text, begin, begin + _OPTIONS_LENGTH):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if found[0].isspace():
                break
            if depth == 0:
                inside = self.text[begin + 1 : found.start()]
                if re.search(r"#\d", inside):
                    break
                inside = re.sub(r"\\([%#&_{}~$])", r"\1", inside)
                return [self._lift(Lifted(kind, inside.replace("\n", " ")))], found.end()
        return [token], begin

    def _lift(self, piece: Lifted) -> str:
        self.lifted.append(piece)
        return f"{LIFTED}{len(self.lifted) - 1}"


def tokens_of(text: str) -> list[str]:
    """The tokens of a short text that holds nothing verbatim."""
    return [found[0] for found in _TOKEN.finditer(text) if found.lastgroup not in ("comment", "blank")]


def _skip_brackets(text: str, at: int) -> tuple[str, int] | None:
    """What stands between the brackets that begin at `at`, and where they end; braces inside may hold brackets."""
    if text[at : at + 1] != "[":
        return None
    depth = 0
    for found in re.compile(r"\\.|[{}\]]").finditer(text, at + 1, at + _OPTIONS_LENGTH):
        if found[0] == "]" and depth <= 0:
            return text[at + 1 : found.start()], found.end()
        depth += {"{": 1, "}": -1}.get(found[0], 0)
    return None


def _language(value: str) -> str:
    found = re.fullmatch(r"\{?(?:\[[^]]*\])?\{?([A-Za-z+#]+)\}*", value)
    return found[1] if found else ""


def _body(text: str, said: dict[str, str]) -> str:
    """The lines of a listing: what stands behind its options on their line is none, nor is the line of its end."""
    first, line_end, rest = text.partition("\n")
    text = rest if line_end and not first.strip() else text.lstrip("\n")
    last = text.rfind("\n")
    text = text[:last] if last >= 0 and not text[last:].strip() else text
    gobble = int(said["gobble"]) if said.get("gobble", "").isdecimal() else 0
    return "\n".join(line[gobble:] for line in text.split("\n")) if gobble else text


def _unescaped(text: str, said: dict[str, str], name: str, marks: re.Match[str] | None) -> str:
    """A listing whose commands between marks of its own choice are carried out, or left out."""
    if "commandchars" in said:
        chosen = said["commandchars"].replace("\\", "\0").replace("\0\0", "\\").replace("\0", "")
        if len(chosen) == 3:
            return _without_commands(text, *chosen)
    if name == "alltt":
        return _without_commands(text, "\\", "{", "}")
    opening, closing = "(*@", "@*)"
    if escape := said.get("escapechar", "").replace("\\", ""):
        opening = closing = escape[0]
    elif marks is not None:
        opening, closing = (marks[1], marks[2]) if marks[2] else (marks[3], marks[4])
    if opening not in text:
        return text
    one, two = re.escape(opening), re.escape(closing)
    pattern = re.compile(rf"{one}([^\n]*?){two}")
    lines = [(line, pattern.sub(lambda found: _ESCAPED.sub("", found[1]), line)) for line in text.split("\n")]
    return "\n".join(line if line == made else made.rstrip() for line, made in lines)


def _line_labels(text: str) -> tuple[tuple[str, int], ...]:
    """The labels that stand in the lines of a listing, counted from one."""
    if "\\label" not in text:
        return ()
    lines = enumerate(text.split("\n"), 1)
    return tuple((found[1], number) for number, line in lines for found in _LINE_LABEL.finditer(line))


def _without_commands(text: str, escape: str, opening: str, closing: str) -> str:
    """The text without its commands; what they enclose stays, but for labels."""
    one, two, three = re.escape(escape), re.escape(opening), re.escape(closing)
    inside = rf"[^{two}{three}]*"
    label = rf"{one}(?:lnlbl|label|index|phantomsection){two}{inside}{three}"
    text = re.sub(rf"[ \t]{{0,40}}{label}(?=\n|$)|{label}", "", text)
    for _ in range(5):
        text, count = re.subn(rf"{one}[A-Za-z]+{two}({inside}){three}", r"\1", text)
        if not count:
            break
    return re.sub(rf"{one}([{one}{two}{three}])", r"\1", text)
