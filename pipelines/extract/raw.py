"""A record of an input file, whatever file that was: ready to be extracted, or broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipelines.extract.licences import NOT_STATED, Stated

#: The time of fetching of what was not fetched.
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record, ready to be extracted. `row` is its offset or row number in `file`.

    `piece` is its number there, where a record of the file holds many documents. `name` is what a reader may know of
    where it lay: its URL, or its path in a repository. `licence` is what the licence files of its repository say, or
    its source of it alone. `columns` are what a row of a table brought along beside its text; then `body` is the text
    itself. `title` and `authors` are those of the index that listed it. `opt_out` is what its headers say,
    `site_opt_out` what its site does. One that `is_revisit` has no body: the record of its document with the same
    digest still stood. `wall` is what a page is in the place of its content.
    """

    doc_id: str
    url: str
    file: str
    row: int
    digest: str
    fetched_at: datetime
    piece: int = 0
    status: int = 200
    content_type: str | None = None
    opt_out: tuple[str, ...] = ()
    site_opt_out: tuple[str, ...] = ()
    licence: Stated = NOT_STATED
    body: bytes = b""
    name: str = ""
    columns: Mapping[str, Any] | None = field(default=None)
    title: str = ""
    authors: tuple[str, ...] = ()
    is_revisit: bool = False
    wall: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be read: it goes to quarantine with this reason."""

    url: str
    file: str
    row: int
    reason: str
    detail: str
