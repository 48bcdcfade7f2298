"""Evaluation sets as arrays, and the search for them in a stream."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.leaks import kernel
from filters.leaks.answers import find_answer, is_short
from filters.leaks.model import ItemSet, Leak
from filters.leaks.seeds import needed_words, prompt_runs, prompt_seeds, stop_words, values_of
from filters.stream import Stream, read_stream

Array = npt.NDArray[np.generic]

# Which share of a prompt's telling words must stand together.
_SHARE = 0.8
# Likeness of an answer from which on it is one.
_ANSWER = 0.85
# The same where all of the prompt's telling words are there, if they are so many.
_LIKE = 0.75
_MANY = 4
# How much longer the words of a prompt may stand apart than in the prompt: values are renamed, but not sentences.
_STRETCH = 1.5
# How many words may lie between a prompt and its answer.
_NEAR = 64
# The same for an answer that stands before its prompt.
_NEAR_BEFORE = 16
# Of leaks of one item at one place the first is told.
_ORDER = ("prompt_answer", "near_prompt_answer", "exact_run", "answer_only")
# How far before or behind a prompt's telling words its values stand.
_VALUE_WORDS = 10
# How many places of one item in one document are looked at.
_PLACES = 32


@dataclass(frozen=True)
class Index:
    """Items by number; `set_ends` says which set a number is of. Made by `build`, kept by `to_bytes`."""

    names: Array
    set_ends: kernel.Longs
    answer_text: npt.NDArray[np.uint8]
    answer_offsets: kernel.Longs
    prompts: kernel.Words
    prompt_offsets: kernel.Longs
    answers: kernel.Words
    answer_words: kernel.Longs
    needed: kernel.Words
    needed_places: kernel.Longs
    needed_offsets: kernel.Longs
    shares: npt.NDArray[np.bool_]
    seed_bits: kernel.Words
    seed_slots: kernel.Words
    seed_values: kernel.Longs
    post_offsets: kernel.Longs
    post_items: kernel.Longs
    post_places: kernel.Longs
    post_roles: kernel.Longs
    run_bits: kernel.Words
    run_slots: kernel.Words
    run_values: kernel.Longs
    run_items: kernel.Ints
    run: kernel.Longs

    @staticmethod
    def build(sets: Sequence[ItemSet], run: int = 13) -> Index:
        """An index of all items of some sets; `run` is how many words of a prompt alone are a leak."""
        prompts = [prompt for one in sets for prompt in one.prompts]
        answers = [answer or "" for one in sets for answer in one.answers]
        asked, told = (
            read_stream(pa.array(prompts, pa.large_string())),
            read_stream(pa.array(answers, pa.large_string())),
        )
        values, shares = values_of(prompts, answers, asked, told)
        needed = needed_words(values, asked)
        seeds = prompt_seeds(values, asked) + list(_answer_seeds(told))
        keys, offsets, items, places, roles = _postings(seeds)
        run_keys, run_items = prompt_runs(asked, run)
        return Index(
            np.array([one.name for one in sets], dtype=np.str_),
            np.cumsum([len(one.prompts) for one in sets], dtype=np.int64),
            np.frombuffer("".join(answers).encode(), np.uint8),
            _ends([len(answer.encode()) for answer in answers]),
            asked.hashes,
            asked.word_offsets,
            told.hashes,
            told.word_offsets,
            np.array([word for words in needed for word, _ in words], np.uint64),
            np.array([place for words in needed for _, place in words], np.int64),
            _ends([len(words) for words in needed]),
            np.array(shares, np.bool_),
            *_table(keys),
            offsets,
            items,
            places,
            roles,
            *_table(run_keys),
            run_items,
            np.array([run], np.int64),
        )

    def to_bytes(self) -> bytes:
        """The arrays in one file of numpy's; the same sets give the same bytes."""
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})
        return out.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> Index:
        """What `to_bytes` made. Raises ValueError or KeyError for anything else."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return Index(**{field.name: arrays[field.name] for field in fields(Index)})

    def find(self, stream: Stream) -> list[list[Leak]]:
        """The leaks of each document, in order."""
        found: list[set[Leak]] = [set() for _ in range(len(stream))]
        for document, item, _, begin, end, _ in self._runs(stream):
            share = min(1.0, (end - begin) / max(1, self._length(item)))
            found[document].add(self._leak(stream, document, item, "exact_run", 0.8 + 0.2 * share, begin, end))
        places: Counter[tuple[int, int]] = Counter()
        for document, item, role, begin, end, permille in self._seeds(stream):
            if role == kernel.ANSWER:
                score = min(0.5, (end - begin) / 26)
                found[document].add(self._leak(stream, document, item, "answer_only", score, begin, end))
                continue
            places[document, item] += 1
            if places[document, item] <= _PLACES:
                found[document] |= self._with_answer(stream, document, item, begin, end, permille / 1000)
        return [_strongest(leaks) for leaks in found]

    def _runs(self, stream: Stream) -> Iterator[tuple[int, ...]]:
        size = 256
        while True:
            rows = np.empty((size, 6), np.int64)
            tables = (self.run_bits, self.run_slots, self.run_values, self.run_items)
            count = kernel.find_runs(stream.hashes, stream.word_offsets, int(self.run[0]), *tables, rows)
            if count <= size:
                return (tuple(row) for row in rows[:count].tolist())
            size = count

    def _seeds(self, stream: Stream) -> Iterator[tuple[int, ...]]:
        size = 1024
        tables = (self.seed_bits, self.seed_slots, self.seed_values)
        posts = (self.post_offsets, self.post_items, self.post_places, self.post_roles)
        needed, prompts = (self.needed, self.needed_places, self.needed_offsets), (self.prompts, self.prompt_offsets)
        while True:
            rows = np.empty((size, 6), np.int64)
            count = kernel.find_seeds(
                stream.hashes, stream.word_offsets, tables, posts, needed, prompts,
                (self.answers, self.answer_words), _SHARE, rows,
            )  # fmt: skip
            if count <= size:
                return iter(sorted(set(map(tuple, rows[:count].tolist()))))
            size = count

    def _with_answer(self, stream: Stream, document: int, item: int, begin: int, end: int, share: float) -> set[Leak]:
        """The leak of a prompt that was found, if its answer stands near."""
        text = bytes(self.answer_text[self.answer_offsets[item] : self.answer_offsets[item + 1]]).decode()
        if not text.strip() or (share < 1 and (is_short(text) or end - begin > _STRETCH * self._reach(item))):
            return set()
        size = min(512, int(self.answer_words[item + 1] - self.answer_words[item]))
        reach, back = _NEAR + size, _NEAR_BEFORE + size
        first, last = stream.word_offsets[document], stream.word_offsets[document + 1]
        low, high = stream.offsets[document], stream.offsets[document + 1]
        prompt_start, prompt_end = int(stream.starts[begin]), _end_byte(stream, document, end)
        before = int(stream.starts[begin - back]) if begin - back >= first else int(low)
        after = int(stream.starts[end + reach]) if end + reach < last else int(high)
        best = (0.0, 0, 0)
        sides = ((prompt_end, after), (before, prompt_start))
        # A short answer in front of a prompt is a command that the text happens to name.
        for start, stop in sides[:1] if is_short(text) else sides:
            piece = bytes(stream.data[start:stop]).decode(errors="replace")
            likeness, at, until = find_answer(text, piece)
            if likeness > best[0]:
                span = start + len(piece[:at].encode()), start + len(piece[:until].encode())
                best = (likeness, *span)
        many = self.needed_offsets[item + 1] - self.needed_offsets[item] >= _MANY
        if best[0] < (_LIKE if share >= 0.99 and (many or share == 1) else _ANSWER):
            return set()
        if best[0] < 1 and self.shares[item] and not self._is_consistent(stream, item, document, begin, end, best[1:]):
            return set()
        exact = share == 1.0 and best[0] == 1.0
        start, stop = min(prompt_start, best[1]), max(prompt_end, best[2])
        kind = "prompt_answer" if exact else "near_prompt_answer"
        name, number = self._name(item)
        score = round((share + best[0]) / 2, 4)
        return {Leak(start - int(low), stop - int(low), name, number, kind, score)}  # type: ignore[arg-type]

    def _is_consistent(
        self, stream: Stream, item: int, document: int, begin: int, end: int, answer: tuple[int, int]
    ) -> bool:
        """Whether a prompt and an answer that were found share a word, as those of the item do, that none must have."""
        first, last = stream.word_offsets[document], stream.word_offsets[document + 1]
        words = first + np.searchsorted(stream.starts[first:last], np.array(answer))
        left, right = max(first, begin - _VALUE_WORDS), min(last, end + _VALUE_WORDS)
        if words[0] >= end:
            right = min(right, words[0])
        else:
            left = max(left, words[1])
        needed = set(self.needed[self.needed_offsets[item] : self.needed_offsets[item + 1]].tolist())
        asked = set(stream.hashes[left:right].tolist()) - needed - stop_words()
        return not asked.isdisjoint(stream.hashes[words[0] + 1 : words[1]].tolist())

    def _reach(self, item: int) -> int:
        """From the first telling word of a prompt to its last, in words."""
        places = self.needed_places[self.needed_offsets[item] : self.needed_offsets[item + 1]]
        return int(places[-1] - places[0] + 1)

    def _length(self, item: int) -> int:
        return int(self.prompt_offsets[item + 1] - self.prompt_offsets[item])

    def _name(self, item: int) -> tuple[str, int]:
        """Set and number within it."""
        which = int(np.searchsorted(self.set_ends, item, side="right"))
        return str(self.names[which]), item - (int(self.set_ends[which - 1]) if which else 0)

    def _leak(self, stream: Stream, document: int, item: int, kind: str, score: float, begin: int, end: int) -> Leak:
        low = int(stream.offsets[document])
        name, number = self._name(item)
        stop = _end_byte(stream, document, end)
        return Leak(int(stream.starts[begin]) - low, stop - low, name, number, kind, round(score, 4))  # type: ignore[arg-type]


def _end_byte(stream: Stream, document: int, end: int) -> int:
    """Where in the data the word before word `end` ends."""
    at, high = int(stream.starts[end - 1]), int(stream.offsets[document + 1])
    while at < high:
        piece = stream.data[at : min(high, at + 64)]
        other = np.flatnonzero(~kernel.IS_WORD[piece])
        if len(other):
            return at + int(other[0])
        at += len(piece)
    return high


def _strongest(leaks: set[Leak]) -> list[Leak]:
    """In order; of the same item at places that overlap the best alone, and no answer of a prompt that was found."""
    kept: list[Leak] = []
    ends: dict[tuple[str, int], list[Leak]] = {}
    for leak in sorted(leaks, key=lambda leak: (_ORDER.index(leak.kind), -leak.score, leak)):
        same = ends.setdefault((leak.set, leak.item), [])
        if not any(other.start < leak.end and leak.start < other.end for other in same):
            same.append(leak)
            kept.append(leak)
    return sorted(kept)


def _ends(lengths: Sequence[int]) -> kernel.Longs:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))])


def _table(keys: kernel.Words) -> tuple[kernel.Words, kernel.Words, kernel.Longs]:
    """Bits (some sixteen a key) and slots (two or more a key) of distinct keys."""
    power = max(6, math.ceil(math.log2(2 * len(keys) + 2)))
    bits, slots = np.zeros((1 << power + 3) // 64, np.uint64), np.zeros(1 << power, np.uint64)
    values = np.zeros(1 << power, np.int64)
    kernel.fill(keys, bits, slots, values)
    return bits, slots, values


def _answer_seeds(told: Stream) -> Iterator[tuple[int, int, int, int]]:
    """The first three words of each answer of four or more, of equal answers the first."""
    seen: set[bytes] = set()
    for item in range(len(told)):
        begin, end = int(told.word_offsets[item]), int(told.word_offsets[item + 1])
        words = told.hashes[begin:end].tobytes()
        if end - begin >= 4 and words not in seen:
            seen.add(words)
            yield int(kernel.seed_of(told.hashes, begin, 3)), item, 0, kernel.ANSWER


def _postings(
    seeds: list[tuple[int, int, int, int]],
) -> tuple[kernel.Words, kernel.Longs, kernel.Longs, kernel.Longs, kernel.Longs]:
    """Distinct keys, where the postings of each begin, and their items, places and roles."""
    seeds = sorted(set(seeds))
    all_keys = np.array([seed[0] for seed in seeds], np.uint64)
    rest = np.array([seed[1:] for seed in seeds], np.int64).reshape(-1, 3)
    keys, first = np.unique(all_keys, return_index=True)
    offsets = np.concatenate([first.astype(np.int64), np.array([len(seeds)], np.int64)])
    items, places, roles = (np.ascontiguousarray(rest[:, column]) for column in range(3))
    return keys, offsets, items, places, roles
