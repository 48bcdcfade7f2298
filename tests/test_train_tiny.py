"""The example's model learns from shards, and sees nothing of another document."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reader import PackedSequences
from tests.readers import reader
from tests.shards import END, VOCABULARY, packed, random_rows, write_export

torch = reader("torch")

from examples.train_tiny import Decoder, DiffQKV, Shape, evaluate, train  # noqa: E402

DOCS = "docs.high.natural"
SHAPE = Shape(VOCABULARY, width=32, head_width=4, query_width=48, inner_width=64)


@pytest.fixture(autouse=True)
def _same_start():
    torch.manual_seed(0)


def counting(count: int, seed: int):
    """Rows of two documents, each of which counts upwards from somewhere."""
    random = np.random.default_rng(seed)
    starts = random.integers(1, VOCABULARY - 20, (count, 2)).tolist()
    return [packed([(f"{n}-{at}", range(at, at + 14)) for at in row]) for n, row in enumerate(starts)]


def test_the_loss_falls(tmp_path):
    export = write_export(tmp_path, {f"train/{DOCS}": [counting(256, 1)], f"validation/{DOCS}": [counting(32, 2)]})
    model, validation = Decoder(SHAPE), PackedSequences(export, "validation")
    before = evaluate(model, validation, 32)
    batches = PackedSequences(export, seed=1).batches(16, epochs=2)
    losses = [loss for _, loss in train(model, batches, 30, 32, learning_rate=1e-2)]
    assert len(losses) == 30
    assert before == pytest.approx(np.log(VOCABULARY), abs=0.1) == pytest.approx(losses[0], abs=0.1)
    assert np.mean(losses[-5:]) < losses[0] / 2
    assert evaluate(model, validation, 32) < before / 2


def test_heads_are_in_sigma_s_ratio():
    shape = Shape(VOCABULARY)
    assert (shape.query_heads, shape.key_heads, shape.value_heads) == (32 // 4, 4 // 4, 16 // 4)
    attention = DiffQKV(shape)
    assert attention.key.out_features * 4 == attention.value.out_features
    assert attention.query_gate.out_features == attention.query_down.in_features == shape.width * 3 // 2


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.data())
def test_a_document_alone_and_among_others_is_the_same_to_the_model(seed, data):
    """What stands beside a document in its sequence changes nothing of what the model sees of it."""
    model = Decoder(SHAPE)
    (row,) = random_rows(1, seed)
    segments = [each["tokens"] for each in row["segments"]]
    number = data.draw(st.integers(0, len(segments) - 1))
    begin, tokens = sum(segments[:number]), segments[number]
    ids = row["input_ids"][begin : begin + tokens]
    alone = {"input_ids": ids, "position_ids": list(range(tokens)), "segment_ids": [1] * tokens}
    numbers = [n for n, each in enumerate(segments, 1) for _ in range(each)]
    positions = [at for each in segments for at in range(each)]
    padding = [END] * row["padding"]
    among = {"input_ids": row["input_ids"], "position_ids": positions + padding, "segment_ids": numbers + padding}
    with torch.no_grad():
        one, all_ = (model({name: torch.tensor([each]) for name, each in of.items()}) for of in (alone, among))
    assert torch.isfinite(all_).all()
    assert torch.allclose(one[0], all_[0, begin : begin + tokens], atol=1e-5)


def test_a_token_sees_only_what_stands_before_it():
    model = Decoder(SHAPE)
    ids = torch.randint(1, VOCABULARY, (1, 12))
    other = ids.clone()
    other[0, 8:] = (other[0, 8:] % (VOCABULARY - 1)) + 1
    rest = {"position_ids": torch.arange(12)[None], "segment_ids": torch.ones(1, 12, dtype=torch.int32)}
    with torch.no_grad():
        one, two = (model({"input_ids": each, **rest}) for each in (ids, other))
    assert torch.equal(one[:, :8], two[:, :8])
    assert not torch.allclose(one[:, 8:], two[:, 8:])
