"""Words in angle brackets: in prose they are no elements of HTML, although they look like it."""

from __future__ import annotations

import re

from pipelines.extract.markdown.code import events

_ELEMENTS = (
    "a abbr acronym address article aside audio b bdi bdo big blockquote body br button canvas caption center "
    "cite code col colgroup dd del details dfn dir div dl dt em embed fieldset figcaption figure font footer form "
    "h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link main map mark "
    "menu meta nav nobr noscript object ol optgroup option output p param picture pre q rp rt ruby s samp script "
    "section select small source span strike strong style sub summary sup svg table tbody td template textarea "
    "tfoot th thead time title tr track tt u ul var video wbr"
)
ELEMENTS = frozenset(_ELEMENTS.split())
# Those that need no attribute and no end tag. Any other is a word in angle brackets where it has neither.
_BARE = "br hr wbr p li dt dd td th tr thead tbody tfoot colgroup html body"
BARE = frozenset(_BARE.split())

_TAG = re.compile(rb"<!--(?:[^-]|-(?!->))*(?:-->|\Z)|<(/?)([A-Za-z][\w.:-]*)([^<>]*)>?|<(?=[?!])")
_OPENED = re.compile(rb"<([A-Za-z][\w.:-]*)")
_CLOSED = re.compile(rb"</([A-Za-z][\w.:-]*)")


def escape_words(text: str) -> str:
    """The text with `&lt;` where a `<` only looks like a tag: words in angle brackets are no elements.

    A name that is opened and closed is an element of the site's own: its tags go, as a browser shows it.
    """
    if "<" not in text:
        return text
    raw = text.encode("utf-8", "replace")
    spans: list[tuple[int, int]] = []
    for event, start, end in events(text):
        match event:
            case {"Start": "HtmlBlock"} | {"InlineHtml": _} if not spans or start >= spans[-1][1]:
                spans.append((start, end))
    html = b"\n".join(raw[start:end] for start, end in spans)
    paired = frozenset(_OPENED.findall(html)) & frozenset(_CLOSED.findall(html))
    parts: list[bytes] = []
    done = 0
    for start, end in spans:
        parts += [raw[done:start], _TAG.sub(lambda tag: _escaped(tag, paired), raw[start:end])]
        done = end
    return (b"".join(parts) + raw[done:]).decode()


def _escaped(tag: re.Match[bytes], paired: frozenset[bytes]) -> bytes:
    closing, name, rest = tag.groups()
    if tag.group().startswith(b"<!--"):
        return tag.group()
    element = (name or b"").lower().decode()
    if name in paired and element not in ELEMENTS:
        return b""
    whole = closing or element in BARE or name in paired or (rest or b"").strip(b" /\n")
    return tag.group() if element in ELEMENTS and whole else b"&lt;" + tag.group()[1:]
