"""What dialects of Markdown write between tags: Hugo, Liquid, GitBook, Microsoft Learn, kramdown and MkDocs.

Each function takes a text without its code (lifted out before) and gives it back without the tags. What a
tag shows of itself (a title, a caption, the text of an image) stays.
"""

from __future__ import annotations

import re

from manifests.load import load_names
from pipelines.extract.markdown.blocks import admonition
from pipelines.extract.markdown.lines import titled

_ATTRIBUTE = re.compile(r"([\w-]+)[ \t]*[=:][ \t]*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'{}]+))")
_QUOTED = re.compile(r"\"([^\"]*)\"|`([^`]*)`|'([^']*)'")
_CONTAINERS = re.compile(r"[ \t]*(?:(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))[ \t]*)*")

_WORDS_OF_NOTES = "note warning tip info caution danger important alert notice callout admonition hint success error"
_NOTES = frozenset(_WORDS_OF_NOTES.split())
_WORDS_OF_TITLED = (
    "tab expand details collapse dropdown accordion step card expandable content-tab code collapse-content"
)
_TITLED = frozenset(_WORDS_OF_TITLED.split())
_PICTURES = frozenset(["figure", "image", "img", "imgproc", "picture"])
_WORDS_OF_TYPES = "note warning tip info caution danger important success error example question abstract bug quote"
_TYPES = frozenset(_WORDS_OF_TYPES.split())
_ANY_KIND = frozenset(["alert", "notice", "callout", "admonition", "hint"])
_TITLE_KEYS = ("title", "heading", "header", "name", "summary", "label", "tabname")

_HUGO = re.compile(r"\{\{([<%])-?\s*(/?)\s*(\w[\w./-]*)([^{}]*?)/?\s*-?[>%]\}\}")
_HUGO_ESCAPED = re.compile(r"\{\{([<%])/\*([^{}]*)\*/([>%]\}\})")
_HUGO_COMMENT = re.compile(r"\{\{[<%]\s*comment\s*[>%]\}\}"), re.compile(r"\{\{[<%]\s*/\s*comment\s*[>%]\}\}")

_LIQUID = re.compile(r"(?<!\{)\{%-?\s*(end|/)?([a-z_-]+)\b((?:[^%{}]|%(?!\})|\{\{[^{}]*\}\})*)%\}")
_LIQUID_CLOSED = re.compile(r"\{%-?\s*(?:end|/\s*)([a-z][a-z_-]*)\s*-?%\}")
_DATA = re.compile(r"\s*variables\.(?:[\w-]+\.)*(?:prodname_)?([\w-]+)")
# A link whose text is the title of the page that it leads to.
_AUTOTITLE = re.compile(r"\[AUTOTITLE\]\(([^()\s#]{1,500})(?:#[^()\s]{0,200})?\)")
# An icon in front of the words of a button.
_ICON = re.compile(r"\{%-?\s*octicon\b[^{}%]*%\}[ ]?")
_NAMES = load_names()
_ELASTIC = re.compile(rf"\{{\{{({'|'.join(_NAMES.elastic)})\}}\}}")
_OF_ELASTIC = re.compile(r"\{\{(?:es|kib|stack|ecloud|ece|eck|ech|serverless-full|serverless-short)\}\}")
_HEADING_ID = re.compile(r"^(#{1,6}[ ].*\S)[ ]+\[(?:#[\w-]+|[a-z0-9_]+(?:[-.][a-z0-9_]+)+)\][ ]*$", re.M)
_LIQUID_VALUE = re.compile(
    r"\{\{-?\s*(?:(?:site|page|include|layout|content|post)\b|[\"'][^\"'{}]*[\"']\s*\|)[^{}]*\}\}"
)
_LIQUID_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}"), re.compile(r"\{%-?\s*endcomment\s*-?%\}")
_LIQUID_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}"), re.compile(r"\{%-?\s*endraw\s*-?%\}")
_WORDS_OF_LIQUID_SILENT = (
    "include include_relative include_cached if elsif else unless for assign capture link post_url case when tabs "
    "raw data ifversion indented_data_reference file embed rowheaders content-ref ref param comment cycle "
    "increment decrement break continue render seo toc stepper columns column swagger openapi youtube video gist"
)
_LIQUID_SILENT = frozenset(_WORDS_OF_LIQUID_SILENT.split())

