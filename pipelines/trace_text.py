"""What a trace found, for a person: a paragraph for each segment, a line for each thing that is known of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME, _LINE = 11, 120
_PEOPLE = ("date", "authors", "canonical", "licence_stated")


def render(found: Mapping[str, Any]) -> str:
    """The whole of it as text."""
    lines = [f"{plain(found['shard'])}, row {found['row']}: {found['sequence_length']:,} tokens, {_packed(found)}"]
    if found["list"]:
        lines += _line("list", f"{found['list']}" + (f", for {found['split']}" if found["split"] else ""))
    if found["mixture"] is not None:
        lines += _line(
            "mixture", ", ".join(f"{each['stage']} reads it {_times(each['times'])}" for each in found["mixture"])
        )
    for segment in found["segments"]:
        lines += ["", *_segment(segment)]
    return "\n".join(lines)


def plain(text: str) -> str:
    """A text that others wrote, on one line, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _packed(found: Mapping[str, Any]) -> str:
    return f"{found['padding']:,} of them padding"


def _times(times: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")


def _line(name: str, value: object) -> list[str]:
    if value in (None, "", []):
        return []
    after = " " * (_NAME + 2)
    text = f"  {name:<{_NAME}}{plain(str(value))}"
    return textwrap.wrap(text, _LINE, subsequent_indent=after, break_long_words=False, break_on_hyphens=False)


# ---------------------------------------------------------------- a segment


def _segment(segment: Mapping[str, Any]) -> Iterator[str]:
    first, end = segment["tokens"]
    if segment.get("taken_down"):
        yield f"tokens {first:,} to {end:,}: of a document that was taken down"
        return
    document = segment["document"]
    yield f"tokens {first:,} to {end:,}: document {document['doc_id']}, revision {document['revision']}"
    if "token" in segment:
        yield from _token(segment["token"])
    yield from _bytes(segment)
    yield from _document(document)
    for record in segment["records"]:
        yield from _line("record", _record(record))
    for parent in segment["parents"]:
        yield from _line("parent", _parent(parent))
    for stage, told in segment.get("stages", {}).items():
        yield from _line(stage, _STAGES[stage](told) if told else "does not know this revision of the document")
    if segment.get("text") is not None:
        yield from (f"  | {plain(line)}" for line in segment["text"].split("\n"))


def _token(token: Mapping[str, Any]) -> Iterator[str]:
    if token["marker"]:
        yield from _line("token", f"{token['at']:,}: id {token['id']}, the marker {token['text']}")
    else:
        start, end = token["bytes"]
        yield from _line(
            "token", f"{token['at']:,}: id {token['id']}, {token['text']!r}, bytes {start:,} to {end:,} of the text"
        )


def _bytes(segment: Mapping[str, Any]) -> Iterator[str]:
    start, end = segment["bytes"]
    middle = segment["middle"]
    moved = f"; rearranged for fill-in-the-middle, bytes {middle[0]:,} to {middle[1]:,} last" if middle else ""
    yield from _line("text", f"bytes {start:,} to {end:,}{moved}")


def _document(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _line("title", document["title"])
    yield from _line("URL", document["url"])
    yield from _line("licence", f"{document['licence'] or 'unknown'}: {document['licence_evidence']}")
    yield from _line("source", f"{document['source']}, {document['category']}")
    yield from _line("opt-out", ", ".join(document["opt_out"] or []))
    yield from _line("cluster", document["cluster_id"])
    yield from _line("copies", ", ".join(document["copies"] or []))
    yield from _line("edits", "; ".join(_edit(each) for each in document["edits"] or []))


def _edit(edit: Mapping[str, Any]) -> str:
    return f"{edit['kind']} at bytes {edit['start']:,} to {edit['end']:,} of the text before"


def _parent(parent: Mapping[str, Any]) -> str:
    if parent["url"] is None:
        return f"{parent['doc_id']}, which is not in this export"
    return (
        f"{parent['doc_id']}, {parent['url']} ({parent['licence'] or 'licence unknown'}: {parent['licence_evidence']})"
    )


def _record(record: Mapping[str, Any]) -> str:
    run = f" of the run {record['run']}" if record["run"] else ""
    return f"crawl/{record['file']} at {record['row']:,}{run}, {record['digest']}, fetched {record['fetched_at']}"


# ---------------------------------------------------------------- stages


def _extract(told: Mapping[str, Any]) -> str:
    how = f"by {told.get('method', 'its format')}" + (
        f", as a page of {told['generator']}" if "generator" in told else ""
    )
    said = [f"{name.replace('_', ' ')} {_named(told[name])}" for name in _PEOPLE if name in told]
    return "; ".join([how, *said])


def _named(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _classify(told: Mapping[str, Any]) -> str:
    scored = [
        f"{label} {told[name]} ({told[score]:.2f})"
        for label, name, score in (
            ("language", "language", "language_score"),
            ("topic", "topic", "topic_score"),
            ("or", "topic_second", "topic_second_score"),
        )
        if name in told and score in told
    ]
    shares = [
        f"{name} {told[key]:.3f}"
        for name, key in (("relevance", "relevance"), ("quality", "topic_quality"))
        if key in told
    ]
    return ", ".join([*scored, *shares, *([f"{told['words']:,} words"] if "words" in told else [])])


def _dedup(told: Mapping[str, Any]) -> str:
    size = told.get("cluster_size", 1)
    return f"stays for a cluster of {size:,}" if size > 1 else "stays; nothing is like it"


def _filter(told: Mapping[str, Any]) -> str:
    rules: Sequence[Mapping[str, Any]] = told["rules"]
    verdict = f"passed {len(rules)} rules" if told["passed"] else "is not in the filter's output"
    return f"{verdict}: " + ", ".join(f"{each['rule']} {each['value']:.3g} ({each['limit']})" for each in rules)


def _synth(told: Mapping[str, Any]) -> str:
    revision = f" {told['revision']}" if told["revision"] else ""
    licence = told["teacher_licence"] or "licence unknown"
    gates = ", ".join(f"{name} {value:.3g}" for name, value in told["gates"].items() if value)
    keys = ", ".join(told["request_keys"])
    return (
        f"{told['kind']} by {told['model']}{revision} ({licence}), prompt {told['prompt_sha256'][:16]}, "
        f"request {keys}; gates measured {gates or 'nothing'}"
    )


def _tokenize(told: Mapping[str, Any]) -> str:
    quality = f"quality {told['quality']:.3f}" if told["quality"] is not None else "no quality"
    limits = ", ".join(f"{tier} from {limit:g}" for tier, limit in (told["tiers_from"] or {}).items())
    return f"{told['category']}, {quality}{f' ({limits})' if limits else ''}, {told['origin']}"


_STAGES = {
    "extract": _extract,
    "classify": _classify,
    "dedup": _dedup,
    "filter": _filter,
    "synth": _synth,
    "tokenize": _tokenize,
}
