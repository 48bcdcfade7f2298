"""What one stored response holds, where it holds many documents."""

from __future__ import annotations

from dataclasses import dataclass

#: What a record is for, in its `about`: one with the role INDEX only says where documents are, and is none itself.
ROLE = "role"
INDEX = "index"
#: And one that a reader's `split` makes documents of names that reader, and the source.
READER = "reader"
SOURCE = "source"
#: One with the role EPRINT is a paper as its authors sent it: LaTeX, a gzip or a tar archive of it, or PDF.
EPRINT = "eprint"
#: What an index says of a record: the URL that people know it by, which makes its doc_id; its licence, and where.
PAGE = "page"
LICENCE = "licence"
LICENCE_EVIDENCE = "licence-evidence"


@dataclass(frozen=True, slots=True)
class Piece:
    """A document inside a response, the `number`th from 0.

    `id` is what its source calls it, the same in every crawl: with the source it makes the doc_id. `name` and
    `content_type` tell the format of `body`. `url` is where a person finds it, empty for nowhere; `licence` what is
    stated of it alone, and `licence_evidence` where.
    """

    number: int
    id: str
    body: bytes
    content_type: str
    name: str = ""
    url: str = ""
    licence: str = ""
    licence_evidence: str = ""
