"""Spans of text that must not reach training as they are: mail addresses of persons, and secrets.

A span is (start, end, kind), in bytes of the UTF-8 text; spans of a document do not overlap.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

Span = tuple[int, int, str]

# A run of marks is taken whole or not at all: otherwise a page could make the search slow.
_FENCED = re.compile(rb"^[ >]*(`{3,}(?!`)|~{3,}(?!~))[^\n]*\n.*?(?:^[ >]*\1[`~]*[ \r]*$|\Z)", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(rb"`[^`\n]*`")
_EMAIL = re.compile(rb"(?<![\w.+/-])([A-Za-z0-9][\w.+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})(?![\w-])")
_KEY_BEGIN = re.compile(rb"-----BEGIN ([A-Z ]{0,40}PRIVATE KEY)-----")
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/=\s:,-]*")
_SHORTEST_KEY = 40
_SECRETS = (
    re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b"),
    re.compile(rb"\bxox[abprs]-[0-9]{8,14}-[A-Za-z0-9-]{10,100}\b"),
    re.compile(rb"\bglpat-[A-Za-z0-9_-]{20}\b"),
)

# RFC 2606 and RFC 6761 names, what manuals use in their place, and instances of systemd templates (tty@1.service).
_NO_MAILBOX = re.compile(
    rb"(?:^|\.)(?:example(?:\.[a-z]+)?|test|invalid|localhost|local|localdomain|domain\.(?:com|tld)|"
    rb"service|socket|timer|target|mount|automount|path|slice|scope|swap|device|"
    rb"(?:your|my)[a-z-]*\.[a-z]+|foo\.(?:com|org|net)|bar\.(?:com|org|net))$",
    re.IGNORECASE,
)
_ROLES = frozenset(
    b"git svn hg cvs root user username admin postmaster webmaster hostmaster abuse noreply no-reply "
    b"info support security bugs nobody daemon anonymous me you someone name".split()
)


def find_spans(text: bytes) -> list[Span]:
    """The spans of a UTF-8 Markdown text, in order."""
    spans = _find_private_keys(text)
    spans += [
        (match.start(), match.end(), "secret")
        for pattern in _SECRETS
        for match in pattern.finditer(text)
        if not _is_placeholder(match.group())
    ]
    if b"@" in text:
        spans += _find_emails(text)
    return _without_overlaps(spans)


def _find_private_keys(text: bytes) -> list[Span]:
    """PEM private keys (RFC 7468), with their headers, from BEGIN to the END of the same label."""
    spans = []
    for begin in _KEY_BEGIN.finditer(text):
        end = b"-----END " + begin.group(1) + b"-----"
        at = text.find(b"-----", begin.end())
        if (
            at - begin.end() >= _SHORTEST_KEY
            and text.startswith(end, at)
            and _KEY_BODY.fullmatch(text, begin.end(), at)
        ):
            spans.append((begin.start(), at + len(end), "secret"))
    return spans


def _is_placeholder(secret: bytes) -> bool:
    """Documentation shows keys too; those say so, or repeat one character."""
    return b"EXAMPLE" in secret.upper() or len(set(secret[4:])) < 6


def _find_emails(text: bytes) -> list[Span]:
    """Addresses in prose. In code an address is as a rule a part of what makes the code work."""
    fenced = [match.span() for match in _FENCED.finditer(text)]
    inline = [match.span() for match in _INLINE_CODE.finditer(text)]
    spans = []
    for match in _EMAIL.finditer(text):
        local, domain = match.groups()
        if local.lower() in _ROLES or _NO_MAILBOX.search(domain):
            continue
        if not _inside(match.start(), fenced) and not _inside(match.start(), inline):
            spans.append((match.start(), match.end(), "email"))
    return spans


def _inside(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place lies within one of some spans, which are in order and do not overlap."""
    before = bisect.bisect_right(spans, at, key=lambda span: span[0]) - 1
    return before >= 0 and at < spans[before][1]


def _without_overlaps(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def apply_edits(text: bytes, spans: Sequence[Span]) -> bytes:
    """The text with each span replaced by its placeholder: `<EMAIL>`, `<SECRET>`."""
    pieces, at = [], 0
    for start, end, kind in spans:
        pieces += [text[at:start], b"<", kind.upper().encode(), b">"]
        at = end
    return b"".join([*pieces, text[at:]])
