"""HTML written piece by piece: paragraphs open and close by themselves, styles go on from one to the next."""

from __future__ import annotations

import html
from dataclasses import dataclass, field


@dataclass
class _Buffer:
    """What is written for one place. An `inline` one holds no paragraphs: their ends are line breaks."""

    inline: bool
    styles: list[str]
    parts: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)  # elements of styles that are open
    paragraph: bool = False
    space: bool = False
    nested: list[tuple[bool, bool]] = field(
        default_factory=list
    )  # of lists: whether inline before, whether an item is open


class Writer:
    """Writes into the last of its buffers. `styles` are the elements that text now stands in."""

    def __init__(self) -> None:
        self._buffers = [_Buffer(False, [])]
        self.styles: list[str] = []

    def text(self, text: str) -> None:
        """Characters, with the styles of now."""
        buffer = self._buffers[-1]
        if text.isspace():
            buffer.space = True
            return
        if text[:1].isspace():
            buffer.space = True
        self._start(buffer)
        buffer.parts.append(html.escape(text.strip(), quote=False))
        buffer.space = text[-1:].isspace()

    def inline(self, made: str) -> None:
        """Inline HTML that is made already."""
        if made:
            buffer = self._buffers[-1]
            self._start(buffer)
            buffer.parts.append(made)

    def block(self, made: str) -> None:
        """A block of HTML that is made already."""
        self.end_paragraph()
        self._buffers[-1].parts.append(made)

    def line_break(self) -> None:
        """A line break, unless nothing stands before it."""
        buffer = self._buffers[-1]
        if buffer.paragraph or (buffer.inline and buffer.parts):
            buffer.parts.append("<br>")
            buffer.space = False

    def end_paragraph(self) -> None:
        """End the paragraph, if one is open."""
        buffer = self._buffers[-1]
        self._close_styles(buffer, 0)
        if buffer.inline:
            self.line_break()
        elif buffer.paragraph:
            while buffer.parts[-1] == "<br>":
                buffer.parts.pop()
            buffer.parts.append("</p>\n")
            buffer.paragraph = False
        buffer.space = False

    def begin(self, *, inline: bool) -> None:
        """Write into a buffer of its own, until `end`."""
        self._buffers.append(_Buffer(inline, self.styles))
        self.styles = []

    def end(self) -> str:
        """The HTML of the last buffer; what was written before goes on."""
        self.end_paragraph()
        buffer = self._buffers.pop()
        self.styles = buffer.styles
        while buffer.parts and buffer.parts[-1] == "<br>":
            buffer.parts.pop()
        return "".join(buffer.parts).strip()

    def end_all(self) -> str:
        """All that was written."""
        while len(self._buffers) > 1:
            self.inline(self.end())
        self.end_paragraph()
        return "".join(self._buffers[0].parts)

    @property
    def is_inline(self) -> bool:
        """Whether what is written now stands in a line or a cell."""
        return self._buffers[-1].inline

    # ------------------------------------------------------------ lists and quotes

    def open_block(self, tag: str) -> None:
        """Begin a list or a quote."""
        self.end_paragraph()
        buffer = self._buffers[-1]
        buffer.parts.append(f"<{tag}>")
        buffer.nested.append((buffer.inline, False))
        buffer.inline = False

    def end_item(self, tag: str) -> None:
        """End the item of the list that is open, if there is one."""
        buffer = self._buffers[-1]
        if buffer.nested and buffer.nested[-1][1]:
            buffer.parts.append("</dd>\n" if tag == "dl" else "</li>\n")
            buffer.nested[-1] = (buffer.nested[-1][0], False)

    def begin_item(self, tag: str, term: str = "") -> None:
        """Begin an item, with its term, or with the mark that the document gives it."""
        buffer = self._buffers[-1]
        if buffer.nested:
            buffer.nested[-1] = (buffer.nested[-1][0], True)
        if tag == "dl":
            buffer.parts.append(f"<dt>{term}</dt>\n<dd>")
            return
        buffer.parts.append("<li>")
        if term and term not in "•–-*" and not (tag == "ol" and term.rstrip(".):").isdecimal()):
            self.inline(term)
            buffer.space = True

    def close_block(self, tag: str) -> None:
        """End a list or a quote."""
        self.end_paragraph()
        buffer = self._buffers[-1]
        if buffer.nested:
            self.end_item(tag)
            buffer.inline = buffer.nested.pop()[0]
        buffer.parts.append(f"</{tag}>\n")

    def _start(self, buffer: _Buffer) -> None:
        """Open what text needs: a paragraph, the space before it, its styles."""
        if not buffer.inline and not buffer.paragraph:
            buffer.parts.append("<p>")
            buffer.paragraph, buffer.space = True, False
        wanted = ["code"] if "code" in self.styles else list(dict.fromkeys(self.styles))
        shared = 0
        while shared < min(len(wanted), len(buffer.opened)) and wanted[shared] == buffer.opened[shared]:
            shared += 1
        inside = shared == len(buffer.opened)
        if buffer.space and inside:
            buffer.parts.append(" ")
        self._close_styles(buffer, shared)
        if buffer.space and not inside:
            buffer.parts.append(" ")
        buffer.space = False
        for style in wanted[shared:]:
            buffer.parts.append(f"<{style}>")
            buffer.opened.append(style)

    def _close_styles(self, buffer: _Buffer, keep: int) -> None:
        while len(buffer.opened) > keep:
            buffer.parts.append(f"</{buffer.opened.pop()}>")
