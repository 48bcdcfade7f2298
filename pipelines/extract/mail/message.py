"""One mail as its author, date, subject and parts of text: MIME, charsets, transfer encodings, flowed lines."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message as AnyMessage
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime

from pipelines.extract.decode import decode
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import Unreadable

MAX_PARTS = 200
# The newer rules parse each field of the header, and stumble over damaged ones in many ways.
_RULES = email.policy.compat32
_PATCH_TYPES = frozenset({"text/x-patch", "text/x-diff", "text/patch", "text/diff"})
_DIFF = re.compile(r"^(?:--- \S.*\n\+\+\+ |diff --git )", re.MULTILINE)
_HEAD = 100_000
_REPLY = re.compile(r"\s*(?:(?:re|aw|sv|antw)(?:\[\d+\]|\^\d+)?\s*:\s*)+", re.IGNORECASE)
_COMMENT = re.compile(r"\(([^()@]{1,80})\)")
_NAME = re.compile(r"^\s*\"?([^\"<@]{1,80}?)\"?\s*<")
_HIDDEN = re.compile(r"\s+(?:via\s.*|at\s\S+\s+dot\s.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail: `kind` is text (plain lines), markdown (made from HTML) or diff."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A mail. `author` is a name, never an address; `date` is `YYYY-MM-DD HH:MM` in UTC; empty if unknown."""

    author: str
    date: str
    subject: str
    parts: tuple[Part, ...]
    no_archive: bool


def read_message(raw: bytes) -> Message | None:
    """A mail from its bytes; None for what has no header at all. Whatever is wrong in it, its text is kept."""
    try:
        parsed = email.message_from_bytes(raw, policy=_RULES)
    except RecursionError:  # parts within parts without end: only the header counts
        parsed = BytesHeaderParser(policy=_RULES).parsebytes(raw)
    if not parsed.keys():
        return None
    subject = _REPLY.sub("", _field(parsed, "subject"), count=1).strip()
    no_archive = _field(parsed, "x-no-archive").lower().startswith("yes")
    return Message(_author(_field(parsed, "from")), _date(_field(parsed, "date")), subject, _parts(parsed), no_archive)


def _field(message: AnyMessage, name: str) -> str:
    """A field of the header, decoded, on one line; what cannot be decoded as it stands."""
    value = next((str(text) for key, text in message.raw_items() if key.lower() == name), "")
    if "=?" in value:
        try:
            value = str(make_header(decode_header(value)))
        except Exception:  # noqa: BLE001 - damage of every kind
            value = re.sub(r"=\?[^?]*\?[^?]*\?[^?]*\?=", "", value)
    raw = value.encode("utf-8", "surrogateescape")
    try:
        value = raw.decode()
    except UnicodeDecodeError:  # bytes of an older charset, which nothing names
        value = raw.decode("cp1252", "replace")
    return " ".join(value.replace("\0", "").split())


def _author(field: str) -> str:
    """The name in a `From` field. Archives also write `ann at example.org (Ann Author)`."""
    found = _NAME.match(field) or _COMMENT.search(field)
    name = _HIDDEN.sub("", found[1]).strip(" '\"*_`") if found else ""
    if not name and "@" not in field and " at " not in field:
        name = field.strip(" '\"*_`")[:80]
    return "" if "@" in name else name


def _date(field: str) -> str:
    try:
        date = parsedate_to_datetime(field)
        date = date.astimezone(UTC) if date.tzinfo else date
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return date.strftime("%Y-%m-%d %H:%M") if 1970 <= date.year <= datetime.max.year else ""


def _parts(message: AnyMessage) -> tuple[Part, ...]:
    """The parts that are text or patches; of alternatives the plain text, HTML only where there is no other."""
    plain: list[Part] = []
    rich: list[Part] = []
    for part in _leaves(message):
        kind = part.get_content_type()
        name = _file_name(part)
        attached = "attachment" in _field(part, "content-disposition").lower()
        if kind in _PATCH_TYPES or _is_patch(part, kind, name):
            plain.append(Part("diff", _text(part)))
        elif attached or not kind.startswith("text/") or (name and kind != "text/html" and not _is_inline(part)):
            continue
        elif kind == "text/html":
            rich.append(Part("markdown", to_markdown(_text(part)).strip()))
        else:
            plain.append(Part("text", _flowed(part, _text(part))))
    if any(part.kind == "text" and part.text.strip() for part in plain) or not rich:
        return tuple(plain)
    return (*rich, *plain)


def _is_patch(part: AnyMessage, kind: str, name: str) -> bool:
    """Whether a part whose name is that of a patch holds one; programs send them as any type."""
    if not name.endswith((".patch", ".diff")):
        return False
    return kind.startswith("text/") or (kind.startswith("application/") and bool(_DIFF.search(_text(part)[:_HEAD])))


def _leaves(message: AnyMessage) -> list[AnyMessage]:
    """The parts that hold no others, in their order; mails within the mail are left out."""
    leaves: list[AnyMessage] = []
    waiting = [message]
    while waiting and len(leaves) < MAX_PARTS:
        part = waiting.pop()
        if part is not message and part.get_content_type() == "message/rfc822":
            continue
        children = part.get_payload() if part.is_multipart() else None
        if isinstance(children, list):
            waiting += [child for child in reversed(children) if isinstance(child, AnyMessage)]
        else:
            leaves.append(part)
    return leaves


def _file_name(part: AnyMessage) -> str:
    try:
        return (part.get_filename() or "").lower()
    except Exception:  # noqa: BLE001 - a damaged parameter: no name
        return ""


def _is_inline(part: AnyMessage) -> bool:
    return "inline" in _field(part, "content-disposition").lower()


def _text(part: AnyMessage) -> str:
    """The text of a part. UTF-7 is not decoded: nothing needs it, and it hides what it says."""
    try:
        payload = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - a damaged transfer encoding: the text as it came
        payload = str(part.get_payload()).encode("utf-8", "replace")
    body = payload if isinstance(payload, bytes) else b""
    try:
        charset = str(part.get_content_charset() or "")
    except Exception:  # noqa: BLE001 - a damaged parameter: no charset
        charset = ""
    try:
        text = decode(body, f"text/plain; charset={charset}" if charset else None)
    except Unreadable:
        text = body.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _flowed(part: AnyMessage, text: str) -> str:
    """A text whose lines were broken by the program that sent it, with those lines whole again (RFC 3676)."""
    field = _field(part, "content-type").lower().replace('"', "")
    if "format=flowed" not in field.replace(" ", ""):
        return text
    delsp = "delsp=yes" in field.replace(" ", "")
    lines: list[str] = []
    open_depth = -1  # of quotes, of the line that goes on; -1: none does
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        soft = bare.endswith(" ") and bare != "-- "
        if depth == open_depth and bare != "-- ":
            lines[-1] += bare
        else:
            lines.append(">" * depth + (" " if depth else "") + bare)
        if soft and delsp:
            lines[-1] = lines[-1][:-1]
        open_depth = depth if soft else -1
    return "\n".join(lines)
