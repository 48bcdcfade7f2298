"""reStructuredText to Markdown: code as it is, directives and roles of Sphinx, and nothing from outside the page."""

from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.rst.reader import extract_rst

LIMITS = ExtractSettings()
COMMONMARK = MarkdownIt("commonmark").enable("table")


def read(text: str) -> Page:
    return extract_rst(text.encode(), "text/x-rst", "page.rst", LIMITS)


def fences(page: Page) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in COMMONMARK.parse(page.text) if token.type == "fence"]


def test_literal_blocks_keep_tabs_blank_lines_and_trailing_spaces() -> None:
    code = "all:\n\tcc -o x\tx.c  \n\n\n\t   end\n"
    assert fences(read(f"Text::\n\n{indent(code, '    ')}\nend\n")) == [("", code)]


@given(st.lists(st.text(alphabet=st.sampled_from("ab<&`\\*|:.-_=>~ \t"), max_size=12), min_size=1, max_size=6))
def test_any_code_comes_back_as_it_is(lines: list[str]) -> None:
    lines = ["x", *lines, "x"]
    code = "".join(line + "\n" for line in lines)
    shown = "".join("   " + line + "\n" for line in lines)
    assert fences(read(f".. code-block:: sh\n\n{shown}\nend\n")) == [("sh", code)]
    assert fences(read(f"Text::\n\n{shown}\nend\n")) == [("", code)]


def test_languages_are_those_the_page_names() -> None:
    page = read(
        "::\n\n  none\n\n.. highlight:: sh\n\n::\n\n  sh\n\n.. code-block:: C\n   :linenos:\n   :no-such: option\n\n   c\n\n"
        ".. code::\n\n   sh too\n\n.. highlight:: none\n\n::\n\n   none again\n\n>>> 1\n1\n"
    )
    assert [language for language, _ in fences(page)] == ["", "sh", "c", "sh", "", "pycon"]


def test_code_without_its_blank_line_and_with_a_caption() -> None:
    page = read(".. code-block:: python\n   x = 1\n   y = 2\n\n.. code-block:: c\n   :caption: a.c\n\n   z;\n")
    assert fences(page) == [("python", "x = 1\ny = 2\n"), ("c", "z;\n")]
    assert "**a.c**" in page.text


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        (":ref:`the text <label>`", "the text"),
        (":ref:`label`", "label"),
        (":func:`~os.path.join`", "`join`"),
        (":c:func:`!malloc`", "`malloc`"),
        (":option:`ls -l`", "`ls -l`"),
        (":kbd:`C-x`", "`C-x`"),
        (":menuselection:`File --> &Save`", "File ‣ Save"),
        (":math:`a<b`", "$a<b$"),
        (":rfc:`2616`", "RFC 2616"),
        (":issue:`some text <12>`", "some text"),
        (":numref:`Figure %s <f>` shows", "Figure shows"),
        ("`single`", "`single`"),
        ("``a <b> `c` d``", "``a <b> `c` d``"),
        ("see `no target`_ and other_", "see no target and other"),
        ("|undefined|", "|undefined|"),
        ("|mdash| x", "— x"),
        (r"\*esc\* H\ :sub:`2`\ O", "*esc* H2O"),
    ],
)
def test_inline_markup(source: str, markdown: str) -> None:
    assert read(f"Begin {source}\n").text == f"Begin {markdown}\n"


def test_roles_and_directives_of_one_page_are_unknown_to_the_next() -> None:
    assert read(".. role:: sh(code)\n   :language: sh\n\n:sh:`ls`\n").text == "`ls`\n"
    assert read(":sh:`ls`\n").text == "ls\n"


def test_sections_title_and_metadata() -> None:
    page = read(
        ":orphan:\n:Author: Jo Doe\n:Date: 2024-05-06\n:License: MIT\n:Version: 3\n\nThe Title\n=========\n\n"
        ".. sectionauthor:: Ann <a@example.org>\n\nSub\n---\n\ntext\n"
    )
    assert page.title == "The Title"
    assert (page.date, page.authors, page.licence) == ("2024-05-06", ("Jo Doe", "Ann"), "MIT")
    assert page.found == {"date": "docinfo", "authors": "docinfo", "licence": "docinfo"}
    assert "# The Title\n\n## Sub\n" in page.text
    assert "Version\n: 3\n" in page.text
    assert "orphan" not in page.text


