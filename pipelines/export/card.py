"""The card of an export: README.md, as Hugging Face's `datasets` and its hub read it, and people.

Every number is a sum over what the parts of the export count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from manifests.models import ExportSettings, Recipe
from pipelines.export.lineage import COUNTED
from pipelines.export.mds import FOLDER as MDS
from pipelines.export.sequences import SHARDS, list_of
from pipelines.export.text import FOLDER as TEXT
from pipelines.lists import SPLITS
from pipelines.parts import Counts, Part

NAME = "README.md"
# Licences that the hub knows by a name of its own; any other is "other", and stands in the table.
_HUB = {
    *("apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0"),
    *("cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "epl-2.0", "gfdl", "gpl-2.0", "gpl-3.0", "isc"),
    *("lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "ofl-1.1", "postgresql", "unlicense", "zlib"),
}
_SIZES = {
    10**3: "n<1K",
    10**4: "1K<n<10K",
    10**5: "10K<n<100K",
    10**6: "100K<n<1M",
    10**7: "1M<n<10M",
    10**8: "10M<n<100M",
    10**9: "100M<n<1B",
}
_SHARD_SUMS = ("documents", "tokens", "sequences", "padding", "bytes")


def card(recipe: Recipe, tokenized: Mapping[str, Any], shards: Sequence[Part], told: Counts) -> str:
    """The card of a corpus. `tokenized`: what the commit of tokenize says besides; `told`: the sums of the lineage."""
    name, contact, settings = recipe.name, recipe.crawl.contact, recipe.export
    lists = _lists(shards)
    numbers = _by_column(told)
    head = {
        "pretty_name": name,
        "language": sorted(numbers["language"].keys() - {"unknown"}),
        "license": sorted({_hub_licence(licence) for licence in numbers["licence"]}),
        "size_categories": [_size(sum(each["sequences"] for each in lists.values()))],
        "task_categories": ["text-generation"],
        "tags": ["pretraining", "systems", *sorted({_category(each) for each in lists})],
        "configs": _configs(lists, settings),
    }
    parts = [
        f"# {name}",
        "Packed sequences of token ids for pre-training: Markdown documents about computer systems, each with its "
        "licence and its way back to where it was found. `_commit.json` names every file with its SHA-256; where it is "
        "missing, the export is not whole.",
        "## What it holds",
        *_contents(lists, tokenized, numbers),
        "## How to load it",
        *_loading(next(iter(sorted(lists)), ""), settings, tokenized),
        "## Where it comes from",
        "`lineage/` tells of each document its URL, source, licence and the evidence for it, edits, copies, and the "
        "records that it was made from; `attribution/` and `ATTRIBUTION.txt` name authors where the licence asks for "
        "it. A rewrite names its parents.",
        "## To have something removed",
        f"Write to {contact or 'those who publish this export'}, with the URL or the doc_id. `syscorpus takedown` "
        "removes a document and what was made from it from every stage and export, masks its tokens in place "
        "(`doc_id` null, end-of-document tokens), and remembers it, so that no later crawl brings it back.",
    ]
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- numbers


def _lists(shards: Sequence[Part]) -> dict[str, Mapping[str, int]]:
    """The sums of each list's shards, by `SPLIT/LIST`."""
    own: dict[str, list[Counts]] = {}
    for part in shards:
        own.setdefault(list_of(part.name), []).append(part.counts)
    return {each: Counts.total(counts).extra for each, counts in sorted(own.items()) if Counts.total(counts).rows}


def _by_column(told: Counts) -> dict[str, dict[str, int]]:
    """How many documents of each value, the most first, by column."""
    numbers: dict[str, dict[str, int]] = {column: {} for column in COUNTED}
    for key, number in sorted(told.extra.items(), key=lambda item: (-item[1], item[0])):
        column, _, value = key.partition("\t")
        numbers[column][value] = number
    return numbers


def _category(name: str) -> str:
    return name.partition("/")[2].rsplit(".", 2)[0]


def _size(rows: int) -> str:
    return next((size for most, size in _SIZES.items() if rows < most), "n>1B")


def _hub_licence(licence: str) -> str:
    """The hub's name of an SPDX licence."""
    name = re.sub(r"-(only|or-later)$", "", licence.lower())
    name = "gfdl" if name.startswith("gfdl-") else name
    return name if name in _HUB else "unknown" if name == "unknown" else "other"


# ---------------------------------------------------------------- configurations


