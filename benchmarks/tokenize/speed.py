"""What the jobs of the stage take on one core, beside the ceilings and beside others, over the same part.

The ceilings are what encoder and writer take if nothing stands around them: gigatoken's own reading and encoding of
the part's Parquet file, and Arrow's writing of the finished shards with the same options.
"""

from __future__ import annotations

import cProfile
import pstats
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import gigatoken
import pyarrow.parquet as pq

from benchmarks.extract.packages import Log
from benchmarks.filter.speed import one_core
from benchmarks.tokenize import peers
from benchmarks.tokenize.texts import END, Corpus
from manifests.models import TokenizeSettings
from pipelines import storage
from pipelines.engine import Job
from pipelines.parts import Part, parquet_options, read_table
from pipelines.tokenize import encode
from pipelines.tokenize.encode import encode_part
from pipelines.tokenize.pack import LAYOUT, pack_shard
from pipelines.tokenizer import Ints, TextTokenizer

ROUNDS = 5
_JOBS = ("encode_part", "pack_shard")
_SHOWN = 16

T = TypeVar("T")
_SETTINGS = TokenizeSettings(tokenizer="tokenizer.json")


class Stage(NamedTuple):
    """What the jobs of one part gave: seconds of each step, tokens (end tokens too), bytes on the disk."""

    encode_s: float
    pack_s: float
    tokens: int
    encoded_bytes: int
    shard_bytes: int
    shards: tuple[str, ...]


def measure(corpus: Corpus, scratch: Path, log: Log) -> dict[str, Any]:
    """Seconds of processor time of each by the best of ROUNDS in turns, every encoder as warm as the others."""
    best: dict[str, float] = {}
    with one_core():
        for number in range(1, ROUNDS + 1):
            stage = run_stage(corpus, scratch / "ours")
            took = {"encode": stage.encode_s, "pack": stage.pack_s, **_ceilings(corpus, stage, scratch)}
            best = {name: min(seconds, best.get(name, seconds)) for name, seconds in took.items()}
            log(
                f"speed, round {number} of {ROUNDS}: {', '.join(f'{name} {each:.3f} s' for name, each in took.items())}"
            )
        profile = _profile(corpus, scratch / "ours")
        others = peers.measure(corpus, scratch / "peers", log)
    return {
        "documents": corpus.documents,
        "megabytes": corpus.megabytes,
        "tokens": stage.tokens,
        "seconds": best,
        "ratio": (best["encode"] + best["pack"]) / (best["encoder alone"] + best["writer alone"]),
        "shard_bytes_per_token": stage.shard_bytes / stage.tokens,
        "encoded_bytes_per_token": stage.encoded_bytes / stage.tokens,
        "profile_ms_per_million": {name: 1e9 * each / stage.tokens for name, each in profile.items()},
        "peers": others,
    }


def run_stage(corpus: Corpus, directory: Path, profile: cProfile.Profile | None = None) -> Stage:
    """The stage's jobs over the part, as `pipelines.tokenize.stage` plans them, after the other part."""
    shutil.rmtree(directory, ignore_errors=True)
    encode._tokenizer.cache_clear()
    common = common_spec(corpus)
    encode_part(_encoding(directory, "warm", corpus.warm, common))
    if profile:
        profile.enable()
    encoded, encode_s = timed(lambda: encode_part(_encoding(directory, "part", corpus.part, common)))
    jobs = list(_packing(directory, encoded, common))
    parts, pack_s = timed(lambda: [pack_shard(job) for job in jobs])
    if profile:
        profile.disable()
    shards = tuple(storage.join(str(directory), f"{part.name}.parquet") for part in parts)
    return Stage(
        encode_s,
        pack_s,
        sum(part.counts.extra["tokens"] for part in parts),
        sum(Path(directory, "_encoded", name).stat().st_size for name in ("part.ids", "part.parquet")),
        sum(Path(url).stat().st_size for url in shards),
        shards,
    )


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and the seconds of processor time that it took."""
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def _profile(corpus: Corpus, directory: Path) -> dict[str, float]:
    """Seconds of the functions that the two jobs call, the dearest first."""
    profile = cProfile.Profile(time.process_time)
    run_stage(corpus, directory, profile)
    seconds: dict[str, float] = {}
    for (_, _, name), (*_, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if name in _JOBS:
            seconds[f"{name}: itself"] = own
        for (_, _, caller), (*_, spent) in callers.items():
            if caller in _JOBS:
                seconds[f"{caller}: {name.strip('{}')}"] = spent
    dearest = sorted(seconds.items(), key=lambda each: -each[1])
    return dict(dearest[:_SHOWN])


def lengths(corpus: Corpus, scratch: Path) -> Ints:
    """Tokens of each document of the part, end tokens too."""
    run_stage(corpus, scratch / "ours")
    tokens: Ints = read_table(str(scratch / "ours" / "_encoded" / "part.parquet"), ["tokens"])["tokens"].to_numpy()
    return tokens


def common_spec(corpus: Corpus) -> Mapping[str, Any]:
    """What all jobs are told of the tokenizer."""
    sha256 = TextTokenizer(corpus.tokenizer.read_text(), END).sha256
    return {"tokenizer": str(corpus.tokenizer), "tokenizer_sha256": sha256, "end_of_document": END}


def _encoding(directory: Path, name: str, url: str, common: Mapping[str, Any]) -> Job:
    spec = {"input": url, "name": name, "settings": _SETTINGS.model_dump(exclude={"tokenizer"}), "seed": 0, **common}
    return Job(encode_part, str(directory / "_encoded"), name, "bench", spec)


def _packing(directory: Path, encoded: Part, common: Mapping[str, Any]) -> Iterator[Job]:
    """A shard of each list."""
    spec = {
        **common,
        "inputs": [str(directory / "_encoded" / "part.parquet")],
        "sequence_length": _SETTINGS.sequence_length,
        "packing": _SETTINGS.packing,
        "seed": 0,
        "shard": 0,
        "shards": 1,
    }
    for name in (each.removeprefix("list:") for each in encoded.counts.extra if each.startswith("list:")):
        yield Job(pack_shard, str(directory), f"shards/{name}/shard-00000", "bench", {**spec, "list": name})


def _ceilings(corpus: Corpus, stage: Stage, scratch: Path) -> dict[str, float]:
    """Seconds of gigatoken alone, as warm as ours, and of Arrow's writer alone."""
    fast = gigatoken.Tokenizer.from_json(corpus.tokenizer.read_text())
    _encode_file(fast, corpus.warm)
    alone = timed(lambda: _encode_file(fast, corpus.part))[1]
    tables = [read_table(url) for url in stage.shards]
    place, rows, options = str(scratch / "alone.parquet"), LAYOUT.group_rows, parquet_options(LAYOUT)
    return {
        "encoder alone": alone,
        "writer alone": timed(lambda: [pq.write_table(each, place, row_group_size=rows, **options) for each in tables])[
            1
        ],
    }


def _encode_file(fast: gigatoken.Tokenizer, url: str) -> None:
    fast.encode_files(gigatoken.ParquetFileSource([url], column="text"), parallel=False)
