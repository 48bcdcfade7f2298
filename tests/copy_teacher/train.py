"""Trains the copy teacher and writes it beside this file: `python -m tests.copy_teacher.train`.

Needs PyTorch, which nothing else of the teacher does. One thread; the seed decides all, but another version of PyTorch
or another processor rounds otherwise. Each step's documents are new; only what the answer says is learned.
"""

from __future__ import annotations

import hashlib
import time

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from tests.copy_teacher import MODEL
from tests.copy_teacher.texts import SYNONYMS, Writer, reworded
from tests.llama.gguf import END, START, Shape, tensor_sizes, train_tokenizer, write_llama

SHAPE = Shape(width=128, layers=3, heads=4, inner=320, context=2048)
VOCABULARY = 1024
SEED = 8

_STEPS, _BATCH_TOKENS = 2000, 1024
_WORDS = (3, 9, 120)  # of documents: the fewest, and the most at first and at last
_COPIED = 0.9  # of the tokens, of late: documents may become a word longer
_ROTARY_BASE, _EPSILON = 10_000.0, 1e-5  # as write_llama has them
_SHARED, _LOOKING_BACK = 4, 2  # places of an embedding that all tokens share; heads that begin as in first_weights
_IGNORED = -100

# What stands between the markers of a prompt's document, without its title, is all that the model sees.
CHAT_TEMPLATE = (
    "{% set body = messages[-1]['content'].split(' DOCUMENT\\n', 1)[-1].rsplit('\\n=====', 1)[0] %}"
    "{% if body.startswith('Title: ') or body.startswith('Section: ') %}"
    "{% set body = body.split('\\n\\n', 1)[-1] %}{% endif %}"
    "<|im_start|>user\n{{ body | trim }}<|im_end|>\n<|im_start|>assistant{{ '\n' }}"
)


def make_tokenizer() -> Tokenizer:
    """A vocabulary that has each word of SYNONYMS as one token, and each digit as one."""
    writer = Writer(SEED)
    texts = [reworded(document) + "\n" + document for document in (writer.document(80) for _ in range(2000))]
    words = [f" {word}" for word in (*SYNONYMS, *SYNONYMS.values())] * 4000
    tokenizer = train_tokenizer(
        ["".join(each for each in text if not each.isdigit()) for text in texts] + words, VOCABULARY
    )
    split = [word for word in (*SYNONYMS, *SYNONYMS.values()) if len(tokenizer.encode(f" {word}").ids) != 1]
    if split:
        raise ValueError(f"words of more than one token: {', '.join(split)}")
    return tokenizer


def first_weights(shape: Shape, vocabulary: int) -> dict[str, torch.Tensor]:
    """Weights to begin with, by llama.cpp's names.

    What layers add is nothing at first, so that none hides the tokens. Two heads of the first layer look at the token
    before, which else takes most of the time to learn: to copy is to find where the last token stood, and go on there.
    """
    weights = {}
    for name, size in tensor_sizes(shape, vocabulary).items():
        if len(size) == 1:
            weights[name] = torch.ones(size)
        else:
            adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
            weights[name] = torch.zeros(size) if adds else torch.randn(size) * size[-1] ** -0.5
    weights["token_embd.weight"][:, :_SHARED] += 0.4
    wide, pairs = shape.width // shape.heads, torch.arange(shape.width // shape.heads // 2)
    turns = _ROTARY_BASE ** (-pairs / len(pairs))
    for head in range(_LOOKING_BACK):
        query, key = (weights[f"blk.0.attn_{name}.weight"][head * wide :][:wide].mul_(0.1) for name in "qk")
        # All tokens ask alike, and answer alike but for a turn by one place, which the rotary embedding undoes there.
        query[0::2, :_SHARED] += 0.15
        key[0::2, :_SHARED] += 0.15 * torch.cos(turns)[:, None]
        key[1::2, :_SHARED] += 0.15 * torch.sin(turns)[:, None]
    carried = weights["blk.0.attn_output.weight"][:, : _LOOKING_BACK * wide]
    carried.copy_(torch.randn(carried.shape) * shape.width**-0.5)
    return weights


class Llama(nn.Module):
    """The model that llama.cpp runs, with its parameters under its names."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.weights = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(each) for name, each in first_weights(shape, vocabulary).items()}
        )
        half = shape.width // shape.heads // 2
        turns = _ROTARY_BASE ** (-torch.arange(half) / half)
        angles = torch.outer(torch.arange(shape.context), turns)
        self.register_buffer("turned", torch.polar(torch.ones_like(angles), angles), persistent=False)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.weights[name.replace(".", "/")]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, tokens, width) of ids (batch, tokens)."""
        stream = self["token_embd.weight"][ids]
        for layer in range(self.shape.layers):
            block = f"blk.{layer}"
            stream = stream + self._attend(block, self._norm(stream, f"{block}.attn_norm.weight"))
            state = self._norm(stream, f"{block}.ffn_norm.weight")
            gate = functional.silu(state @ self[f"{block}.ffn_gate.weight"].T)
            stream = stream + (gate * (state @ self[f"{block}.ffn_up.weight"].T)) @ self[f"{block}.ffn_down.weight"].T
        return self._norm(stream, "output_norm.weight")

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        return states @ self["token_embd.weight"].T

    def _norm(self, stream: torch.Tensor, name: str) -> torch.Tensor:
        return functional.rms_norm(stream, (self.shape.width,), self[name], _EPSILON)

    def _attend(self, block: str, state: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            (state @ self[f"{block}.attn_{name}.weight"].T).unflatten(-1, (self.shape.heads, -1)).transpose(1, 2)
            for name in "qkv"
        )
        mixed = functional.scaled_dot_product_attention(self._turn(query), self._turn(key), value, is_causal=True)
        return mixed.transpose(1, 2).flatten(2) @ self[f"{block}.attn_output.weight"].T

    def _turn(self, heads: torch.Tensor) -> torch.Tensor:
        """Rotary embedding of neighbouring pairs."""
        pairs = torch.view_as_complex(heads.float().unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * self.turned[: heads.shape[2]]).flatten(3)