_LEARN_INLINE = re.compile(r":::[ ]?(?:image|icon|video|code)\b([^\n]*?)(?:(?<!:):::+|(?=\n)|\Z)")
_LEARN_LINE = re.compile(r"^[ \t>]*:::+[ ]?(?:zone|moniker|row|column|image-end|form)\b.*$", re.M | re.I)
_LEARN_INCLUDE = re.compile(
    r"\[!(?:INCLUDE|CODE)[\w-]*[ ]*\[[^\[\]\n]*\][ ]*\([^()\n]*\)[^\[\]\n]*\]|\[!VIDEO[^\[\]\n]*\]", re.I
)
_LEARN_DIV = re.compile(r"^[ \t>]*\[!div\b[^\n]*\][ \t]*$", re.MULTILINE | re.IGNORECASE)
# A tab, which is written as a heading: `### [Azure CLI](#tab/azure-cli)`.
_LEARN_TAB = re.compile(r"^([ \t>]*)#{1,6}[ ]+\[([^\[\]\n]+)\]\(#tabs?/[^()\s]*\)[ \t]*$", re.MULTILINE)
# A button to the next page, and a switch between the editions of a page.
_LEARN_BUTTON = re.compile(
    r"^[ \t]*>[ \t]*\[!div class=[\"']?(?:nextstepaction|op_(?:single|multi)_selector)\b[^\n]*"
    r"(?:\n(?![ \t]*(?:$|[#`]|[-*+][ ]))[^\n]+)*",
    re.M | re.I,
)
_ALERT = re.compile(r"^([ \t]*>[ \t>]*)\[!([A-Za-z]+)\][+-]?[ \t]*(.*)$", re.MULTILINE)

_SNIPPET = re.compile(
    r"^[ \t]*-*8<-+.*$|^[ \t]*\[(?:TOC|\[_?TOC_?\])\][ \t]*$"
    r"|^@include[ ]['\"][^'\"\n]*['\"][ \t]*$|:(?:octicons|material|fontawesome|simple)-[\w-]+:[ ]?",
    re.M | re.I,
)
_TOC = (
    re.compile(r"<!--[ ]*(?:toc|start doctoc)\b[^<>]*-->", re.I),
    re.compile(r"<!--[ ]*(?:/toc|tocstop|end doctoc)\b[^<>]*-->", re.I),
)
_ATTRIBUTE_LINE = re.compile(
    r"^[ \t]*(?:[-*+]|1\.)[ \t][^\n]*\n[ \t]*\{:toc\b[^{}\n]*\}[ \t]*$"
    r"|^[ \t>]*\{(?::|[ ]?[.#][\w-]|[ ]?[\w-]+=[\"'\w])[^{}\n]*\}[ \t]*$",
    re.M,
)
_ATTRIBUTE_LIST = re.compile(
    r"(?<=[^\s{])[ ]?\{:[ ]?[.#\w][^{}\n]*\}|(?<=\))[ ]?\{[ ]?(?:[.#][\w-]|[\w-]+=)[^{}\n]*\}"
    r"|(?<=\S)[ ]\{#[\w:.-]+\}(?=[ \t]*$)",
    re.M,
)
# pandoc's and MyST's way to give some words an id or a class.
_SPAN = re.compile(r"\[([^\[\]\n]*)\]\{[ ]?[.#][\w:-][^{}\n]*\}")
_FIELDS = re.compile(r"\A\s*(?::(?:orphan|nosearch|no-search|tocdepth):[^\n]*\n)+")
# Signs that are written by their names, and mean something where they stand: `yes` in a table.
_SIGNS = {
    "heavy_check_mark": "✔", "white_check_mark": "✅", "ballot_box_with_check": "☑", "x": "❌",
    "negative_squared_cross_mark": "❎", "heavy_multiplication_x": "✖", "heavy_minus_sign": "➖", "warning": "⚠",
    "information_source": "ℹ", "arrow_right": "→", "arrow_left": "←", "arrow_up": "↑", "arrow_down": "↓",
}  # fmt: skip
_SIGN = re.compile(rf"(?<![\w:]):({'|'.join(_SIGNS)}):(?![\w:])")
# A picture of the state of a project, whose text says nothing but its name.
_BADGE_HOSTS = (
    r"img\.shields\.io|badge\.svg|/badges?/|badgen\.net|badge\.fury\.io|travis-ci\.|circleci\.com|codecov\.io"
)
_BADGE = re.compile(
    rf"(?P<linked>\[)?!\[[^\[\]\n]{{0,200}}\]\([^()\s]{{0,300}}(?:{_BADGE_HOSTS})[^()\n]{{0,300}}\)"
    r"(?(linked)\]\([^()\n]{0,500}\))"
)
# Abbreviations of kramdown and MkDocs, and page breaks of pandoc.
_UNSEEN = re.compile(r"^\*\[[^\[\]\n]+\]:[ ].*$|^\\(?:newpage|pagebreak|clearpage|bigskip|medskip)[ \t]*$", re.M)
# HashiCorp's callouts (`~> **Note:** …`) are quotes.
_CALLOUT = re.compile(r"^(?:->|~>|!>)[ ]", re.M)
_MARKDOWN_INSIDE = re.compile(r"<(\w+)\b([^<>]*?)[ ]markdown(?:=[\"']?(?:1|block|span)[\"']?)?(?=[ >])([^<>]*)>")


