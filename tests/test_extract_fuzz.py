"""Pages that nobody writes by hand: soups of tags, inputs as in the tests of HTML parsers, and markup made to break a reader.

Each ends in a page that a CommonMark parser reads with every fence closed, or in a stated reason.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from manifests.load import load_generators
from manifests.models import ExtractSettings
from pipelines.extract.html.reader import extract_html, to_markdown
from pipelines.extract.html.tree import FEATURES, INNER, LAST, NAMES, PARENT, START, STOP, TEXT, read_tree
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
PARSER = MarkdownIt("commonmark", {"maxNesting": 1000}).enable("table")
REAL_INPUTS = Path(__file__).resolve().parents[2] / "shared" / "data/formats/html5lib/tree_construction.jsonl.gz"


def extract(body: str | bytes) -> Page | str:
    """The page that a body holds, or why it holds none; fails where a page is not sound."""
    try:
        data = body.encode("utf-8", "replace") if isinstance(body, str) else body
        page = extract_html(data, "text/html; charset=utf-8", "http://docs.localhost/page", LIMITS)
    except NoText:
        return "no_text"
    except Unreadable as error:
        assert error.reason in Unreadable.REASONS
        assert error.reason != "parser_error", error
        return error.reason
    page.text.encode()
    page.title.encode()
    assert "\0" not in page.text
    assert page.text.endswith("\n")
    assert not page.text.endswith("\n\n")
    return page


def check_fences(text: str) -> None:
    """Every fence ends, by a line of its own, and none stands in indented code."""
    for token in PARSER.parse(text):
        if token.type == "fence":
            assert token.map
            assert token.content.count("\n") == token.map[1] - token.map[0] - 2, text
        assert token.type != "code_block" or "```" not in token.content, text


def check(body: str | bytes) -> Page | str:
    page = extract(body)
    if isinstance(page, Page):
        check_fences(page.text)
    return page


# ---------------------------------------------------------------- soups


def _marks() -> list[str]:
    """Start tags with the classes and ids that the rules of all generators name."""
    common, generators = load_generators()
    rules = [common, *generators, *(entry.thread for entry in generators if entry.thread)]
    compounds = {
        compound
        for rule in rules
        for field, selectors in rule
        if isinstance(selectors, list | tuple) and field != "permalink_text"
        for selector in selectors
        for compound in re.sub(r"\[[^\]]*\]", "[]", selector).replace(">", " ").split()
    }
    return sorted(map(_start_tag, compounds))


def _start_tag(compound: str) -> str:
    """The start tag of an element that is `div.note#top`; conditions are left out."""
    compound = compound.replace("[]", "")
    name = re.match(r"[\w-]+", compound)
    names = " ".join(re.findall(r"\.([\w/:-]+)", compound))
    identity = "".join(re.findall(r"#([\w-]+)", compound))
    return f'<{name[0] if name else "div"} class="{names}" id="{identity}">'


TEXTS = [
    *(
        "a",
        "word",
        "x y",
        " ",
        "\n",
        "\t",
        "\n\n",
        "\r\n",
        "\r",
        "\0",
        "\x7f",
        "é",
        "e\u0301",
        "日本",
        "\U0001f600",
        "\u200b",
        "\xad",
    ),
    *(
        "`",
        "```",
        "````",
        "~~~",
        "# h",
        "- x",
        "1. x",
        "999999999.",
        "> q",
        "---",
        "===",
        "|",
        "| --- |",
        "\\",
        "*",
        "**",
        "_",
    ),
    *(
        "&amp;",
        "&lt;",
        "&gt;",
        "&nbsp;",
        "&quot;",
        "&#13;",
        "&#0;",
        "&#12;",
        "&#x85;",
        "&#x2028;",
        "&nosuch;",
        "&#xD800;",
        "&",
        "<",
    ),
    *(
        "[1]",
        "[^1]:",
        "(2)",
        "2",
        "th",
        "$",
        "$$x$$",
        "\\(a\\)",
        ": ",
        "    four",
        "```sh\ncode\n```",
        "&lt;pre&gt;",
        "&lt;!--",
    ),
]
STARTS = [
    *(f"<{name}>" for name in NAMES),
    *(
        "<pre><code class=language-c>",
        "<pre>\n",
        "<div class=line>",
        "<table class=highlighttable>",
        "<div class=admonition>",
    ),
    *(
        "<p class=admonition-title>",
        "<aside class=footnote><span class=label>1</span>",
        "<div class=footnotes><ol><li>",
    ),
    *(
        "<td colspan=3>",
        "<td rowspan=2>",
        "<th colspan=4294967295 rowspan=4294967295>",
        "<ol start=999999999>",
        "<ol start=-1>",
    ),
    *(
        "<li value=999999999>",
        "<img alt='a|b `c` ```'>",
        "<math><annotation encoding='application/x-tex'>",
        "<span class=math>",
    ),
    *(
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?pi",
        "<!doctype html>",
        "</>",
        '<p a"b=c>',
        "<p =x>",
        "<p a='>'>",
        "<p class=' \n\t'>",
        "<p ",
    ),
    *("<foreignObject>", "<annotation-xml encoding=text/html>", "<mi>", "<desc>", "<x-y>"),
]
NESTING = [
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "table",
    "tr",
    "td",
    "th",
    "pre",
    "code",
    "h1",
    "p",
    "div",
    "section",
    "b",
    "i",
    "br",
    "dl",
    "dd",
    "ul",
]
PIECES = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NESTING).map("<{}>".format),
    st.sampled_from(NESTING).map("</{}>".format),
    st.sampled_from(STARTS),
    st.sampled_from(_marks()),
    st.sampled_from(NAMES).map("</{}>".format),
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=40))
def test_soup(pieces: list[str]) -> None:
    page = "".join(pieces)
    first = check(page)
    check_fences(to_markdown(page))
    assert extract(page) == first


HREFS = [
    "https://a.example/x",
    "HTTP://a.example/(|)",
    "https://a.example/&#10;```",
    "https://",
    "/x",
    "https://a b\\]",
]
LINKS = [
    *(f"<a href='{href}'>" for href in HREFS),
    "</a>",
    "[",
    "]",
    "](x)",
    "`",
    "|",
    "a",
    "\n",
    "<h2>",
    "<td>",
    "<dt>",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(LINKS) | PIECES, max_size=30))
def test_soup_of_links(pieces: list[str]) -> None:
    """Targets that are kept change no words, and end no line, cell or fence."""
    page = "".join(pieces)
    text = to_markdown(page, keep_links=True)
    assert "\0" not in text
    assert text.count("\n") == to_markdown(page).count("\n")
    check_fences(text)


@given(
    st.lists(st.sampled_from([*(f"<{name}>" for name in NESTING), "a", "```", "<pre>", "\n"]), min_size=1, max_size=6),
    st.integers(2, 60),
)
def test_soup_again_and_again(pieces: list[str], times: int) -> None:
    check_fences(to_markdown("".join(pieces) * times))


MARKS = [
    "<b>",
    "<i>",
    "</b>",
    "</i>",
    "<div>",
    "<br>",
    "<li>",
    "<td>",
    "<h2>",
    "<code>",
    "</code>",
    "*",
    "**",
    "```",
    "~~~",
    "- ",
    "a",
    " ",
    "_",
    "`",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(MARKS), max_size=12))
def test_soup_of_marks(pieces: list[str]) -> None:
    """No line of prose opens a fence, whatever marks stand around its words."""
    text = to_markdown("".join(pieces) + "</code></table><pre>code</pre>")
    assert [token.content for token in PARSER.parse(text) if token.type in ("fence", "code_block")][-1:] in (
        [],
        ["code\n"],
    ), text
    check_fences(text)


@given(st.binary(max_size=200), st.sampled_from([b"", b"<pre>", b"<table><tr><td>", b"<p title='", b"<main>"]))
def test_bytes(body: bytes, before: bytes) -> None:
    check(before + body)


@given(st.lists(PIECES, max_size=30))
def test_tree_of_soup(pieces: list[str]) -> None:
    html = LexborHTMLParser("".join(pieces)).html or ""
    tree = read_tree(html)
    _check_tree(html, tree.tag, tree.nodes)
    # What is no text of a page's writer is read too, whatever it is.
    tree = read_tree("".join(pieces))
    _check_tree("".join(pieces), tree.tag, tree.nodes)


def _check_tree(html: str, tag: np.ndarray, nodes: np.ndarray) -> None:
    size, count = len(html.encode("utf-8", "replace")), len(tag)
    at = np.arange(count)
    rows = nodes[:, :count]
    assert (rows[START] < rows[INNER]).all()
    assert (rows[INNER] <= rows[STOP]).all()
    assert (rows[STOP] <= size).all()
    assert (np.diff(rows[START]) > 0).all()
    assert (rows[PARENT] < at).all()
    assert ((rows[LAST] > at) & (rows[LAST] <= count)).all()
    assert (rows[LAST][tag == TEXT] == at[tag == TEXT] + 1).all()
    inside = rows[PARENT] >= 0
    assert (rows[LAST][inside] <= rows[LAST][rows[PARENT][inside]]).all()
    assert (np.diff(nodes[FEATURES, : count + 1]) >= 0).all()


# ---------------------------------------------------------------- inputs as in the tests of HTML parsers

# Each with the digits that its Markdown holds, in order.
CONSTRUCTIONS = [
    ("<b>1<i>2</b>3</i>4", "1234"),
    ("<b><p>1</b>2</p>3", "123"),
    ("<a>1<div>2<div>3</a>4</div>5</div>6", "123456"),
    ("<a href=x>1<a href=y>2", "12"),
    ("<b><em><foo><foo><aside>1</b>2", "12"),
    ("<font><p>1<b>2</font>3</p>4", "1234"),
    ("<p>1<p>2</p></p>3", "123"),
    ("<h1>1<h2>2</h3>3", "123"),
    ("<nobr>1<nobr>2</nobr>3", "123"),
    ("<button>1<button>2</button>3", "123"),
    ("<table>1<tr>2<td>3</table>4", "1234"),
    ("<table><b>1<tr><td>2</table>3", "123"),
    ("<table><a>1<p>2</a>3</p>", "123"),
    ("<table><td>1<th>2<tr>3<caption>4<col>5", "35124"),
    ("<table><tr><td>1<table><tr><td>2</table>3", "123"),
    ("<table><tr><div>1</div><td>2", "12"),
    ("<table><select><tr><td>1</select>2", "12"),
    ("<table><tr><p>1<script>2</script><td>3", "13"),
    ("<table><colgroup>1<col><tbody>2<tr>3", "123"),
    ("<tr><td>1", "1"),
    ("<td>1</td>2", "12"),
    ("<caption>1<tbody>2", "12"),
    ("<table></td></tr></p></body>1</table>2", "12"),
    ("<ul><li>1<li>2<ul><li>3</li>4</ul>5</ul>6", "123456"),
    ("<li>1<div><li>2</div>3", "123"),
    ("<dl><dt>1<dd>2<dd>3<dt>4</dl>5", "12345"),
    ("<dd>1<dt>2<div><dd>3", "123"),
    ("<ul><li>1</ul></li>2", "12"),
    ("<pre>\n\n1\r\n2\r3</pre>", "123"),
    ("<pre>1<p>2</pre>3", "123"),
    ("<listing>\n1</listing><xmp><b>2</xmp>3", "123"),
    ("<textarea>\n1</textarea>2", "2"),
    ("<plaintext>1</plaintext><b>2", "12"),
    ("1<title>2</title>3", "13"),
    ("<title>1</title><style>2</style><script>3</script>4", "4"),
    ("<script><!--<script>1</script>2--></script>3", "3"),
    ("<!-->1<!--->2<!--3--!>4", "124"),
    ("<!--1--><!-2>3<?4>5</?6>7", "357"),
    ("<![CDATA[1]]>2", "2"),
    ("<svg><![CDATA[1]]></svg>2", "2"),
    ("<svg><p>1</p></svg>2", "12"),
    ("<svg><foreignObject><p>1</p></foreignObject></svg>2", "2"),
    ("<svg><title>1<b>2</b></title></svg>3", "3"),
    ("<svg><style>1</style></svg>2", "2"),
    ("<svg><style><b>1</style></svg>2", "12"),
    ("<math><mi>1</mi></math>2", "12"),
    ("<math><mtext><p>1</p></mtext></math>2", "12"),
    ("<math><annotation-xml encoding=text/html><p>1</p></annotation-xml></math>2", "2"),
    ("<math><mglyph><b>1</b></mglyph></math>2", "12"),
    ("<select><option>1<optgroup>2<select>3", "3"),
    ("<template>1<td>2</template>3", "3"),
    ("<table><template><td>1</template><tr><td>2", "2"),
    ("<frameset>1<frame>2</frameset>3", ""),
    ("<body>1<frameset><frame>", "1"),
    ("<noframes>1</noframes>2", "2"),
    ("<noscript><p>1</noscript>2", "12"),
    ("<body><noscript><p>1</p></noscript>2", "2"),
    ("<iframe>1</iframe><noembed>2</noembed>3", "3"),
    ("<object>1<p>2</object>3", "3"),
    ("<marquee>1<p>2</marquee>3", "123"),
    ("<ruby>1<rt>2<rp>3<rb>4</ruby>", "1234"),
    ("<html><html lang=x><body><body class=y>1</html>2", "12"),
    ("</p>1</br>2</div>3", "123"),
    ("<image alt=1>2", "12"),
    ("<p class='1' id=2 =3 a<b>4", "4"),
    ("<a<b>1</a<b>2", "12"),
    ("<div/>1<br/>2<p/>3", "123"),
    ("1&#x32;&#51&nosuch;&amp;4", "1234"),
]


@pytest.mark.parametrize(("html", "digits"), CONSTRUCTIONS, ids=[html for html, _ in CONSTRUCTIONS])
def test_constructions(html: str, digits: str) -> None:
    text = to_markdown(html)
    check_fences(text)
    assert "".join(re.findall(r"[1-9]", text)) == digits, text
    check(html)


@pytest.mark.skipif(not REAL_INPUTS.exists(), reason="the inputs of html5lib are not here")
def test_inputs_of_html5lib() -> None:
    with gzip.open(REAL_INPUTS, "rt") as file:
        inputs = [json.loads(line)["data"] for line in file]
    assert len(inputs) > 1000
    for html in inputs:
        check(html)
        check_fences(to_markdown(html))
    check("".join(inputs))


# ---------------------------------------------------------------- one result, whatever came before


def test_the_same_page_gives_the_same_text_after_any_other() -> None:
    pages = [html for html, _ in CONSTRUCTIONS]
    pages += ["<table><tr><th colspan=5 rowspan=9>a<th>b<tr><td>c</table>", "<ol start=7><li>a", "<pre>```</pre>" * 50]
    pages += [
        "<p>e\u0301 <code>e\u0301</code>",
        "<aside class=footnote><span class=label>12</span></aside>",
        "x" * 50_000,
    ]
    for part in (
        "<p>A queue of a fixed size.</p>",
        "<div><a href=x>Next</a> word</div>",
        "<li>a, b",
        "<td>x<td>y<tr>",
        "x<br>",
    ):
        pages += [part * 200, f"<nav>{part * 20}</nav><div id=a>{part * 40}<pre>a\n b</pre></div>{part * 30}"]
    pages += ["<div class=document><div class=documentwrapper><div class=body><p>a</p></div></div></div>"]
    first = [extract(page) for page in pages]
    order = list(range(len(pages))) * 3
    random.Random(7).shuffle(order)
    for number in order:
        assert extract(pages[number]) == first[number]


# ---------------------------------------------------------------- hostile pages

MANY = 50_000
CLASSES = " ".join(f"c{number}" for number in range(20_000))
ATTRIBUTES = " ".join(f"a{number}=1" for number in range(5000))
FOOTNOTES = "".join(f"<p>x<a class=footnote-ref>[{number}]</a>" for number in range(100_000))
NOTES = "<div class=footnotes><ol>" + "<li>n" * 100_000
WIDE = "<table>" + ("<tr>" + "<td>x" * 60) * 2000


@pytest.mark.parametrize(
    "tag", ["div", "b", "table", "blockquote", "ul", "dl", "li><ul", "table><tr><td", "math", "x-y", "h1><div"]
)
def test_deep_pages_are_refused(tag: str) -> None:
    assert extract(f"<{tag}>" * MANY + "x") == "too_deep"


@pytest.mark.parametrize(
    "tag",
    [
        "div",
        "b",
        "blockquote",
        "ul",
        "ul><li",
        "ol start=999999999><li",
        "dl",
        "dl><dd",
        "dl><dt>t<dd",
        "table><tr><td",
        "code",
    ],
)
def test_nesting_within_the_limit(tag: str) -> None:
    """The marks of a line are those of a bounded number of containers."""
    html = f"<{tag}>" * (1900 // (tag.count("<") + 1))
    text = to_markdown(html + "<pre>a\n\nb</pre>" * 20)
    assert len(text) < 200_000
    assert text.count("a") >= 20
    if tag != "table><tr><td":
        check_fences(text)


def test_definitions_in_definitions_keep_their_code() -> None:
    text = to_markdown("<dl><dt>t<dd>" * 12 + "<pre>x\n  y</pre>")
    assert [token.content for token in PARSER.parse(text) if token.type == "fence"] == ["x\n  y\n"]
    assert to_markdown("<dl><dt>t<dd>" * 300 + "<pre>x\n  y</pre>").count("x\n") == 1


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p title="' + "a" * 10_000_000 + '">x', "x\n"),
        ("<p>" + "&amp;" * 1_000_000, "&" * 1_000_000 + "\n"),
        ("<p>" + "&nbsp;" * 1_000_000 + "x", "x\n"),
        ("<p>" + "x" * 30_000_000, "x" * 30_000_000 + "\n"),
        ("<p>" + "`" * 3_000_000, "\\" + "`" * 3_000_000 + "\n"),
        ("<p>e\u0301" + "`" * 1_000_000, "é" + "`" * 1_000_000 + "\n"),
        ("x<br>" * 500_000, "x\n" * 500_000),
        (f"<p {ATTRIBUTES}>x", "x\n"),
        (f'<p class="{CLASSES}">x', "x\n"),
    ],
    ids=["attribute", "entities", "spaces", "text", "ticks", "ticks, not NFC", "breaks", "attributes", "classes"],
)
def test_much_of_one_kind(html: str, text: str) -> None:
    assert to_markdown(html) == text
    assert isinstance(extract(html), Page)


@pytest.mark.parametrize(
    "marks",
    [
        "<blockquote>" * 40 + "<p>x",
        "<pre>" + "> " * 5000 + "x",
        "<p>" + "> " * 5000,
        "<p>" + "1. " * 5000,
        "<pre>" + "- " * 5000,
    ],
)
def test_marks_in_a_page_that_is_not_nfc(marks: str) -> None:
    """To find the fences in it takes no longer than its length."""
    text = to_markdown("<p>e\u0301</p>" + marks)
    check_fences(text)
    assert text.startswith("é\n")
    check("<p>e\u0301</p>" + marks)


def test_a_wide_and_long_table_keeps_its_cells() -> None:
    text = to_markdown(WIDE)
    assert text.count("x") == 120_000
    assert len(text) < 3 * len(WIDE)


@pytest.mark.parametrize("number", ["4294967295", "65535", "99999999999999999999", "0", "-1", "1e9", "64"])
def test_spans(number: str) -> None:
    html = "<table>" + f"<tr><td rowspan={number} colspan={number}>a<td>b" * 200
    text = to_markdown(html)
    assert (text.count("a"), text.count("b")) == (200, 200)
    assert len(text) < 200_000
    check(html)


def test_tables_in_tables() -> None:
    for count in (60, 600):
        html = "<table><tr><td>a<td>b" * count + "<pre>x\ny</pre>"
        text = to_markdown(html)
        assert (text.count("a"), text.count("b")) == (count, count)
        assert [token.content for token in PARSER.parse(text) if token.type == "fence"] == ["x\ny\n"]
        check(html)


def test_many_footnotes() -> None:
    text = to_markdown(FOOTNOTES + NOTES)
    assert text.count("[^") == 200_000
    assert "x[^99999]\n" in text
    assert "[^100000]: n\n" in text


@pytest.mark.parametrize("start", [999_999_998, 10**9, 10**18])
def test_numbers_of_items_stay_marks(start: int) -> None:
    text = to_markdown(f"<ol start={start}>" + "<li><p>a</p><pre>x\n\ny</pre>" * 3)
    assert [token.content for token in PARSER.parse(text) if token.type == "fence"] == ["x\n\ny\n"] * 3


@pytest.mark.parametrize("mark", ["<blockquote>", "<ol start=99999999><li>", "<ul><li>"])
def test_output_that_grows_beyond_all_bounds_is_refused(mark: str) -> None:
    """Every line of a block of code is written behind the marks of all that it is in."""
    assert extract(mark * 40 + "<pre>" + "x\n" * 500_000) == "too_large"


@pytest.mark.parametrize(
    "unit",
    [
        "<div class=answer><div class=js-post-body>x",
        "<article class=onscreen-post><div class=cooked>x",
        "<div class=post><div class=postbody><div class=content>x",
    ],
)
def test_posts_in_posts_are_written_once(unit: str) -> None:
    """Output grows as the page does."""
    head = '<meta name=generator content="Discourse 3"><body class="question-page phpbb"><div id=mainbar><div id=main-outlet>'
    sizes = []
    for count in (100, 200):
        page = extract(head + unit * count)
        assert isinstance(page, Page)
        sizes.append(len(page.text))
    assert sizes[1] < 3 * sizes[0]
