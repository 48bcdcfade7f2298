"""One line of wikitext as HTML: bold and italic, the tags that wikitext may hold, and all else as text."""

from __future__ import annotations

import re

_ALLOWED = (
    "abbr b bdi bdo big blockquote br caption center cite code data dd del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr "
    "i ins kbd li mark ol p q rp rt ruby s samp small span strike strong sub sup table td th time tr tt u ul var wbr"
)
ALLOWED = frozenset(_ALLOWED.split())
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,12})((?:\s[^<>]*)?)(/?)>|<")
_DROPPED_TAGS = frozenset(("img", "languages", "nobr", "noinclude", "onlyinclude", "poem", "translate", "tvar"))
_SPAN = re.compile(r"\b(colspan|rowspan|start)\s*=\s*[\"']?\s*(\d{1,3})", re.IGNORECASE)
_QUOTES = re.compile(r"('{2,})")
_MAGIC = re.compile(r"__[A-Z]{3,30}__")


def inline(text: str) -> str:
    """HTML of wikitext without links and templates; entities stay, and tags that are none of a wiki become text."""
    text = _TAG.sub(_tag, _MAGIC.sub("", text)) if "<" in text or "__" in text else text
    return "\n".join(map(_quoted, text.split("\n"))) if "''" in text else text


def spans(attributes: str) -> str:
    """The attributes of a cell that say how far it reaches."""
    return "".join(f' {name.lower()}="{number}"' for name, number in _SPAN.findall(attributes))


def _tag(found: re.Match[str]) -> str:
    slash, name = found.group(1), (found.group(2) or "").lower()
    if name in ALLOWED:
        return f"<{slash}{name}{spans(found.group(3))}>"
    return "" if name in _DROPPED_TAGS else "&lt;" + found.group()[1:].replace(">", "&gt;")


def _quoted(line: str) -> str:
    """Runs of apostrophes as tags, by MediaWiki's rules for one line."""
    parts = _QUOTES.split(line)
    runs = [_kind(len(run)) for run in parts[1::2]]
    if sum(kind in (2, 5) for _, kind in runs) % 2 and sum(kind in (3, 5) for _, kind in runs) % 2:
        # One bold mark must be an apostrophe and an italic mark: the first after a word of one letter, or the first.
        bold = [index for index, (_, kind) in enumerate(runs) if kind == 3]
        if bold:
            single = [index for index in bold if re.search(r"(?:^|\s)\S$", parts[2 * index])]
            index = (single or bold)[0]
            runs[index] = (runs[index][0] + 1, 2)
    out, open_tags = [parts[0]], ""
    for (apostrophes, kind), text in zip(runs, parts[2::2], strict=True):
        tags, open_tags = _switched(open_tags, kind)
        out += ["'" * apostrophes, tags, text]
    return "".join(out) + "".join(f"</{tag}>" for tag in reversed(open_tags))


def _kind(length: int) -> tuple[int, int]:
    """How many apostrophes of a run are text, and what the rest means: 2 italic, 3 bold, 5 both."""
    if length == 4:
        return 1, 3
    return (length - 5, 5) if length > 5 else (0, length)


def _switched(open_tags: str, kind: int) -> tuple[str, str]:
    """Tags that switch italic, bold or both, and what is open then (`i` and `b` in the order of their opening)."""
    if kind == 5:
        if not open_tags:
            return "<i><b>", "ib"
        first, open_tags = _switched(open_tags, 3 if open_tags[-1] == "b" else 2)
        second, open_tags = _switched(open_tags, 2 if "</b>" in first and first.startswith("</b>") else 3)
        return first + second, open_tags
    tag = "i" if kind == 2 else "b"
    if tag not in open_tags:
        return f"<{tag}>", open_tags + tag
    if open_tags[-1] == tag:
        return f"</{tag}>", open_tags[:-1]
    other = open_tags[-1]
    return f"</{other}></{tag}><{other}>", other
