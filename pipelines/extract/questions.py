"""A thread of questions and answers to Markdown: the question, then its answers in the order of the thread."""

from __future__ import annotations

import re
import unicodedata

from crawlers.bulk.stackexchange import Post, Thread, thread_of
from manifests.models import ExtractSettings
from pipelines.extract.guards import check_body, check_structure
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.write import heading, paragraph

_HEADING = re.compile(r"<(/?)h([1-6])(?=[\s>])", re.IGNORECASE)
# Comments may link; nested brackets are not Markdown of comments.
_LINK = re.compile(r"(`[^`\n]{1,600}`)|\[([^][\n]{1,600})\]\(https?://[^\s()]{1,2000}(?:\s+\"[^\"\n]{0,600}\")?\)")


def extract_question(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page of a thread, as `Thread.payload` gives it; a pure function of its arguments.

    content_type, name: not used, a thread names itself. Comments follow their post as a list. Raises `Unreadable`
    (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    try:
        thread = thread_of(body)
    except ValueError as error:
        raise Unreadable("parser_error", str(error)) from error
    for post in thread.posts:
        check_structure(post.body, limits)
    bodies = [_post(post, 1 if post is thread.question else 2, limits) for post in thread.posts]
    if not any(bodies):
        raise NoText
    title = unicodedata.normalize("NFC", " ".join(thread.title.split()))
    blocks = [heading(1, title) if title else "", _about(thread), bodies[0]]
    for answer, text in zip(thread.answers, bodies[1:], strict=True):
        accepted = ", accepted" if answer.id == thread.accepted else ""
        blocks += [heading(2, f"Answer (score {answer.score}{accepted})"), text]
    return Page(
        title=title,
        text="\n\n".join(filter(None, blocks)) + "\n",
        opt_out=(),
        method="questions",
        date=max(post.changed or post.date for post in thread.posts),
        authors=tuple(dict.fromkeys(post.author for post in thread.posts if post.author)),
        licence=thread.licence,
        found={"date": "thread", "authors": "thread", "licence": "thread"},
    )


def _about(thread: Thread) -> str:
    """One line of tags, and one that says when the question was closed."""
    lines = [f"Tags: {', '.join(thread.tags)}"] if thread.tags else []
    if thread.closed:
        lines.append(f"Closed: {thread.closed[:10]}")
    return "\n\n".join(lines)


def _post(post: Post, level: int, limits: ExtractSettings) -> str:
    """Body and comments of a post whose own heading has this level."""
    blocks = [to_markdown(_lowered(post.body, level), keep_links=limits.keep_links).strip("\n")]
    comments = [text for comment in post.comments if (text := _comment(comment.text))]
    if comments:
        blocks += ["Comments:", "\n".join(f"- {text}" for text in comments)]
    return "\n\n".join(filter(None, blocks))


def _lowered(html: str, level: int) -> str:
    """The HTML with its headings moved, so that the highest comes right below `level`."""
    levels = [int(found.group(2)) for found in _HEADING.finditer(html)]
    by = level + 1 - min(levels, default=1)
    return _HEADING.sub(lambda found: f"<{found.group(1)}h{min(int(found.group(2)) + by, 6)}", html)


def _comment(text: str) -> str:
    """A comment on one line, its links as their texts."""
    plain = _LINK.sub(lambda found: found.group(1) or found.group(2), unicodedata.normalize("NFC", text))
    return paragraph(" ".join(plain.split()))
