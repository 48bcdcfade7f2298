"""A run: the directory that holds the committed output of every stage of one recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manifests.models import Recipe, Source
from pipelines import storage

STAGES = ("crawl", "extract", "classify", "dedup", "filter", "synth", "tokenize", "export")

# What a stage needs before it when it works alone on plain files, as a tool.
ALONE = {
    "crawl": ("crawl",),
    "extract": ("extract",),
    "classify": ("extract", "classify"),
    "dedup": ("extract", "classify", "dedup"),
    "filter": ("extract", "classify", "filter"),
    "synth": ("extract", "classify", "filter", "synth"),
    "tokenize": ("extract", "tokenize"),
    "export": ("export",),
}


@dataclass(frozen=True)
class Run:
    """Which recipe, where its output goes, and which stages make it.

    `url` is a directory or a bucket URL. `plain_inputs` are files that the first stage of `chain`
    reads in the place of a stage before it. `directories` puts a stage's output elsewhere.
    `base` is where the recipe's own relative paths begin. `again`: its sites are visited again.
    """

    url: str
    recipe: Recipe
    sources: tuple[Source, ...]
    base: Path
    chain: tuple[str, ...] = STAGES
    plain_inputs: tuple[str, ...] = ()
    directories: Mapping[str, str] = field(default_factory=dict)
    again: bool = False

    def directory(self, stage: str) -> str:
        """Where a stage's output lies; that of `export` lies where the recipe says."""
        if stage in self.directories:
            return self.directories[stage]
        target = self.recipe.export.to
        if stage == "export" and (storage.is_remote(target) or target.startswith("/")):
            return target
        return storage.join(self.url, target if stage == "export" else stage)

    def before(self, stage: str) -> tuple[str, ...]:
        """The stages whose output a stage reads: the one before it; `tokenize` reads `synth` beside `filter`."""
        index = self.chain.index(stage)
        earlier = [name for name in self.chain[:index] if name != "synth"]
        if stage == "tokenize" and "synth" in self.chain[:index]:
            return (earlier[-1], "synth")
        return tuple(self.chain[index - 1 : index]) if stage == "export" else tuple(earlier[-1:])
