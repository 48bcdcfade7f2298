"""Spans of a text that must not reach training as they are: personal data and secrets.

A span is (start, end, kind), in bytes of the UTF-8 text; spans of a document are in order and do not overlap. Kinds:
email, phone, person, username, ip, mac, and secret with what it is behind a dot (`secret.aws_access_key`).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from filters.privacy import network, people, secrets
from filters.privacy.marks import (
    ADDRESS,
    HEADER,
    KEY,
    KEY_BLOCK,
    MAIL,
    PHONE,
    SEARCHED,
    SECRET,
    SESSION,
    SIGNED,
    URL,
    USER,
    mark_lines,
)
from filters.stream import CODE, LOG, Stream, read_stream

Span = tuple[int, int, str]


def find_spans(stream: Stream) -> list[list[Span]]:
    """The spans of each document of a batch."""
    marks = mark_lines(stream)
    text = memoryview(stream.data)  # type: ignore[arg-type]
    found: list[list[Span]] = [[] for _ in range(len(stream))]
    marked = np.flatnonzero(marks & SEARCHED)
    owners = np.searchsorted(stream.line_offsets, marked, side="right") - 1
    in_code = (stream.line_kinds[marked] == CODE) | (stream.line_kinds[marked] == LOG)
    rows = (
        owners,
        marked,
        marks[marked],
        in_code,
        stream.lines[marked],
        stream.lines[marked + 1],
        stream.offsets[owners],
    )
    searched = -1  # for blocks of keys
    for document, line, mark, code, first, last, begin in zip(*(row.tolist() for row in rows), strict=True):
        here = _of_line(bytes(text[first:last]), mark, code)
        if mark & SIGNED:
            here += _closing_names(stream, text, line, document)
        spans = found[document]
        spans += [(first - begin + start, first - begin + stop, kind) for start, stop, kind in here]
        if mark & KEY_BLOCK and document != searched:
            spans += secrets.private_keys(bytes(text[begin : int(stream.offsets[document + 1])]))
            searched = document
    return [without_overlaps(spans) if len(spans) > 1 else spans for spans in found]


def spans_of(text: str) -> list[Span]:
    """The spans of one text."""
    return find_spans(read_stream(pa.array([text], pa.large_string())))[0]


def _of_line(line: bytes, mark: int, in_code: bool) -> list[Span]:
    found: list[Span] = []
    if mark & (KEY | SECRET):
        found += secrets.known_keys(line)
    if mark & SECRET:
        found += secrets.passwords(line)
    if mark & URL:
        found += secrets.url_passwords(line)
    persons: list[Span] = people.emails(line, in_code) if mark & MAIL else []
    if mark & (SIGNED | HEADER):
        persons += people.names(line)
    if mark & PHONE:
        persons += people.phones(line, in_code)
    if mark & USER:
        persons += people.users(line)
    if mark & ADDRESS and (mark & SESSION or persons or network.is_access_log(line)):
        found += network.addresses(line)
    return found + persons


def _closing_names(stream: Stream, text: memoryview, line: int, document: int) -> list[Span]:
    """The name under `Regards,` or behind a signature's dashes, relative to the line's beginning."""
    first = int(stream.lines[line])
    body = bytes(text[first : int(stream.lines[line + 1])]).rstrip(b"\n")
    named = (0, 0) if body.strip() == b"--" else people.closing_name(body)
    if named is None:
        return []
    if named != (0, 0):
        return [(*named, "person")]
    for below in range(line + 1, min(line + 3, int(stream.line_offsets[document + 1]))):
        begin, end = int(stream.lines[below]), int(stream.lines[below + 1])
        below_it = bytes(text[begin:end]).rstrip(b"\n")
        if below_it.strip():
            alone = people.name_alone(below_it)
            return [(begin - first + alone[0], begin - first + alone[1], "person")] if alone else []
    return []


def without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """Spans in order; of those that overlap a secret goes before personal data, and the one that begins first."""
    secret = _first_of_overlapping([span for span in spans if span[2].startswith("secret")])
    begins = [span[0] for span in secret]

    def is_free(span: Span) -> bool:
        at = bisect.bisect_left(begins, span[1])
        return at == 0 or secret[at - 1][1] <= span[0]

    personal = _first_of_overlapping([span for span in spans if not span[2].startswith("secret") and is_free(span)])
    return sorted([*secret, *personal])


def _first_of_overlapping(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (span[0], -span[1], span[2])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept
