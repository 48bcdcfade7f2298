"""CSS selectors, all of a list matched in one compiled pass over a tree, as a browser matches a style sheet.

Grammar: compounds of `tag`, `#id`, `.class`, `[attr]`, `[attr=value]` and `^=`, `*=`, `$=`, `~=`, joined by
descendant (space) and child (`>`). Values are compared without regard to ASCII case.
Selectors level 4, sections 3, 6 and 16.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from pipelines.extract.html.tree import (
    FEATURES,
    INNER,
    PARENT,
    START,
    TEXT,
    Bytes,
    Hashes,
    Ints,
    Longs,
    Tree,
    attribute,
    feature_hash,
    is_space,
)

Bools = npt.NDArray[np.bool_]

MAX_COMPOUNDS = 8
MAX_LEVELS = 256  # above a node that are looked at
_OPERATORS = {"": 0, "=": 1, "^=": 2, "*=": 3, "$=": 4, "~=": 5}
_COMPOUND = re.compile(
    r"""(?P<tag>[A-Za-z][\w-]*)|\#(?P<id>[\w-]+)|\.(?P<class>[\w:/-]+)
      |\[\s*(?P<name>[A-Za-z][\w:.-]*)\s*(?:(?P<op>[\^*$~]?=)\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<bare>[^\]\s"']+))\s*)?\]""",
    re.VERBOSE,
)
_RARE = frozenset(("html", "head", "body", "title", "base", "meta", "link", "main"))  # tags
_JOIN = re.compile(r"\s*(>)\s*|\s+")


class Sheet(NamedTuple):
    """Selectors as tables. Selector s has compounds [first[s], first[s + 1]), the rightmost first.

    slots: hash of a feature → candidates [at[0, slot], at[1, slot]) of `candidates`, selectors whose rightmost
    compound needs it, and above[slot], the bit that a node with this feature sets for all below it. Selector s
    cannot match a node unless all bits of needs_above[s] are set above it. Compound c needs features
    [need_at[c], need_at[c + 1]) of `needs` and conditions [test_at[c], test_at[c + 1]), rows of `tests`: operator,
    number of the attribute's name, begin and end of the value in `letters`. names[n]: begin and end of a name there.
    child[c]: whether c's right neighbour must be its child. bits[s]: what a match adds to a node.
    """

    slots: Hashes
    at: Ints
    candidates: Ints
    above: Hashes
    needs_above: Hashes
    first: Ints
    need_at: Ints
    needs: Hashes
    test_at: Ints
    tests: Ints
    names: Ints
    letters: Bytes
    child: Ints
    bits: Longs


class SelectorError(ValueError):
    """A selector outside the grammar."""


def compile_sheet(selectors: Sequence[tuple[str, int]]) -> Sheet:
    """A sheet of selectors, each with the bits that a match adds. Raises SelectorError."""
    first, need_at, needs, test_at, tests, child = [0], [0], [], [0], [], []
    letters = bytearray()
    names: dict[str, tuple[int, int]] = {}
    by_feature: dict[int, list[int]] = {}  # by the hash of a feature
    above: dict[int, int] = {}
    needs_above = []
    for number, (selector, _) in enumerate(selectors):
        needs_above.append(0)
        for place, (features, conditions, is_child) in enumerate(_parse(selector)):
            if place == 0:
                by_feature.setdefault(feature_hash(_rarest(features)), []).append(number)
            else:
                for feature in features:
                    needs_above[-1] |= above.setdefault(feature_hash(feature), 1 << (len(above) % 64))
            needs += [feature_hash(feature) for feature in features]
            for name, operator, value in conditions:
                if name not in names:
                    names[name] = len(letters), len(letters) + len(name)
                    letters += name.encode()
                begin = len(letters)
                letters += _as_written(value.lower()).encode()
                tests.append((_OPERATORS[operator], list(names).index(name), begin, len(letters)))
            need_at.append(len(needs))
            test_at.append(len(tests))
            child.append(int(is_child))
        first.append(len(child))
    size = 16
    while size < 4 * (len(by_feature) + len(above)):
        size *= 2
    slots, bits_above, at = np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros((2, size), np.int32)
    candidates: list[int] = []
    for key in (*by_feature, *(each for each in above if each not in by_feature)):
        slot = key & (size - 1)
        while slots[slot]:
            slot = (slot + 1) & (size - 1)
        slots[slot], bits_above[slot] = key, above.get(key, 0)
        at[0, slot] = len(candidates)
        candidates += by_feature.get(key, [])
        at[1, slot] = len(candidates)
    return Sheet(
        slots,
        at,
        np.array(candidates, np.int32),
        bits_above,
        np.array(needs_above, np.uint64),
        np.array(first, np.int32),
        np.array(need_at, np.int32),
        np.array(needs, np.uint64),
        np.array(test_at, np.int32),
        np.array(tests, np.int32).reshape(-1, 4),
        np.array(list(names.values()), np.int32).reshape(-1, 2),
        np.frombuffer(bytes(letters) or b"\0", np.uint8),
        np.array(child, np.int32),
        np.array([bits for _, bits in selectors], np.int64),
    )


def match(tree: Tree, sheet: Sheet) -> tuple[Longs, Ints]:
    """The bits of each node, and for each selector the first node that it matches (-1: none)."""
    bits = np.zeros(len(tree.tag), dtype=np.int64)
    found = np.full(len(sheet.bits), -1, dtype=np.int32)
    seen = np.zeros(1 << 13, dtype=np.bool_)
    possible = np.ones(len(sheet.bits), dtype=np.bool_)
    above = np.zeros(len(tree.tag) + 1, dtype=np.uint64)
    read = np.full((3, len(sheet.names)), -1, dtype=np.int32)
    _match(tree, sheet, bits, found, seen, possible, above, np.empty(MAX_COMPOUNDS, dtype=np.int32), read)
    return bits, found


def _parse(selector: str) -> list[tuple[list[str], list[tuple[str, str, str]], bool]]:
    """The compounds of a selector, the rightmost first: features, conditions, whether the next one is its child."""
    compounds: list[tuple[list[str], list[tuple[str, str, str]], bool]] = []
    at, text = 0, selector.strip()
    while at < len(text):
        features: list[str] = []
        conditions: list[tuple[str, str, str]] = []
        begin = at
        while found := _COMPOUND.match(text, at):
            if found["tag"] and at > begin:
                break
            at = found.end()
            if found["name"]:
                features.append("[" + found["name"])
                if found["op"]:
                    value = found["dq"] if found["dq"] is not None else found["sq"] or found["bare"] or ""
                    conditions.append((found["name"], found["op"], value))
            else:
                features.append(found["tag"] or (f"#{found['id']}" if found["id"] else f".{found['class']}"))
        join = _JOIN.match(text, at)
        if not features or (at < len(text) and join is None) or (join and join.end() == len(text)):
            raise SelectorError(f"selector {selector!r}: cannot be read at character {at + 1}")
        at = join.end() if join else at
        compounds.append((features, conditions, bool(join and join[1])))
    if not compounds or len(compounds) > MAX_COMPOUNDS:
        raise SelectorError(f"selector {selector!r}: needs 1 to {MAX_COMPOUNDS} compounds")
    return compounds[::-1]


def _as_written(value: str) -> str:
    """A value as lexbor writes it into a page."""
    for character, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\u00a0", "&nbsp;")):
        value = value.replace(character, entity)
    return value


def _rarest(features: Sequence[str]) -> str:
    """The feature to look a selector up by: an id, else a class, a tag that is rare, an attribute, another tag."""
    return min(features, key=lambda feature: 2 if feature in _RARE else ("#.-[".find(feature[0])) % 5)


@compiled
def _match(
    tree: Tree,
    sheet: Sheet,
    bits: Longs,
    found: Ints,
    seen: Bools,
    possible: Bools,
    above: Hashes,
    tried: Ints,
    read: Ints,
) -> None:
    """above[i]: the bits that node i and those above it set; the last is for the root, which has none above.

    read: of each attribute's name the node that was last asked for it, and where its value stands.
    """
    mask = np.uint64(len(sheet.slots) - 1)
    _rule_out(tree, sheet, seen, possible)
    for node in range(len(tree.tag)):
        if tree.tag[node] == TEXT:
            continue
        over = above[tree.nodes[PARENT, node]]
        own = over
        for k in range(tree.nodes[FEATURES, node], tree.nodes[FEATURES, node + 1]):
            feature = tree.features[k]
            slot = feature & mask
            while sheet.slots[slot] != 0 and sheet.slots[slot] != feature:
                slot = (slot + np.uint64(1)) & mask
            if sheet.slots[slot] != feature:
                continue
            own |= sheet.above[slot]
            for c in range(sheet.at[0, slot], sheet.at[1, slot]):
                selector = sheet.candidates[c]
                if not possible[selector] or sheet.needs_above[selector] & ~over:
                    continue
                if found[selector] >= 0 and bits[node] & sheet.bits[selector] == sheet.bits[selector]:
                    continue
                if _matches(tree, sheet, node, selector, tried, read):
                    bits[node] |= sheet.bits[selector]
                    if found[selector] < 0:
                        found[selector] = node
        above[node] = own


@inner
def _rule_out(tree: Tree, sheet: Sheet, seen: Bools, possible: Bools) -> None:
    """Strikes the selectors that need a feature which is not on the page: a Bloom filter, `seen`, says so."""
    for feature in tree.features:
        seen[feature >> np.uint64(51)] = True
    for selector in range(len(sheet.bits)):
        for k in range(sheet.need_at[sheet.first[selector]], sheet.need_at[sheet.first[selector + 1]]):
            if not seen[sheet.needs[k] >> np.uint64(51)]:
                possible[selector] = False
                break


@inner
def _matches(tree: Tree, sheet: Sheet, node: int, selector: int, tried: Ints, read: Ints) -> bool:
    """Whether a node matches a selector; ancestors are tried from near to far, with a way back."""
    begin, end = sheet.first[selector], sheet.first[selector + 1]
    if not _fits(tree, sheet, node, begin, read):
        return False
    if end == begin + 1:
        return True
    compound = begin + 1
    levels = MAX_LEVELS
    tried[0] = node
    at = tree.nodes[PARENT, node]
    while compound < end:
        level = compound - begin
        while at >= 0 and levels and not sheet.child[compound] and not _fits(tree, sheet, at, compound, read):
            at = tree.nodes[PARENT, at]
            levels -= 1
        if levels and at >= 0 and _fits(tree, sheet, at, compound, read):
            tried[level] = at
            at = tree.nodes[PARENT, at]
            compound += 1
            continue
        # Back to the last compound that may be any ancestor, and on from the one it took.
        compound -= 1
        while compound > begin and sheet.child[compound]:
            compound -= 1
        if compound == begin:
            return False
        at = tree.nodes[PARENT, tried[compound - begin]]
    return True


@inner
def _fits(tree: Tree, sheet: Sheet, node: int, compound: int, read: Ints) -> bool:
    """Whether a node has all that a compound asks for."""
    for k in range(sheet.need_at[compound], sheet.need_at[compound + 1]):
        present = False
        for f in range(tree.nodes[FEATURES, node], tree.nodes[FEATURES, node + 1]):
            if tree.features[f] == sheet.needs[k]:
                present = True
                break
        if not present:
            return False
    for k in range(sheet.test_at[compound], sheet.test_at[compound + 1]):
        name = sheet.tests[k, 1]
        if read[0, name] != node:
            letters, close = sheet.names[name, 0], sheet.names[name, 1]
            begin, end = attribute(
                tree.html, tree.nodes[START, node], tree.nodes[INNER, node], sheet.letters, letters, close
            )
            read[0, name], read[1, name], read[2, name] = node, begin, end
        begin, end = read[1, name], read[2, name]
        if begin < 0 or not _holds(
            tree.html, begin, end, sheet.tests[k, 0], sheet.letters, sheet.tests[k, 2], sheet.tests[k, 3]
        ):
            return False
    return True


@inner
def _holds(html: Bytes, begin: int, end: int, operator: int, letters: Bytes, value: int, close: int) -> bool:
    """Whether html[begin:end] stands to letters[value:close] (lower case) as the operator says."""
    wanted = close - value
    if wanted > end - begin or (operator == 1 and wanted != end - begin):
        return False
    at = end - wanted if operator == 4 else begin
    stop = at if operator in (1, 2, 4) else end - wanted
    while at <= stop:
        k = 0
        while k < wanted and _lower(html[at + k]) == letters[value + k]:
            k += 1
        if k == wanted and (
            operator != 5
            or ((at == begin or is_space(html[at - 1])) and (at + wanted == end or is_space(html[at + wanted])))
        ):
            return True
        at += 1
    return False


@inner
def _lower(byte: np.uint8) -> np.uint8:
    return np.uint8(byte + 32) if 65 <= byte <= 90 else byte
