"""The body of a LaTeX document as HTML, and what the document says of itself."""

from __future__ import annotations

from pipelines.extract.latex import blocks as latex_blocks
from pipelines.extract.latex import text as latex_text
from pipelines.extract.latex.core import Document, Reader


def read_document(text: str) -> Document:
    """Read a source in one pass. Raises `Unreadable` where its macros grow without end."""
    return Reader(text, latex_text.COMMANDS | latex_blocks.COMMANDS, latex_blocks.CHARACTERS).read()
