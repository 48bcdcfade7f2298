"""URLs, links, sitemaps, scope and addresses."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.addresses import PrivateAddressError, Resolver, UnknownHostError, is_public
from crawlers.links import MAX_LINK_TAGS, page_links, read_sitemap
from crawlers.scope import Scope, is_never_a_page, is_sitemap_name
from crawlers.urls import MAX_URL_LENGTH, canonical_url, doc_id, host_of, origin_of, path_of
from tests.crawl_site import source


@pytest.mark.parametrize(
    ("url", "base", "canonical"),
    [
        ("HTTP://Example.COM:80/a/../b?q=1&p=#f", None, "http://example.com/b?q=1&p="),
        ("https://user:pw@example.com/#f", None, "https://example.com/"),
        ("http://example.com", None, "http://example.com/"),
        ("../x y?z", "http://h/a/b/c", "http://h/a/x%20y?z"),
        ("//other/x", "https://h/", "https://other/x"),
        ("#f", "http://h/a?b", "http://h/a?b"),
        ("?", "http://h/a?b", "http://h/a?"),
        ("http://h/a@b#c@d", None, "http://h/a@b"),
        ("http://münchen.example/ä", None, "http://xn--mnchen-3ya.example/%C3%A4"),
        ("http://0x7f.1/", None, "http://127.0.0.1/"),
        ("http://[::1]:8080/x", None, "http://[::1]:8080/x"),
        ("\n http://h/a\tb \n", None, "http://h/ab"),
        ("mailto:x@y", "http://h/", None),
        ("javascript:void(0)", "http://h/", None),
        ("ftp://h/", None, None),
        ("/relative", None, None),
        ("http://", None, None),
        ("http://a b/", None, None),
        ("http://h/" + "a" * MAX_URL_LENGTH, None, None),
        ("http://h/\ud800", None, None),
    ],
)
def test_canonical_url(url: str, base: str | None, canonical: str | None) -> None:
    assert canonical_url(url, base) == canonical


@given(st.text(max_size=60), st.sampled_from(["http://h/a/b?c", "https://[::1]:8443/", None]))
def test_canonical_url_is_idempotent(url: str, base: str | None) -> None:
    canonical = canonical_url(url, base)
    for again in [canonical] if canonical else []:
        assert canonical_url(again) == again
        assert again.isascii()
        assert "#" not in again
        assert canonical_url(origin_of(again) + "/") == origin_of(again) + "/"
        assert host_of(again) in origin_of(again)
        assert path_of(again).startswith("/")


def test_doc_id() -> None:
    assert len(doc_id("http://h/")) == 32
    assert doc_id("http://h/") != doc_id("http://h/?")


def links(html: str | bytes, content_type: str | None = None) -> list[str]:
    body = html if isinstance(html, bytes) else html.encode()
    return [link.removeprefix("http://h/") for link in page_links(body, "http://h/d/p", content_type)]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<a href=x>", ["d/x"]),
        ("<A\nHREF='x?a=1&amp;b=2#f'>t</A><a href=x?a=1&b=2>", ["d/x?a=1&b=2"]),
        ('<base href="/b/"><base href="/c/"><a href=x>', ["b/x"]),
        ('<base href="mailto:x"><a href=x>', ["d/x"]),
        (
            "<area href=/1><frame src=/2><iframe src='/3'></iframe><link rel='next' href=/4>",
            ["1", "2", "3", "4"],
        ),
        ("<link rel=stylesheet href=/1><img src=/2><abbr href=/3><a name=x><a href=mailto:x>", []),
        ('<a rel="nofollow noopener" href=/1><a rel=noopener href=/2>', ["2"]),
        ("<meta name=ROBOTS content='index, NoFollow'><a href=/1>", []),
        ("<meta name=syscorpus content=none><a href=/1>", []),
        ("<meta name=googlebot content=nofollow><a href=/1>", ["1"]),
        ("<meta http-equiv=Refresh content='0; URL=/1'>", ["1"]),
        ("<!-- <a href=/1> --><script>'<a href=/2>'</script><style><a href=/3></style><a href=/4>", ["4"]),
        ("<!-- never closed <a href=/1>", []),
        ('<a title="1 < 2 > 0" href=/1>', ["1"]),
        ("<a href=/1", []),
        ("<a href=/ä>", ["%C3%A4"]),
        ("", []),
    ],
)
def test_page_links(html: str, found: list[str]) -> None:
    assert links(html) == found


def test_links_in_other_encodings() -> None:
    assert links("<a href=/ä>".encode("latin-1"), "text/html; charset=iso-8859-1") == ["%C3%A4"]
    assert links("<meta charset=iso-8859-1><a href=/ä>".encode("latin-1")) == ["%C3%A4"]


def test_pages_above_the_limits_have_no_links() -> None:
    assert links(b"<a href=/1>" + b" " * (8 << 20)) == []
    assert links(b"<a href=/1>" * (MAX_LINK_TAGS + 1)) == []
    assert links(b"<div>" * 200_000 + b"<a href=/1>") == ["1"]
    assert links(b"<a " + b"a b " * 1_000_000 + b"href=/1>") == []


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_and_a_sitemap(body: bytes) -> None:
    page_links(b"<a href=x>" + body, "http://h/", None)
    read_sitemap(body, "http://h/")
    read_sitemap(b"<?xml version='1.0'?><urlset><url><loc>" + body, "http://h/")


def test_sitemaps() -> None:
    namespace = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    urlset = f"<urlset {namespace}><url><loc> http://h/1#f </loc><lastmod>x</lastmod></url>"
    urlset += "<url><loc>/2&amp;3</loc></url>"
    found = read_sitemap(f"{urlset}</urlset>".encode(), "http://h/s.xml")
    assert (found.pages, found.sitemaps) == (["http://h/1", "http://h/2&3"], [])
    assert read_sitemap(gzip.compress(urlset.encode()), "http://h/s.xml").pages == found.pages
    index = f"<sitemapindex {namespace}><sitemap><loc>http://h/s1.xml</loc></sitemap></sitemapindex>"
    assert read_sitemap(index.encode(), "http://h/").sitemaps == ["http://h/s1.xml"]
    assert read_sitemap(b"no sitemap", "http://h/").pages == []


def test_sitemaps_that_attack() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE u [<!ENTITY e0 "http://h/">{entities}]><urlset><url><loc>&e9;</loc></url></urlset>'
    assert len(read_sitemap(laughs.encode(), "http://h/").pages) <= 1
    local = (
        '<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>http://h/&f;</loc></url></urlset>'
    )
    assert read_sitemap(local.encode(), "http://h/").pages in ([], ["http://h/"])
    bomb = gzip.compress(gzip.compress(bytes(60 << 20)))
    assert read_sitemap(bomb, "http://h/").pages == []
    assert read_sitemap(gzip.compress(bytes(60 << 20)), "http://h/").pages == []


def test_scope() -> None:
    scope = Scope(source(scope=[r"http://site\.localhost/docs/"], exclude=[r"[?&]replytocom=", r"/old/"]))
    assert scope.admits("http://site.localhost/docs/a?b")
    assert not scope.admits("http://site.localhost/docs/old/a")
    assert not scope.admits("http://site.localhost/docs/a?replytocom=1")
    assert not scope.admits("http://evil.example/?http://site.localhost/docs/")
    assert scope.admits_sitemap("http://site.localhost/sitemap.xml")
    assert not scope.admits_sitemap("http://other.example/sitemap.xml")


def test_names() -> None:
    assert all(is_never_a_page(f"http://h/a.{e}?x") for e in ("css", "JS", "png", "tar.gz", "pdf", "woff2", "zip"))
    assert not any(is_never_a_page(f"http://h/{n}") for n in ("a.html", "a.txt", "v1.2", "a.md", "", "a?x.css", "c.py"))
    assert is_sitemap_name("http://h/sitemap_index.xml.gz")
    assert not is_sitemap_name("http://h/sitemap.html")


_PRIVATE_4 = [
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
]
_PRIVATE_6 = ["::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", _PRIVATE_4 + _PRIVATE_6)
def test_private_addresses(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def test_public_addresses() -> None:
    assert all(is_public(ipaddress.ip_address(a)) for a in ("1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"))


def test_the_resolver_checks_every_address() -> None:
    resolver = Resolver({"site.localhost": "127.0.0.1:81"}, private_addresses=False)
    assert asyncio.run(resolver.resolve("site.localhost", 80)) == [("127.0.0.1", 81)]
    assert asyncio.run(resolver.resolve("1.1.1.1", 443)) == [("1.1.1.1", 443)]
    for host in ("localhost", "127.0.0.1", "[::1]", "10.1.2.3"):
        with pytest.raises(PrivateAddressError):
            asyncio.run(resolver.resolve(host, 80))
    with pytest.raises(UnknownHostError):
        asyncio.run(resolver.resolve("no-such-host.invalid", 80))
