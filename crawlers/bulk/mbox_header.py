"""The header of a mail, as far as threads need it. Read by hand: no header is too damaged for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import mktime_tz, parsedate_tz

MAX_PARENTS = 60
MAX_SUBJECT = 500
_LAST_DATE = 1 << 40  # seconds; later ones are no dates

_FOLD = re.compile(rb"\r?\n[ \t]+")
_ID = re.compile(r"<([^<>\s]{1,500})>")
_REPLY = re.compile(
    r"(?:\s*(?:re|aw|sv|antw|fwd?|wg|tr)(?:\[\d+\]|\^\d+)?\s*:\s*|\s*\[[^\]]{1,60}\]\s*(?=re:))+", re.IGNORECASE
)
_FIELDS = (b"message-id", b"in-reply-to", b"references", b"date", b"subject")


@dataclass(frozen=True, slots=True)
class Header:
    """`id` and `parents` without angle brackets, the nearest parent last; `date` in seconds, 0 if unknown."""

    id: str
    parents: tuple[str, ...]
    date: int
    subject: str
    is_reply: bool


def read_header(head: bytes) -> Header:
    """What a message says in its header; head: its first bytes, as many as may be header."""
    end = re.search(rb"\r?\n\r?\n", head)
    lines = _FOLD.sub(b" ", head[: end.start()] if end else head).splitlines()
    said: dict[bytes, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and (name := name.strip().lower()) in _FIELDS and name not in said:
            said[name] = value.decode("utf-8", "replace").replace("\0", "").strip()
    identity = _ids(said.get(b"message-id", ""))
    own = identity[0] if identity else said.get(b"message-id", "").strip("<> ")[:500]
    # Of `In-Reply-To`, only what looks like an id; some programs write names and dates there.
    references = _ids(said.get(b"references", "")) or _ids(said.get(b"in-reply-to", ""))[:1]
    parents = [each for each in dict.fromkeys(references) if each != own]
    subject = _subject(said.get(b"subject", ""))
    found = _REPLY.match(subject)
    bare = subject[found.end() :].strip() if found else subject
    return Header(
        own, tuple(parents[-MAX_PARENTS:]), _date(said.get(b"date", "")), bare.casefold(), bare != subject.strip()
    )


def _ids(text: str) -> list[str]:
    return _ID.findall(text)


def _date(text: str) -> int:
    try:
        parsed = parsedate_tz(text)
        seconds = mktime_tz(parsed) if parsed else 0
    except (ValueError, OverflowError, TypeError, IndexError):
        return 0
    return int(seconds) if 0 < seconds < _LAST_DATE else 0


def _subject(text: str) -> str:
    text = text[:MAX_SUBJECT]
    try:
        parts = decode_header(text)
        decoded = "".join(
            part.decode(charset if charset and charset.lower() != "utf-7" else "utf-8", "replace")
            if isinstance(part, bytes)
            else part
            for part, charset in parts
        )
    except (HeaderParseError, LookupError, ValueError):
        decoded = text
    return " ".join(decoded.split())
