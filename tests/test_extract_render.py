"""What a CommonMark parser reads back from the Markdown of a page: its code byte for byte, its words in order."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from manifests.models import ExtractSettings
from pipelines.extract.html.reader import extract_html, to_markdown

PARSER = MarkdownIt("commonmark", {"maxNesting": 1000}).enable("table")
MAX_DEPTH = 6
_LABEL = re.compile(r"(\[\^\w+\]):")


@dataclass
class Part:
    """A piece of a page: its HTML, its blocks of code and its words, both in page order."""

    html: str
    code: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def parse(text: str) -> list[Token]:
    """The tokens of a text; every fence in it ends."""
    tokens = PARSER.parse(text)
    for token in tokens:
        if token.type == "fence":
            assert token.map and token.content.count("\n") == token.map[1] - token.map[0] - 2, text
    return tokens


def code_in(text: str) -> list[str]:
    return [token.content for token in parse(text) if token.type == "fence"]


def words_in(text: str) -> list[str]:
    """The words `w1`, `w2`, ... that stand in prose. CommonMark has no footnotes: their labels become words."""
    inlines = [token.content for token in parse(_LABEL.sub(r"\1", text)) if token.type == "inline"]
    return [word for inline in inlines for word in re.findall(r"w\d+", inline)]


# ---------------------------------------------------------------- pages: containers around code and words

_LINES = """ | |\t|\tx|x\t|  x|    x|x  |> q|- i|1. i|# h|```|~~~|```` `|```sh|---|===|: d|[^1]: f|[a]: b|<div>|<!--|&amp;|\\|\u00a0x
|$x$|*|e\u0301|\ufeff|\u2028|\x0c|- - -|> ```|- ```|1. ```|    ```|> > > x"""
LINES = st.one_of(
    st.sampled_from(["", "| a | b |", "| --- | --- |", *_LINES.replace("\n", "").split("|")]),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n"), max_size=12),
)
CODE = st.lists(LINES, min_size=1, max_size=6).map("\n".join).filter(lambda text: any(c > " " for c in text))


def _code(text: str, language: str) -> Part:
    inside = html.escape(text, quote=False)
    inside = f"<code class=language-{language}>{inside}</code>" if language else f"\n{inside}"
    return Part(f"<pre>{inside}</pre>", [text.removesuffix("\n") + "\n"])


# The line end right behind a `pre` start tag is no part of it: `_code` writes one where no element follows.
CODE_PARTS = st.builds(_code, CODE, st.sampled_from(["", "", "sh", "c"]))
WORDS = st.sampled_from(
    ["<p>w</p>", "<p>w w</p>", "w", "<div>w</div>", "<p>w<br>w</p>", "<p><b>w</b> w</p>", "<h3>w</h3>"]
)
LEAVES = st.one_of(CODE_PARTS, WORDS.map(Part))


def _joined(pattern: str, parts: list[Part]) -> Part:
    """A container with parts: `@` in the pattern stands for the next one, the last `@` for all that are left."""
    pieces = pattern.split("@")
    inside = [part.html for part in parts]
    places = len(pieces) - 1
    if len(inside) > places:
        inside[places - 1 :] = ["".join(inside[places - 1 :])]
    inside += ["w"] * (places - len(inside))
    page = pieces[0] + "".join(part + piece for part, piece in zip(inside, pieces[1:], strict=True))
    return Part(page, [code for part in parts for code in part.code])


CONTAINERS = [
    "<ul><li>@</ul>",
    "<ul><li>w<li>@<li>@</ul>",
    "<ul><li><p>w</p>@<p>w</p></ul>",
    "<ol><li>@<li>w</ol>",
    "<ol start=9><li>@<li>@</ol>",
    "<ol start=98><li>w<li>w<li><p>w</p>@</ol>",
    "<ol start=0><li value=7>@</ol>",
    "<dl><dt>w<dd>@</dl>",
    "<dl><dt>w<dt>w<dd><p>w</p>@<dd>@<dt>w<dd>w</dl>",
    "<dl><dt><code>w</code><dd>w@</dl>",
    "<dl><dt>@<dd>w</dl>",
    "<dl><div><dt>w<dd>@</div></dl>",
    "<blockquote>@</blockquote>",
    "<blockquote><p>w</p>@</blockquote>",
    "<div class=admonition><p class=admonition-title>w</p>@</div>",
    "<table><tr><td>@<td>@<tr><td>w<td>w</table>",
    "<table><tr><td>@</table>",
    "<table><thead><tr><th>w<th>w<tbody><tr><td>w<td>@<tr><td>@<td>w<tr><td>w<td>w</table>",
    "<aside class=footnote><span class=label>[1]</span>@</aside>",
    "<aside class=footnote><span class=label>[1]</span><p>w</p>@</aside>",
    "<div class=footnotes><ol><li>@<li><p>w</p>@</ol></div>",
    "<div>@</div>",
    "<section><h2>w</h2>@</section>",
    "<details><summary>w</summary>@</details>",
    "<figure>@<figcaption>w</figcaption></figure>",
    "<ul><ul><li>@</ul></ul>",
    "<ul><li>w<ul><li>w<li>@</ul><li>w</ul>",
]


@st.composite
def _pages(draw: st.DrawFn) -> Part:
    """Up to three parts, each code, words or a container with such parts."""

    def part(levels: int) -> Part:
        if not levels or draw(st.booleans()):
            return draw(LEAVES)
        inside = [part(levels - 1) for _ in range(draw(st.integers(1, 2)))]
        return _joined(draw(st.sampled_from(CONTAINERS)), inside)

    return _joined("@", [part(MAX_DEPTH) for _ in range(draw(st.integers(1, 3)))])


def _numbered(page: Part) -> Part:
    """The same page with a number behind each word that is prose, not the text of code."""
    numbers = iter(range(1, 100_000))
    pieces = re.split(r"(<pre>.*?</pre>|<[^>]*>)", page.html, flags=re.DOTALL)
    for place in range(0, len(pieces), 2):
        pieces[place] = re.sub("w", lambda _: f"w{next(numbers)}", pieces[place])
    words = [word for piece in pieces[::2] for word in re.findall(r"w\d+", piece)]
    return Part("".join(pieces), page.code, words)


@settings(max_examples=400)
@given(_pages())
def test_round_trip(page: Part) -> None:
    page = _numbered(page)
    text = to_markdown(page.html)
    assert code_in(text) == page.code, f"{page.html}\n{text}"
    assert words_in(text) == page.words, f"{page.html}\n{text}"


@given(st.lists(st.sampled_from(CONTAINERS), max_size=MAX_DEPTH), CODE)
def test_code_in_any_nesting(containers: list[str], code: str) -> None:
    part = _code(code, "")
    for container in containers:
        part = _joined(container, [part])
    part = _numbered(part)
    text = to_markdown(part.html)
    assert code_in(text) == part.code, f"{part.html}\n{text}"
    assert words_in(text) == part.words, f"{part.html}\n{text}"


# ---------------------------------------------------------------- prose that looks like Markdown

LOOKS = [
    *(
        "# w",
        "###### w",
        "#",
        "- w",
        "* w",
        "+ w",
        "-",
        "1. w",
        "9) w",
        "> w",
        ">w",
        "```",
        "```sh",
        "~~~ w",
        "---",
        "***",
        "___",
    ),
    *(
        "- - -",
        "===",
        "=",
        "--",
        "[a]: w",
        "[a]: <w> 'x'",
        "<div>",
        "<div class=w>",
        "</p> w",
        "<script>",
        "<!-- w",
        "<?w",
        "<pre>",
    ),
    *(
        "<!W",
        "<![CDATA[",
        "<w-w>",
        "    w",
        "\tw",
        ": w",
        "| a | b |",
        "| --- | --- |",
        "--- | ---",
        "\\",
        "<style>w",
        "1.",
        "_ _ _",
    ),
]


@given(st.lists(st.sampled_from([*LOOKS, "w"]), min_size=1, max_size=3), st.sampled_from(["<br>", " ", "<i></i>"]))
def test_text_that_looks_like_markdown_is_a_paragraph(lines: list[str], between: str) -> None:
    prose = between.join(html.escape(line) for line in lines)
    text = to_markdown(f"<p>before</p><p>{prose}</p><pre>code</pre>")
    blocks = [token.type for token in PARSER.parse(text) if token.level == 0 and token.nesting >= 0]
    assert blocks == ["paragraph_open", "inline", "paragraph_open", "inline", "fence"] or all(
        kind in ("paragraph_open", "fence") for kind in blocks
    ), text
    assert code_in(text) == ["code\n"]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "around", ["<p>@</p>", "<ul><li>@</ul>", "<blockquote>@</blockquote>", "<dl><dt>t<dd>@</dl>", "x<br>@"]
)
def test_what_looks_like_a_block_opens_none(look: str, around: str) -> None:
    text = to_markdown(around.replace("@", html.escape(look)) + "<pre>code</pre>")
    allowed = {"paragraph_open", "inline", "fence", "bullet_list_open", "list_item_open", "blockquote_open"}
    types = [token.type for token in PARSER.parse(text) if token.nesting >= 0]
    assert set(types) <= allowed, text
    assert types.count("list_item_open") == around.count("<li>"), text
    assert types.count("blockquote_open") == around.count("<blockquote>"), text
    assert code_in(text) == ["code\n"]
    prose = "".join(token.content for token in PARSER.parse(text) if token.type == "inline")
    assert "".join(look.split()) in "".join(prose.replace("\\", "" if look != "\\" else "\\").split()), text


# ---------------------------------------------------------------- where blocks of code are easily lost


@pytest.mark.parametrize(
    "page",
    [
        '<div class="documentwrapper"><div class="body no-print">@</div></div>',
        "<div class=admonition><div class=admonition-title>Note @</div>x</div>",
        "<h2>a @ b</h2>",
        "<h1><a href=x>@</a></h1>",
        "<dl><dt>@<dd>x</dl>",
        "<div class=documentwrapper><div class=body><dl><dt class=sig>@<dd>x</dl></div></div>",
        "<table><caption>@</caption><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<table><tr><th>a<th>b<tr><td>c<td>@</table>",
        "<b>x <i>@</i> y</b>",
        "<b>*<div>```</div>x</b>@",
        "<em>***<ol>~~~</ol></em>@",
        "<a href=x>@</a>",
        "<code>@</code>",
        "<span class=code>@</span>",
        "<p>x<figure>@<figcaption>y</figure>",
        "<aside class=footnote><span class=label>[1]</span>@</aside>",
        "<ul><li><dl><dd>@</dl><pre>y</pre></ul>",
        "<ul><li><div class=footnotes><ol><li>@<li><p>w</p></ol></div><pre>y</pre></ul>",
        "<ul><ul><ul>@</ul></ul></ul>",
        "<ol start=999999999><li>a<li>@</ol>",
        "<ol start=99><li>a</li><ul><li>@</ul><li>c</ol>",
    ],
)
def test_a_block_of_code_stays_one(page: str) -> None:
    html = page.replace("@", "<pre>a\n\n  b</pre>")
    for text in (
        to_markdown(html),
        extract_html(html.encode(), "text/html", "http://docs.localhost/", ExtractSettings()).text,
    ):
        assert "a\n\n  b\n" in code_in(text), text


def test_a_footnote_that_begins_with_code_keeps_its_label() -> None:
    assert "[^1]:" in to_markdown("<aside class=footnote><span class=label>[1]</span><pre>x</pre></aside>")


def test_nothing_is_no_text() -> None:
    assert to_markdown("<pre> </pre>") == to_markdown("<p></p>") == to_markdown("") == ""


# ---------------------------------------------------------------- inline code

SPANS = st.lists(
    st.sampled_from(["`", "``", "a", "b", " ", "|", "\\", "*", "<", "&", "\n", "\u00a0", "e\u0301", "[", "~", "#"]),
    max_size=12,
).map("".join)


@given(
    st.lists(SPANS, min_size=1, max_size=4),
    st.sampled_from(["<p>x @ y</p>", "<p>@</p>", "<ul><li>@</ul>", "<h2>@</h2>"]),
)
@example(["`"], "<p>@</p>")
@example(["``` sh"], "<p>@</p>")
def test_inline_code(spans: list[str], around: str) -> None:
    inside = ", ".join(f"<code>{html.escape(span)}</code>" for span in spans)
    text = to_markdown(around.replace("@", inside))
    read = [child.content for token in parse(text) for child in token.children or [] if child.type == "code_inline"]
    assert read == [" ".join(span.split()) for span in spans if span.split()], text


# ---------------------------------------------------------------- tables

CELLS = [
    "w",
    "w w",
    "<code>a|b</code> w",
    "w | w",
    "w<br>w",
    "<p>w</p>",
    "<b>w</b>",
    "<code>`</code>w",
    "w\\",
    "<ul><li>w<li>w</ul>",
    "w&#124;",
]


def _rows_of(text: str) -> list[list[str]]:
    """The cells of each row of the GFM tables of a text, header rows of nothing left out."""
    rows: list[list[str]] = []
    tokens = parse(text)
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append(tokens[place + 1].content)
    return [row for row in rows if any(row)]


@given(st.integers(2, 5), st.integers(1, 5), st.booleans(), st.data())
def test_tables(columns: int, rows: int, with_head: bool, data: st.DataObject) -> None:
    cells = data.draw(
        st.lists(st.lists(st.sampled_from(CELLS), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
    names = [["th" if with_head and not r else "td" for _ in row] for r, row in enumerate(cells)]
    body = "".join(
        "<tr>" + "".join(f"<{name}>{cell}</{name}>" for name, cell in zip(of_row, row, strict=True))
        for of_row, row in zip(names, cells, strict=True)
    )
    page = _numbered(Part(f"<table>{body}</table>"))
    wanted = [
        [re.findall(r"w\d+", cell) for cell in re.split("<t[dh]>", row)[1:]] for row in page.html.split("<tr>")[1:]
    ]
    text = to_markdown(page.html)
    assert [[re.findall(r"w\d+", cell) for cell in row] for row in _rows_of(text)] == wanted, text


SPANNED = [
    ("<tr><th>a<th>b<th>c<tr><td colspan=2>d<td>e", [["a", "b", "c"], ["d", "", "e"]]),
    ("<tr><th>a<th>b<tr><td rowspan=2>c<td>d<tr><td>e", [["a", "b"], ["c", "d"], ["", "e"]]),
    (
        "<tr><th colspan=2 rowspan=2>a<th>b<tr><td>c<tr><td>d<td>e<td>f",
        [["a", "", "b"], ["", "", "c"], ["d", "e", "f"]],
    ),
    ("<tr><th>a<th>b<tr><td>c<td rowspan=3>d<tr><td>e", [["a", "b"], ["c", "d"], ["e", ""]]),
    ("<tr><th>a<th>b<tr><td colspan=0 rowspan=0>c<td>d<tr><td>e<td>f", [["a", "b"], ["c", "d"], ["e", "f"]]),
    ("<tr><th>a<th>b<tr><td colspan=x>c<td colspan=-1>d", [["a", "b"], ["c", "d"]]),
    ("<tr><td>a|b<td><code>c|d</code><tr><td>`<td>x<br>y", [["a|b", "`c|d`"], ["`", "x<br>y"]]),
]


@pytest.mark.parametrize(("body", "rows"), SPANNED)
def test_spans(body: str, rows: list[list[str]]) -> None:
    assert _rows_of(to_markdown(f"<table>{body}</table>")) == rows


def test_no_cell_of_a_wide_table_is_lost() -> None:
    text = to_markdown(
        "<table>" + "".join("<tr>" + "".join(f"<td>w{c}" for c in range(100)) for _ in range(3)) + "</table>"
    )
    assert words_in(text) == [f"w{c}" for c in range(100)] * 3
