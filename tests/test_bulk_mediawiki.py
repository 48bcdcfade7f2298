"""Pages come out of a dump one by one, whatever is wrong with their neighbours."""

from __future__ import annotations

import bz2
import io
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawlers.bulk import mediawiki
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.mediawiki import WikiPage, read_pages

HEAD = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" xml:lang="en">\n  <siteinfo/>\n'


def page(number: int, text: str = "text", ns: int = 0, extra: str = "", model: str = "wikitext") -> str:
    return (
        f"  <page>\n    <title>Page {number}</title>\n    <ns>{ns}</ns>\n    <id>{number}</id>\n    {extra}\n"
        f"    <revision>\n      <id>{number + 1000}</id>\n      <timestamp>2014-10-26T04:50:23Z</timestamp>\n"
        f'      <model>{model}</model>\n      <text xml:space="preserve">{escape(text)}</text>\n    </revision>\n  </page>\n'
    )


def dump(*pages: str) -> bytes:
    return (HEAD + "".join(pages) + "</mediawiki>\n").encode()


def read(data: bytes, **more: frozenset[int]) -> tuple[list[WikiPage], list[LeftOut]]:
    found = list(read_pages(io.BytesIO(data), **more))
    return [each for each in found if isinstance(each, WikiPage)], [each for each in found if isinstance(each, LeftOut)]


def test_a_page() -> None:
    data = dump(page(1, "''a'' <b> & {{c}}"))
    pages, left = read(data)
    assert pages == [WikiPage("Page 1", 0, 1, 1001, "2014-10-26T04:50:23Z", "''a'' <b> & {{c}}", data.index(b"<page>"))]
    assert not left


def test_the_last_revision_counts() -> None:
    two = page(1, "old").replace("  </page>", page(1, "new").partition("<revision>")[2].join(("<revision>", "")))
    pages, _ = read(dump(two))
    assert [each.wikitext for each in pages] == ["new"]


def test_what_is_left_out() -> None:
    data = dump(
        page(1, "#REDIRECT [[B]]", extra='<redirect title="B" />'),
        page(2, ns=4),
        page(3, model="Scribunto"),
        page(4, ""),
        page(5).replace("</title>", ""),
        page(6).replace("text</text>", "&boom;</text>"),
        page(7).replace("<id>7</id>", "<id>seven</id>"),
        page(8).replace("  </page>\n", ""),
        page(9),
    )
    pages, left = read(data)
    assert [each.id for each in pages] == [9]
    assert [each.reason for each in left] == [
        *("redirect", "namespace", "not_wikitext", "no_text"),
        *("damaged_page", "damaged_page", "damaged_page", "damaged_page"),
    ]
    assert left[0].detail == "Page 1: to B"


def test_namespaces() -> None:
    pages, _ = read(dump(page(1), page(2, ns=4), page(3, ns=12)), namespaces=frozenset({0, 12}))
    assert [each.id for each in pages] == [1, 3]


def test_entity_bombs_are_never_read() -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    data = bomb + HEAD + "".join(page(n).replace("text</text>", f"&{name};</text>") for n, name in enumerate("bc"))
    pages, left = read(data.encode())
    assert not pages
    assert [each.reason for each in left] == ["damaged_page", "damaged_page"]


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
        ),
        max_size=5,
    ),
    packed=st.sampled_from(["plain", "bzip2", "multistream", "utf-16"]),
)
def test_every_packing_gives_the_same_pages(texts: list[str], packed: str) -> None:
    pages = [page(number, text) for number, text in enumerate(texts)]
    data = dump(*pages)
    if packed == "bzip2":
        data = bz2.compress(data)
    elif packed == "multistream":
        data = b"".join(bz2.compress(each.encode()) for each in (HEAD, *pages, "</mediawiki>\n"))
    elif packed == "utf-16":
        data = b"\xff\xfe" + data.decode().encode("utf-16-le")
    found, left = read(data)
    assert [each.wikitext for each in found] == texts
    assert [each.reason for each in left] == ([] if texts else ["no_pages"])


def test_a_stream_cut_short_is_told() -> None:
    data = dump(page(1), page(2))
    pages, left = read(data[: data.rindex(b"timestamp")])
    assert ([each.id for each in pages], [each.reason for each in left]) == ([1], ["damaged_page"])
    packed = bz2.compress(data) + bz2.compress(dump(page(3)))[:-9]
    pages, left = read(packed)
    assert [each.id for each in pages] == [1, 2]
    assert left[-1].reason == "damaged_dump"


@pytest.mark.parametrize("data", [b"", b"no dump", b"BZh9 no bzip2", b"\xff\xfe\x00"])
def test_no_dump(data: bytes) -> None:
    pages, left = read(data)
    assert not pages
    assert left[-1].reason == "no_pages"


def test_a_page_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediawiki, "MAX_PAGE_BYTES", 3000)
    monkeypatch.setattr("crawlers.bulk.unpack._CHUNK", 700)
    data = dump(page(1), page(2, "x" * 9000), page(3, "y" * 3000), page(4))
    pages, left = read(data)
    assert [each.id for each in pages] == [1, 4]
    assert [each.reason for each in left] == ["too_large", "too_large"]
    assert [data[each.offset :].split(b"<title>")[1][:6] for each in left] == [b"Page 2", b"Page 3"]