def test_robots_in_meta_is_an_opt_out() -> None:
    assert read(".. meta::\n   :robots: noindex, nofollow\n\ntext\n").opt_out == ("nofollow", "noindex")


def test_admonitions_have_titles() -> None:
    text = read(
        ".. note:: Short.\n\n   More.\n\n.. versionadded:: 3.2\n   The *x*.\n\n.. admonition:: Own ``title``\n\n   Body.\n"
    ).text
    assert "> **Note**\n>\n> Short.\n>\n> More.\n" in text
    assert "> **New in version 3.2**\n>\n> The *x*.\n" in text
    assert "> **Own `title`**\n>\n> Body.\n" in text


def test_objects_are_definitions_with_their_signatures_as_code() -> None:
    text = read(
        ".. py:function:: open(path, \\*args)\n                 open2(x)\n   :no-index:\n\n   Opens.\n\n"
        ".. option:: -v, --verbose\n\n   Says more.\n\n.. http:get:: /users\n\n   All.\n\nterm : int\n    Body\n"
    ).text
    assert "`open(path, *args)`\n`open2(x)`\n: Opens.\n" in text
    assert "`-v, --verbose`\n: Says more.\n" in text
    assert "`GET /users`\n: All.\n" in text
    assert "term : int\n: Body\n" in text


def test_glossary() -> None:
    text = read(".. glossary::\n\n   one\n   two\n      Both.\n\n   three\n      Another.\n").text
    assert text == "one\ntwo\n: Both.\n\nthree\n: Another.\n"


def test_tables() -> None:
    text = read(
        ".. list-table:: Title\n   :header-rows: 1\n\n   * - A\n     - B\n   * - ``x``\n   * - :cspan:`1` wide\n\n"
        '.. csv-table::\n   :header: "a, b", c\n\n   1, "two, ``x``"\n\n'
        "+---+---+\n| h | i |\n+===+===+\n| spans |\n+---+---+\n"
    ).text
    assert "**Title**\n\n| A | B |\n| --- | --- |\n| `x` |" in text
    assert "| a, b | c |\n| --- | --- |\n| 1 | two, `x` |" in text
    assert "| h | i |\n| --- | --- |\n| spans |" in text


def test_tabs_and_cards_keep_their_content() -> None:
    page = read(
        ".. tab-set::\n\n   .. tab-item:: Linux\n      :sync: l\n\n      .. code-block:: sh\n\n         apt\n\n"
        "   .. code-tab:: py Own\n\n      x\n"
    )
    assert "**Linux**" in page.text
    assert "**Own**" in page.text
    assert fences(page) == [("sh", "apt\n"), ("py", "x\n")]


def test_what_is_unknown_is_kept_as_text_or_as_code() -> None:
    page = read('.. no-such:: arg\n\n   *Text*.\n\n.. nor-such::\n\n   {\n     "a": 1,\n   }\n')
    assert "**arg**\n\n*Text*.\n" in page.text
    assert fences(page) == [("", '{\n  "a": 1,\n}\n')]


def test_navigation_goes_and_no_message_of_the_parser_comes() -> None:
    text = read(
        "T\n=\n\n.. toctree::\n   :maxdepth: 2\n\n   a\n   b\n\n.. contents::\n.. index:: x\n\nkept\n\n=====\nbroken table\n"
        "=== ==\n\n**unclosed\n\n.. figure:: a.png\n   :align: nowhere\n   :alt: the alt\n\n   The caption.\n"
    ).text
    for words in ("maxdepth", "a b", "Error", "ERROR", "Malformed", "Unknown", "docutils"):
        assert words not in text
    for words in ("kept", "broken table", "unclosed", "the alt", "The caption."):
        assert words in text


