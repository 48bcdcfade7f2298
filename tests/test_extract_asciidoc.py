"""AsciiDoc to Markdown: code as it is, the blocks, lists and tables of Asciidoctor, and nothing from outside the page."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.asciidoc.reader import extract_asciidoc
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
COMMONMARK = MarkdownIt("commonmark").enable("table")


def read(text: str) -> Page:
    return extract_asciidoc(text.encode(), "text/asciidoc", "page.adoc", LIMITS)


def fences(page: Page) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in COMMONMARK.parse(page.text) if token.type == "fence"]


@given(st.lists(st.text(alphabet=st.sampled_from("ab<&`\\*|:.-_=>{}[]/ \t"), max_size=12), max_size=6))
def test_any_code_comes_back_as_it_is(lines: list[str]) -> None:
    lines = ["x", *(line for line in lines if line.rstrip() != "----"), "x"]
    code = "".join(line + "\n" for line in lines)
    assert fences(read(f"[source,sh]\n----\n{code}----\n")) == [("sh", code)]


@pytest.mark.parametrize(
    ("source", "fence"),
    [
        ("[source,ruby]\n----\na # <1>\n\n\n\tb\n----\n<1> Text", ("ruby", "a # <1>\n\n\n\tb\n")),
        ("[source%linenums,C]\n----\nx;\n----", ("c", "x;\n")),
        ("[,yaml]\n----\na: 1\n----", ("yaml", "a: 1\n")),
        (":source-language: go\n\n[source]\n----\nx\n----", ("go", "x\n")),
        ("....\n|===\n....", ("", "|===\n")),
        ("```sh\nls\n```", ("sh", "ls\n")),
        ("[source,sh]\nls\npwd\n\nend", ("sh", "ls\npwd\n")),
        ("[mermaid]\n....\ngraph TD\n....", ("mermaid", "graph TD\n")),
        (" indented\n   more\n\nend", ("", "indented\n  more\n")),
        (':v: 3\n\n[source,sh,subs="attributes+"]\n----\n{v} {w}\n----', ("sh", "3 {w}\n")),
        (":v: 3\n\n----\n{v}\n----", ("", "{v}\n")),
        ('[source,sh,subs="verbatim,quotes"]\n----\na [.replaceable]`b`\n----', ("sh", "a b\n")),
        ("----\n\\include::x[]\n----", ("", "include::x[]\n")),
    ],
)
def test_blocks_of_code(source: str, fence: tuple[str, str]) -> None:
    assert fences(read(source + "\n")) == [fence]


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("*b* _i_ `c` **u**n", "**b** *i* `c` **u**n"),
        ("snake_case_name 2 * 3 * 4 a -> b", "snake_case_name 2 * 3 * 4 a -> b"),
        ("`a *b* __init__ <c>`", "`a *b* __init__ <c>`"),
        ("`reg__i__` and `_<name>_`", "`regi` and `<name>`"),
        ("`a.[.replaceable]``b``.c`", "`a.b.c`"),
        ("`+{x} *y*+` +*z*+", "`{x} *y*` *z*"),
        (r"\*not bold* \{x}", "*not bold* {x}"),
        ("[.role]#marked# #too#", "marked too"),
        ("https://example.org/a_b_c[The site^] link:x_y.html[Text, window=_blank]", "The site Text"),
        ("see https://example.org/a_b_c now", "see https://example.org/a_b_c now"),
        ("<<id,The section>> <<other>> xref:a.adoc#b[Text]", "The section other Text"),
        ("kbd:[Ctrl+C] menu:File[Save > As] btn:[OK]", "`Ctrl+C` File ‣ Save ‣ As OK"),
        ("linkgit:git-add[1]", "git-add(1)"),
        ("insn:c.add[] csr:mip[x]", "`c.add` csr:mip[x]"),
        ("{undefined} {cpp} a{sp}b &mdash; &#8217;", "{undefined} C++ a b — ’"),
        ('"`quoted`" ((term))(((a,b)))', "“quoted” term"),
        ("one +\ntwo", "one\ntwo"),
        ("[[anchor]]text", "text"),
        ("pass:[<u>x</u>] +++<b>y</b>+++", "x **y**"),
    ],
)
def test_inline_markup(source: str, markdown: str) -> None:
    text = read(f"Begin {source}\n").text.replace("<br>", "").replace("  \n", "\n")
    assert text == f"Begin {markdown}\n"


def test_header_and_metadata() -> None:
    page = read(
        "// comment\n= The *Title*\nJo Doe <jo@example.org>; Ann B. Cee\nv1.0, 2024-03-02: first\n:license: MIT\n"
        ":long: a \\\n  b\n\n== Sub\n\n{long}\n"
    )
    assert page.title == "The Title"
    assert (page.date, page.authors, page.licence) == ("2024-03-02", ("Jo Doe", "Ann B. Cee"), "MIT")
    assert page.found == {"date": "header", "authors": "header", "licence": "header"}
    assert page.text.endswith("## Sub\n\na b\n")
    assert "Doe" not in page.text


def test_headings_with_a_line_below() -> None:
    page = read("git-x(1)\n========\n\nNAME\n----\ngit-x - Do\n\nSub\n~~~\n\n----\ncode\n----\n")
    assert page.title == "git-x(1)"
    assert page.text == "# git-x(1)\n\n## NAME\n\ngit-x - Do\n\n### Sub\n\n```\ncode\n```\n"


def test_lists() -> None:
    text = read(
        "* one\nwrapped\n** deep\n* two\n+\n----\ncode\n----\n+\nMore.\n\n\n. first\n.. sub\n+\nin sub\n. second\n\n"
        "//-\n\na::\nb:: Said.\nc::\n+\n--\nBlock.\n\n* x\n--\n"
    ).text
    assert "- one wrapped\n  - deep\n" in text.replace("\n\n", "\n")
    assert "- two\n\n  ```\n  code\n  ```\n\n  More.\n" in text
    assert "in sub" in text
    assert "2. second" in text
    assert "a\nb\n: Said.\n" in text
    assert "c\n: Block.\n\n  - x\n" in text


def test_a_list_that_follows_a_continuation_goes_back_to_its_level() -> None:
    text = read(". a\n.. b\n+\n... c\n.. d\n. e\n").text
    assert "2. e" in text
    assert "2. d" in text


def test_admonitions_quotes_and_titles() -> None:
    text = read(
        "NOTE: Short.\n\n[WARNING]\n.Watch out\n====\nDanger.\n\n* a\n====\n\n[quote,Someone]\n____\nTo be\n____\n\n"
        ".Title\n----\nx\n----\n"
    ).text
    assert "> **Note**\n>\n> Short.\n" in text
    assert "> **Warning**\n>\n> **Watch out**\n>\n> Danger.\n>\n> - a\n" in text
    assert "> To be\n>\n> Someone\n" in text
    assert "**Title**\n\n```\nx\n```\n" in text


def test_tables() -> None:
    text = read(
        "|===\n|A |B\n\n|1\n|`x \\| y`\n2+|wide\n.2+|tall |r1\n|r2\n|===\n\n"
        '[cols="1m,2*",options="header"]\n|===\n|H |I |J\n|m |t |a b|===\n|===\n\n,===\na,"b, c"\n,===\n'
    ).text
    assert "| A | B |\n| --- | --- |\n| 1 | `x \\| y` |\n| wide |  |\n| tall | r1 |\n|  | r2 |\n" in text
    assert "| H | I | J |\n| --- | --- | --- |\n| `m` | t | a b |" in text
    assert "| a | b, c |" in text


def test_a_table_with_blocks_in_its_cells_keeps_them() -> None:
    page = read('[cols="1,1a"]\n|===\n|x\n|Text\n\n----\ncode\n\n\tmore\n----\n|===\n')
    assert fences(page) == [("", "code\n\n\tmore\n")]


def test_conditions_includes_and_comments(tmp_path: Path) -> None:
    secret = tmp_path / "secret.adoc"
    secret.write_text("passphrase")
    text = read(
        f"include::{secret}[]\nkept\n\nifdef::env-github[]\nhidden\nendif::[]\nifndef::env-github[]\nshown\nendif::[]\n\n"
        f"ifdef::x[also shown]\n\n////\ncomment\n////\n\n// comment\n\nimage::{secret}[The picture]\n\nplantuml::{secret}[]\n"
    ).text
    assert text == "kept\n\nshown\n\nalso shown\n\nThe picture\n"


def test_formulas_and_footnotes() -> None:
    text = read(":stem: latexmath\n\nA footnote:[A *note*, `c`.] b stem:[x < y].\n\n[stem]\n++++\n\\sum x\n++++\n").text
    assert "A [^1] b $x < y$." in text
    assert "[^1]: A **note**, `c`." in text
    assert "\\sum x" in text


def test_asciimath_is_not_called_tex() -> None:
    assert read("stem:[sqrt x]\n").text == "`sqrt x`\n"


def test_nothing_to_read_and_too_deep() -> None:
    with pytest.raises(NoText):
        read("include::a[]\n:x: y\n")
    with pytest.raises(Unreadable, match="too_deep"):
        read("".join("=" * (4 + level) + "\n" for level in range(500)) + "x\n")


@given(st.text(alphabet=st.sampled_from("=-*.:|`+_[]()<>{}#^~/\\, \n\tax1"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert read("x\n\n" + text).text.endswith("\n")
    except (NoText, Unreadable):
        pass


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Returns {CL_TRUE_anchor} of {size_t_TYPE}.", "Returns `CL_TRUE` of `size_t`."),
        ("Call {clFinish} first", "Call `clFinish` first"),
        ("GET /{userId}/x and ${A_B} and `cm.push {reg_list}`", "GET /{userId}/x and ${A_B} and `cm.push {reg_list}`"),
        ("A {monthyear} b", "A {monthyear} b"),
        ("The {aws} CLI and {aws-regions}", "The AWS CLI and AWS Regions"),
        (":CL_X: y\n\nA {CL_X} b", "A y b"),
    ],
)
def test_names_that_only_the_project_defines(source: str, text: str) -> None:
    assert read(source + "\n").text == text + "\n"


def test_an_arn_is_whole_in_code_with_attributes() -> None:
    page = read('[source,bash,subs="verbatim,attributes"]\n----\naws x {arn-aws}iam::aws:policy/P\n----\n')
    assert fences(page) == [("bash", "aws x arn:aws:iam::aws:policy/P\n")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("A [.noloc]`Kubernetes` pod, [.noloc]`Kubernetes [.noloc]`Pods``", "A Kubernetes pod, Kubernetes Pods"),
        ("Use ``a/[.replaceable]`b``` now", "Use `a/b` now"),
        ("Use ```--x=1``` now", "Use `--x=1` now"),
        ("You can`'t and `b` c", "You can’t and `b` c"),
        ("📝 https://example.org/x?[[a&type=code[Edit this page on GitHub^]\n\nText", "Text"),
    ],
)
def test_spans_of_the_documentation_of_aws(source: str, text: str) -> None:
    assert read(source + "\n").text == text + "\n"


def test_a_comment_in_a_table_is_none_of_its_cells() -> None:
    assert "comment" not in read("|===\n|a\n|b\n\n// comment: x\n// comment: y\n\n|c\n|d\n|===\n").text


def test_a_term_may_stand_before_a_space() -> None:
    assert read("The term ::\n(inner) :::\nText\n").text == read("The term::\n(inner):::\nText\n").text


def test_the_licence_in_a_comment() -> None:
    page = read("// SPDX-License-Identifier: CC-BY-4.0\n\n= T\n\nText\n")
    assert (page.licence, page.found["licence"]) == ("CC-BY-4.0", "spdx-comment")
