"""Commits behind a takedown: what they say of the files that changed, as a new generation that names the old one.

A commit gets the key that a stage has whose inputs are as they now are, so that a later `run` finds it current; where
a stage is made again all the same, it reads what was cleaned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipelines import storage
from pipelines.engine import COMMIT, Commit
from pipelines.parts import Counts, Part, find_part, key_of

GENERATION = "generation"


@dataclass
class Contents:
    """What the inputs of later stages are by now, by name: `changed` contents, and those that are `gone`."""

    changed: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def add(self, stage: str, commit: Commit, changes: Mapping[str, Sequence[str]]) -> None:
        """Notes what a stage commits by now. `changes`: hashes of its files before and behind, "" of what is gone."""
        for part in (*commit.parts, *commit.artefacts):
            self.changed[f"{stage}/{part.name}"] = part.content
            self.changed |= {f"{stage}/{name}": digest for name, digest in part.side.items()}
        self.gone |= {f"{stage}/{name}" for name, (_, after) in changes.items() if not after}


def part_at(directory: str, name: str, key: str) -> Part:
    """A part that was cleaned. Raises StorageError where it is damaged."""
    part = find_part(directory, name, key)
    if part is None:
        raise storage.StorageError(f"{directory}/{name}.parquet: was written, and cannot be read back")
    return part


def is_done(commit: Commit, takedown: str) -> bool:
    """Whether a commit is that of a takedown, of its record's name."""
    return bool(commit.extra.get(GENERATION, {}).get("takedown") == takedown)


def renewed(
    commit: Commit, parts: Sequence[Part], contents: Contents, settings: Mapping[str, Any], extra: Mapping[str, Any]
) -> Commit:
    """A commit over parts as they now are. `settings` and `extra` are what changes of its own."""
    inputs = [
        {**each, "content": contents.changed.get(each["name"], each["content"])}
        for each in commit.inputs
        if each["name"] not in contents.gone
    ]
    decides = {**commit.settings, **settings}
    pairs = sorted([each["name"], each["content"]] for each in inputs)
    return replace(
        commit,
        key=key_of(commit.stage, commit.version, decides, pairs),
        settings=decides,
        inputs=inputs,
        parts=parts,
        counts=shifted(commit.counts, commit.parts, parts),
        extra={**commit.extra, **extra},
    )


def shifted(total: Counts, before: Sequence[Part], after: Sequence[Part]) -> Counts:
    """The counts of a stage, moved by as much as those of its parts."""
    old, new = (asdict(Counts.total([part.counts for part in parts])) for parts in (before, after))
    moved: dict[str, Any] = {}
    for name, value in asdict(total).items():
        if isinstance(value, int):
            moved[name] = value + new[name] - old[name]
            continue
        names = value.keys() | (new[name].keys() if name != "extra" else set())
        sums = {each: value.get(each, 0) + new[name].get(each, 0) - old[name].get(each, 0) for each in names}
        moved[name] = {each: number for each, number in sorted(sums.items()) if number or name == "extra"}
    return Counts(**moved)


def write_generation(directory: str, commit: Commit, takedown: str) -> None:
    """Writes a commit in the place of the one that it supersedes, whole."""
    url = storage.join(directory, COMMIT)
    before = storage.read_bytes(url)
    number = json.loads(before)["extra"].get(GENERATION, {}).get("number", 1)
    told = {"number": number + 1, "supersedes": hashlib.sha256(before).hexdigest(), "takedown": takedown}
    fresh = replace(commit, extra={**commit.extra, GENERATION: told})
    storage.write_bytes(url, json.dumps(asdict(fresh), indent=1, sort_keys=True).encode())
