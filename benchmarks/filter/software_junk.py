"""A third set of junk: whole pages as widespread software shows them, of `software_junk.yaml`. No rule is tuned on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.filter.junk import Item


def items() -> Iterator[Item]:
    """The pages, as text; all of them are held out."""
    pages = yaml.safe_load(Path(__file__).with_name("software_junk.yaml").read_text(encoding="utf-8"))
    for kind, listed in pages.items():
        for number, text in enumerate(listed):
            yield Item(kind, text, False, True, f"https://page.example/{kind}-{number}")
