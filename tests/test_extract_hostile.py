"""Bodies made to break a parser: each ends in its reason or in a page, and soon."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.models import ExtractSettings
from pipelines.extract.child import extract
from pipelines.extract.html.reader import extract_html
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
DEEP = 100_000
MAX_SECONDS = 20.0


def run(body: bytes, content_type: str | None = "text/html", limits: ExtractSettings = LIMITS) -> Page:
    began = time.process_time()
    try:
        page = extract_html(body, content_type, "http://docs.localhost/x", limits)
    finally:
        assert time.process_time() - began < MAX_SECONDS
    page.text.encode()
    assert page.text.endswith("\n")
    assert not page.text.endswith("\n\n")
    return page


def reason(body: bytes, content_type: str | None = "text/html", limits: ExtractSettings = LIMITS) -> str:
    with pytest.raises(Unreadable) as caught:
        run(body, content_type, limits)
    assert caught.value.reason in Unreadable.REASONS
    return caught.value.reason


@pytest.mark.parametrize("tag", ["div", "span", "b", "a", "DiV", "x-y", "blockquote", "ul><li", "table><tr><td", "g"])
def test_too_deep(tag: str) -> None:
    assert reason(f"<{tag}>".encode() * DEEP + b"x") == "too_deep"


def test_too_deep_with_closing_tags_that_close_nothing() -> None:
    assert reason(b"<b></div>" * DEEP) == "too_deep"
    assert reason(b"<div></b></p>" * DEEP) == "too_deep"


def test_the_deepest_page_that_is_allowed() -> None:
    assert run(b"<main>" + b"<div>" * 1900 + b"<p>x").text == "x\n"


@pytest.mark.parametrize(
    "body",
    [
        b"<p>para <li>item <font size=2>small <td>cell <br><hr><dt>t<dd>d" * 5000,
        b"<table>" + b"<tr><td><font face=x><b>a<td><i><a name=y>b" * 5000,
        b"<div><p>x</p></div>" * 20_000,
        b"<p>x</p><script>" + b"s = '<div>';" * 5000 + b"</script>",
        b"<p>x</p><!-- " + b"<div>" * 5000 + b"-->",
        b"<p>x</p><svg>" + b"<g><path/>" * 5000 + b"</svg>",
    ],
)
def test_flat_pages_are_not_deep(body: bytes) -> None:
    assert run(body).text.strip()


def test_malformed_50_mb() -> None:
    body = (b"<div <p \"' <<>> </b></i> &# &#x &amp <td><tr <![CDATA[ <!-- -> " * 800_000)[: 50 << 20]
    assert reason(body) == "too_large"
    wide = LIMITS.model_copy(update={"max_body_bytes": 64 << 20})
    assert reason(body, limits=wide) == "too_many_tags"


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_empty(body: bytes) -> None:
    assert reason(body) == "empty_body"


@pytest.mark.parametrize("body", [b"<html><body></body></html>", b"<script>x()</script>", b"<frameset><frame src=x>"])
def test_no_text(body: bytes) -> None:
    with pytest.raises(NoText):
        run(body)


@pytest.mark.parametrize(
    "magic",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"\x7fELF\x02",
        b"\x28\xb5\x2f\xfd",
        b"BZh91AY&SY",
        b"\xfd7zXZ\x00",
    ],
)
def test_lying_content_type(magic: bytes) -> None:
    assert reason(magic + b"text " * 100) == "not_text"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (bytes(range(256)) * 100, "text/html; charset=utf-8"),
        (b"<p>" + b"\x01\x02\x03 x" * 1000, "text/html"),
        (np.random.default_rng(7).bytes(100_000), "text/html"),
        (b"<p>" + b"\x81\x8d\x8f\x90\x9d" * 1000, "text/html; charset=iso-8859-1"),
    ],
)
def test_undecodable(body: bytes, content_type: str) -> None:
    assert reason(body, content_type) == "undecodable"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<main><p>a\0b" + b" text" * 100 + b"</main>", "ab" + " text" * 100 + "\n"),
        (
            b"<main>a&#xD800;b&#xDFFF;c&#0;d<pre>&#xDC00;</pre></main>",
            "a\ufffdb\ufffdc\ufffdd\n\n```\n\ufffd\n```\n",
        ),
        (b"<main>kept</main><!-- " + b"lost <b>" * 1000, "kept\n"),
        (b"<main>kept" + b"<!-- " * 100_000, "kept\n"),
        (b'<main><p title="' + b"a<b" * 350_000 + b'">x</p></main>', "x\n"),
        (b"<main>" + b"x<br>" * 200_000, "x\n" * 200_000),
        (b"<main>" + b"a" * 20_000_000, "a" * 20_000_000 + "\n"),
        (b"<main>" + b"&" * 1_000_000, "&" * 1_000_000 + "\n"),
        (b"<main>x<nav>" + b"<nav>y" * 900, "x\n"),
    ],
)
def test_odd_pages(body: bytes, text: str) -> None:
    assert run(body).text == text


@pytest.mark.parametrize(
    "body",
    [
        b"x<br>" * 200_000,
        b"<pre>" * 1500 + b"x",
        b"<pre>a</pre>" * 20_000,
        b"<table><tr><td>" + b"<pre>a</pre>" * 20_000,
        b"<blockquote>" * 900 + b"<pre>x\ny",
        b"<dl>" + b"<dt>a<dd>b" * 20_000,
        b"<table>" + (b"<tr>" + b"<td>x" * 60) * 1000,
        b'<?xml version="1.0"?><p>x' + b"<a " * 1000,
        b'<?xml version="1.0"?><p>x' + b"<![CDATA[" * 100_000,
        b'<?xml version="1.0"?><p>x' + b"<div/>" * 100_000,
        b'<?xml version="1.0"?><p>x' + b'<a b="' * 1500,
        "日本語".encode() * 100_000,
    ],
)
def test_large_pages_of_one_kind(body: bytes) -> None:
    assert run(body).text.strip()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                "</",
                "<p",
                "<pre>",
                "</pre>",
                "<div>",
                "</div>",
                "<table>",
                "<td>",
                "<!--",
                "-->",
                "<![CDATA[",
                "]]>",
                "<?xml?>",
                "<script>",
                "</script>",
                "&",
                "&#",
                "&lt;",
                "'",
                '"',
                "=",
                "/",
                "text",
                "<svg>",
                "<math>",
                "<a/>",
                "<select>",
                "<textarea>",
                "<template>",
                "<frameset>",
                "\x00",
                "<dd>",
                "<li>",
                "<body>",
                "``",
                "<br>",
            ]
        )
    )
)
def test_soup(parts: list[str]) -> None:
    body = "".join(parts).encode()
    for content_type in ("text/html", "application/xhtml+xml"):
        try:
            run(body, content_type)
        except Unreadable as error:
            assert error.reason != "parser_error", error
        except NoText:
            pass


def test_child_answers_in_json() -> None:
    header = {"name": "http://docs.localhost/", "content_type": "text/html", "limits": LIMITS.model_dump()}
    answer = extract(header, b"<title>t</title><main>x</main>")["page"]
    assert json.loads(json.dumps(answer)) == answer | {"opt_out": [], "authors": []}
    assert (answer["title"], answer["text"]) == ("t", "x\n")
    assert extract(header, b"<p></p>") == {"no_text": True}
    assert extract(header, b"") == {"unreadable": ["empty_body", "0 bytes"]}
    assert extract({**header, "content_type": "image/png"}, b"x") == {
        "unreadable": ["not_text", "no reader for type image/png of http://docs.localhost/"]
    }
    assert extract({**header, "content_type": None}, b"<main>x</main>")["page"]["text"] == "x\n"
