"""Faithful rewrites of a piece by rules: other words, other order, other form; numbers, names and code as they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\1[ \t]*$", re.MULTILINE | re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
_WORD = re.compile(r"(?<![\w./\-:@$#<\[\\])([A-Za-z]+)(?![\w/\-:@(\]>=]|\.\w)")
_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,3}[.)]) +")
_CONDITION = re.compile(r"^(If|When|After|Before|While|Because|Once) ([^,`()]{6,90}), ([^`]{10,240})\.$")
_FEWEST_WORDS = 5

# Each word and what says the same.
_SYNONYMS_TEXT = """
use employ | used employed | uses employs | using employing | also additionally | must needs-to | should ought-to
shows displays | show display | because since | however nevertheless | start begin | starts begins | started begun
create make | creates makes | created made | creating making | need require | needs requires | get obtain | gets obtains
allow permit | allows permits | allowed permitted | ensure guarantee | ensures guarantees | provide supply
provides supplies | provided supplied | specify state | specifies states | specified stated | specifying stating
contains holds | contain hold | containing holding | if whenever | many numerous | several some | different various
large big | small little | fast quick | quickly rapidly | often frequently | usually normally | only solely | about regarding
currently presently | already by-now | therefore thus | thus hence | then afterwards | before ahead-of | within inside
called named | following subsequent | required needed | necessary needed | available at-hand | possible feasible
important significant | main chief | whole entire | simple plain | easy simple | additional further | such-as like
help assist | helps assists | describes explains | describe explain | described explained | remove delete | removes deletes
removed deleted | change alter | changes alterations | changed altered | find locate | found located | build construct
built constructed | choose select | chosen selected | keep retain | keeps retains | kept retained | support back
supported backed | supports backs | happen occur | happens occurs | cause lead-to | causes leads-to | result outcome
results outcomes | return give-back | returns gives-back | returned given-back | run execute | runs executes | running executing
note observe | see consult | want wish | wants wishes | like such-as | each every | every each | various several
whether if | while whereas | which that | would might | may might | can may | cannot may-not | new fresh | same identical
problem difficulty | problems difficulties | way manner | ways manners | example instance | examples instances
performance speed | information details | between among | during throughout | via through | through by-way-of
the the | a a | and and | is is | are are | be be | been been | has possesses | have possess | was was | were were
""".replace("\n", " | ")
_SYNONYMS = {
    one: other.replace("-", " ")
    for one, other in (
        entry.split()
        for entry in (each.strip() for each in _SYNONYMS_TEXT.split("|"))
        if entry and len(entry.split()) == 2
    )
    if one != other.replace("-", " ")
}
_LINKS = ("In addition,", "Furthermore,", "Besides,", "At the same time,", "Apart from that,", "Here,")


class Piece(NamedTuple):
    """A piece of a document: its text, its headings, its sentences (of paragraphs and items), its fenced blocks."""

    text: str
    headings: tuple[str, ...]
    sentences: tuple[str, ...]
    blocks: tuple[str, ...]


def piece_of(text: str) -> Piece:
    """Reads a piece."""
    blocks = tuple(match.group(0) for match in _FENCED.finditer(text))
    headings: list[str] = []
    sentences: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?= {0,3}(?:[-*+]|\d{1,3}[.)]) )", _FENCED.sub("\n\n", text)):
        line = " ".join(paragraph.split())
        if re.match(r"#{1,6} ", line):
            headings.append(line.lstrip("# "))
        elif line and line[0] not in "|<>[!=$" and not paragraph.startswith("    "):
            sentences += [each for each in _SENTENCE_END.split(_ITEM.sub("", line)) if _is_whole(each)]
    return Piece(text, tuple(headings), tuple(dict.fromkeys(sentences)), blocks)


def _is_whole(sentence: str) -> bool:
    """A sentence that can be moved: whole, and not open at either side."""
    paired = all(sentence.count(one) == sentence.count(other) for one, other in ("()", "[]"))
    words = len(sentence.split())
    return (
        paired
        and sentence.count("`") % 2 == 0
        and sentence.count("**") % 2 == 0
        and _FEWEST_WORDS <= words <= 70
        and sentence[0].isascii()
        and sentence[0].isupper()
        and sentence[-1] in ".!?"
    )


def reworded(sentence: str, random: Random) -> str:
    """A sentence in other words."""
    match = _CONDITION.match(sentence)
    if match and random.random() < 0.7:
        link, condition, rest = match.groups()
        sentence = f"{rest[0].upper()}{rest[1:]} {link.lower()} {condition}."
    parts = re.split(r"(`+[^`]*`+|\]\([^)]*\)|<[^>]*>|https?://\S+)", sentence)
    return "".join(part if at % 2 else _WORD.sub(_synonym, part) for at, part in enumerate(parts))


def _synonym(match: re.Match[str]) -> str:
    word = match.group(1)
    other = _SYNONYMS.get(word.lower())
    if other is None or not (word.islower() or word.istitle()):
        return word
    return other[0].upper() + other[1:] if word[0].isupper() else other


def _blocks(piece: Piece) -> list[str]:
    return list(piece.blocks)


def paraphrase(piece: Piece, random: Random) -> str:
    """Paragraphs of the same sentences in other words, and the code."""
    said = [reworded(sentence, random) for sentence in piece.sentences]
    paragraphs = [" ".join(said[at : at + 3]) for at in range(0, len(said), 3)]
    return "\n\n".join([*(f"# {heading}" for heading in piece.headings[:1]), *paragraphs, *_blocks(piece)])


def turned(piece: Piece, random: Random) -> str:
    """The same sentences the other way round, two by two."""
    said = [reworded(sentence, random) for sentence in piece.sentences]
    pairs = [" ".join(reversed(said[at : at + 2])) for at in range(0, len(said), 2)]
    return "\n\n".join([*_blocks(piece), *pairs])


def summary(piece: Piece, random: Random) -> str:
    """Every other sentence, joined by connectives."""
    chosen = [reworded(sentence, random) for sentence in piece.sentences[::2]]
    joined = [
        chosen[0],
        *(
            f"{_LINKS[random.randrange(len(_LINKS))]} {each[0].lower()}{each[1:]}" if _can_join(each) else each
            for each in chosen[1:]
        ),
    ]
    return " ".join(joined)


def _can_join(sentence: str) -> bool:
    first = sentence.split()[0]
    return first.lower() in ("the", "this", "these", "it", "a", "an", "to", "you", "we", "there", "in", "for")


def questions(piece: Piece, random: Random) -> str:
    """Questions and answers, from headings and sentences."""
    topics = piece.headings or ("this",)
    size = max(1, len(piece.sentences) // 3)
    parts = []
    for number, at in enumerate(range(0, len(piece.sentences), size)):
        topic = topics[number % len(topics)].strip(" :.?!#")
        asked = ("What should one know about {}?", "How does {} work?", "What is the role of {}?")[number % 3]
        answer = " ".join(reworded(each, random) for each in piece.sentences[at : at + size])
        parts.append(f"**Q{number + 1}: {asked.format(topic)}**\n\n{answer}")
    return "\n\n".join([*parts, *_blocks(piece)])


def listed(piece: Piece, random: Random) -> str:
    """What is to know, as a list."""
    items = [f"- {reworded(sentence, random)}" for sentence in piece.sentences]
    heading = f"## Key points: {piece.headings[0].strip(' :#')}" if piece.headings else "## Key points"
    return "\n".join([heading, "", *items]) + "".join(f"\n\n{block}" for block in _blocks(piece))


def steps(piece: Piece, random: Random) -> str:
    """A tutorial, step by step; it counts its steps."""
    size = max(1, len(piece.sentences) // 4)
    groups = [piece.sentences[at : at + size] for at in range(0, len(piece.sentences), size)]
    parts = [f"This tutorial has {len(groups)} steps."]
    for number, group in enumerate(groups, 1):
        said = " ".join(reworded(each, random) for each in group)
        parts.append(f"## Step {number}\n\n{said}")
    return "\n\n".join([*parts, *_blocks(piece)])


def tabled(piece: Piece, random: Random) -> str:
    """A table of what is said, and a question about it."""
    cells = [reworded(each, random) for each in piece.sentences if "|" not in each]
    rows = [f"| {number} | {each} |" for number, each in enumerate(cells, 1)]
    said = reworded(piece.sentences[0], random)
    return "\n".join(["| No. | What it says |", "|---|---|", *rows]) + f"\n\n**Question:** What comes first?\n\n{said}"


FAITHFUL: dict[str, Callable[[Piece, Random], str]] = {
    "paraphrase": paraphrase,
    "turned": turned,
    "summary": summary,
    "questions": questions,
    "listed": listed,
    "steps": steps,
    "tabled": tabled,
}


def pieces_of(texts: Sequence[str], words: tuple[int, int]) -> list[Piece]:
    """The pieces of documents, split at blank lines, that have so many words and enough whole sentences."""
    found = []
    for text in texts:
        size, held, fenced = 0, [], False
        for paragraph in text.split("\n\n"):
            held.append(paragraph)
            size += len(paragraph.split())
            fenced ^= len(re.findall(r"^ {0,3}(?:`{3,}|~{3,})", paragraph, re.MULTILINE)) % 2 == 1
            if size >= words[1] * 2 // 3 and not fenced:
                found.append("\n\n".join(held))
                size, held = 0, []
        if held and not fenced:
            found.append("\n\n".join(held))
    pieces = (piece_of(each) for each in found if words[0] <= len(each.split()) <= 2 * words[1])
    return [piece for piece in pieces if len(piece.sentences) >= 5]
