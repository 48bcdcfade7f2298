"""Links, scope and addresses."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.addresses import PrivateAddressError, Resolver, UnknownHostError, is_public
from crawlers.links import MAX_LINK_TAGS, page_links
from crawlers.scope import Scope, is_never_a_page, is_sitemap_name
from tests.crawl_site import source


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
def test_any_bytes_are_a_page(body: bytes) -> None:
    page_links(b"<a href=x>" + body, "http://h/", None)


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
    assert is_sitemap_name("http://h/sitemap.txt")
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
    "192.0.0.192",
    "168.63.129.16",
]
_PRIVATE_6 = [
    "::1",
    "::",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "ff02::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::101:101",
    "2002:7f00:1::",
    "2001:0:7f00:1::1",
    "3fff::1",
]


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
