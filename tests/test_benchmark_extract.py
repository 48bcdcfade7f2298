"""The judge of the extractor: that what it takes for the truth is true, and that it counts as it says."""

import gzip
import json
import os
import pickle
import shutil
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("html5lib")

from benchmarks.extract import (
    blocks,
    cells,
    ground,
    independent,
    literals,
    markdown,
    packages,
    report,
    scores,
    speed,
    targets,
)
from benchmarks.extract.__main__ import main
from benchmarks.extract.content import main_node
from benchmarks.extract.dom import decode, parse
from benchmarks.extract.tools import FIRST_PAGE, TOOLS, Tool, Watched
from benchmarks.extract.truth import page_truth


def blocks_of(html):
    tree = parse(html)
    return blocks.blocks(tree, main_node(tree))


def codes(html):
    return [blocks.canonical(block["text"], block["kind"]) for block in blocks_of(html)]


def tables_of(html):
    tree = parse(html)
    return cells.tables(tree, main_node(tree))


# --- the truth of code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<pre>a\n  b\n</pre>", "a\n  b"),
        ("<pre>\n\tone\n\n\ttwo &lt;x&gt; &amp;&nbsp;</pre>", "\tone\n\n\ttwo <x> &\xa0"),
        ("<pre>\n\nafter a blank line</pre>", "\nafter a blank line"),
        ("<pre>a<br>b<br>c</pre>", "a\nb\nc"),
        ("<pre>a<br>\nb<br>\nc</pre>", "a\nb\nc"),
        ("<pre><span class=linenos>1</span>x\n<span class=linenos>2</span>y</pre>", "x\ny"),
        ("<pre><div>x</div><div>  y</div></pre>", "x\n  y"),
        (
            "<div class=fragment><div class=line><span class=lineno>1</span>&#160;/*</div>"
            "<div class=line><span class=lineno>2</span>&#160; * x</div></div>",
            "/*\n * x",
        ),
        ("<pre><code><span class=line>x</span><span class=line>  y</span></code></pre>", "x\n  y"),
        (
            "<pre><code><span class=line>x</span>\n<span class=line></span>\n<span class=line>y</span></code></pre>",
            "x\n\ny",
        ),
        ("<pre><span class=line>x</span><br><span class=line>y</span><br></pre>", "x\ny"),
        ("<pre>class <b>A</b><dt>extends B</dt></pre>", "class A\nextends B"),
        ("<pre>x<button>Copy</button></pre>", "x"),
        ("<xmp><b>&amp;</b></xmp>", "<b>&amp;</b>"),
        (
            "<pre><code><table class=rouge-table><tr><td class='rouge-gutter gl'><pre class=lineno>1\n2</pre></td>"
            "<td class=rouge-code><pre>x\ny\n</pre></td></tr></table></code></pre>",
            "x\ny",
        ),
        (
            "<pre><code><table class=hljs-ln><tr><td class=hljs-ln-numbers>1</td><td class=hljs-ln-code>x</td></tr>"
            "<tr><td class=hljs-ln-numbers>2</td><td class=hljs-ln-code>  y</td></tr></table></code></pre>",
            "x\n  y",
        ),
        (
            "<table class=highlighttable><tr><td class=linenos><pre>1\n2</pre></td>"
            "<td class=code><pre>x\ny</pre></td></tr></table>",
            "x\ny",
        ),
        (
            "<table class=highlight><tr><td class=blob-num>1<td class=blob-code>if x:</tr>"
            "<tr><td class=blob-num>2<td class=blob-code>\ty</tr></table>",
            "if x:\n\ty",
        ),
        (
            "<div class=fragment><div class=line><span class=lineno>  1</span>int&#160;x; </div>"
            "<div class=line>&#160;</div><div class=line>  y();</div></div><!-- fragment -->",
            "int x;\n\n  y();",
        ),
        (
            "<p><code>&lt;Directory&gt;<br>\n&nbsp;&nbsp;Allow <b> x</b><br>\n&lt;/Directory&gt;</code>",
            "<Directory>\n  Allow x\n</Directory>",
        ),
        ("<table><tr><td><pre>\n\nx</pre></table>", "\nx"),
    ],
)
def test_a_block_is_what_a_browser_shows(html, code):
    assert codes(f"<body><p>text</p>{html}</body>") == [code]


def test_what_is_no_block_of_the_content_is_left_out():
    page = """<body><nav><pre>nav</pre></nav><main><pre> \n </pre><p><code>one<br></code></p><pre>yes</pre>
    <div class=sphinxsidebar><pre>side</pre></div></main><footer><pre>foot</pre></footer></body>"""
    assert codes(page) == ["yes"]


