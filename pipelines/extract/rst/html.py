"""A document tree of docutils as HTML: what it says, with its code as the source has it."""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Sequence

from docutils import nodes

from pipelines.extract.source_html import balanced, escape, pre

_TAGS = {
    "paragraph": "p",
    "emphasis": "em",
    "strong": "strong",
    "superscript": "sup",
    "subscript": "sub",
    "title_reference": "em",
    "bullet_list": "ul",
    "list_item": "li",
    "definition_list": "dl",
    "definition": "dd",
    "field_list": "dl",
    "field_body": "dd",
    "option_list": "dl",
    "description": "dd",
    "thead": "thead",
    "tbody": "tbody",
    "row": "tr",
    "attribution": "p",
    "caption": "p",
    "rubric": "p",
}
_NOT_TEXT = frozenset(
    [
        "comment",
        "colspec",
        "meta",
        "pending",
        "substitution_definition",
        "target",
        "classifier",
        "decoration",
        "generated",
    ]
)
_BLOCKS = (nodes.bullet_list, nodes.enumerated_list, nodes.definition_list, nodes.field_list, nodes.option_list)
_UNQUOTED = (*_BLOCKS, nodes.literal_block, nodes.doctest_block, nodes.table, nodes.admonition, nodes.math_block)
_FIELD_WORDS = {
    "param": "Parameter",
    "parameter": "Parameter",
    "arg": "Parameter",
    "argument": "Parameter",
    "key": "Parameter",
    "keyword": "Parameter",
    "type": "Type of",
    "raises": "Raises",
    "raise": "Raises",
    "except": "Raises",
    "exception": "Raises",
    "throws": "Raises",
    "var": "Variable",
    "ivar": "Variable",
    "cvar": "Variable",
    "vartype": "Type of",
    "retval": "Returns",
    "returns": "Returns",
    "return": "Returns",
    "rtype": "Return type",
}
# Substitutions that a project defines for all of its pages, by the names that docutils gives them.
_CHARACTER_NAMES = "amp copy deg hellip larr ldquo lsquo mdash micro nbsp ndash plusmn rarr rdquo reg rsquo times trade"
_CHARACTERS = {name: html.entities.html5[name + ";"] for name in _CHARACTER_NAMES.split()} | {"--": "–", "---": "—"}
_TAB = 8
_ERROR = 3
_REFERENCE = re.compile(r"`(.+?)(?:\s*<[^<>]*>)?`__?|(\S+?)__?", re.DOTALL)
_UNDERLINE = re.compile(r"([^\w\s])\1*")


