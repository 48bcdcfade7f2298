"""A reader of bulk sources is a file here, called as the manifests call it under `bulk.reader`.

It has `bring(source, store)`, straight-line code that asks the store for pages and files, and may have
`split(record)`, which makes documents of a stored response that holds many: pure, and bounded. The names that it knows
in a source's `bulk.fields` stand in `FIELDS`; without it there are none.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from crawlers.bulk.split import Piece
from crawlers.bulk.store import Store
from crawlers.warc import Record
from manifests.models import Source


@dataclass(frozen=True, slots=True)
class Reader:
    """The two functions of a reader; `split` is None where each of its responses is one document, or none.

    `fields`: what it wants to know of a source beside what each one says.
    """

    bring: Callable[[Source, Store], None]
    split: Callable[[Record], Iterator[Piece]] | None
    fields: frozenset[str]


def reader_names() -> list[str]:
    """The readers that there are, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find_reader(name: str) -> Reader:
    """The reader of a name, which may come out of a file that we fetched; ValueError where there is none."""
    if name not in reader_names():
        raise ValueError(f"there is no bulk reader {name[:80]!r}; there are {', '.join(reader_names())}")
    module: Any = importlib.import_module(f"{__name__}.{name}")
    return Reader(module.bring, getattr(module, "split", None), getattr(module, "FIELDS", frozenset()))


def check_source(source: Source) -> None:
    """Raises ValueError, in one line, where a source is read in bulk by a reader that there is not, or told it what it
    does not know."""
    if source.bulk is None:
        return
    unknown = sorted(source.bulk.fields.keys() - find_reader(source.bulk.reader).fields)
    if unknown:
        raise ValueError(f"the bulk reader {source.bulk.reader} knows no field {unknown[0]!r}")