def without_templates(text: str) -> str:
    """A Markdown text without its code, and then without the tags of template languages."""
    text = _UNSEEN.sub("", _BADGE.sub("", text) if "![" in text else text)
    text = _LEARN_TAB.sub(r"\1**\2**\n\1", text)
    text = _CALLOUT.sub("> ", _without(text, *_TOC))
    text = _AUTOTITLE.sub(lambda match: match[1].rstrip("/").rpartition("/")[2].replace("-", " "), text)
    if "{{<" in text or "{{%" in text:
        text = hugo(text)
    if "{%" in text or "{{" in text:
        if _OF_ELASTIC.search(text):
            text = _ELASTIC.sub(lambda match: _NAMES.elastic[match[1]], text)
        text = liquid(text)
    text = _HEADING_ID.sub(r"\1", text)
    if ":::" in text or "[!" in text:
        text = learn(text)
    text = _SIGN.sub(lambda match: _SIGNS[match[1]], _FIELDS.sub("", _SNIPPET.sub("", text)))
    if "{" in text:
        text = _SPAN.sub(r"\1", _ATTRIBUTE_LIST.sub("", _ATTRIBUTE_LINE.sub("", text)))
    return _MARKDOWN_INSIDE.sub(r"<\1\2\3>\n\n", text)


def hugo(text: str) -> str:
    """Shortcodes: notes become admonitions; tabs, folds and figures leave their titles; others go."""
    text = _HUGO.sub(_shortcode, _without(text, *_HUGO_COMMENT))
    return _HUGO_ESCAPED.sub(r"{{\1\2\3", text)


def liquid(text: str) -> str:
    """Tags of Jekyll, GitHub's docs and GitBook go, by the same rules; `raw` shows what it holds as it is."""
    text = _ICON.sub("", _without(text, *_LIQUID_COMMENT))
    paired = frozenset(_LIQUID_CLOSED.findall(text))
    kept: list[str] = []
    for inside, part in _parts(text, *_LIQUID_RAW):
        kept.append(part if inside else _LIQUID_VALUE.sub("", _LIQUID.sub(lambda match: _tag(match, paired), part)))
    return "".join(kept)


def learn(text: str) -> str:
    """Extensions of Microsoft Learn: pictures leave their text, alerts (GitHub's too) become titled quotes."""
    text = _LEARN_BUTTON.sub("", _LEARN_LINE.sub("", _LEARN_INLINE.sub(_picture_text, text)))
    return _ALERT.sub(_alert, _LEARN_DIV.sub("", _LEARN_INCLUDE.sub("", text)))


def attributes(text: str) -> dict[str, str]:
    """The `name="value"` pairs of a tag, names in lower case."""
    return {key.lower(): one or two or three for key, one, two, three in _ATTRIBUTE.findall(text)}


