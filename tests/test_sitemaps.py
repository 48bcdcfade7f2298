"""What a site lists: sitemaps, feeds, llms.txt."""

from __future__ import annotations

import gzip
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.sitemaps import MAX_SITEMAP_ENTRIES, Listed, read_llms_txt, read_sitemap, utc_of

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data/formats/sitemaps"
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def pages(text: str | bytes, url: str = "http://h/s.xml") -> list[str]:
    return [page.url for page in read_sitemap(text if isinstance(text, bytes) else text.encode(), url).pages]


def test_a_sitemap() -> None:
    urlset = f"""<?xml version="1.0"?><urlset {NAMESPACE} xmlns:i="http://i" xmlns:n="http://n">
        <url><loc> http://h/1#f </loc><lastmod>2024-05-01T10:00:00+02:00</lastmod>
            <priority>0.8</priority><changefreq> Daily </changefreq><i:image><i:loc>http://h/1.png</i:loc></i:image>
        </url>
        <url><lastmod>soon</lastmod><priority>high</priority><changefreq>now</changefreq><loc>/2&amp;3</loc></url>
        <url><loc><![CDATA[http://h/4?a=1&b=2]]></loc><priority>7</priority></url>
        <url><loc/></url><loc>http://h/5</loc><url><b><loc>http://h/6</loc></b></url>"""
    found = read_sitemap(f"{urlset}</urlset>".encode(), "http://h/s.xml")
    assert found.sitemaps == []
    assert found.pages == [
        Listed("http://h/1", datetime(2024, 5, 1, 8, tzinfo=UTC), 0.8, "daily"),
        Listed("http://h/2&3"),
        Listed("http://h/4?a=1&b=2"),
    ]
    for same in (gzip.compress(f"{urlset}</urlset>".encode()), urlset.encode(), b"\xef\xbb\xbf" + urlset.encode()[21:]):
        assert read_sitemap(same, "http://h/s.xml").pages == found.pages


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (f"<sitemapindex {NAMESPACE}><url><loc>http://h/1</loc></url></sitemapindex>", ["http://h/1"]),
        # Names count, whatever their namespace; what has no declared one too.
        ('<urlset xmlns="http://www.google.com/schemas/0.84"><url><loc>/1</loc></url></urlset>', ["http://h/1"]),
        ("<s:urlset><s:url><s:loc>/1</s:loc></s:url></s:urlset>", ["http://h/1"]),
        # What breaks off, or is wrong, gives what came before.
        ("<urlset><url><loc>/1</loc></url><url><loc>/2</loc><lastm", ["http://h/1", "http://h/2"]),
        ("<urlset><url><loc>/1</loc></url></oops><url><loc>/2</loc></url>", ["http://h/1"]),
        (
            "<urlset><url><loc>/a?b=1&c=2</loc></url><url><loc>/2</loc></url></urlset>",
            ["http://h/a?b=1&c=2", "http://h/2"],
        ),
        ("<urlset><url><loc>/a?b&amp;c&#38;d<![CDATA[&e]]></loc></url></urlset>", ["http://h/a?b&c&d&e"]),
        ("<html><body>Not found", []),
        ("no sitemap", []),
        ("", []),
    ],
)
def test_sitemaps_as_they_are(text: str, urls: list[str]) -> None:
    assert pages(text) == urls


def test_an_index_lists_sitemaps() -> None:
    index = f"<sitemapindex {NAMESPACE}><sitemap><loc>http://h/s1.xml</loc></sitemap><sitemap/></sitemapindex>"
    assert read_sitemap(index.encode(), "http://h/").sitemaps == ["http://h/s1.xml"]


def test_feeds() -> None:
    rss = """<rss version="2.0"><channel><link>http://h/</link>
        <item><title>a</title><link>http://h/1</link><pubDate>Thu, 05 Jan 2017 13:34:51 +0100</pubDate></item>
        <item><guid isPermaLink="true">http://h/2</guid></item><item><guid>7bd2</guid></item></channel></rss>"""
    assert read_sitemap(rss.encode(), "http://h/feed").pages == [
        Listed("http://h/1", datetime(2017, 1, 5, 12, 34, 51, tzinfo=UTC)),
        Listed("http://h/2"),
    ]
    atom = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="http://h/"/><updated>2020-01-01T00:00:00Z</updated>
        <entry><link rel="edit" href="/e"/><link href="/1"/><content><link href="/x"/></content>
        <published>2001-01-01T00:00:00Z</published><updated>2003-12-13T18:30:02Z</updated></entry></feed>"""
    assert read_sitemap(atom.encode(), "http://h/feed").pages == [
        Listed("http://h/1", datetime(2003, 12, 13, 18, 30, 2, tzinfo=UTC))
    ]


def test_texts() -> None:
    text = b"\xef\xbb\xbfhttp://h/1 \r\n\n  HTTPS://h/2#f\nftp://h/3\n/4\nsee http://h/5\nhttp://h/6 and more\n"
    assert pages(text) == ["http://h/1", "https://h/2"]
    assert pages(gzip.compress(text)) == ["http://h/1", "https://h/2"]


LLMS = """\
# Ring

