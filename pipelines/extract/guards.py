"""Checks that decide before a parser runs: size, kind of bytes, tag count, depth of open elements.

The depth is an estimate from the tags alone, without the tree construction rules. It counts what really
nests; elements that HTML closes by itself never count, and inline elements count only up to the next
element that closes them, so that old hand-written pages with unclosed `<p>`, `<li>` or `<font>` pass.
Markup made to deceive the estimate meets the converter's own depth limit, and the sandbox.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from manifests.models import ExtractSettings
from pipelines.extract.page import Unreadable

Ints = NDArray[np.int64]

MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x7fELF", "ELF"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"!<arch>\n", "ar"),
    (b"wOFF", "WOFF"),
    (b"wOF2", "WOFF2"),
    (b"OggS", "Ogg"),
    (b"ID3\x03", "MP3"),
    (b"\x00asm", "WebAssembly"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
    (b"\xca\xfe\xba\xbe", "Java class"),
)
BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")

_VOID = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
VOID = frozenset(_VOID.split())
_CLOSED_BY_OTHERS = (
    "body caption colgroup dd dt head html image isindex li nextid optgroup option p rb rp rt rtc spacer "
    "tbody td tfoot th thead tr"
)
_SVG_LEAVES = "circle ellipse image line path polygon polyline rect stop use"
FLAT = VOID | frozenset(f"{_CLOSED_BY_OTHERS} {_SVG_LEAVES}".split())
_INLINE = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd label mark nobr q s samp small "
    "span strike strong sub sup tt u var"
)
INLINE = frozenset(_INLINE.split())
_CLOSES_INLINE = "p li dt dd td th tr caption option table"
CLOSES_INLINE = frozenset(_CLOSES_INLINE.split())

_TAG = re.compile(r"<(/?[a-z][^\s/>]*)")
_SKIPPED = (("<!--", "-->"), ("<script", "</script"), ("<style", "</style"), ("<svg", "</svg"))


def check_body(body: bytes, limits: ExtractSettings) -> None:
    """Refuse a body that is empty, too large, or begins like a well-known binary format.

    Raises `Unreadable` with `empty_body`, `too_large` or `not_text`.
    """
    if len(body) > limits.max_body_bytes:
        raise Unreadable("too_large", f"{len(body)} bytes, limit {limits.max_body_bytes}")
    if not body.strip():
        raise Unreadable("empty_body", f"{len(body)} bytes")
    for magic, name in MAGIC:
        if body.startswith(magic):
            raise Unreadable("not_text", f"the body is {name}")
    if BZIP2.match(body):
        raise Unreadable("not_text", "the body is bzip2")


def check_structure(text: str, limits: ExtractSettings) -> None:
    """Refuse HTML with more than `max_tags` tags or about `max_depth` open elements at once.

    Raises `Unreadable` with `too_many_tags` or `too_deep`.
    """
    opened = text.count("<")
    if opened <= limits.max_tags and opened - text.count("</") <= limits.max_depth:
        return
    lower = text.lower()
    if lower.count("<") > limits.max_tags:
        tags = sum(1 for _ in _TAG.finditer(lower))
        if tags > limits.max_tags:
            raise Unreadable("too_many_tags", f"{tags} tags, limit {limits.max_tags}")
    depth = open_depth(_TAG.findall(lower), limits.max_depth)
    if depth > limits.max_depth:
        for start, end in _SKIPPED:
            lower = _without(lower, start, end)
        depth = open_depth(_TAG.findall(lower), limits.max_depth)
    if depth > limits.max_depth:
        raise Unreadable("too_deep", f"about {depth} open elements, limit {limits.max_depth}")


def open_depth(tags: list[str], enough: int) -> int:
    """About the largest number of open elements, of tags such as `div` and `/div`, in lower case.

    Where a cheaper bound is already at most `enough`, that bound is returned.
    """
    counts = Counter(tags)
    nesting = [name for name in counts if name[0] != "/" and name not in FLAT]
    bound = sum(counts[name] for name in nesting)
    if bound <= enough:
        return bound
    number = {name: 2 * i for i, name in enumerate(nesting)}
    number |= {"/" + name: 2 * i + 1 for i, name in enumerate(nesting) if "/" + name in counts}
    numbers = np.array([number.get(tag, -1) for tag in tags], dtype=np.int64)
    inline = np.array([name in INLINE for name in nesting], dtype=bool)
    closes = np.array([tag in CLOSES_INLINE for tag in tags], dtype=bool)
    segments = np.cumsum(closes)
    known = numbers >= 0
    names, steps, segments = numbers[known] // 2, 1 - 2 * (numbers[known] % 2), segments[known]
    inside = inline[names]
    blocks = np.cumsum(_effects(names[~inside], steps[~inside]))
    width = len(nesting)
    running = np.cumsum(_effects(segments[inside] * width + names[inside], steps[inside]))
    return int(blocks.max(initial=0)) + _largest_rise(running, segments[inside])


def _effects(keys: Ints, steps: Ints) -> Ints:
    """The change of open elements at each tag, where a closing tag without an open one does nothing.

    keys, steps: int64 (n,); one counter per key, never below zero.
    """
    order = np.argsort(keys, kind="stable")
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[order][1:] != keys[order][:-1]
    group = np.cumsum(first) - 1
    total = np.cumsum(steps[order])
    before = (total - steps[order])[first][group]
    # One running minimum serves all groups: each group lies far below the one before it.
    shift = -group * (2 * len(keys) + 2)
    low = np.minimum.accumulate(np.minimum(total - before, 0) + shift) - shift
    count = total - before - low
    change = np.diff(count, prepend=0)
    change[first] = count[first]
    effects: Ints = np.empty_like(change)
    effects[order] = change
    return effects


def _largest_rise(running: Ints, segments: Ints) -> int:
    """The largest value of `running` (n,) above its value before the segment began."""
    if not len(running):
        return 0
    first = np.ones(len(segments), dtype=bool)
    first[1:] = segments[1:] != segments[:-1]
    before = np.concatenate(([0], running[:-1]))[first][np.cumsum(first) - 1]
    return int((running - before).max())


def _without(text: str, start: str, end: str) -> str:
    """The text without what lies between each `start` and the next `end`; linear in its length."""
    kept = []
    at = 0
    while (begin := text.find(start, at)) >= 0:
        kept.append(text[at:begin])
        at = text.find(end, begin)
        if at < 0:
            return "".join(kept)
        at += len(end)
    kept.append(text[at:])
    return "".join(kept)