def test_images_in_code_may_be_there_or_not():
    (block,) = blocks_of("<pre>x = 1 <img alt='(1)'>\ny</pre>")
    assert (block["text"], block["also"]) == ("x = 1 \ny", "x = 1 (1)\ny")
    for inner in ("x = 1 \ny", "x = 1 (1)\ny"):
        assert scores.score_blocks([block], f"```\n{inner}\n```\n", True)[0]["exact"] == 1


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<div class='highlight-console notranslate'><div class=highlight><pre>x</pre></div></div>", "console"),
        ("<div class='highlight-default'><div class=highlight><pre>x</pre></div></div>", ""),
        ("<pre><code class='language-YAML'>x</code></pre>", "yaml"),
        ("<pre class='sourceCode bash'><code>x</code></pre>", "bash"),
        ("<pre><code class='hljs rust'>x</code></pre>", "rust"),
        ("<div class='language-c++ highlighter-rouge'><div class=highlight><pre>x</pre></div></div>", "c++"),
        ("<div class='highlight highlight-source-shell'><pre>x</pre></div>", "shell"),
        ("<pre class='brush: java; gutter: false'>x</pre>", "java"),
        ("<pre><code data-lang=toml>x</code></pre>", "toml"),
        ("<div class='mw-highlight-lang-lua'><pre>x</pre></div>", "lua"),
        ("<pre class='src src-emacs-lisp'>x</pre>", "emacs-lisp"),
        ("<pre class='rust fn'>x</pre>", "rust"),
        ("<section class=language-go><pre>x</pre></section>", ""),
        ("<pre class=screen>x</pre>", ""),
    ],
)
def test_the_language_that_class_names_give(html, language):
    assert [block["language"] for block in blocks_of(f"<body>{html}</body>")] == [language]


def test_decode_follows_the_page():
    assert "café" in decode("<meta charset=latin1>café".encode("latin1"))
    assert "café" in decode("<?xml version='1.0' encoding='iso-8859-1'?><p>café".encode("latin1"))
    assert "café" in decode("café".encode())
    assert "naïve ’" in decode("naïve ’".encode("cp1252"))


def test_a_deep_page_is_read():
    assert codes("<div>" * 3000 + "<pre>deep</pre>") == ["deep"]


# --- the truth of tables ---------------------------------------------------------------------------------------------


def test_cells_of_a_table_of_data():
    page = "<table><tr><th>Option<th>Meaning<tr><td><code>-v</code><td>be   <b>loud</b><tr><td><td>x_y</table>"
    assert tables_of(page) == [[["Option", "Meaning"], ["-v", "beloud"], ["xy"]]]


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><td>one column</td></tr><tr><td>only</td></tr></table>",
        "<table><tr><td>a<td>b</tr></table>",
        "<table><tr><td><h2>Part</h2><td>x<tr><td>y<td>z</table>",
        "<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<table summary='Note: a thing'><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<table class=highlighttable><tr><td>1<td>x<tr><td>2<td>y</table>",
        f"<table><tr><td>a<td>{'long ' * 500}<tr><td>c<td>d</table>",
    ],
)
def test_tables_that_hold_no_data(table):
    assert tables_of(f"<body>{table}</body>") == []


def test_truth_is_data():
    truth = page_truth(b"<pre class=rust>x</pre><table><tr><td>a<td>b<tr><td>c<td>d</table>")
    assert json.loads(json.dumps(truth)) == truth


# --- reading Markdown ------------------------------------------------------------------------------------------------


def test_fences_wherever_they_stand():
    text = "```Sh x\na\n```\n\n- item\n\n  ````\n  ```\n  \tb\n  ````\n\n> ~~~\n>  c\n> ~~~\n\n    no fence\n"
    assert markdown.fences(text) == [("sh", "a\n"), ("", "```\n\tb\n"), ("", " c\n")]


def test_fences_in_deep_lists():
    text = (
        "".join("  " * level + "- x\n\n" for level in range(12))
        + "  " * 12
        + "```\n"
        + "  " * 12
        + "y\n"
        + "  " * 12
        + "```\n"
    )
    assert markdown.fences(text) == [("", "y\n")]


def test_rows_of_tables_and_items():
    rows, items = markdown.rows("| a | `b\\|c` |\n| - | - |\n| 1<br>2 | *x* |\n\n- one\n\n  two\n  - three\n")
    assert rows == [["a", "b|c"], ["1 2", "x"]]
    assert items == ["three", "one\ntwo\nthree"]


