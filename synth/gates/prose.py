"""Prose of answers beside that of their sources: what is copied, what has no ground in them, what is repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.general.repetition import clear, table_for
from filters.junk.phrases import Table, look_up, table_of
from filters.shingles import Sets, Shingles, shingle_sets, shingles_of
from filters.stream import BLANK, HEADING, ITEM, PROSE, TABLE, Bytes, Hashes, Offsets, Stream
from synth.gates.lexicon import hash_of
from synth.gates.literals import BYTE, FOLDED, WORD, hash_span
from synth.gates.search import holds, insert

Floats = npt.NDArray[np.float32]

_WIDTH = 8  # words of a shingle
_STEM = 5  # bytes of a word that tell it: copied, copies, copying
_FEWEST_BYTES = 4  # of a word that says what a text is about
_LONGEST_LOOP = 256  # bytes
_LONGEST_PHRASE = 32  # words that are said again and again

# What stands in texts about anything.
_COMMON = (
    "about above after again against almost along already also although always among another anyone because become "
    "been before behind being below between both cannot common could does doing done down during each either else "
    "ensure even ever every example explain first following from further given gives have having here however "
    "important into itself just keep know later least less like likely made main make many means might more most much "
    "must need never next none nothing often once only onto other otherwise over part particular rather really same "
    "second several shall should simply since some something soon still such sure take than that their them then "
    "there these they thing this those though through thus time together toward under unless until upon used using "
    "usual various very want well were what when where whether which while whose will with within without work would "
    "your yours question answer step note overview summary introduction conclusion section document text describe"
)
_COMMON_STEMS = table_of({hash_of(word[:_STEM]): 1 for word in _COMMON.split()})

_NO_END = "the a an of to and or with for in is are by that which from as on at if when its their this be not into than"
_OPEN_WORDS = table_of({hash_of(word): 1 for word in _NO_END.split()})


def prose_of(stream: Stream, kind: int) -> Stream:
    """The same documents with the words of lines up to a kind alone; only hashes and word_offsets are of these."""
    hashes, offsets = np.empty_like(stream.hashes), np.zeros_like(stream.word_offsets)
    _prose(stream.hashes, stream.line_words, stream.line_kinds, stream.line_offsets, kind, hashes, offsets)
    return replace(stream, hashes=hashes[: offsets[-1]], word_offsets=offsets)


@compiled
def _prose(
    words: Hashes,
    line_words: Offsets,
    kinds: Bytes,
    line_offsets: Offsets,
    kind: int,
    hashes: Hashes,
    offsets: Offsets,
) -> None:
    size = 0
    for document in range(len(line_offsets) - 1):
        for line in range(line_offsets[document], line_offsets[document + 1]):
            if kinds[line] <= kind:
                for word in range(line_words[line], line_words[line + 1]):
                    hashes[size] = words[word]
                    size += 1
        offsets[document + 1] = size


def copied(sources: Stream, rows: Offsets, answers: Stream) -> tuple[Floats, Floats]:
    """Of the runs of eight words in each answer's prose: the share that stands in the source's (each counted once),
    and the share that stood before in the answer. 0 where there is none."""
    before, after = (shingles_of(prose_of(stream, TABLE), _WIDTH) for stream in (sources, answers))
    once = shingle_sets(after)
    shared = np.zeros(len(answers), np.int64)
    _shared(shingle_sets(before), rows, once, shared)
    return _share(shared, np.diff(once.offsets)), _repeats(after, once)


def _repeats(every: Shingles, once: Sets) -> Floats:
    number = np.diff(every.offsets)
    return _share(number - np.diff(once.offsets), number)


def _share(part: Offsets, whole: Offsets) -> Floats:
    return (part / np.maximum(whole, 1)).astype(np.float32)


@compiled
def _shared(sources: Sets, rows: Offsets, answers: Sets, shared: Offsets) -> None:
    """Counts what two ordered sets have in common."""
    for pair in range(len(rows)):
        at, end = sources.offsets[rows[pair]], sources.offsets[rows[pair] + 1]
        for place in range(answers.offsets[pair], answers.offsets[pair + 1]):
            while at < end and sources.hashes[at] < answers.hashes[place]:
                at += 1
            shared[pair] += at < end and sources.hashes[at] == answers.hashes[place]


def grounded(sources: Stream, rows: Offsets, answers: Stream) -> tuple[Floats, Offsets]:
    """Share of the words of each answer (by their first letters, each once, common ones left out) that stand in its
    source, 1 where there is none; and how many they are."""
    known, own = (table_for(int(np.diff(stream.word_offsets).max(initial=0))) for stream in (sources, answers))
    counts = np.zeros((len(answers), 2), np.int64)
    _grounded(
        sources.data, sources.offsets, sources.starts, sources.word_offsets, rows, answers.data, answers.offsets,
        answers.starts, answers.word_offsets, _COMMON_STEMS, known, own, counts,
    )  # fmt: skip
    share = np.where(counts[:, 0] == 0, np.float32(1), _share(counts[:, 1], counts[:, 0])).astype(np.float32)
    return share, counts[:, 0]


@compiled
def _grounded(
    data: Bytes,
    offsets: Offsets,
    starts: Offsets,
    word_offsets: Offsets,
    rows: Offsets,
    texts: Bytes,
    text_offsets: Offsets,
    text_starts: Offsets,
    text_words: Offsets,
    common: Table,
    known: Hashes,
    own: Hashes,
    counts: Offsets,
) -> None:
    for pair in range(len(rows)):
        first, last = word_offsets[rows[pair]], word_offsets[rows[pair] + 1]
        mask = clear(known, last - first)
        for word in range(first, last):
            stem = _stem(data, starts[word], offsets[rows[pair] + 1])
            if stem:
                insert(known, mask, stem)
        own_mask = clear(own, text_words[pair + 1] - text_words[pair])
        for word in range(text_words[pair], text_words[pair + 1]):
            stem = _stem(texts, text_starts[word], text_offsets[pair + 1])
            if stem and not look_up(common, stem) and insert(own, own_mask, stem):
                counts[pair, 0] += 1
                counts[pair, 1] += holds(known, mask, stem)


@inner
def _stem(data: Bytes, begin: int, end: int) -> np.uint64:
    """The hash of a word's first bytes; 0 of a short one and of numbers."""
    at, stop = begin, min(end, begin + _STEM)
    while at < stop and (BYTE[data[at]] & WORD or data[at] >= 128):
        at += 1
    if at - begin < _FEWEST_BYTES or 48 <= data[begin] <= 57:
        return np.uint64(0)
    return hash_span(data, begin, at, FOLDED)