def block_lines(match: re.Match[str], lines: list[str]) -> str:
    """`lines` in the place of a tag, behind the prefix of the line (of a list item or a quote) where it stands."""
    text, start = match.string, match.start()
    line = text[text.rfind("\n", 0, start) + 1 : start]
    containers = _CONTAINERS.match(line)
    prefix = re.sub(r"[^> \t]", " ", containers.group() if containers else "")
    rest = [(prefix + each).rstrip() for each in lines]
    first = lines[0] if line == prefix else "\n" + rest[0]
    return "\n".join([first, *rest[1:]]) + "\n" + prefix


def _shortcode(match: re.Match[str]) -> str:
    _, closing, name, args = match.groups()
    return _show(match, name.rsplit("/", 1)[-1].lower(), args, bool(closing))


def _tag(match: re.Match[str], paired: frozenset[str]) -> str:
    """What a tag of Liquid or Markdoc leaves; one that nothing knows and nothing closes stays as it is."""
    end, name, args = match.groups()
    if name == "data" and (found := _DATA.match(args)):
        return _data_name(str(found[1]))
    known = name in _LIQUID_SILENT or name in _NOTES or name in _TITLED or name in _PICTURES
    if known or name in paired or args.rstrip().endswith("/"):
        return _show(match, name, args, bool(end))
    return match.group()


def _data_name(key: str) -> str:
    """The name that a variable of GitHub's documentation stands for; else the words of its key."""
    one = key.removesuffix("_plural").removesuffix("s")
    if key not in _NAMES.github and one in _NAMES.github:
        return _NAMES.github[one] + "s"
    return _NAMES.github.get(key) or key.replace("_", " ").replace("-", " ").capitalize()


def _show(match: re.Match[str], name: str, args: str, closing: bool) -> str:
    """What a tag of this name leaves behind."""
    if name in _NOTES:
        return block_lines(match, ["</div>", ""] if closing else _note(name, args))
    if closing:
        return ""
    values = attributes(args)
    quoted = [one or two or three for one, two, three in _QUOTED.findall(args)]
    if name in _TITLED:
        title = next((values[key] for key in _TITLE_KEYS if values.get(key)), "") or (quoted[0] if quoted else "")
        return block_lines(match, titled(title)) if title else ""
    if name in _PICTURES:
        return next((values[key] for key in ("caption", "title", "alt") if values.get(key)), "")
    if name == "kbd" and quoted:
        return f"`{quoted[0]}`"
    if name == "heading" and quoted:
        word = str(quoted[0])
        return _NAMES.kubernetes_headings.get(word, word.capitalize())
    if name == "glossary_tooltip":
        return values.get("text") or values.get("term_id", "").replace("-", " ")
    return values.get("text") or (values.get("caption", "") if name.startswith("include") else "")


def _note(name: str, args: str) -> list[str]:
    """An admonition; its kind is the tag's, or what the first word or an attribute says, its title likewise."""
    values = attributes(args)
    words = [word.strip("\"'").lower() for word in args.split()]
    kinds = (values.get("type", ""), values.get("style", ""), values.get("color", "").lower(), *words[:1])
    kind = next((each for each in kinds if each in _TYPES), "note" if name in _ANY_KIND else name)
    quoted = [one or two or three for one, two, three in _QUOTED.findall(_ATTRIBUTE.sub("", args))]
    title = values.get("title") or values.get("heading")
    return admonition(kind, title or next((each for each in quoted if each.lower() not in _TYPES), None))


def _picture_text(match: re.Match[str]) -> str:
    values = attributes(match.group(1))
    return values.get("alt-text") or values.get("title") or ""


def _alert(match: re.Match[str]) -> str:
    quote, name, rest = match.groups()
    bare = quote.rstrip()
    return f"{quote}**{name.capitalize()}**\n{bare}" + (f"\n{quote}{rest}" if rest.strip() else "")


def _parts(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> list[tuple[bool, str]]:
    """The text in pieces: what lies outside of `start` and `end` (False), and inside (True). Linear."""
    parts: list[tuple[bool, str]] = []
    at = 0
    for match in start.finditer(text):
        if match.start() < at:
            continue
        closing = end.search(text, match.end())
        if closing is None:
            break
        parts += [(False, text[at : match.start()]), (True, text[match.end() : closing.start()])]
        at = closing.end()
    return [*parts, (False, text[at:])]


def _without(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> str:
    return "".join(part for inside, part in _parts(text, start, end) if not inside)