def test_markdown_to_words():
    text = '# Title\n\n1. [a link](https://x.example/y_z "t") and ![alt](p.png)\n\n```sh\nls -l\n```\n\n| h | i |\n| --- | --- |\n| _em_ | foo\\_bar |\n> AT&amp;T<br>x'
    wanted = ["title", "a", "link", "and", "alt", "ls", "l", "h", "i", "em", "foo_bar", "at", "t", "x"]
    assert markdown.words(markdown.plain(text)) == wanted


# --- scores ----------------------------------------------------------------------------------------------------------


def block(text, kind="pre", language=""):
    return blocks.Block(kind=kind, text=text, also="", language=language)


@pytest.mark.parametrize(
    ("output", "seen"),
    [
        ("```c\nif x:\n    y\n```", {"exact", "fenced", "verbatim", "squeezed", "language_kept"}),
        ("- a\n\n  ```\n  if x:\n      y\n  ```", {"exact", "fenced", "verbatim", "squeezed"}),
        ("```\nif x:\n  y\n```", {"fenced", "squeezed"}),
        ("    if x:\n        y\n", {"verbatim", "squeezed"}),
        ("if x: y", {"squeezed"}),
        ("", set()),
    ],
)
def test_what_is_counted_of_a_block(output, seen):
    counts, missed = scores.score_blocks([block("if x:\n    y\n", language="c")], output, True)
    assert counts["blocks"] == counts["indented_blocks"] == counts["language_blocks"] == 1
    assert {name for name in ("exact", "fenced", "verbatim", "squeezed", "language_kept") if counts[name]} == seen
    assert missed == ([] if "exact" in seen else [0])


def test_a_fence_is_one_block_only():
    counts, missed = scores.score_blocks([block("x"), block("x")], "```\nx\n```\n", True)
    assert (counts["exact"], missed, counts["whole_pages"]) == (1, [1], 0)


@pytest.mark.parametrize("text", ["a  \nb", "a\xa0b", "a\tb", "\n a", "é", "a\n\n\nb"])
def test_bytes_count(text):
    fence = f"```\n{text}\n```\n"
    assert scores.score_blocks([block(text)], fence, True)[0]["exact"] == 1
    changed = (
        fence.replace("  \n", "\n", 1)
        .replace("\xa0", " ")
        .replace("\t", " ")
        .replace("\n\n", "\n")
        .replace("é", "e\u0301")
    )
    assert scores.score_blocks([block(text)], changed, True)[0]["exact"] == 0


def test_lines_made_by_markup_are_compared_without_filling():
    given = block("int\xa0x; \n\xa0\ny", kind="fragment")
    assert scores.score_blocks([given], "```\nint x;\n\ny\n```\n", True)[0]["marked_exact"] == 1


def test_cells_in_their_row():
    table = [[["a", "bc"], ["1", "long", "text"]]]
    good = "| a | b c |\n| - | - |\n| 1 | a long one and text |\n"
    assert scores.score_tables(table, good, True) == Counter(tables=1, cells=5, present=5, in_row=5)
    items = "- a\n  bc\n- 1\n\n  long\n\n  text\n"
    assert scores.score_tables(table, items, True)["in_row"] == 5
    scattered = "| a |\n| - |\n| bc |\n| 1 |\n| long |\n"
    assert scores.score_tables(table, scattered, True) == Counter(tables=1, cells=5, present=4, in_row=2)
    assert scores.score_tables(table, "a bc\n1 long text\n", False)["in_row"] == 5


def test_a_short_text_is_no_cell_because_it_stands_in_another():
    assert scores.score_tables([[["1", "x"]]], "| 10 | x |\n| - | - |\n", True)["in_row"] == 1


# --- ground truths ---------------------------------------------------------------------------------------------------


def known(text, must=(), must_not=()):
    return ground.Known("set", "forum", "https://x.example/", Path("none"), text, must, must_not)


def test_words_against_a_ground_truth():
    whole = Counter(["menu", "menu", "the", "answer", "is", "here", "footer"])
    got = ground.score(known("The answer is here", ("answer  is", "gone"), ("footer",)), "the answer is footer", whole)
    assert (got["precision"], got["recall"], got["f1"]) == (0.75, 0.75, 0.75)
    assert (got["must"], got["must_not"]) == (0.5, 1.0)
    assert got["boilerplate_precision"] == pytest.approx(2 / 3)  # menu menu here
    assert got["boilerplate_recall"] == pytest.approx(2 / 3)  # menu menu footer


def test_snippets_are_found_whatever_marks_are_in_them():
    page = known("", ("run make all now",), ("x_y",))
    got = ground.score(page, "run `make`\n**all**  now x\n_y_", Counter())
    assert (got["must"], got["must_not"]) == (1.0, 0.0)


