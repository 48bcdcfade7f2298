"""Tiny Llamas in the format that llama.cpp reads, GGUF (github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

START, END = "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_NORMAL, _CONTROL = 1, 3  # types of tokens, as llama.cpp numbers them


@dataclass(frozen=True)
class Shape:
    width: int = 64
    layers: int = 2
    heads: int = 2
    inner: int = 128
    """Width of the feed-forward layers."""
    context: int = 32_768


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE of at most that many tokens, the first two of which are START and END."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tensor_sizes(shape: Shape, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """What a Llama consists of, by llama.cpp's names; matrices are (out, in). Its output layer is its embedding."""
    sizes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, shape.width)}
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        sizes[f"{block}.attn_norm.weight"] = sizes[f"{block}.ffn_norm.weight"] = (shape.width,)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            sizes[f"{block}.{name}.weight"] = (shape.width, shape.width)
        sizes[f"{block}.ffn_gate.weight"] = sizes[f"{block}.ffn_up.weight"] = (shape.inner, shape.width)
        sizes[f"{block}.ffn_down.weight"] = (shape.width, shape.inner)
    return {**sizes, "output_norm.weight": (shape.width,)}


def random_tensors(shape: Shape, vocabulary: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: np.ones(size) if len(size) == 1 else generator.standard_normal(size) / size[-1] ** 0.5
        for name, size in tensor_sizes(shape, vocabulary).items()
    }


def write_llama(
    path: Path,
    tokenizer: Tokenizer,
    shape: Shape,
    tensors: Mapping[str, np.ndarray],
    chat_template: str = CHAT_TEMPLATE,
) -> None:
    """Writes a model; matrices as float16, vectors as float32. The same model is the same bytes.

    Rotary embeddings turn neighbouring pairs, as in Llama's own weights.
    """
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = [tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([_CONTROL if token in (START, END) else _NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(tokens.index(START))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)
    writer.add_chat_template(chat_template)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor.astype(np.float32 if tensor.ndim == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_random_llama(path: Path, seed: int = 0) -> None:
    """A model that knows nothing: for what a server does, whatever it writes. The same seed is the same bytes."""
    shape = Shape()
    tokenizer = train_tokenizer([Path(__file__).read_text(encoding="utf-8")], 1024)
    write_llama(path, tokenizer, shape, random_tensors(shape, tokenizer.get_vocab_size(), seed))