def syllables_of(tokenizer: Tokenizer) -> list[str]:
    """The tokens that are small letters: words made of them leave none that was never to be copied."""
    tokens = (tokenizer.id_to_token(index).removeprefix("Ġ") for index in range(tokenizer.get_vocab_size()))
    return [token for token in tokens if token.isascii() and token.isalpha() and token.islower()]


class Muon(torch.optim.Optimizer):
    """Steps of the nearest orthogonal matrix to each matrix's momentum (kellerjordan.github.io/posts/muon).

    PyTorch's own rounds to bfloat16, which processors without instructions for it are slow at.
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for matrix in group["params"]:
                momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 0.05)
                update = orthogonal(matrix.grad.lerp(momentum, 0.95))
                matrix.add_(update, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """About the matrix of the same singular vectors whose singular values are 1, by five steps of Newton and Schulz."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        square = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * square + 2.0315 * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


def batch_of(tokenizer: Tokenizer, writer: Writer, words: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (batch, tokens) of documents of about so many words with their answers, and what comes next, if it counts."""
    rows, size = [], 0
    while size + (longest := max((len(ids) for ids, _ in rows), default=0)) < _BATCH_TOKENS:
        document = writer.document(words)
        asked = tokenizer.encode(f"{START}user\n{document}{END}\n{START}assistant\n").ids
        said = tokenizer.encode(f"{reworded(document)}{END}").ids
        rows.append((asked + said, len(asked)))
        size = len(rows) * max(longest, len(rows[-1][0]))
    longest = max(len(ids) for ids, _ in rows)
    inputs = torch.zeros(len(rows), longest - 1, dtype=torch.long)
    wanted = torch.full((len(rows), longest - 1), _IGNORED)
    for row, (ids, begin) in enumerate(rows):
        inputs[row, : len(ids) - 1] = torch.tensor(ids[:-1])
        wanted[row, begin - 1 : len(ids) - 1] = torch.tensor(ids[begin:])
    return inputs, wanted


def loss_of(model: Llama, inputs: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean loss of the answers' tokens, and whether each is the likeliest, (tokens,)."""
    counts = wanted != _IGNORED
    logits = model.logits(model(inputs)[counts])
    return functional.cross_entropy(logits, wanted[counts]), logits.argmax(-1) == wanted[counts]


def train(tokenizer: Tokenizer) -> Llama:
    torch.manual_seed(SEED)
    model, writer = Llama(SHAPE, tokenizer.get_vocab_size()), Writer(SEED + 1, syllables_of(tokenizer))
    matrices = [each for name, each in model.weights.items() if each.ndim == 2 and "embd" not in name]
    others = [each for name, each in model.weights.items() if each.ndim == 1 or "embd" in name]
    optimizers = [
        Muon(matrices, {"lr": 0.02}),
        torch.optim.AdamW(others, lr=0.003, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: rate(step / _STEPS)) for each in optimizers]
    fewest, most, longest = _WORDS
    begun, copied = time.monotonic(), 0.0
    for step in range(_STEPS):
        words = int(torch.randint(fewest, most + 1, ()))
        loss, right = loss_of(model, *batch_of(tokenizer, writer, words))
        copied += 0.1 * (right.float().mean().item() - copied)
        most = min(longest, most + (copied > _COPIED))
        loss.backward()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if step % 100 == 99:
            print(
                f"{time.monotonic() - begun:5.0f} s, step {step + 1}, {words} of {most} words: loss {loss.item():.4f}, "
                f"{copied:.2%} right of late",
                flush=True,
            )
    return model


def rate(done: float) -> float:
    """What part of the full learning rate holds when so much is done."""
    return min(1.0, done / 0.02, (1.0 - done) / 0.4)


@torch.no_grad()
def report(model: Llama, tokenizer: Tokenizer) -> None:
    """Prints how many tokens of answers to new documents are right, each with those before it given."""
    writer = Writer(SEED + 2, syllables_of(tokenizer))
    for words in (20, 40, 80, 120):
        right = torch.cat([loss_of(model, *batch_of(tokenizer, writer, words))[1] for _ in range(5)])
        print(f"{words} words: {right.float().mean().item():.2%} of {len(right):,} tokens right")


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tokenizer = make_tokenizer()
    model = train(tokenizer)
    report(model, tokenizer)
    tensors = {name: model[name].detach().numpy() for name in tensor_sizes(SHAPE, tokenizer.get_vocab_size())}
    write_llama(MODEL, tokenizer, SHAPE, tensors, CHAT_TEMPLATE)
    print(f"{MODEL.stat().st_size:,} bytes, sha256 {hashlib.sha256(MODEL.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
