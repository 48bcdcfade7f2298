"""The score columns that tell junk from documents, for a batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.junk.model import SCORES as PAGES
from filters.junk.model import page_scores
from filters.junk.phrases import phrase_shares
from filters.junk.shape import SCORES as SHAPE
from filters.junk.shape import shape
from filters.stream import Stream
from manifests.load import load_junk

# Of the kinds of phrases, the share of a document's words that stand in such a phrase.
SCORES = (*load_junk().phrases, *PAGES, *SHAPE)


def scores(stream: Stream) -> dict[str, npt.NDArray[np.float32]]:
    """SCORES of each document."""
    return phrase_shares(stream) | page_scores(stream) | shape(stream)
