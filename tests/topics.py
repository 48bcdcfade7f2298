"""Short documents about one thing each, and what a faithful teacher says of them."""

from __future__ import annotations

from typing import Any

TOPICS = (
    ("journal", "inodes", "disk"), ("scheduler", "threads", "runqueue"), ("allocator", "pages", "freelist"),
    ("resolver", "names", "zone"), ("balancer", "sessions", "backend"), ("watchdog", "heartbeats", "timer"),
    ("compactor", "tables", "level"), ("collector", "metrics", "scrape"), ("router", "packets", "table"),
    ("broker", "messages", "partition"), ("cache", "objects", "shelf"), ("proxy", "headers", "upstream"),
)  # fmt: skip


_SORTS = ("", "spare ", "remote ", "nightly ", "shared ", "local ", "pinned ")


def _named(topic: int) -> tuple[str, str, str]:
    it, them, place = TOPICS[topic % len(TOPICS)]
    return _SORTS[topic // len(TOPICS)] + it, them, place


def document_of(topic: int) -> str:
    """A document of some 90 words about one thing; no two have five words in a row of its own in common."""
    it, them, place = _named(topic)
    return (
        f"# The {it}\n\nThe {it} keeps {them} near the {place}, so that the {it} finds {them} there again. Whenever the "
        f"{place} is busy, the {it} lets {them} wait beside the {place} until the {it} sees it free. Each {it} writes "
        f"its {them} to the {place} before the {it} ends, and reads {them} from the {place} when the {it} begins. An "
        f"operator who moves the {place} tells the {it} where {them} now lie, or else the {it} stops with {them} in "
        f"hand and waits for the {place} to come back to the {it}.\n"
    )


def faq_of(topic: int) -> str:
    """Questions and answers that a faithful teacher would write of it."""
    it, them, place = _named(topic)
    return (
        f"## Where does the {it} look for {them}?\n\nNear the {place}: there the {it} keeps {them} and finds them.\n\n"
        f"## What becomes of {them} while the {place} is busy?\n\nThe {it} lets them wait beside the {place} until it "
        f"is free.\n\n## When does the {it} write {them}?\n\nBefore the {it} ends, to the {place}; it reads {them} from "
        f"there when it begins.\n"
    )


def topic_of(request: dict[str, Any]) -> int:
    """Which document a request is about."""
    asked = request["messages"][1]["content"]
    return next(n for n in range(len(TOPICS) * len(_SORTS)) if f"# The {_named(n)[0]}\n" in asked)