def test_an_empty_output_has_no_words_right():
    got = ground.score(known("text"), "", Counter(["text"]))
    assert (got["precision"], got["recall"], got["f1"]) == (0, 0, 0)


# --- independent truth -----------------------------------------------------------------------------------------------


RST = """
Title
=====

Run::

    make
      all

.. code-block:: c
   :linenos:
   :caption: none

   int x;

.. unknown:: argument

   >>> 1
   1

.. include:: /etc/passwd
.. parsed-literal::

   *not* taken
"""


@pytest.mark.parametrize(
    ("form", "text", "found"),
    [
        ("rst", RST, [("literal block", "make\n  all"), ("directive", "int x;"), ("doctest", ">>> 1\n1")]),
        ("asciidoc", "text\n\n----\na\n  b\n----\n\n....\n[x]\n....\n\n////\nno\n////\n", [("listing", "a\n  b"), ("literal", "[x]")]),
        ("markdown", "- x\n\n  ```c\n  y\n  ```\n", [("fence", "y\n")]),
        (
            "docbook",
            "<!DOCTYPE book [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><book><programlisting>a &lt; <b>c</b></programlisting>"
            "<screen>&e;</screen><screen>x<co id='y'/></screen><para>no</para></book>",
            [("programlisting", "a < c")],
        ),
    ],
)  # fmt: skip
def test_blocks_of_a_source(form, text, found):
    assert literals.read(form, text) == found


def test_a_block_of_a_source_counts_where_a_page_shows_it_as_one():
    page = "<p>make all</p><pre>ma<b>ke</b>\n  all</pre><pre>x; y</pre>"
    wanted = independent.shown(page, [("literal", "make\n  all"), ("literal", "make \n  all"), ("literal", "x;")])
    assert wanted == [("literal", ["make\n  all", "make \n  all"])]
    for output, fate in (
        ("```\nmake\n  all\n```", "exact"),
        ("```\nmake all\n```", "fenced"),
        ("make all", "text"),
        ("", "lost"),
    ):
        assert independent.fates(output, True, wanted) == [fate]


# --- tools, packages, speed ------------------------------------------------------------------------------------------


def _never_ends():
    def convert(body, url):
        while body != FIRST_PAGE:
            pass
        return ""

    return convert


def _dies(at):
    def convert(body, url):
        if body == at:
            os._exit(3)
        return body.decode() + url

    return convert


def test_a_tool_that_hangs_or_dies_gives_nothing_and_is_counted():
    hanging = Watched(Tool("hanging", "none", _never_ends), limit_s=0.2)
    assert (hanging(b"x", "u"), hanging.failures, hanging.seconds) == ("", {"time": 1}, 0.2)
    hanging.close()
    dying = Watched(Tool("dying", "none", partial(_dies, b"die")))
    assert [dying(body, "u") for body in (b"a", b"die", b"b", b"\xff")] == ["au", "", "bu", ""]
    assert dying.failures == {"crash": 1, "UnicodeDecodeError": 1}
    dying.close()


def _is_broken():
    raise ImportError("broken")


def test_a_tool_that_does_not_start_is_said_each_time():
    broken = Watched(Tool("broken", "none", _is_broken))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken does not start"):
            broken(b"x" * 500_000, "u")


def test_tools_can_be_handed_to_another_process():
    for tool in TOOLS.values():
        assert pickle.loads(pickle.dumps(tool)) == tool or isinstance(tool.load, partial)


def test_the_list_of_packages():
    listed = packages.entries()
    assert len({entry.package for entry in listed}) >= 60
    assert len({entry.name for entry in listed}) == len(listed)
    assert len({entry.generator for entry in packages.entries(20)}) == 20


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")
def test_the_sample_of_a_package_is_always_the_same(tmp_path):
    root = tmp_path / "root"
    doc = root / "usr/share/doc/x"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        "Package: x-doc\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\nDescription: x\n"
    )
    (doc / "de").mkdir(parents=True)
    filling = "<p>" + "text " * 500
    for number in range(50):
        (doc / f"{number}.html").write_text(f"<pre>{number}</pre>{filling}")
    (doc / "packed.html.gz").write_bytes(gzip.compress(f"<pre>z</pre>{filling}".encode()))
    (doc / "de/1.html").write_text(f"<pre>de</pre>{filling}")
    (doc / "fr.html").write_text(f"<html lang=fr><pre>fr</pre>{filling}")
    (doc / "prose.html").write_text(filling)
    cache = tmp_path / "cache"
    (cache / "debs").mkdir(parents=True)
    subprocess.run(["dpkg-deb", "--build", root, cache / "debs/x-doc.deb"], check=True, capture_output=True)
    entry = packages.Entry("x-doc", "sphinx")
    first = packages.sample([entry], cache, print)
    assert len(first) == packages.PAGES
    assert {page.file.read_bytes()[:5] for page in first} == {b"<pre>"}
    assert not any(name in page.path for page in first for name in ("/de/", "fr.html", "prose"))
    shutil.rmtree(cache / "pages")
    assert packages.sample([entry], cache, print) == first
    (other,) = packages.members(cache / "debs/x-doc.deb", packages.re.compile("packed"), 1, 100_000)
    assert other[1].startswith(b"<pre>z")


