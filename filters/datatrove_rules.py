"""datatrove's own quality filters, run as they are: for recipes that want the general-web verdict beside ours.

They are the rules of Gopher (Rae et al. 2021), C4 (Raffel et al. 2020) and FineWeb (Penedo et al. 2024). On
system documentation they drop most of what an engineer would keep, so the default recipe asks for none.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

NAMES = ("gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality")


@functools.lru_cache(maxsize=len(NAMES))
def _filter(name: str) -> Any:
    from datatrove.pipeline import filters

    kinds = {
        "gopher_repetition": filters.GopherRepetitionFilter,
        "gopher_quality": filters.GopherQualityFilter,
        "c4_quality": filters.C4QualityFilter,
        "fineweb_quality": filters.FineWebQualityFilter,
    }
    return kinds[name]()


def failed_rules(text: str, names: Sequence[str]) -> list[str]:
    """Of the named filters those that would drop the text, as `filter:reason`, in the order of the names."""
    from datatrove.data import Document

    failed = []
    for name in names:
        # A fresh document for each: some filters change the text that they judge.
        verdict = _filter(name).filter(Document(text=text, id=""))
        passed, reason = verdict if isinstance(verdict, tuple) else (verdict, "")
        if not passed:
            failed.append(f"{name}:{reason}")
    return failed
