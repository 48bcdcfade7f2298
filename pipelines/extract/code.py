"""Code taken out of the tree before conversion, and put back afterwards as fences.

The converter sees a paragraph with one made-up word where a block stood. It keeps that word's place in
lists and quotes; what stands before it on its line says how the lines of the fence are indented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from selectolax.lexbor import LexborHTMLParser, LexborNode

from pipelines.extract.page import Unreadable

GUTTERS = (
    "td.linenos, td.gutter, td.rouge-gutter, td.blob-num, span.linenos, span.lineno, pre.lineno, "
    "div.linenodiv, pre .line-numbers-rows, pre .line-number, td.hljs-ln-numbers, pre.src-line-numbers, "
    "pre.rust-line-numbers"
)
PREFORMATTED = frozenset({"pre", "xmp", "listing"})
BLOCKS = "pre, xmp, listing, div.fragment, div.memproto, code br"
LANGUAGE_LEVELS = 5
_NO_LANGUAGE = "default none text plain plaintext txt nohighlight no-highlight fallback auto literal-block"
NO_LANGUAGE = frozenset(_NO_LANGUAGE.split())

_LANGUAGE = re.compile(
    r"(?:^|\s)(?:highlight-source-|highlight-(?!source-)|mw-highlight-lang-|language-|lang-|src-|brush:\s*)"
    r"([A-Za-z0-9_+#.-]{1,30})"
)
_PAIR = re.compile(r"^(?:code|sourceCode|src|hljs|highlight|programlisting)\s+([A-Za-z0-9_+#.-]{1,30})(?:\s|$)")
_RUST = re.compile(r"(?:^|\s)rust(?:\s|$)")
_WORD = re.compile(r"(code[0-9a-f]{16}n)(\d+)x")
_BACKTICKS = re.compile(r"`+")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_CONTAINERS = re.compile(r"(?:[ ]*(?:>|[-*+](?=[ ])|\d{1,9}[.)](?=[ ]))[ ]?)*[ ]*")
_MARKUP_ONLY = re.compile(r"[\s*_~`:|]*")


@dataclass(frozen=True)
class Block:
    """A block of code: its text, line ends as in Unix, and the language its page names, or none."""

    text: str
    language: str


@dataclass(frozen=True)
class _Place:
    """A block still in the tree, the element it replaces, and the table it has to leave."""

    node: LexborNode
    table: LexborNode | None
    language: str


def placeholder(text: str) -> str:
    """The word for the blocks of a page. No page can hold a word made from its own hash."""
    return "code" + blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest() + "n"


def lift(tree: LexborHTMLParser, main: LexborNode, word: str) -> list[Block]:
    """Replace each block of code in `main` by a paragraph of `word`, its number and `x`; in page order.

    A block in a table goes behind the outermost table: a Markdown table cannot hold it.
    """
    blocks: list[Block] = []
    behind: dict[int, LexborNode] = {}
    for place in _places(main):
        text = _text(place.node, word)
        if not text.strip():
            place.node.replace_with("")
            continue
        paragraph = tree.create_node("p")
        paragraph.insert_child(f"{word}{len(blocks)}x")
        blocks.append(Block(text, place.language))
        if place.table is None:
            place.node.replace_with(paragraph, move=True)
            continue
        place.node.replace_with("")
        behind.get(place.table.mem_id, place.table).insert_after(paragraph, move=True)
        behind[place.table.mem_id] = paragraph
    return blocks


def restore(markdown: str, blocks: list[Block], word: str) -> str:
    """Put every block back as a fence. Raises `Unreadable` unless each word is there exactly once."""
    if not is_whole(markdown, blocks, word):
        raise Unreadable("parser_error", "conversion lost or doubled a block of code")
    parts: list[str] = []
    done = 0
    for match in _WORD.finditer(markdown):
        if match.group(1) != word or match.start() < done:
            continue
        begin = markdown.rfind("\n", 0, match.start()) + 1
        end = markdown.find("\n", match.end())
        end = len(markdown) if end < 0 else end
        parts += (markdown[done:begin], _fences(markdown[begin:end], blocks, word))
        done = end
    return "".join(parts) + markdown[done:]


def is_whole(markdown: str, blocks: list[Block], word: str) -> bool:
    """Whether the text holds the word of every block exactly once."""
    found = sorted(int(number) for other, number in _WORD.findall(markdown) if other == word)
    return found == list(range(len(blocks)))


def _places(main: LexborNode) -> list[_Place]:
    """The outermost blocks below `main`, in page order; found before anything is changed."""
    places = []
    taken: set[int] = set()
    for found in main.css(BLOCKS):
        node = found
        while node.tag == "br" and node.parent is not None:
            node = node.parent
            if node.tag == "code":
                break
        if node.mem_id in taken or (node.tag == "div" and node.css_first("div.line, .memname") is None):
            continue
        table, nested = None, False
        parent = node.parent
        while parent is not None and parent.mem_id != main.mem_id:
            if parent.tag == "table":
                table = parent
            nested = nested or parent.tag in PREFORMATTED or parent.mem_id in taken
            parent = parent.parent
        if not nested:
            taken.add(node.mem_id)
            places.append(_Place(node, table, _language(node)))
    return places


def _text(node: LexborNode, word: str) -> str:
    """The text of a block as a browser shows it, line ends as in Unix."""
    if node.tag == "div":
        lines = [line.text().replace("\xa0", " ").rstrip() for line in _once(node.css("div.line"))]
        return "\n".join(lines) or _SPACES.sub(" ", node.text().replace("\xa0", " ")).strip()
    breaks = _once(node.css("br"))
    if node.tag == "code":
        for br in breaks:
            br.replace_with(word)
        lines = _SPACES.sub(" ", node.text()).split(word)
        return "\n".join(line.strip(" ") for line in lines).replace("\xa0", " ")
    # Some generators write both a `br` and a line end for each line.
    doubled = all((br.next is not None and (br.next.text_content or "").startswith("\n")) for br in breaks)
    for br in breaks:
        br.replace_with("" if doubled else "\n")
    return node.text().replace("\r\n", "\n").replace("\r", "\n")


def _once(nodes: list[LexborNode]) -> list[LexborNode]:
    """The nodes without repetition: a selector list gives a node once for each selector it matches."""
    return list({node.mem_id: node for node in nodes}.values())


def _language(node: LexborNode) -> str:
    """The language that the block, its `code` child or a near ancestor names."""
    candidates = [node]
    if (inner := node.css_first("code")) is not None:
        candidates.append(inner)
    parent = node.parent
    for _ in range(LANGUAGE_LEVELS):
        if parent is None or parent.tag in ("body", "li", "td", "dd"):
            break
        candidates.append(parent)
        parent = parent.parent
    for candidate in candidates:
        if name := _named(candidate):
            return "" if name.lower() in NO_LANGUAGE else name.lower()
    return ""


def _named(node: LexborNode) -> str:
    attributes = node.attributes
    name = attributes.get("data-lang") or attributes.get("data-language") or ""
    if re.fullmatch(r"[A-Za-z0-9_+#.-]{1,30}", name):
        return name
    classes = " ".join((attributes.get("class") or "").split())
    if found := _LANGUAGE.search(classes):
        return found.group(1)
    if node.tag in ("pre", "code"):
        if found := _PAIR.match(classes):
            return found.group(1)
        if _RUST.search(classes):
            return "rust"
    return ""


def _fences(line: str, blocks: list[Block], word: str) -> str:
    """One line of Markdown with its words replaced by fences; other text of the line comes first."""
    containers = _CONTAINERS.match(line)
    first = containers.group() if containers else ""
    rest = re.sub(r"[^> ]", " ", first)
    texts = re.split(word + r"(\d+)x", line[len(first) :])
    prose = " ".join(text.strip() for text in texts[::2] if not _MARKUP_ONLY.fullmatch(text))
    parts = [first + prose] if prose else []
    for number in texts[1::2]:
        fence = _fence(blocks[int(number)], rest)
        parts.append(fence if parts else first + fence[len(rest) :])
    return f"\n{rest.rstrip()}\n".join(parts)


def _fence(block: Block, prefix: str) -> str:
    """A fence longer than any run of backticks in the block, each line behind the prefix."""
    longest = max(map(len, _BACKTICKS.findall(block.text)), default=0)
    ticks = "`" * max(3, longest + 1)
    lines = [ticks + block.language, *block.text.removesuffix("\n").split("\n"), ticks]
    bare = prefix.rstrip()
    return "\n".join(prefix + line if line else bare for line in lines)