def test_pages_to_time(tmp_path):
    file = tmp_path / "page.html"
    file.write_bytes(b"x")
    entry = packages.Entry("x-doc", "sphinx")
    many = [packages.Sampled(entry, f"/{n}", file, f"{n * 7919 % 1000:04}", n * 100) for n in range(1, 1000)]
    unknown = packages.Sampled(packages.Entry("y-doc", "hand-written"), "/y", file, "0000", 33_000)
    chosen = speed.choose([*many, unknown], [])
    assert len(chosen) == speed.RECOGNISED and chosen == speed.choose([unknown, *reversed(many)], [])
    sizes = {page.path: page.size for page in many}
    mean = sum(sizes[page.url.removeprefix("https://docs.example")] for page in chosen) / len(chosen)
    assert mean == pytest.approx(speed.MEAN_BYTES, rel=0.02)


def test_rates():
    pages = [speed.Timed("recognised", "u", b"x" * 1000), speed.Timed("generic", "u", b"x")]
    rate = speed.rate(pages, [0.5, 9.0], [True, False])
    assert (rate["pages"], rate["pages_per_s"], rate["mb_per_s"]) == (1, 2.0, 0.002)


# --- report ----------------------------------------------------------------------------------------------------------


def test_a_share_is_rounded_down():
    assert report.share(99_999, 100_000) == "99.99"
    assert report.share(1, 1) == "100.00"
    assert report.share(0, 0) == "-"


def test_targets_are_held_or_missed():
    ours = {"all": {"blocks": 1000, "exact": 999, "cells": 1000, "in_row": 994}, "packages": {"x": {}}}
    forum = {"ours": {"wcxb-dev/forum": {"f1": 0.7}}, "peer": {"wcxb-dev/forum": {"f1": 0.7}}}
    rates = {
        "recognised": {
            "ours": {"pages_per_s": 120.0},
            "trafilatura": {"pages_per_s": 10.0},
            "resiliparse-main": {"pages_per_s": 200.0},
        }
    }
    held = targets.targets(
        {"packages": {"ours": ours}, "truth": forum, "speed": {"rates": rates, "methods": ["selector"]}}
    )
    assert [(each.name.split(":")[0], each.holds) for each in held] == [
        ("blocks byte-exact in a fence", True),
        ("cells of tables in their row", False),
        ("packages", False),
        ("F1 on wcxb-dev/forum", False),
        ("speed on recognised pages, times trafilatura", True),
        ("speed on recognised pages, times resiliparse-main", True),
        ("goal", False),
        ("pages that trafilatura judged", True),
    ]


def test_the_whole_of_it_on_one_ground_truth(tmp_path, capsys):
    folder = tmp_path / "truth" / "tiny"
    (folder / "html").mkdir(parents=True)
    page = "<html><body><main><h1>How</h1><p>" + "The answer is here. " * 40 + "</p></main></body></html>"
    (folder / "html/1.html.gz").write_bytes(gzip.compress(page.encode()))
    row = {
        "id": "1",
        "url": "https://x.example/",
        "type": "forum",
        "text": "How\n" + "The answer is here. " * 40,
        "must": ["answer"],
    }
    (folder / "truth.jsonl").write_text(json.dumps(row) + "\n")
    arguments = [
        "--only",
        "truth",
        "--tools",
        "resiliparse-plain",
        "--truth",
        str(tmp_path / "truth"),
        "--cache",
        str(tmp_path),
        "--workers",
        "1",
    ]
    assert main(arguments) == 0
    assert "tiny/all" in capsys.readouterr().out
    found = json.loads((tmp_path / "extract-part.json").read_text())
    assert found["truth"]["resiliparse-plain"]["tiny/all"]["f1"] == 1.0
    assert set(found) >= {"machine", "tools", "ground_truths", "truth", "targets"}
    assert main(["--only", "truth", "--truth", str(tmp_path / "none"), "--cache", str(tmp_path)]) == 0