def endings(answers: Stream) -> tuple[Offsets, Offsets]:
    """Of each answer: the bytes at its end that say again what stands before them (by a period of at most
    _LONGEST_LOOP bytes, three times and more), and 1 where it breaks off, else 0."""
    looped, cut = np.zeros(len(answers), np.int64), np.zeros(len(answers), np.int64)
    _endings(
        answers.data, answers.offsets, answers.lines, answers.line_words, answers.line_kinds, answers.line_offsets,
        answers.hashes, answers.starts, answers.word_offsets, _OPEN_WORDS, looped, cut,
    )  # fmt: skip
    return looped, cut


@compiled
def _endings(
    data: Bytes,
    offsets: Offsets,
    lines: Offsets,
    line_words: Offsets,
    kinds: Bytes,
    line_offsets: Offsets,
    hashes: Hashes,
    starts: Offsets,
    word_offsets: Offsets,
    open_words: Table,
    looped: Offsets,
    cut: Offsets,
) -> None:
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        while end > begin and data[end - 1] <= 32:
            end -= 1
        line = line_offsets[document + 1] - 1
        while line > line_offsets[document] and lines[line] >= end:
            line -= 1
        if end == begin or kinds[line] > TABLE:
            cut[document] = end > begin and kinds[line] == BLANK and _is_bare_item(data, lines[line], end)
            continue
        stop = end
        while stop > begin and not BYTE[data[stop - 1]] & WORD and end - stop < 4:
            stop -= 1
        looped[document] = max(_loop(data, begin, end), _loop(data, begin, stop))
        first, last = word_offsets[document], word_offsets[document + 1]
        if kinds[line] == TABLE:
            cut[document] = data[end - 1] != 124
        elif kinds[line] == HEADING or _is_bare_item(data, lines[line], end):
            cut[document] = 1
        else:
            ended = _sentences_end(data, kinds, lines, line_offsets[document], line)
            cut[document] = _breaks_off(
                data, lines[line], end, kinds[line], last - line_words[line], ended, open_words
            ) or _is_part_of_word(data, begin, end, hashes, starts, first, last)


