"""Pages of each generator against written truths; XHTML, encodings, opt-outs; purity."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from manifests.load import load_generators
from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.html.reader import extract_html
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.plain import extract_plain

LIMITS = ExtractSettings()
URL = "http://docs.localhost/page"
GOLDEN = sorted((Path(__file__).parent / "golden" / "extract").glob("*.html"))
ARTICLE = (
    "<html><head><title>Rings</title></head><body><nav><a href='/'>Home</a> <a href='/x'>About</a></nav>"
    "<div id='text'><h1>Rings</h1>"
    + "<p>A ring buffer is a queue of a fixed size, which its writer never waits for.</p>" * 8
    + "<pre>ring_push(&amp;r, 1);</pre><dl><dt>slot</dt><dd>one place of the ring</dd></dl></div></body>"
)


def extract(body: str | bytes, content_type: str = "text/html; charset=utf-8") -> Page:
    return extract_html(body.encode() if isinstance(body, str) else body, content_type, URL, LIMITS)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    page = extract(path.read_bytes(), "text/html")
    assert page.method == "selector"
    assert page.text == path.with_suffix(".md").read_text()


def test_each_generator_has_a_golden_page() -> None:
    found = {extract(path.read_bytes(), "text/html").generator for path in GOLDEN}
    assert {each.name for each in load_generators()[1]} <= found


def test_opt_outs_and_title() -> None:
    page = extract(next(path for path in GOLDEN if path.stem == "mediawiki").read_bytes())
    assert page.opt_out == ("max-image-preview:standard", "noarchive", "tdm-reservation")
    assert page.title == "Ring - Example Wiki"
    head = '<META NAME="Robots" CONTENT="noai, NOINDEX"><meta name="tdm-reservation" content="0">'
    assert extract(f"{head}<main>x</main>").opt_out == ("noai", "noindex", "tdm-reservation-0")
    assert extract("<main><h1>A\n <i>b</i></h1>x</main>").title == "A b"


TWINS = [
    ('<a id="x"></a><p>one</p>', '<a id="x"/><p>one</p>'),
    ('<script src="a.js"></script><p>one</p>', '<script src="a.js"/><p>one</p>'),
    ("<p></p><div></div><p>one</p>", '<p/><div class="a>b" /><p>one</p>'),
    ("<p>a<br>b</p><hr><img src=x alt=y>", '<p>a<br/>b</p><hr /><img src="x" alt="y"/>'),
    ("<p>a &lt;b&gt; &amp;amp; c</p>", "<p>a <![CDATA[<b> &amp;]]> c</p>"),
    ("<pre>if (a &lt; b)\n\t<b></b>c</pre>", "<pre><![CDATA[if (a < b)]]>\n\t<b/>c</pre>"),
    ("<ul><li><span></span>x</li></ul>", "<ul><li><span/>x</li></ul>"),
    ("<pre><a name=a></a>x</pre><i></i>", "<pre><a name='a'/>x</pre><i/>"),
]


@pytest.mark.parametrize(("as_html", "as_xhtml"), TWINS)
@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        ('<?xml version="1.0" encoding="UTF-8"?>\n<html>', "text/html"),
        ('<html xml:lang="en" xmlns="http://www.w3.org/1999/xhtml">', "text/html"),
        ("<html>", "application/xhtml+xml; charset=utf-8"),
    ],
)
def test_xhtml_equals_its_html_twin(as_html: str, as_xhtml: str, start: str, content_type: str) -> None:
    twin = extract(f"<html><head><title></title></head><body><main>{as_html} <p>end</p></main></body></html>")
    page = extract(f"{start}<head><title/></head><body><main>{as_xhtml} <p>end</p></main></body></html>", content_type)
    assert page == twin


def test_html_is_not_taken_for_xhtml() -> None:
    assert extract("<main><pre>&lt;a/&gt; <b/>x</pre></main>").text == "```\n<a/> x\n```\n"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("é€".encode("cp1252"), "text/html; charset=ISO-8859-1"),
        ("é€".encode(), 'text/html; charset="utf-8"'),
        (b"\xef\xbb\xbf" + "é€".encode(), "text/html; charset=iso-8859-1"),
        ("\ufeffé€".encode("utf-16-le"), "text/html"),
        ("\ufeffé€".encode("utf-16-be"), "text/html"),
        (b"<meta charset='windows-1252'>" + "é€".encode("cp1252"), None),
        (b"<META http-equiv=x content='text/html; charset=latin1'>" + "é€".encode("cp1252"), "text/html"),
        (b"<?xml version='1.0' encoding='iso-8859-15'?>" + "é€".encode("iso-8859-15"), "text/html"),
        ("é€".encode(), None),
        (b"<meta charset=utf-16>" + "é€".encode(), None),
        ("é€".encode(), "text/html; charset=no-such-thing"),
        ("é€".encode("cp1252") * 9, "text/html; charset=utf-8"),
    ],
)
def test_encodings(body: bytes, content_type: str | None) -> None:
    assert "é€" in decode(body, content_type)


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("shift_jis", "①日本"),
        ("gb2312", "中文字符"),
        ("euc-kr", "한국어"),
        ("big5", "中文"),
        ("koi8-r", "ёж"),
    ],
)
def test_other_encodings(charset: str, text: str) -> None:
    codec = {"shift_jis": "cp932"}.get(charset, charset)
    assert decode(text.encode(codec), f"text/html; charset={charset}") == text


def test_undecodable_is_said() -> None:
    with pytest.raises(Unreadable, match="undecodable"):
        decode(bytes(range(1, 32)) * 10, None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('<p>a <a href="http://x.localhost/">link</a> b</p>', "a link b\n"),
        ('<p><img src="a.png" alt="a ring"> <img src="b.png"></p>', "a ring\n"),
        ("<h2>Two</h2><h4>Four</h4>", "## Two\n\n#### Four\n"),
        ("<h2>Two <a class='headerlink' href='#t'>¶</a></h2>", "## Two\n"),
        ("<p>one\n  two<br>three</p>", "one two\nthree\n"),
        ("<table><tr><th>a<th>b<tr><td>c|d<td>e<br>f</table>", "| a | b |\n| --- | --- |\n| c\\|d | e<br>f |\n"),
        ("<table><tr><td><h2>in</h2><p>a</p><td>b</table>", "## in\n\na\n\nb\n"),
        ("<dl><dt>t<dd><p>d</p><p>e</p><dt>u<dt>v<dd><ul><li>w</ul></dl>", "t\n: d\n\n  e\n\nu\nv\n\n  - w\n"),
        ("<p>10<sup>6</sup> x<sup>[1]</sup></p>", "10^6 x[1]\n"),
        ("<p hidden>h</p><details><summary>s</summary>d</details>", "h\n\ns\n\nd\n"),
        ("<p>e\u0301</p>", "\xe9\n"),
        ("<p>a_b *c* &lt;script&gt;</p><p>&lt;script&gt;</p>", "a_b *c* <script>\n\n\\<script>\n"),
        ("<math><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></math>", "$x^2$\n"),
        ("<p>x</p><blockquote><p>a</p><div><p>b</p></div></blockquote>", "x\n\n> a\n>\n> b\n"),
        ("<form><p>a</p><select><option>b</select><button>c</button></form>", "a\n"),
    ],
)
def test_markdown(body: str, text: str) -> None:
    assert extract(f"<main>{body}</main>").text == text


def test_a_noscript_page_is_kept_and_a_noscript_note_is_not() -> None:
    page = extract(f"<body><noscript>{'<p>all of the page</p>' * 40}</noscript></body>")
    assert page.text.count("all of the page") == 40
    assert extract("<main>x<noscript>Use a browser.</noscript></main>").text == "x\n"


def test_generic_page() -> None:
    page = extract(ARTICLE)
    assert page.method in ("generic", "whole")
    assert "About" not in page.text
    assert "```\nring_push(&r, 1);\n```" in page.text


def test_whole_body_where_the_generic_extractor_keeps_too_little() -> None:
    links = "".join(f"<li><a href='/{i}'>entry {i} of the index</a></li>" for i in range(200))
    page = extract(f"<body><footer>f</footer><p>Short.</p><ul>{links}</ul></body>")
    assert page.text.count("of the index") >= 195


def test_plain_text() -> None:
    page = extract_plain(b"\xef\xbb\xbf# a\r\n\r\n\tb  \rc\n\n\n", "text/markdown", "", LIMITS)
    assert page == Page("", "# a\n\n\tb  \nc\n", (), "plain")
    with pytest.raises(NoText):
        extract_plain(b"\xef\xbb\xbf\n", "text/plain", "", LIMITS)
    with pytest.raises(Unreadable, match="not_text"):
        extract_plain(b"%PDF-1.4", "text/plain", "", LIMITS)


def test_order_and_repetition_change_nothing() -> None:
    bodies = [path.read_bytes() for path in GOLDEN] + [
        ARTICLE.encode(),
        ARTICLE.replace("queue", "list").encode(),
    ]
    first = {body: extract(body) for body in bodies}
    again = bodies * 3
    random.Random(3).shuffle(again)
    assert all(extract(body) == first[body] for body in again)


def test_hash_seed_changes_nothing() -> None:
    script = (
        "import sys\nfrom tests.test_extract_html import ARTICLE, GOLDEN, extract\n"
        "sys.stdout.write(extract(ARTICLE).text + ''.join(extract(p.read_bytes()).text for p in GOLDEN))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[1],
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("alt", "caption", "text"),
    [
        ("Slots of a ring", "Slots of a ring.", "Slots of a ring.\n"),
        ("Slots of a ring", "<b>Slots</b> of a ring: four are free", "**Slots** of a ring: four are free\n"),
        ("Slots of a queue", "Slots of a ring", "Slots of a queue\n\nSlots of a ring\n"),
        ("a &lt; b", "b", "a < b\n\nb\n"),
        ("Ring", "", "Ring\n"),
    ],
)
def test_an_image_says_nothing_that_its_caption_says(alt: str, caption: str, text: str) -> None:
    figure = f"<figure><a href=x><img src=y alt='{alt}'></a><figcaption>{caption}</figcaption></figure>"
    assert extract(f"<body><main>{figure}</main></body>").text == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ('<math display="inline"><msup><mn>2</mn><mi>k</mi></msup></math>', "a $2^k$ b\n"),
        ('<math display="block"><msup><mn>2</mn><mi>k</mi></msup></math>', "a\n\n$$2^k$$\n\nb\n"),
        ('<span class="math inline">2<sup><em>k</em></sup> + x<sub>1</sub></span>', "a $2^{k} + x_{1}$ b\n"),
    ],
)
def test_formulas_in_a_line_and_on_their_own(formula: str, text: str) -> None:
    assert extract(f"<body><main><p>a {formula} b</p></main></body>").text == text


KEEPING = ExtractSettings(keep_links=True)
LINKED = [
    ("<p>See <a href='https://a.example/x'>the manual</a>.</p>", "See [the manual](https://a.example/x).\n"),
    ("<p><a href='/x'>one</a>, <a href='#y'>two</a>, <a>three</a>, <a href='javascript:x()'>four</a></p>", "one, two, three, four\n"),
    ("<p><a href='HTTP://a.example/?a=1&amp;b=2'>x</a></p>", "[x](HTTP://a.example/?a=1&b=2)\n"),
    ("<p><a href='https://a.example/x y(1)|2'>x</a></p>", "[x](https://a.example/x%20y%281%29%7C2)\n"),
    ("<p><a href='https://a.example/'>https://a.example/</a></p>", "<https://a.example/>\n"),
    ("<p><a href='https://a.example/'><img src=x></a>x</p>", "x\n"),
    ("<p><a href='https://a.example/'>[1]</a></p>", "[[1]](https://a.example/)\n"),
    ("<h2><a href='https://a.example/'>a <code>b</code></a></h2>", "## [a `b`](https://a.example/)\n"),
    ("<ul><li><a href='https://a.example/'><b>a</b> c</a></li></ul>", "- [**a** c](https://a.example/)\n"),
    ("<pre><a href='https://a.example/'>a</a></pre>", "```\na\n```\n"),
    (
        "<table><tr><th><a href='https://a.example/|'>a</a></th></tr><tr><td>b</td></tr></table>",
        "| [a](https://a.example/%7C) |\n| --- |\n| b |\n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "text"), LINKED, ids=range(len(LINKED)))
def test_links(body: str, text: str) -> None:
    page = f"<body><main>{body}</main></body>".encode()
    assert extract_html(page, "text/html", URL, KEEPING).text == text
    assert "](" not in extract(page).text