class HtmlOf:
    """Writes one document.

    lines: the source as docutils splits it. docutils expands tabs and drops white space at line ends; where
    its text of a block agrees with the source but for these, the source's own lines are written.
    """

    def __init__(self, lines: Sequence[str], language: str = "") -> None:
        self.lines = lines
        self.language = language
        self.level = 0
        self.targets: dict[str, str] = {}  # of links, by name

    def of(self, node: nodes.Node) -> str:
        """The HTML of a node and all that it holds."""
        if isinstance(node, nodes.Text):
            return escape(node.astext())
        name = node.tagname
        own = getattr(self, "_" + name, None)
        if own is not None:
            written: str = own(node)
            return written
        if name in _NOT_TEXT:
            return self._mark(node)
        if tag := _TAGS.get(name):
            return f"<{tag}>{self.inside(node)}</{tag}>"
        return self.inside(node)

    def inside(self, node: nodes.Node) -> str:
        """The HTML of what a node holds."""
        return "".join(self.of(child) for child in node.children)

    def _mark(self, node: nodes.Element) -> str:
        if "highlight" in node.attributes:
            self.language = node["highlight"]
        return ""

    def _section(self, node: nodes.section) -> str:
        self.level += 1
        inside = self.inside(node)
        self.level -= 1
        return inside

    def _title(self, node: nodes.title) -> str:
        text = self.inside(node)
        if isinstance(node.parent, nodes.section):
            level = min(self.level, 6)
            return f"<h{level}>{text}</h{level}>"
        if isinstance(node.parent, nodes.admonition):
            return f'<p class="admonition-title">{text}</p>'
        return f"<p><strong>{text}</strong></p>"

    def _admonition(self, node: nodes.admonition) -> str:
        return f'<div class="admonition">{self.inside(node)}</div>'

    def _literal(self, node: nodes.literal) -> str:
        tag = "kbd" if "kbd" in node["classes"] else "code"
        return f"<{tag}>{escape(node.astext())}</{tag}>"

    def _literal_block(self, node: nodes.literal_block) -> str:
        language = node.get("language") or self._class_language(node) or self.language
        return pre(self._exact(node), language)

    def _doctest_block(self, node: nodes.doctest_block) -> str:
        return pre(self._exact(node), "pycon")

    def _class_language(self, node: nodes.literal_block) -> str:
        classes = node["classes"]
        return str(classes[1]).lower() if len(classes) > 1 and classes[0] == "code" else ""

    def _exact(self, node: nodes.Element) -> str:
        """The text of a block, each line as in the source, behind its indentation."""
        text = str(node.astext())
        wanted = text.split("\n")
        if not node.line or any(not isinstance(child, nodes.Text) for child in node.children):
            return text
        # A doctest block knows its last line or its first one, depending on where it stands.
        for first in (node.line - 1, node.line - len(wanted)):
            found = _behind_indent(self.lines[max(first, 0) : first + len(wanted)], wanted)
            if found is not None:
                return found
        return text

    def _math(self, node: nodes.math) -> str:
        return f'<span class="math">\\({escape(node.astext())}\\)</span>'

    def _math_block(self, node: nodes.math_block) -> str:
        return f'<div class="math">\\[{escape(node.astext())}\\]</div>'

    def _image(self, node: nodes.image) -> str:
        alt = html.escape(node.get("alt") or "")
        return f'<img alt="{alt}">' if alt else ""

    def _raw(self, node: nodes.raw) -> str:
        return balanced(node.astext()) if "html" in node.get("format", "").split() else ""

    def _enumerated_list(self, node: nodes.enumerated_list) -> str:
        return f'<ol start="{node.get("start", 1)}">{self.inside(node)}</ol>'

    def _block_quote(self, node: nodes.block_quote) -> str:
        # Lists and code that are only indented more than they need be.
        inside = self.inside(node)
        return inside if all(isinstance(child, _UNQUOTED) for child in node) else f"<blockquote>{inside}</blockquote>"

    def _line_block(self, node: nodes.line_block) -> str:
        inside = "<br>".join(filter(None, (self.inside(child) for child in node.findall(nodes.line))))
        return f"<p>{inside}</p>"

    def _term(self, node: nodes.term) -> str:
        kinds = node.next_node(nodes.Element, descend=False, siblings=True)
        types = []
        while isinstance(kinds, nodes.classifier):
            types.append(" : " + self.inside(kinds))
            kinds = kinds.next_node(nodes.Element, descend=False, siblings=True)
        return f"<dt>{self.inside(node)}{''.join(types)}</dt>"

    def _classifier(self, node: nodes.classifier) -> str:
        return ""  # written with its term

    def _field_name(self, node: nodes.field_name) -> str:
        words = node.astext().split()
        if words and words[0] in _FIELD_WORDS:
            code = [f"<code>{escape(word)}</code>" for word in words[:0:-1]]
            return f"<dt>{' '.join([_FIELD_WORDS[words[0]], *code])}</dt>"
        return f"<dt>{self.inside(node)}</dt>"

    def _option_group(self, node: nodes.option_group) -> str:
        return f"<dt><code>{escape(', '.join(option.astext() for option in node))}</code></dt>"

    def _table(self, node: nodes.table) -> str:
        title = "".join(self.of(child) for child in node if isinstance(child, nodes.title))
        rest = "".join(self.of(child) for child in node if not isinstance(child, nodes.title))
        return f"{title}<table>{rest}</table>"

    def _entry(self, node: nodes.entry) -> str:
        tag = "th" if isinstance(node.parent.parent, nodes.thead) else "td"
        spans = f' colspan="{node.get("morecols", 0) + 1}" rowspan="{node.get("morerows", 0) + 1}"'
        return f"<{tag}{spans}>{self.inside(node)}</{tag}>"

    def _document(self, node: nodes.document) -> str:
        for target in node.findall(nodes.target):
            self.targets |= dict.fromkeys(target["names"], target.get("refuri", ""))
        return self.inside(node)

    def _reference(self, node: nodes.reference) -> str:
        target = node.get("refuri") or self.targets.get(node.get("refname", ""), "")
        return f'<a href="{html.escape(target)}">{self.inside(node)}</a>' if target else self.inside(node)

    def _footnote_reference(self, node: nodes.footnote_reference) -> str:
        return f'<a class="footnote-reference">{escape(node.astext())}</a>'

    def _footnote(self, node: nodes.footnote) -> str:
        return f'<aside class="footnote">{self.inside(node)}</aside>'

    def _label(self, node: nodes.label) -> str:
        text = escape(node.astext())
        return f'<span class="label">{text}</span>' if isinstance(node.parent, nodes.footnote) else f"<p>[{text}]</p>"

    def _citation_reference(self, node: nodes.citation_reference) -> str:
        return f"[{escape(node.astext())}]"

    def _problematic(self, node: nodes.problematic) -> str:
        if (character := _CHARACTERS.get(node.astext().strip("|"))) and node.astext().startswith("|"):
            return character
        found = _REFERENCE.fullmatch(node.astext())
        return escape((found[1] or found[2]) if found else node.astext())

    def _system_message(self, node: nodes.system_message) -> str:
        """Never the message, but the piece of the source that it is about, if that stands nowhere else."""
        if node["level"] < _ERROR or not isinstance(node[-1], nodes.literal_block):
            return ""
        source = node[-1].astext()
        lines = [line for line in source.split("\n") if line.strip()]
        if len(lines) <= 3 and _UNDERLINE.fullmatch(lines[-1].strip()):
            return f"<p><strong>{escape(lines[-2])}</strong></p>" if len(lines) > 1 else ""
        return pre(source, "")


def _behind_indent(found: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The found lines without the indentation that those wanted lack; None if they differ otherwise."""
    shown = [line.expandtabs(_TAB).rstrip() for line in found]
    widths = {len(a) - len(b) for a, b in zip(shown, wanted, strict=False) if b}
    if len(found) != len(wanted) or len(widths) != 1 or (width := widths.pop()) < 0:
        return None
    if any(a[width:] != b or a[:width].strip() for a, b in zip(shown, wanted, strict=True)):
        return None
    return "\n".join(_cut(line, width) for line in found)


def _cut(line: str, width: int) -> str:
    """The line without its first `width` columns, which are white space; what is left of a tab is spaces."""
    column = 0
    for at, character in enumerate(line):
        if column >= width:
            return " " * (column - width) + line[at:]
        column += _TAB - column % _TAB if character == "\t" else 1
    return ""
