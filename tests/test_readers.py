"""The readers that `make test` installs are there, and read what their own writers wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.readers import mds, reader

DOCUMENTS = [np.arange(start, start + 8, dtype=np.int32) for start in range(0, 200, 10)]


@pytest.mark.filterwarnings("ignore")
def test_megatron(tmp_path: Path):
    torch = reader("torch")
    indexed = reader("megatron.core.datasets.indexed_dataset")
    builder = indexed.IndexedDatasetBuilder(str(tmp_path / "part.bin"), dtype=np.int32)
    for document in DOCUMENTS:
        builder.add_document(torch.from_numpy(document), [len(document)])
    builder.finalize(str(tmp_path / "part.idx"))
    read = indexed.IndexedDataset(str(tmp_path / "part"))  # kept: what it gives lies in a file that it unmaps
    assert np.array_equal([read[index] for index in range(len(read))], DOCUMENTS)


def test_grain():
    grain = reader("grain")
    loaded = list(grain.MapDataset.source(DOCUMENTS).to_iter_dataset())
    assert np.array_equal(loaded, DOCUMENTS)


def test_mds(tmp_path: Path):
    streaming = mds()
    with streaming.MDSWriter(out=str(tmp_path), columns={"input_ids": "ndarray:int32"}) as writer:
        for document in DOCUMENTS:
            writer.write({"input_ids": document})
    read = streaming.LocalDataset(str(tmp_path))
    assert np.array_equal([row["input_ids"] for row in read], DOCUMENTS)
    assert "transformers" not in sys.modules


def test_a_reader_that_is_not_there_skips_its_tests():
    with pytest.raises(pytest.skip.Exception, match="no_such_reader cannot be imported"):
        reader("no_such_reader")
