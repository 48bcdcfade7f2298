"""Threads of mailing lists to Markdown: who said what when, without the quotes of what was said before."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from manifests.models import ExtractSettings
from pipelines.extract.guards import check_body
from pipelines.extract.mail.message import Message, read_message
from pipelines.extract.mail.text import Said, body_markdown
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.write import heading

MAGIC = b"thread 1\n"


def pack_thread(messages: Sequence[bytes]) -> bytes:
    """A thread as one body: MAGIC, and of each message its length in decimal digits, a line end, its bytes."""
    return MAGIC + b"".join(b"%d\n%b" % (len(message), message) for message in messages)


def unpack_thread(body: bytes) -> list[bytes]:
    """The messages of a packed thread. Raises `Unreadable` with `not_text` for what is none."""
    if not body.startswith(MAGIC):
        raise Unreadable("not_text", "no packed thread")
    messages = []
    at = len(MAGIC)
    while at < len(body):
        end = body.find(b"\n", at, at + 20)
        digits = body[at:end] if end >= 0 else b""
        if not digits.isdigit() or end + 1 + int(digits) > len(body):
            raise Unreadable("not_text", f"a packed thread, damaged at byte {at}")
        at = end + 1 + int(digits)
        messages.append(body[end + 1 : at])
    return messages


def extract_thread(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a thread of mails is; a pure function of its arguments.

    body: as `pack_thread` makes it, or a single mail. No address of a sender stands in the text; a message
    that asks not to be archived is left out. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    raw = unpack_thread(body) if body.startswith(MAGIC) else [body]
    messages = [message for each in raw if (message := read_message(each)) is not None and not message.no_archive]
    said = Said()
    parts: list[str] = []
    authors: list[str] = []
    subject = ""
    for message in messages:
        text = body_markdown(message.parts, said)
        if not text:
            continue
        parts += [_line(message, subject), text]
        subject = subject or message.subject
        if message.author and message.author not in authors:
            authors.append(message.author)
    if not parts:
        raise NoText
    title = unicodedata.normalize("NFC", subject)
    date = max((message.date for message in messages), default="")[:10]
    top = [heading(1, title)] if title else []
    found = {column: "mail" for column, value in (("date", date), ("authors", authors)) if value}
    return Page(title, "\n\n".join([*top, *parts]) + "\n", (), "mail", date=date, authors=tuple(authors), found=found)


def _line(message: Message, subject: str) -> str:
    """Who wrote when, and under which subject if it is not that of the thread."""
    date = f" ({message.date})" if message.date else ""
    other = f" {message.subject}" if subject and message.subject != subject else ""
    return unicodedata.normalize("NFC", f"**{message.author or 'Unknown'}**{date}:{other}")
