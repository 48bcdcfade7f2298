"""What a node is to the renderer: roles that selectors give, and kinds that tag names give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.extract.html.tree import TAG, UNKNOWN

# Roles, one bit each.
DROP = 1
CODE = 2  # a block of code that may be no `pre`
LINE = 4  # a line of one
INLINE_CODE = 8
ADMONITION = 16
ADMONITION_TITLE = 32
QUOTE = 64
TITLE = 128
FORMULA = 256
FOOTNOTE = 512
FOOTNOTE_MARK = 1024
PERMALINK = 2048
KEEP = 4096
TYPED = 8192  # a `pre` of prose, as mail is typed
LINKS = 32768  # an `a` whose target is kept
PLACED = 65536  # a list or table that only places things
FOOTNOTE_LABEL = 131072
FOOTNOTE_BACK = 262144
CLASSIFIER = 524288  # of a term: a colon stands before it

# Kinds, one a tag.
KINDS = [
    "inline",
    "block",
    "heading",
    "list",
    "numbered",
    "item",
    "terms",
    "term",
    "definition",
    "quote",
    "table",
    "row",
    "cell",
    "caption",
    "break",
    "rule",
    "image",
    "emphasis",
    "strong",
    "code",
    "preformatted",
    "never",
    "raised",
    "noscript",
    "section",
    "link",
]
(
    INLINE,
    BLOCK,
    HEADING,
    LIST,
    NUMBERED,
    ITEM,
    TERMS,
    TERM,
    DEFINITION,
    QUOTED,
    TABLE,
    ROW,
    CELL,
    CAPTION,
    BREAK,
    RULE,
    IMAGE,
    EMPHASIS,
    STRONG,
    INLINE_CODES,
    PREFORMATTED,
    NEVER,
    RAISED,
    NOSCRIPT,
    SECTION,
    LINK,
) = range(len(KINDS))

_TAGS_OF_KIND = {
    BLOCK: "p figure figcaption details summary address center form fieldset legend dialog hgroup search",
    # Tags that stand around blocks.
    SECTION: "html body div section article main header footer nav aside noframes frameset",
    HEADING: "h1 h2 h3 h4 h5 h6",
    LIST: "ul dir menu",
    NUMBERED: "ol",
    ITEM: "li",
    TERMS: "dl",
    TERM: "dt",
    DEFINITION: "dd",
    QUOTED: "blockquote",
    TABLE: "table",
    ROW: "tr",
    CELL: "td th",
    CAPTION: "caption",
    BREAK: "br",
    RULE: "hr",
    IMAGE: "img image",
    EMPHASIS: "em i var dfn",
    STRONG: "strong b",
    INLINE_CODES: "code tt kbd samp",
    PREFORMATTED: "pre xmp listing plaintext",
    NEVER: "head script style template svg iframe noembed canvas audio video embed map col title base link meta "
    "param source track area input select textarea option optgroup progress frame bgsound",
    RAISED: "sup",
    NOSCRIPT: "noscript",
    LINK: "a",
}

KIND: npt.NDArray[np.int8] = np.zeros(UNKNOWN + 1, dtype=np.int8)
for _kind, _tags in _TAGS_OF_KIND.items():
    KIND[[TAG[_name] for _name in _tags.split() if _name in TAG]] = _kind