def _configs(lists: Mapping[str, Any], settings: ExportSettings) -> list[dict[str, Any]]:
    """One of all sequences, one of each list, the lineage, and the text where it is Parquet, as all must be."""
    configs = [_config("default", [*lists], SHARDS + "{}/*/*.parquet")]
    configs[0]["default"] = True
    for name in sorted({each.partition("/")[2] for each in lists}):
        there = [each for each in lists if each.partition("/")[2] == name]
        configs.append(_config(name, there, f"{SHARDS}{{}}/{name}/*.parquet"))
    if "text" in settings.formats and settings.text == "parquet":
        configs.append(_config("text", [*lists], TEXT + "{}/*/*.parquet"))
    return [*configs, {"config_name": "lineage", "data_files": [{"split": "train", "path": "lineage/*.parquet"}]}]


def _config(name: str, lists: Sequence[str], path: str) -> dict[str, Any]:
    splits = [each for each in SPLITS if any(own.startswith(f"{each}/") for own in lists)]
    files = [{"split": each, "path": path.format(each)} for each in splits]
    return {"config_name": name, "data_files": files}


# ---------------------------------------------------------------- what people read


def _contents(
    lists: Mapping[str, Mapping[str, int]], tokenized: Mapping[str, Any], numbers: Mapping[str, Mapping[str, int]]
) -> list[str]:
    total = {name: sum(each[name] for each in lists.values()) for name in _SHARD_SUMS}
    tokenizer = tokenized["tokenizer"]
    share = total["padding"] / max(1, total["tokens"] + total["padding"])
    by_source = tokenized["tokens_by_source"]
    return [
        f"{total['documents']:,} documents, {total['bytes']:,} bytes of text, {total['tokens']:,} tokens in "
        f"{total['sequences']:,} sequences of {tokenized['sequence_length']:,}, {share:.2%} of them padding. "
        f"Tokenizer: `tokenizer.json`, {tokenizer['vocabulary']:,} tokens, SHA-256 of its canonical JSON "
        f"`{tokenizer['sha256']}`; each document ends in `{tokenizer['end_of_document']}` ({tokenizer['end_id']}), "
        "and so does the padding.",
        "A list is a category, a tier of quality and an origin; each is packed and shuffled for itself.",
        _table(
            ("split", "list", *_SHARD_SUMS),
            [(*each.split("/", 1), *(own[name] for name in _SHARD_SUMS)) for each, own in lists.items()],
        ),
        _table(("category", "documents"), list(numbers["category"].items())),
        _table(("licence", "documents"), list(numbers["licence"].items())),
        _table(
            ("source", "documents", "tokens"),
            [(name, number, by_source.get(name, 0)) for name, number in numbers["source"].items()],
        ),
        *_teachers(numbers["teacher"]),
    ]


def _teachers(numbers: Mapping[str, int]) -> list[str]:
    if not numbers:
        return []
    return [
        "Rewrites, which models wrote from these documents, under the licence of each model's output besides:",
        _table(("teacher, licence", "documents"), list(numbers.items())),
    ]


def _table(names: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    cells = [[each if isinstance(each, str) else f"{each:,}" for each in row] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _loading(some: str, settings: ExportSettings, tokenized: Mapping[str, Any]) -> list[str]:
    ways = [
        _code(
            "from datasets import load_dataset",
            'rows = load_dataset("PATH OR REPOSITORY", split="train", streaming=True)  # every list',
            f'rows = load_dataset("PATH OR REPOSITORY", "{some.partition("/")[2]}", split="train", streaming=True)',
        ),
        "A row is `input_ids`, its `segments` (which document, how many tokens, which bytes of its text) in their "
        "order, and the number of tokens of `padding` at its end.",
        _code(
            "from pipelines.reader import PackedSequences  # of syscorpus: with masks, shared out by rank, resumable",
            'batches = PackedSequences("PATH", "train", seed=0).batches(8)',
        ),
        _code(
            "import grain  # as MaxText and torchtitan read",
            f'rows = grain.experimental.ParquetIterDataset("PATH/{SHARDS}{some}/shard-00000.parquet")',
        ),
    ]
    if "megatron" in settings.formats:
        length = tokenized["sequence_length"]
        ways.append(f"Megatron: `--data-path megatron/{some} --seq-length {length}`; `megatron/README.txt` says more.")
    if "mds" in settings.formats:
        reading = f'rows = StreamingDataset(local="PATH/{MDS}{some}", batch_size=8)'
        ways.append(_code("from streaming import StreamingDataset", reading))
    if "text" in settings.formats:
        of_json = f'"json", data_files="PATH/{TEXT}train/*/*.jsonl.gz"'
        named = of_json if settings.text == "jsonl" else '"PATH OR REPOSITORY", "text"'
        ways.append(_code(f'rows = load_dataset({named}, split="train", streaming=True)  # the documents as text'))
    return ways


def _code(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])