def test_no_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("passphrase")
    text = read(
        f"kept\n\n.. include:: {secret}\n\n.. literalinclude:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\n"
        f".. csv-table::\n   :file: {secret}\n\n.. figure:: {secret}\n   :figwidth: image\n"
    ).text
    assert text == "kept\n"


def test_raw_html_closes_what_it_opens() -> None:
    text = read(".. raw:: html\n\n   <div><b>bold</div></section><script>x</script>\n\nafter\n").text
    assert text == "**bold**\n\nafter\n"


def test_footnotes_and_formulas() -> None:
    text = read("A [#]_ b [#n]_.\n\n.. [#] One.\n.. [#n] Two.\n\n.. math::\n\n   x = 1\n").text
    assert "A [^1] b [^2]." in text
    assert "[^1]: One." in text
    assert "$$x = 1$$" in text.replace("$$\n", "$$").replace("\n$$", "$$")


def test_nothing_to_read() -> None:
    with pytest.raises(NoText):
        read(".. toctree::\n\n   a\n")
    with pytest.raises(Unreadable, match="empty_body"):
        read(" \n")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Unreadable, match="too_deep"):
        read("".join("  " * level + "- x\n\n" for level in range(2000)))


@given(st.text(alphabet=st.sampled_from(".:|`*_[]()<>-=+#\\ \n\tax1"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert read("x\n\n" + text).text.endswith("\n")
    except (NoText, Unreadable) as error:
        assert "Error" not in str(error)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (".. only:: html\n\n   a\n\n.. only:: latex or man\n\n   b\n\n.. only:: not html\n\n   c", "a"),
        (".. only:: not (epub or latex or html)\n\n   a\n\n.. only:: not latex\n\n   b", "b"),
        (".. ifconfig:: is_test\n\n   set -x\n\n.. ifconfig:: level in ('a',)\n\n   b", "b"),
        (
            ".. datatemplate:yaml:: a.yaml\n\n   {% for x in y %}\n   A *b* {{ x }}.\n\n   {% endfor %}\n\n   ::\n\n      c",
            "A *b* {{ x }}.\n\n```\nc\n```",
        ),
    ],
)
def test_conditions_and_templates(source: str, text: str) -> None:
    assert read(source + "\n").text == text + "\n"


def test_tabs_and_examples_of_mongodb() -> None:
    page = read(
        '.. tabs::\n\n   tabs:\n     - id: a\n       name: "Shell"\n       content: |\n         Text *a*.\n\n'
        "         .. code-block:: js\n\n            x()\n     - id: b\n       name: B\n       content: |\n\n         Text b.\n\n"
        ".. io-code-block::\n\n   .. input::\n      :language: js\n\n      y( *z* )\n\n   .. output::\n\n      [1]\n"
    )
    assert fences(page) == [("js", "x()\n"), ("js", "y( *z* )\n"), ("", "[1]\n")]
    assert page.text.startswith("**Shell**\n\nText *a*.\n")
    assert "**B**\n\nText b.\n" in page.text
    assert read(".. tabs::\n\n   .. tab:: T\n      :tabid: t\n\n      In it\n").text == "**T**\n\nIn it\n"


def test_pictures_of_the_kernel() -> None:
    page = read(
        ".. kernel-figure:: a.svg\n   :alt: Alt\n\n   Caption\n\n.. kernel-render:: DOT\n\n   digraph { a -> b }\n"
    )
    assert page.text == "Alt\n\nCaption\n\n```dot\ndigraph { a -> b }\n```\n"


def test_the_licence_in_a_comment() -> None:
    page = read(".. SPDX-License-Identifier: GPL-2.0 OR MIT\n\nTitle\n=====\n\nText\n")
    assert (page.licence, page.found["licence"]) == ("GPL-2.0 OR MIT", "spdx-comment")
    assert read("Rules\n=====\n\n::\n\n   SPDX-License-Identifier: MIT\n").licence == ""
    assert read(":license: X\n\nText with SPDX-License-Identifier: MIT\n").licence == "X"
