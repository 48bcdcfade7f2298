"""Trains a tiny model on the shards of a run, on a CPU, and shows the loss fall: `python -m examples.train_tiny`.

The model is a small one of SIGMA's kind (arXiv 2501.13629): DiffQKV attention, which has far fewer heads of keys than
of values, and more room for queries; SwiGLU, RMSNorm, rotary positions. Attention stays inside a document.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.reader import NO_LABEL, Batches, PackedSequences, labels_of


@dataclass(frozen=True)
class Shape:
    """Sizes of a model. Heads of Q, K and V are in SIGMA's ratio, 32 : 4 : 16, and so is the room for queries."""

    vocabulary: int
    width: int = 128
    layers: int = 2
    query_heads: int = 8
    key_heads: int = 1
    value_heads: int = 4
    head_width: int = 16
    query_width: int = 192  # 1.5 x width
    inner_width: int = 384
    rope_theta: float = 50_000.0


class DiffQKV(nn.Module):
    """Attention with augmented queries, down(silu(gate(q)) * up(q)), and K and V of differing numbers of heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries = shape.query_heads * shape.head_width
        self.query = nn.Linear(shape.width, queries, bias=False)
        self.key = nn.Linear(shape.width, shape.key_heads * shape.head_width, bias=False)
        self.value = nn.Linear(shape.width, shape.value_heads * shape.head_width, bias=False)
        self.query_gate = nn.Linear(queries, shape.query_width, bias=False)
        self.query_up = nn.Linear(queries, shape.query_width, bias=False)
        self.query_down = nn.Linear(shape.query_width, queries, bias=False)
        self.out = nn.Linear(queries, shape.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor, mask: Tensor) -> Tensor:
        """x: float[B, L, width]; turns: see turns_of; mask: bool[B, 1, L, L], who may look at whom."""
        query = self.query(x)
        query = self.query_down(functional.silu(self.query_gate(query)) * self.query_up(query))
        query, key, value = (self._heads(each) for each in (query, self.key(x), self.value(x)))
        # Query head n looks at key head n * key_heads // query_heads, and so for values (the paper's equation 3).
        key = rotated(key, turns).repeat_interleave(self.shape.query_heads // self.shape.key_heads, 1)
        value = value.repeat_interleave(self.shape.query_heads // self.shape.value_heads, 1)
        seen = functional.scaled_dot_product_attention(rotated(query, turns), key, value, attn_mask=mask)
        return self.out(seen.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """[B, L, heads * head_width] to [B, heads, L, head_width]."""
        return x.unflatten(2, (-1, self.shape.head_width)).transpose(1, 2)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.inner_width, bias=False)
        self.up = nn.Linear(shape.width, shape.inner_width, bias=False)
        self.down = nn.Linear(shape.inner_width, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm, each added to what came in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.RMSNorm(shape.width), DiffQKV(shape)
        self.inner_norm, self.inner = nn.RMSNorm(shape.width), SwiGLU(shape)

    def forward(self, x: Tensor, turns: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), turns, mask)
        return x + self.inner(self.inner_norm(x))


class Decoder(nn.Module):
    """Token ids to the scores of the next ones. The table of tokens is that of the scores, too."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """float[B, L, width] before the scores, which are wanted only where there is a label."""
        x = self.tokens(batch["input_ids"])
        turns, mask = turns_of(batch["position_ids"], self.shape), attention_mask(batch["segment_ids"])
        for layer in self.layers:
            x = layer(x, turns, mask)
        return self.norm(x)


def turns_of(position_ids: Tensor, shape: Shape) -> Tensor:
    """How far each pair of a head is turned at each position: complex[B, 1, L, head_width / 2]."""
    rates = shape.rope_theta ** -(torch.arange(0, shape.head_width, 2) / shape.head_width)
    angles = position_ids[:, None, :, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def rotated(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary positions: float[B, heads, L, head_width], turned pair by pair."""
    pairs = torch.view_as_complex(x.unflatten(3, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turns).flatten(3)


def attention_mask(segment_ids: Tensor) -> Tensor:
    """bool[B, 1, L, L]: a token sees itself and what stands before it in its own segment."""
    length = segment_ids.shape[1]
    same = segment_ids[:, :, None] == segment_ids[:, None, :]
    return (same & torch.ones(length, length, dtype=torch.bool).tril())[:, None]


def losses_of(model: Decoder, batch: Mapping[str, npt.NDArray[Any]]) -> Tensor:
    """The loss (nats) of each token that has one."""
    labels = torch.from_numpy(labels_of(batch)).long()
    hidden = model({name: torch.from_numpy(each) for name, each in batch.items()})
    learnt = labels != NO_LABEL
    return functional.cross_entropy(
        functional.linear(hidden[learnt], model.tokens.weight), labels[learnt], reduction="none"
    )


def evaluate(model: Decoder, sequences: PackedSequences, context: int, most: int = 32) -> float:
    """Nats per token over the beginnings of some sequences, spread over all."""
    total, tokens = 0.0, 0
    with torch.no_grad():
        for index in np.linspace(0, len(sequences) - 1, min(most, len(sequences))).astype(int):
            losses = losses_of(model, {name: each[None, :context] for name, each in sequences[int(index)].items()})
            total, tokens = total + float(losses.sum()), tokens + len(losses)
    return total / max(1, tokens)


def train(
    model: Decoder, batches: Batches, steps: int, context: int, learning_rate: float = 3e-3
) -> Iterator[tuple[int, float]]:
    """Trains on the beginnings of sequences, the rate rising, then falling to nothing; gives (step, loss) of each."""
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    rise = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(1, steps - rise))
    )
    for step, batch in enumerate(islice(batches, steps)):
        losses = losses_of(model, {name: each[:, :context] for name, each in batch.items()})
        loss = losses.sum() / max(1, len(losses))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield step, loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="runs/demo/dataset", help="an export, in a directory or a bucket")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=2, help="sequences of a step")
    parser.add_argument("--context", type=int, default=512, help="tokens that are taken of each: a CPU is slow")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    sequences = PackedSequences(options.data, seed=options.seed)
    validation = PackedSequences(options.data, "validation")
    model = Decoder(Shape(sequences.tokenizer["vocabulary"]))
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"{len(sequences):,} sequences of {sequences.sequence_length:,} tokens; {size:,} parameters")
    before, begin = evaluate(model, validation, options.context), time.monotonic()
    batches = sequences.batches(options.batch, epochs=-(-options.steps * options.batch // len(sequences)))
    recent: list[float] = []
    for step, loss in train(model, batches, options.steps, options.context):
        recent.append(loss)
        if (step + 1) % max(1, options.steps // 15) == 0:
            print(f"step {step + 1:5}  loss {np.mean(recent):6.3f}  {time.monotonic() - begin:4.0f} s", flush=True)
            recent.clear()
    after = evaluate(model, validation, options.context)
    print(f"validation: {before:.3f} nats per token before, {after:.3f} after")


if __name__ == "__main__":
    main()
