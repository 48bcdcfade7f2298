"""How others tokenize the same texts on one core, from a file of documents to their files of ids."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup.peers import silence
from benchmarks.extract.packages import Log
from benchmarks.tokenize.texts import END, Corpus

EVERY = 5  # they get one document in so many


class Peer(NamedTuple):
    """`module`: what must be installed; `run`: tokens that were written, end tokens too."""

    name: str
    module: str
    run: Callable[[Path, Path, Path], int]


def measure(corpus: Corpus, scratch: Path, log: Log) -> dict[str, dict[str, float]]:
    """Of each peer that is installed: tokens, seconds of processor time, tokens/s."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core, as a worker has
    shutil.rmtree(scratch, ignore_errors=True)
    source = _write(corpus, scratch / "source")
    found = {}
    for peer in PEERS:
        if not installed(peer.module):
            log(f"skipped {peer.name}: not installed")
            continue
        output = scratch / peer.module.partition(".")[0]
        output.mkdir()
        with silence():
            begin = time.process_time()
            tokens = peer.run(source, corpus.tokenizer, output)
            seconds = time.process_time() - begin
        found[peer.name] = {"tokens": tokens, "seconds": seconds, "tokens_per_s": tokens / seconds}
        log(f"{peer.name}: {tokens / 1e6:.2f} million tokens in {seconds:.1f} s")
    return found


def installed(module: str) -> bool:
    """Whether it can be imported."""
    try:
        with silence():
            import_module(module)
    except ImportError:
        return False
    return True


def _write(corpus: Corpus, source: Path) -> Path:
    """The same documents as Parquet, for datatrove, and as JSON lines, for Megatron."""
    source.mkdir(parents=True)
    table = pq.read_table(corpus.part, columns=["doc_id", "text"])
    table = table.take(pa.array(np.arange(0, table.num_rows, EVERY))).rename_columns(["id", "text"])
    pq.write_table(table, source / "texts.parquet", compression="zstd")
    lines = (json.dumps({"text": text}) + "\n" for text in table["text"].to_pylist())
    (source / "texts.jsonl").write_text("".join(lines), encoding="utf-8")
    return source


def datatrove(source: Path, tokenizer: Path, output: Path) -> int:
    """Its reader and its DocumentTokenizer, which shuffles the documents."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    step = DocumentTokenizer(str(output / "ids"), str(tokenizer), eos_token=END, seed=0)
    reader = ParquetReader(str(source), glob_pattern="*.parquet")
    LocalPipelineExecutor([reader, step], tasks=1, workers=1, logging_dir=str(output / "logs")).run()
    return sum(path.stat().st_size for path in (output / "ids").glob("*.ds")) // step.token_size


def megatron(source: Path, tokenizer: Path, output: Path) -> int:
    """As its tools/preprocess_data.py does it in one process: lines of JSON, a document at a time, an eod behind it."""
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(tokenizer))
    end = encoder.token_to_id(END)
    builder = IndexedDatasetBuilder(str(output / "texts.bin"), dtype=np.int32)
    with (source / "texts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            ids = [*encoder.encode(json.loads(line)["text"]).ids, end]
            builder.add_document(ids, [len(ids)])
    builder.finalize(str(output / "texts.idx"))
    return (output / "texts.bin").stat().st_size // 4


DATATROVE = "datatrove's DocumentTokenizer"
PEERS: tuple[Peer, ...] = (
    Peer(DATATROVE, "datatrove.pipeline.tokens", datatrove),
    Peer("Megatron's preprocess logic", "megatron.core.datasets.indexed_dataset", megatron),
)


def summary(found: dict[str, dict[str, float]], ours: float) -> list[tuple[Any, ...]]:
    """A row a peer: its name, how many times as fast ours is, its millions of tokens a second."""
    names = [peer.name for peer in PEERS]
    return [
        (name, f"{ours / found[name]['tokens_per_s']:.1f}", f"{found[name]['tokens_per_s'] / 1e6:.2f}")
        if name in found
        else (name, "not installed", "")
        for name in names
    ]
