"""An interface that answers with pages of JSON: its items, one document each, and the way to the next page.

`bulk.fields` says how it is read. Paths are names parted by dots; of a list each element is taken.

- `items`: path of the list of items; none: the response is the list, or the one item.
- `id`, `title`, `licence`: paths in an item. `id` is needed; an item without one is known by its `text`.
- `text`: paths in an item, parted by spaces: what the document says, in this order.
- `format`: `markdown` (else), `html` or `plain`: what the text is.
- `page`: URL of an item for people, with `{}` for its id.
- `each`: URL to fetch for each item, with `{}` for its id; that response is then the item, at the path `item`.
- the next page, by one of: `next`, path of its URL (or `link`: the Link header of RFC 8288); `cursor`, path of a value
  that goes into the parameter `parameter`; `parameter` alone: a number that counts up from `first` (1) by `step` (1)
  for as long as items come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from pydantic import TypeAdapter

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.split import Piece
from crawlers.bulk.store import Store
from crawlers.content import BodyError
from crawlers.http import joined_header
from crawlers.warc import Record
from manifests.models import Source

FIELDS = frozenset(
    [
        "items",
        "id",
        "title",
        "licence",
        "text",
        "format",
        "page",
        "each",
        "item",
        "next",
        "cursor",
        "parameter",
        "first",
        "step",
    ]
)
ACCEPT = "application/json"
#: What one response may hold; `split` gives no more of it.
MAX_BYTES = 64 << 20
MAX_ITEMS = 100_000

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s\",;]+))*)")
_NEXT = re.compile(r";\s*rel\s*=\s*\"?(?:[^\";]*\s)?next(?=[\s\";]|$)", re.IGNORECASE)
_TYPES = {"markdown": "text/markdown", "html": "text/html", "plain": "text/plain"}


def bring(source: Source, store: Store) -> None:
    """Page after page of items, and each item's own page where it has one."""
    fields = store.bulk.fields
    fetch = store.index if "each" in fields else store.documents
    url: str | None = store.bulk.url
    asked: set[str] = set()
    while url is not None and url not in asked:
        asked.add(url)
        record = fetch(url, ACCEPT)
        try:
            answer = _parsed(store.body(record))
            items = items_of(answer, fields)
        except ValueError as error:
            raise store.refuse(record.url, "malformed", str(error)) from None
        if "each" in fields:
            _bring_each(store, fields["each"], [_id_of(item, fields) for item in items])
        url = _next(url, record, answer, len(items), fields)


def _bring_each(store: Store, template: str, ids: list[str]) -> None:
    for each in ids:
        try:
            store.documents(template.replace("{}", quote(each, safe="")), ACCEPT)
        except Unavailable:
            continue  # it stands in the index


def split(record: Record) -> Iterator[Piece]:
    """The items of a page as documents, in their order. Raises ValueError where it holds no items."""
    fields = TypeAdapter(dict[str, str]).validate_json(record.about["fields"])
    try:
        answer = _parsed(record.body(MAX_BYTES))
    except BodyError as error:
        raise ValueError(f"{error.reason} {error.detail}".rstrip()) from None
    if "each" in fields:
        fields = {**fields, "items": fields.get("item", "")}
    for number, item in enumerate(items_of(answer, fields)[:MAX_ITEMS]):
        body = _text_of(item, fields)
        if not body:
            continue
        name = _id_of(item, fields)
        page = fields.get("page", "").replace("{}", quote(name, safe="")) if "page" in fields else record.url
        yield Piece(
            number=number,
            id=name or body,
            body=body.encode("utf-8", "replace"),
            content_type=_TYPES.get(fields.get("format", "markdown"), "text/plain"),
            name=page,
            url=page,
            licence=_first(item, fields.get("licence")),
            licence_evidence=f"{fields['licence']} of the item" if fields.get("licence") else "",
        )


def items_of(answer: Any, fields: Mapping[str, str]) -> list[Any]:
    """The items of a response; ValueError where there is no list of them."""
    path = fields.get("items", "")
    for name in path.split(".") if path else ():
        answer = answer.get(name) if isinstance(answer, dict) else None
    if answer is None:
        raise ValueError(f"nothing at {path or 'its root'!r}")
    return answer if isinstance(answer, list) else [answer]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# ---------------------------------------------------------------- an item


def _values(item: Any, path: str) -> list[str]:
    """What stands at a path: texts and numbers; of a list each element's."""
    found = [item]
    for name in path.split(".") if path else ():
        inner = [each.get(name) for each in found if isinstance(each, dict)]
        found = [one for each in inner for one in (each if isinstance(each, list) else [each])]
    return [str(each) for each in found if isinstance(each, str | int | float) and not isinstance(each, bool)]


def _first(item: Any, path: str | None) -> str:
    return next(iter(_values(item, path)), "") if path else ""


def _id_of(item: Any, fields: Mapping[str, str]) -> str:
    return next(iter(_values(item, fields.get("id", ""))), "")


def _text_of(item: Any, fields: Mapping[str, str]) -> str:
    """The document that an item makes: its title as a heading, and its texts."""
    texts = [text.strip() for path in fields.get("text", "").split() for text in _values(item, path)]
    title = " ".join(_first(item, fields.get("title")).split())
    kind = fields.get("format", "markdown")
    if title and any(texts):
        texts.insert(0, {"html": f"<h1>{_escaped(title)}</h1>", "markdown": f"# {title}"}.get(kind, title))
    return "\n\n".join(text for text in texts if text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


# ---------------------------------------------------------------- the next page


def _next(url: str, record: Record, answer: Any, count: int, fields: Mapping[str, str]) -> str | None:
    """URL of the page behind this one, None behind the last."""
    if fields.get("next") == "link":
        links = _LINK.finditer(joined_header(record.headers, "link")[:65536])
        return next((urljoin(record.url, link[1]) for link in links if _NEXT.search(link[2])), None)
    if "next" in fields:
        target = _first(answer, fields["next"])
        return urljoin(record.url, target) if target else None
    parameter = fields.get("parameter")
    if parameter is None or not count:
        return None
    if "cursor" in fields:
        cursor = _first(answer, fields["cursor"])
        return _with(url, parameter, cursor) if cursor else None
    query = dict(parse_qsl(urlsplit(url).query))
    number = query.get(parameter, fields.get("first", "1"))
    return _with(url, parameter, str(int(number) + int(fields.get("step", "1"))))


def _with(url: str, parameter: str, value: str) -> str:
    """A URL with another value of a parameter of its query."""
    parts = urlsplit(url)
    query = [(name, old) for name, old in parse_qsl(parts.query, keep_blank_values=True) if name != parameter]
    return urlunsplit(parts._replace(query=urlencode([*query, (parameter, value)])))