@inner
def _loop(data: Bytes, begin: int, end: int) -> int:
    """Bytes at the end that repeat what stands a period before them."""
    most = 0
    for period in range(1, min(_LONGEST_LOOP, end - begin) + 1):
        at = end - 1
        while at - period >= begin and data[at] == data[at - period]:
            at -= 1
        repeated = end - 1 - at
        if repeated >= 2 * period and repeated > most:
            most = repeated
            if repeated > 8 * _LONGEST_LOOP:
                break
    return most


def looped_words(answers: Stream) -> Offsets:
    """Of each answer the most words of prose in a row that say again what stands at most _LONGEST_PHRASE before."""
    spoken, most = prose_of(answers, ITEM), np.zeros(len(answers), np.int64)
    _looped_words(spoken.hashes, spoken.word_offsets, most)
    return most


@compiled
def _looped_words(hashes: Hashes, word_offsets: Offsets, most: Offsets) -> None:
    for document in range(len(word_offsets) - 1):
        begin, end = word_offsets[document], word_offsets[document + 1]
        for period in range(1, min(_LONGEST_PHRASE, end - begin) + 1):
            run = 0
            for at in range(begin + period, end):
                run = run + 1 if hashes[at] == hashes[at - period] else 0
                if run > most[document] and run >= 2 * period:
                    most[document] = run


@inner
def _is_bare_item(data: Bytes, begin: int, end: int) -> bool:
    """A line that ends with the mark of an item."""
    at = begin
    while at < end and (data[at] <= 32 or 48 <= data[at] <= 57 or data[at] == 62):
        at += 1
    mark = end - at == 1 and (data[at] == 45 or data[at] == 42 or data[at] == 43)
    return mark or (end - at == 1 and at > begin and (data[at] == 46 or data[at] == 41))


@inner
def _is_end(data: Bytes, begin: int, end: int) -> bool:
    """Whether a text ends as a sentence does, whatever marks close it."""
    at = end
    while at > begin and (
        data[at - 1] <= 32 or data[at - 1] == 42 or data[at - 1] == 95 or data[at - 1] == 34 or data[at - 1] == 39
    ):
        at -= 1
    if at == begin:
        return False
    last = data[at - 1]
    return int(last) in (46, 33, 63, 41, 93, 62) or bool(last >= 128)


@inner
def _sentences_end(data: Bytes, kinds: Bytes, lines: Offsets, first: int, last: int) -> bool:
    """Whether most lines of the last one's kind end as sentences do."""
    number, ended = 0, 0
    for line in range(first, last):
        if kinds[line] == kinds[last] and lines[line + 1] - lines[line] > 24:
            number += 1
            ended += _is_end(data, lines[line], lines[line + 1])
    return number > 0 and 3 * ended > 2 * number


@inner
def _breaks_off(data: Bytes, begin: int, end: int, kind: int, words: int, ended: bool, open_words: Table) -> bool:
    """Whether a last line of prose goes on where the text does not."""
    last = data[end - 1]
    if last == 44 or last == 40 or last == 91 or (last == 58 and kind == PROSE):
        return True
    ticks = 0
    for at in range(begin, end):
        ticks += data[at] == 96
    if ticks % 2:
        return True
    if _is_end(data, begin, end) or last == 96 or not (BYTE[last] & WORD or last == 45):
        return False
    at = end
    while at > begin and BYTE[data[at - 1]] & WORD:
        at -= 1
    if at < end and look_up(open_words, hash_span(data, at, end, FOLDED)):
        return True
    return ended or (kind == PROSE and words >= 8 and _has_sentence(data, begin, end))


@inner
def _has_sentence(data: Bytes, begin: int, end: int) -> bool:
    """Whether a sentence ends within a line."""
    for at in range(begin + 1, end - 2):
        if (data[at] == 46 or data[at] == 63 or data[at] == 33) and data[at + 1] == 32 and BYTE[data[at - 1]] & WORD:
            return True
    return False


@inner
def _is_part_of_word(data: Bytes, begin: int, end: int, hashes: Hashes, starts: Offsets, first: int, last: int) -> bool:
    """Whether the last word, of some letters, stands nowhere before but as the beginning of others."""
    word = last - 1
    if last - first < 8 or end - starts[word] < 3 or not BYTE[data[end - 1]] & WORD:
        return False
    size, longer = end - starts[word], 0
    for other in range(first, word):
        if hashes[other] == hashes[word]:
            return False
        at = starts[other]
        same = 0
        while same < size and at + same < end - size and FOLDED[data[at + same]] == FOLDED[data[starts[word] + same]]:
            same += 1
        longer += same == size and (BYTE[data[at + size]] & WORD) != 0
    return longer > 0
