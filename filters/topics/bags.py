"""The tokens of a batch of documents in three bags, made once for all models: words, form, place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from filters.stream import Hashes, Offsets, Stream
from filters.topics import tokens
from filters.topics.forms import form_tokens
from filters.topics.words import word_tokens

BAGS = ("words", "forms", "places")

_SEGMENT = re.compile(r"[a-z]{3,}")
_MOST_SEGMENTS = 12


@dataclass(frozen=True)
class PageForm:
    """What is known of a document beside its text: its URL or path, and how it was read (columns of a document)."""

    url: str = ""
    method: str = ""
    generator: str = ""


@dataclass(frozen=True)
class Bags:
    """Tokens by bag, of all documents one behind the other, and where those of each begin (one entry more); and of
    each document whether it is code itself."""

    tokens: dict[str, tuple[Hashes, Offsets]]
    code: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tokens["words"][1]) - 1


def read_bags(stream: Stream, pages: Sequence[PageForm] = ()) -> Bags:
    """The bags of a batch; without pages, its places are empty. There are no pages, or one for each document."""
    found = {"words": word_tokens(stream), "forms": form_tokens(stream)}
    rows = [place_tokens(page) for page in pages] or [[] for _ in range(len(stream))]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    found["places"] = np.array([token for row in rows for token in row], np.uint64), offsets
    return Bags(found, tokens.is_code(stream))


def place_tokens(page: PageForm) -> list[int]:
    """Tokens of an address, without its host: words of its path, its ending, reader and generator."""
    path = PurePosixPath(urlsplit(page.url).path if "://" in page.url else page.url)
    words = _SEGMENT.findall(str(path).removesuffix(path.suffix).lower())[-_MOST_SEGMENTS:]
    named = [*(f"word {word}" for word in words), f"ending {path.suffix.lower()}"]
    named += [f"method {page.method}", f"generator {page.generator}"]
    return [tokens.of_text(name, tokens.PLACE) for name in dict.fromkeys(named)]