> A ring of machines. [Not an item](/no)

- [Start](/start.md): first steps, see [here](/no)
* [Wiki (a)](https://h/w_(a)#top "title")
1. [Start](http://h/start.md)
- text [no](/no)

```
- [Example](/no)
```

## Optional
  - [**Flags** [all]](<flags.md>)
- [Mail](mailto:x@y)
"""


def test_llms_txt() -> None:
    urls = ["http://h/start.md", "https://h/w_(a)", "http://h/docs/flags.md"]
    assert read_llms_txt(LLMS.encode(), "http://h/docs/llms.txt") == urls
    assert pages(LLMS, "http://h/docs/llms.txt") == pages(LLMS, "http://h/docs/llms-full.txt") == urls
    assert pages(LLMS, "http://h/docs/other.txt") == []


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024", "2024-01-01T00:00:00"),
        ("2024-05", "2024-05-01T00:00:00"),
        (" 2024-05-06\n", "2024-05-06T00:00:00"),
        ("2024-05-06T07:08Z", "2024-05-06T07:08:00"),
        ("2024-05-06T07:08:09.123+02:00", "2024-05-06T05:08:09"),
        ("2024-05-06 07:08:60-0130", "2024-05-06T08:38:59"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09"),
        ("Mon, 06 May 2024 07:08:09 GMT", "2024-05-06T07:08:09"),
        ("06 May 24 07:08:09 +0100", "2024-05-06T06:08:09"),
    ],
)
def test_dates(text: str, iso: str) -> None:
    assert utc_of(text) == datetime.fromisoformat(f"{iso}+00:00")


@given(st.text(alphabet="0123456789-:TZ+. Mon,May", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = utc_of(text)
    assert found is None or found.tzinfo is UTC
    assert utc_of("9999-12-31T23:59:59-01:00") is utc_of("0000") is utc_of("2024-02-30") is utc_of("") is None


# ---------------------------------------------------------------- hostile


def test_sitemaps_that_attack() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE u [<!ENTITY e0 "http://h/">{entities}]><urlset><url><loc>&e9;</loc></url></urlset>'
    assert pages(laughs) == ["http://h/&e9;"]
    local = (
        '<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>http://h/&f;</loc></url></urlset>'
    )
    assert pages(local) == ["http://h/&f;"]
    assert pages(gzip.compress(gzip.compress(bytes(60 << 20)))) == []
    assert pages(gzip.compress(bytes(60 << 20))) == []


def test_what_is_endless_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    many = b"<urlset>" + b"<url><loc>http://h/</loc></url>" * (MAX_SITEMAP_ENTRIES + 9)
    assert len(pages(many)) == MAX_SITEMAP_ENTRIES
    assert len(pages(b"http://h/\n" * (MAX_SITEMAP_ENTRIES + 9))) == MAX_SITEMAP_ENTRIES
    monkeypatch.setattr("crawlers.sitemaps._MAX_ELEMENTS", 1000)
    for rest in (b"<a " + b'b="" ' * 1_000_000, b"<a>" * 100_000, b"<url>" + b"<a/>" * 100_000):
        assert pages(b"<urlset><url><loc>/1</loc></url>" + rest + b"<url><loc>/2</loc></url>") == ["http://h/1"]


@given(st.binary(max_size=200), st.sampled_from(["http://h/", "http://h/llms.txt"]))
def test_any_bytes_are_a_sitemap(body: bytes, url: str) -> None:
    for beginning in (
        b"",
        b"<?xml version='1.0'?><urlset><url><loc>",
        b"<feed><entry><link href='/",
        b"http://h/",
        b"- [a](",
    ):
        for page in read_sitemap(beginning + body, url).pages:
            assert page.url.startswith(("http://", "https://"))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files are not here")
def test_the_published_files() -> None:
    """Every list in the tests of crawler-commons and StormCrawler but one, whose URLs are in no loc."""
    counts = {}
    for archive in PUBLISHED.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            for each in files:
                body = files.extractfile(each).read() if each.isfile() else b""
                if each.name.endswith((".xml", ".rss", ".gz")) or "/sitemap" in each.name:
                    found = read_sitemap(body, f"http://www.example.com/{Path(each.name).name}")
                    counts[Path(each.name).name] = len(found.pages) + len(found.sitemaps)
    assert len(counts) > 20
    assert [name for name, count in counts.items() if not count] == ["sitemap.index.xml"]
