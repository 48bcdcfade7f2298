"""Spans of a text that must not reach training as they are: personal data and secrets.

A span is (start, end, kind), in bytes of the UTF-8 text; spans of a document are in order and do not overlap. Kinds:
email, phone, person, username, ip, mac, and secret with what it is behind a dot (`secret.aws_access_key`).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.privacy import network, people, secrets
from filters.privacy.marks import (
    ADDRESS,
    AT,
    COLONS,
    HOME,
    KEY_BLOCK,
    LONG,
    PHONE,
    PROMPT,
    QUAD,
    SECRET,
    SIGNED,
    mark_lines,
)
from filters.stream import FENCE, LOG, Stream, read_stream

Span = tuple[int, int, str]

_SESSIONS = (
    b"console",
    b"shell-session",
    b"shellsession",
    b"terminal",
    b"log",
    b"syslog",
    b"ansi",
    b"pycon",
    b"session",
)
_PUTTY = b"PuTTY-User-Key-File"


def find_spans(stream: Stream) -> list[list[Span]]:
    """The spans of each document of a batch."""
    marks = mark_lines(stream)
    text = stream.data.tobytes()
    found: list[list[Span]] = [[] for _ in range(len(stream))]
    if _PUTTY in text:
        for at in re.finditer(re.escape(_PUTTY), text):
            marks[_line_of(stream, at.start())] |= KEY_BLOCK
    marked = np.flatnonzero(marks & ~np.uint16(PROMPT))
    owners = np.searchsorted(stream.line_offsets, marked, side="right") - 1
    edges = np.searchsorted(owners, np.arange(len(stream) + 1))
    for document in np.unique(owners).tolist():
        lines = marked[edges[document] : edges[document + 1]]
        found[document] = _of_document(stream, text, document, lines, marks)
    return found


def _line_of(stream: Stream, place: int) -> int:
    return int(np.searchsorted(stream.lines, place, side="right")) - 1


def spans_of(text: str) -> list[Span]:
    """The spans of one text."""
    return find_spans(read_stream(pa.array([text], pa.large_string())))[0]


def _of_document(
    stream: Stream, text: bytes, document: int, lines: npt.NDArray[np.int64], marks: npt.NDArray[np.uint16]
) -> list[Span]:
    begin, end = int(stream.offsets[document]), int(stream.offsets[document + 1])
    spans: list[Span] = []
    if int(np.bitwise_or.reduce(marks[lines])) & KEY_BLOCK:
        spans += secrets.private_keys(text[begin:end])
    sessions = _Sessions(stream, text, document, marks)
    for line in lines.tolist():
        first, last = int(stream.lines[line]), min(end, int(stream.lines[line + 1]))
        here = _of_line(text[first:last], int(marks[line]), lambda line=line: sessions.has(line))  # type: ignore[misc]
        if marks[line] & SIGNED:
            here += _closing_names(stream, text, line, document, first)
        spans += [(first - begin + start, first - begin + stop, kind) for start, stop, kind in here]
    return without_overlaps(spans)


def _of_line(line: bytes, mark: int, in_session: Callable[[], bool]) -> list[Span]:
    found: list[Span] = []
    if mark & (LONG | SECRET):
        found += secrets.known_keys(line)
    if mark & SECRET:
        found += secrets.passwords(line)
    if mark & ADDRESS and mark & AT:
        found += secrets.url_passwords(line)
    persons: list[Span] = people.emails(line) if mark & AT else []
    if mark & SIGNED or mark & AT:
        persons += people.names(line)
    if mark & PHONE:
        persons += people.phones(line)
    if mark & (HOME | AT):
        persons += people.users(line)
    if mark & (QUAD | COLONS) and (persons or in_session()):
        found += network.addresses(line)
    return found + persons


def _closing_names(stream: Stream, text: bytes, line: int, document: int, first: int) -> list[Span]:
    """The name under `Regards,` or behind a signature's dashes, relative to the line's beginning."""
    body = text[first : int(stream.lines[line + 1])].rstrip(b"\n")
    named = (0, 0) if body.strip() == b"--" else people.closing_name(body)
    if named is None:
        return []
    if named != (0, 0):
        return [(*named, "person")]
    for below in range(line + 1, min(line + 3, int(stream.line_offsets[document + 1]))):
        begin, end = int(stream.lines[below]), int(stream.lines[below + 1])
        if text[begin:end].strip():
            alone = people.name_alone(text[begin:end].rstrip(b"\n"))
            return [(begin - first + alone[0], begin - first + alone[1], "person")] if alone else []
    return []


class _Sessions:
    """Which lines of a document stand in a log or in a session of a shell."""

    def __init__(self, stream: Stream, text: bytes, document: int, marks: npt.NDArray[np.uint16]) -> None:
        self._stream, self._text, self._marks = stream, text, marks
        self._first, self._last = int(stream.line_offsets[document]), int(stream.line_offsets[document + 1])
        self._blocks: list[tuple[int, int, bool]] | None = None

    def has(self, line: int) -> bool:
        """Whether a line is of a log, or in a fence whose language or prompts say that it is a session."""
        if self._stream.line_kinds[line] == LOG or network.is_access_log(self._line(line)):
            return True
        if self._blocks is None:
            self._blocks = list(self._find())
        at = bisect.bisect_left(self._blocks, (line,)) - 1
        return at >= 0 and line < self._blocks[at][1] and self._blocks[at][2]

    def _line(self, line: int) -> bytes:
        return self._text[int(self._stream.lines[line]) : int(self._stream.lines[line + 1])]

    def _find(self) -> list[tuple[int, int, bool]]:
        kinds = self._stream.line_kinds[self._first : self._last]
        fences = (np.flatnonzero(kinds == FENCE) + self._first).tolist()
        blocks = []
        for begin, end in zip(fences[::2], [*fences[1::2], self._last], strict=False):
            info = self._line(begin).strip(b" >`~\n").lower()
            prompts = bool((self._marks[begin:end] & PROMPT).any())
            logs = bool((self._stream.line_kinds[begin:end] == LOG).any())
            blocks.append((begin, end, info.startswith(_SESSIONS) or prompts or logs))
        return blocks


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
