"""Code comes through byte for byte, wherever it stands; read back by a small reader of CommonMark fences."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.models import ExtractSettings
from pipelines.extract.html.reader import extract_html

LIMITS = ExtractSettings()
CONTAINERS = re.compile(r"(?:[ ]*(?:>|[-*+](?=[ ])|\d{1,9}[.)](?=[ ]))[ ]?)*[ ]*")
OPENING = re.compile(r"(`{3,})([^`]*)$")

CONTEXTS = {
    "body": "<p>before</p>{}<p>after</p>",
    "li": "<ul><li>one</li><li>two {} more</li></ul>",
    "only in li": "<ol><li>{}</li><li>x</li></ol>",
    "long list": "<ol start='998'>" + "<li>x</li>" * 4 + "<li>y{}</li></ol>",
    "nested li": "<ul><li>a<ol><li>b<p>c</p>{}</li></ol></li></ul>",
    "blockquote": "<blockquote><p>said</p>{}<p>so</p></blockquote>",
    "quote in li": "<ul><li>a<blockquote><p>b</p>{}</blockquote></li></ul>",
    "li in quote": "<blockquote><ul><li>a{}</li></ul></blockquote>",
    "td": "<table><tr><th>a</th><th>b</th></tr><tr><td>c {} d</td><td>e</td></tr></table><p>after</p>",
    "layout td": "<table><tr><td>{}</td></tr></table>",
    "dd": "<dl><dt>term</dt><dd>text {} more</dd><dt>next</dt><dd>x</dd></dl>",
    "nested dd": "<dl><dt>a</dt><dd><dl><dt>b</dt><dd>{}</dd></dl></dd></dl>",
    "heading": "<h2>title {} more</h2>",
    "inline": "<p><b><span>bold {} more</span></b></p>",
}

line = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffd"))
tricky = st.text(st.sampled_from("`~ \t\n<>/&;#*-_|\\ab1.\u0301é日\u2028\xa0"))
code = st.one_of(tricky, st.lists(st.one_of(line, tricky)).map("\n".join)).filter(lambda text: text.strip())


def read_fences(markdown: str) -> list[tuple[str, str]]:
    """Content and info string of each fence; containers (quotes, lists) taken off its lines."""
    found = []
    lines = iter(markdown.split("\n"))
    for first in lines:
        containers = CONTAINERS.match(first)
        assert containers is not None
        opening = OPENING.match(first[containers.end() :])
        if not opening:
            continue
        prefix = re.sub(r"[^> ]", " ", containers.group())
        content = []
        for each in lines:
            text = each.removeprefix(prefix) if each.startswith(prefix) else each.removeprefix(prefix.rstrip())
            assert each.startswith(prefix) or each == prefix.rstrip()
            if re.fullmatch(opening.group(1) + r"`*[ ]*", text):
                break
            content.append(text)
        else:
            raise AssertionError("a fence that does not end")
        found.append(("\n".join(content), opening.group(2)))
    return found


def extract(body: str) -> str:
    page = f"<!DOCTYPE html><html><head><meta charset=utf-8><title>t</title></head><body>{body}</body></html>"
    return extract_html(page.encode(), "text/html", "http://docs.localhost/", LIMITS).text


def fences(body: str) -> list[tuple[str, str]]:
    return read_fences(extract(body))


def main(body: str) -> str:
    return f"<main>{body}</main>"


@pytest.mark.parametrize("context", CONTEXTS)
@settings(max_examples=40, deadline=None)
@given(text=code)
def test_known_page(context: str, text: str) -> None:
    pre = f"<pre>\n{html.escape(text)}</pre>"
    found = fences(main(CONTEXTS[context].format(pre)))
    assert found == [(text.removesuffix("\n"), "")]


@pytest.mark.parametrize("context", ["body", "li", "td", "dd"])
@settings(max_examples=15, deadline=None)
@given(text=code)
def test_unknown_page(context: str, text: str) -> None:
    pre = f"<pre>\n{html.escape(text)}</pre>"
    found = fences(f"<h1>Title</h1><p>{'Some words of prose. ' * 30}</p>" + CONTEXTS[context].format(pre))
    assert found == [(text.removesuffix("\n"), "")]


@settings(max_examples=60, deadline=None)
@given(prose=tricky, text=code)
def test_no_prose_swallows_a_fence(prose: str, text: str) -> None:
    said = html.escape(prose)
    body = f"<p>{said}</p><ul><li>{said}<pre>\n{html.escape(text)}</pre></li></ul><p>&lt;!--{said}</p>"
    body += f"<p>&lt;script&gt; {said}</p><pre>last</pre>"
    found = [content for content, _ in fences(main(body))]
    assert found == [text.removesuffix("\n"), "last"]


def test_line_ends_entities_and_the_first_newline() -> None:
    assert fences(main("<pre>\n\n a\tb\r\nc&#13;&#10;&lt;/pre&gt; &amp;amp;\n\n\n</pre>")) == [
        ("\n a\tb\nc\n</pre> &amp;\n\n", "")
    ]


def test_unicode_of_code_is_untouched_and_prose_is_nfc() -> None:
    text = extract(main("<p>e\u0301</p><pre>e\u0301</pre>"))
    assert text == "\xe9\n\n```\ne\u0301\n```\n"


def test_markup_inside_code_is_not_text() -> None:
    body = '<pre><a href="#x"></a><span class="k">if</span> <b>x</b><!-- c -->:<br>  <i>y</i>()</pre>'
    assert fences(main(body)) == [("if x:\n  y()", "")]


def test_line_end_and_break_for_one_line() -> None:
    assert fences(main("<pre>a<br/>\n<br/>\nb<br/>\n</pre>")) == [("a\n\nb", "")]


def test_code_of_lines_ended_by_breaks() -> None:
    body = "<p><code>Listen 80<br>\n&lt;If x&gt;<br>\n<span>&nbsp;&nbsp;</span>y\n z</code></p>"
    assert fences(main(body)) == [("Listen 80\n<If x>\n  y z", "")]


def test_blocks_in_blocks_and_empty_blocks() -> None:
    assert fences(main("<pre>a<xmp><b></xmp>c<pre>d</pre></pre><pre> \n</pre>")) == [("a\n<b>\nc\nd", "")]


def test_a_table_with_code_in_its_cells_is_written_row_by_row() -> None:
    body = "<table><tr><th>n<th>code<tr><td>1<td>x<pre>one</pre><tr><td>2<td>y<pre>two\n</pre></table><p>end"
    text = extract(main(body))
    assert [content for content, _ in read_fences(text)] == ["one", "two"]
    assert text == "- n\n\n  code\n\n- 1\n\n  x\n\n  ```\n  one\n  ```\n\n- 2\n\n  y\n\n  ```\n  two\n  ```\n\nend\n"


def test_a_table_of_nothing_but_code_leaves_no_table() -> None:
    body = "<table><tr><td><pre>a</pre></td></tr><tr><td><pre>b</pre></td></tr></table>"
    assert extract(main(body)) == "```\na\n```\n\n```\nb\n```\n"


def test_lines_that_are_elements() -> None:
    lines = '<div class="line">int&#160;x;</div><div class="line"></div><div class="line">&#160;&#160;y</div>'
    assert fences(main(f"<p>x</p><pre><code>{lines}</code></pre>")) == [("int\xa0x;\n\n\xa0\xa0y", "")]
    shiki = '<span class="line">a</span><span class="line">  b</span>'
    assert fences(main(f'<p>x</p><pre class="shiki"><code>{shiki}</code></pre>')) == [("a\n  b", "")]
    with_ends = '<span class="line">a</span>\n<span class="line">  b</span>\n'
    assert fences(main(f'<p>x</p><pre class="shiki"><code>{with_ends}</code></pre>')) == [("a\n  b", "")]


@pytest.mark.parametrize(
    ("markup", "language"),
    [
        (
            '<div class="highlight-python notranslate"><div class="highlight"><pre>{}</pre></div></div>',
            "python",
        ),
        ('<div class="highlight-default"><div class="highlight"><pre>{}</pre></div></div>', ""),
        ('<div class="highlight highlight-source-shell"><pre>{}</pre></div>', "shell"),
        ('<pre><code class="language-C++ hljs">{}</code></pre>', "c++"),
        ('<pre class="lang-sh prettyprint">{}</pre>', "sh"),
        ('<pre class="brush: bash; gutter: false">{}</pre>', "bash"),
        ('<div class="sourceCode"><pre class="sourceCode hs"><code>{}</code></pre></div>', "hs"),
        ('<pre class="code python literal-block">{}</pre>', "python"),
        ('<pre class="highlight"><code data-lang="yaml">{}</code></pre>', "yaml"),
        ('<div class="mw-highlight mw-highlight-lang-c"><pre>{}</pre></div>', "c"),
        ('<pre class="src src-sh">{}</pre>', "sh"),
        ('<pre class="language-`x">{}</pre>', ""),
        ('<pre class="ruby">{}</pre>', "ruby"),
        ('<pre class="c">{}</pre>', ""),
        ('<pre class="note">{}</pre>', ""),
        ('<pre data-lang="a b&#10;```">{}</pre>', ""),
        ('<pre class="screen">{}</pre>', ""),
        ('<pre lang="bash">{}</pre>', "bash"),
        ('<pre lang="en">{}</pre>', ""),
        ('<pre><code class="bash">{}</code></pre>', "bash"),
        ('<pre class="shiki nord" style="x"><code>{}</code></pre>', ""),
        ('<figure class="highlight sh"><table><tr><td class="code"><pre>{}</pre></td></tr></table></figure>', "sh"),
    ],
)
def test_language(markup: str, language: str) -> None:
    assert fences(main("<p>x</p>" + markup.format("if a:\n  b"))) == [("if a:\n  b", language)]


@pytest.mark.parametrize(
    "markup",
    [
        '<table class="highlighttable"><tr><td class="linenos"><pre>1\n2</pre></td>'
        '<td class="code"><pre>a\nb</pre></td></tr></table>',
        '<pre><span class="lineno">1 </span>a\n<span class="lineno">2 </span>b</pre>',
        '<pre>a\nb<button class="copy">Copy</button></pre>',
    ],
)
def test_line_numbers_and_buttons_are_not_code(markup: str) -> None:
    assert fences(main("<p>x</p>" + markup)) == [("a\nb", "")]


def test_inline_code_stays_inline() -> None:
    assert extract(main("<p>Run <code>a`b</code>, <tt>--x</tt>.</p>")) == "Run ``a`b``, `--x`.\n"


def test_text_that_looks_like_a_placeholder_stays() -> None:
    text = extract(main("<p>code0123456789abcdefn0x</p><pre>x</pre>"))
    assert text == "code0123456789abcdefn0x\n\n```\nx\n```\n"
