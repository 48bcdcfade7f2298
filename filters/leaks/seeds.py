"""Which words of a prompt are searched for: telling ones, in runs that are rare among the items."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate

import numpy as np

from filters.leaks import kernel
from filters.leaks.skeleton import commands, shape_of
from filters.leaks.words import split_words, value_ranges, word_list
from filters.stream import Stream, hash_words

Seed = tuple[int, int, int, int]  # key, item, place in the prompt, role

# Seeds of one prompt: a copy may have changed the words of one or two.
_SEEDS = 4
# A prompt of fewer telling words is found only word for word.
_FEWEST = 3
# A run of a prompt says something if so many different words of it are no stop words.
_TELLING = 6
# A run that more prompts share than these, or than one in a thousand, is a phrase of the set.
_SHARED = 3


@cache
def stop_words() -> frozenset[int]:
    """The hashes of words that say nothing."""
    return frozenset(hash_words(" ".join(sorted(word_list("stop")))))


@lru_cache(maxsize=65536)
def _hash(word: str) -> int:
    return hash_words(word)[0] if split_words(word) else 0


def values_of(
    prompts: Sequence[str], answers: Sequence[str], asked: Stream, told: Stream
) -> tuple[list[list[bool]], list[bool]]:
    """Of each word of each prompt, whether a copy may rename it: it looks like a value, or is one of the answer's.

    And of each item whether its prompt and its answer share such a word.
    """
    stop = stop_words()
    keywords = set(hash_words(" ".join(sorted(word_list("query")))))
    found, shares = [], []
    for item, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        begin, end = int(asked.word_offsets[item]), int(asked.word_offsets[item + 1])
        flags = _look_like_values(prompt, (asked.starts[begin:end] - asked.offsets[item]).tolist())
        shape = shape_of(answer)
        shares.append(False)
        if shape in ("command", "query"):
            named = set(told.hashes[told.word_offsets[item] : told.word_offsets[item + 1]].tolist()) - stop
            named -= keywords if shape == "query" else {_hash(command.program) for command in commands(answer)}
            words = asked.hashes[begin:end].tolist()
            shares[-1] = any(word in named for word in words)
            flags = [flag or word in named for flag, word in zip(flags, words, strict=True)]
        found.append(flags)
    return found, shares


def _look_like_values(prompt: str, starts: Sequence[int]) -> list[bool]:
    """Of each word of a prompt that begins at some byte."""
    ranges = value_ranges(prompt)
    if not prompt.isascii():
        ranges = [(len(prompt[:begin].encode()), len(prompt[:end].encode())) for begin, end in ranges]
    ranges.sort()
    begins = [begin for begin, _ in ranges]
    reach = list(accumulate((end for _, end in ranges), max))
    flags = []
    for start in starts:
        at = bisect.bisect_right(begins, start) - 1
        flags.append(at >= 0 and start < reach[at])
    return flags


def needed_words(flags: list[list[bool]], asked: Stream) -> list[list[tuple[int, int]]]:
    """Of each prompt the words that a copy must have, with their places: no stop words and no values."""
    stop = stop_words()
    needed = []
    for item in range(len(asked)):
        words = asked.hashes[asked.word_offsets[item] : asked.word_offsets[item + 1]].tolist()
        pairs = enumerate(zip(words, flags[item], strict=True))
        telling = [(word, place) for place, (word, value) in pairs if not value and word not in stop]
        needed.append(telling if len(telling) >= _FEWEST else [])
    return needed


def prompt_seeds(flags: list[list[bool]], asked: Stream) -> list[Seed]:
    """Up to four runs of three words of each prompt, the rarest; of two where no three stand between values."""
    found: list[list[tuple[int, int]]] = []
    counts: Counter[int] = Counter()
    for item in range(len(asked)):
        begin, end = int(asked.word_offsets[item]), int(asked.word_offsets[item + 1])
        values = flags[item]
        keys = _keys(asked, begin, end, values, 3) or _keys(asked, begin, end, values, 2)
        keys = keys or _keys(asked, begin, end, [False] * (end - begin), min(3, end - begin))
        counts.update({key for key, _ in keys})
        found.append(keys)
    seeds: list[Seed] = []
    for item, keys in enumerate(found):
        rarest = sorted(keys, key=lambda key: (counts[key[0]], key[1]))[:_SEEDS]
        seeds += [(key, item, place, kernel.PROMPT) for key, place in rarest]
    return seeds


def _keys(asked: Stream, begin: int, end: int, values: list[bool], size: int) -> list[tuple[int, int]]:
    if size < 2:
        return []
    return [
        (int(kernel.seed_of(asked.hashes, at, size)), at - begin)
        for at in range(begin, end - size + 1)
        if not any(values[at - begin : at - begin + size])
    ]


def prompt_runs(asked: Stream, run: int) -> tuple[kernel.Words, kernel.Ints]:
    """The runs of prompts that are leaks by themselves: distinct keys, and an item of each."""
    stop = stop_words()
    seen: set[bytes] = set()
    first: dict[int, int] = {}
    counts: Counter[int] = Counter()
    for item in range(len(asked)):
        words = asked.hashes[asked.word_offsets[item] : asked.word_offsets[item + 1]]
        if len(words) < run or words.tobytes() in seen:
            continue
        seen.add(words.tobytes())
        listed = words.tolist()
        keys = kernel.run_keys(words, run).tolist()
        telling = {key for at, key in enumerate(keys) if len(set(listed[at : at + run]) - stop) >= _TELLING}
        counts.update(telling)
        for key in telling:
            first.setdefault(key, item)
    most = max(_SHARED, len(seen) // 1000)
    kept = sorted(key for key in first if counts[key] <= most)
    return np.array(kept, np.uint64), np.array([first[key] for key in kept], np.int32)
