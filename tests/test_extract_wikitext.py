"""Wikitext as Markdown: code to the letter, tables and lists whole, templates only where they carry text."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Unreadable
from pipelines.extract.wikitext.reader import extract_wikitext

LIMITS = ExtractSettings()


def read(text: str, name: str = "") -> str:
    return extract_wikitext(text.encode(), None, name, LIMITS).text


def fences(text: str) -> list[tuple[str, str]]:
    found = MarkdownIt("commonmark").enable("table").parse(text)
    return [(each.info, each.content.removesuffix("\n")) for each in found if each.type == "fence"]


@pytest.mark.parametrize(
    ("wikitext", "markdown"),
    [
        ("== A ==\ntext\nmore\n\nnext", "## A\n\ntext more\n\nnext"),
        ("=A=\nx\n====== B ======\ny", "# A\n\nx\n\n###### B\n\ny"),
        ("''i'' '''b''' '''''both'''''", "*i* **b** ***both***"),
        ("l'''italic''' and ''open", "l**italic** and *open*"),
        ("the dog''s x", "the dog*s x*"),
        ("* a\n* b\n** c\n* d", "- a\n- b\n  - c\n- d"),
        ("# a\n# b\n#* c", "1. a\n2. b\n   - c"),
        ("[[A]] [[B|b]]s [[c (d)|]] [[:Category:E]] [[#F]]", "A bs c Category:E F"),
        ("x [[Category:A]][[de:B]] [[Category:C|k]]", "x"),
        ("[http://a.b text here] [http://c.d] http://e.f", "text here http://c.d http://e.f"),
        ("[[File:a.png|thumb|200px|right|alt=no|A ''big'' [[dog|cat]].]]\nText", "A *big* cat.\n\nText"),
        ("a [[File:icon.svg|20px]] b", "a b"),
        ("a<!-- b -->c\n<!-- alone -->\nd", "ac d"),
        ("a<ref>b</ref> c<ref name='d' /> e.", "a c e."),
        ("__NOTOC__\na", "a"),
        ("a &lt;b&gt; &amp; <stdio.h> <b>c</b>", "a <b> & <stdio.h> **c**"),
        ("H<sub>2</sub>O <nowiki>''a'' [[b]] {{c}}</nowiki>", "H2O ''a'' [[b]] {{c}}"),
        ("<math>a_1 < b</math> x", "$a_1 < b$ x"),
        (":<math>E = mc^2</math>.", "$$E = mc^2$$"),
        ("<gallery>\nFile:a.png|b\n</gallery>\nx", "x"),
        (": indented\ntext", "indented\n\ntext"),
    ],
)
def test_markup(wikitext: str, markdown: str) -> None:
    assert read(wikitext) == markdown + "\n"


@pytest.mark.parametrize(
    ("wikitext", "markdown"),
    [
        ("{{other|x|y={{z|1}}}}a {{Infobox\n| b = c\n}}", "a"),
        ("use {{ic|1=a=b}} and {{ic|<nowiki>{{x}}|y</nowiki>}}", "use `a=b` and `{{x}}|y`"),
        ("{{nowrap|a {{lang|fr|b}}}} {{convert|5|to|10|km|mi}}", "a b 5 to 10 km"),
        ("see {{man|8|mount}}, {{Pkg|linux}} {{AUR|yay}}", "see mount(8), linux yay"),
        ("{{Key press|Ctrl|C}}", "`Ctrl`+`C`"),
        ("A ({{IPAc-en|a}}; {{x}}) b f( ) {{snd}} c", "A b f( ) – c"),
        ("{{#if: {{{a|}}} | yes | no }} {{{b|c}}}", "no c"),
        ("{{PAGENAME}} x", "Name x"),
        ("{{unclosed a [[b c", "{{unclosed a [[b c"),
        ("a}} b]]", "a}} b]]"),
    ],
)
def test_templates(wikitext: str, markdown: str) -> None:
    text = read(wikitext, "Name")
    assert text == f"# Name\n\n{markdown}\n"


def test_admonitions() -> None:
    text = read("{{Warning|Do '''not''' run {{ic|rm -rf /}}.\n* never\n}}\nx")
    assert text == "> **Warning**\n>\n> Do **not** run `rm -rf /`.\n>\n> - never\n\nx\n"


def test_terms_and_definitions() -> None:
    assert read("; term : text\n; two\n: first\n: second") == "term\n: text\n\ntwo\n: first\n: second\n"


CODE = "int main(void)\n{\n\treturn a[0] && x['y'] ? {{1}} : ''b'';\n\n    /* [[c]] <d> &lt; */\n}"


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        (f'<syntaxhighlight lang="C">\n{CODE}\n</syntaxhighlight>', ("c", CODE)),
        (f"<source lang=bash line>{CODE}</source>", ("bash", CODE)),
        (f"<pre>\n{CODE}</pre>", ("", CODE.replace("&lt;", "<"))),
        ("<pre><nowiki>a <b> &amp;</nowiki></pre>", ("", "a <b> &")),
        ("text\n # a\n   b '''c''' [[d|e]]\n \n f\ntext", ("", "# a\n  b c e\n\nf")),
        ("{{bc|<nowiki>a | b = {{c}}\n  d</nowiki>}}", ("", "a | b = {{c}}\n  d")),
        ("{{bc|1=a=b\n c}}", ("", "a=b\n c")),
        ("{{hc|/etc/fstab|output=\n/dev/sda1  /  ext4\n  x}}", ("", "/dev/sda1  /  ext4\n  x")),
        ("{{Cmd|emerge --ask vim|ls {{!}} wc}}", ("", "emerge --ask vim\nls | wc")),
        ("{{FileBox|filename=/etc/a|lang=bash|1=\nx=1\n  y}}", ("bash", "x=1\n  y")),
    ],
)
def test_blocks_of_code(wikitext: str, expected: tuple[str, str]) -> None:
    text = read(f"before\n\n{wikitext}\n\nafter")
    assert fences(text) == [expected]
    assert text.startswith("before\n\n") and text.endswith("\n\nafter\n")


def test_code_within_lists_and_tables() -> None:
    text = read("# one\n# two:<syntaxhighlight lang=sh>\na\n  b\n</syntaxhighlight>\n# three")
    assert fences(text) == [("sh", "a\n  b")]
    assert "1. one" in text and "3. three" in text
    assert fences(read("{|\n| <pre>\na\n  b</pre>\n| c\n|}")) == [("", "a\n  b")]


def test_a_listing_tells_its_file() -> None:
    assert "`/etc/fstab`\n\n```\nx\n```" in read("{{hc|/etc/fstab|x}}")


def test_tables() -> None:
    text = read(
        '{| class="wikitable"\n|+ Options\n! Name !! style="width: 5em" | Use\n|-\n| <code>-a</code> || all <nowiki>|</nowiki> some\n'
        "|-\n| colspan=2 | [[both|all of them]]\n|}\nafter"
    )
    assert text == ("Options\n\n| Name | Use |\n| --- | --- |\n| `-a` | all \\| some |\n| all of them |  |\n\nafter\n")


def test_nested_and_unclosed_tables() -> None:
    text = read("{|\n| a\n{|\n| b\n|}\n| c\n")
    assert all(letter in text for letter in "abc")


def test_sections_of_links_are_left_out() -> None:
    text = read(
        "a\n== Empty ==\n== Upper ==\n=== Lower ===\nb\n== See also ==\n* [[x]]\n== Notes ==\nA note in a sentence.\n"
        "== References ==\n{{reflist}}\n== External links ==\n* [http://a b]\n[[Category:C]]"
    )
    assert text == "a\n\n## Upper\n\n### Lower\n\nb\n\n## Notes\n\nA note in a sentence.\n"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Foo_bar", "Foo bar"),
        ("https://wiki.example.org/wiki/Foo_%28x%29", "Foo (x)"),
        ("https://wiki.example.org/title/A/B#c", "A/B"),
        ("https://wiki.example.org/index.php?title=Main_Page&action=raw", "Main Page"),
    ],
)
def test_titles(name: str, title: str) -> None:
    page = extract_wikitext(b"x", None, name, LIMITS)
    assert (page.title, page.text, page.method) == (title, f"# {title}\n\nx\n", "wikitext")


@pytest.mark.parametrize(
    "text", ["#REDIRECT [[A]]", "#redirect: [[A]]", "{{x}}", "<!-- a -->", "#ПЕРЕНАПРАВЛЕНИЕ [[A]]"]
)
def test_no_text(text: str) -> None:
    with pytest.raises(NoText):
        read(text)


code = st.text(st.sampled_from("`~ \t\n<>/&;#*-_|{}[]'=!:ab1é"), min_size=1).filter(lambda text: text.strip())


@settings(max_examples=150, deadline=None)
@given(text=code, around=st.sampled_from(["{}", "* a {}\n* b", "{{{{note|\n{}\n}}}}", "{{|\n| {} || x\n|}}", ": {}"]))
def test_highlighted_code_is_exact(text: str, around: str) -> None:
    block = f'<syntaxhighlight lang="x">\n{text}\n</syntaxhighlight>'
    kept = text.strip("\n").rstrip()
    # A block in a note is an argument of a template: its own bars and braces are put aside before.
    assert fences(read(around.format(block))) == [("x", kept)]


@settings(max_examples=100, deadline=None)
@given(text=code)
def test_preformatted_code_is_exact(text: str) -> None:
    found = fences(read(f"<pre>\n{html.escape(text)}</pre>"))
    assert found == [("", text.removesuffix("\n"))]


MARKS = "{{ }} {{{ }}} [[ ]] [ ] {| |} |- |+ | || ! !! == = * # ; : '' ''' ''''' <ref> </ref> <pre> </pre> <nowiki> </nowiki>"
MARKS += " <!-- --> <div> </div> <math> </math> ---- File: http://a a b |b note|"
marks = st.lists(st.sampled_from([*MARKS.split(" "), "\n", " ", "\n "]), max_size=60).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=marks)
def test_any_markup_gives_a_page_or_a_reason(text: str) -> None:
    try:
        found = read("x\n" + text)
    except (NoText, Unreadable):
        return
    assert found.endswith("\n") and "\x7f" not in found and "\x1e" not in found


@pytest.mark.parametrize(
    "unit",
    [
        "{{",
        "[[",
        "{{a|",
        "[[a|",
        "{{nowrap|",
        "{|\n|",
        "{{{a|",
        "*",
        "<ref>",
        "<pre>",
        "<!--",
        "'''a",
        "''",
        "=",
        ":",
        "[http://a ",
        "<div>",
        "; a : ",
        "|-\n",
        "<syntaxhighlight lang=",
        "<ref name=",
        " \n",
        "[[File:a|",
        "<",
    ],
)
def test_hostile_input_ends_soon(unit: str) -> None:
    # Quadratic work would take hours.
    try:
        assert read("x\n" + unit * (300_000 // len(unit)))
    except (NoText, Unreadable):
        pass


def test_literal_code_in_templates_has_no_empty_lines_around_it() -> None:
    assert read("{{bc|<nowiki>\n# ls | wc\n\nx\n</nowiki>}}") == "```\n# ls | wc\n\nx\n```\n"


def test_a_cell_of_attributes_alone_is_empty() -> None:
    table = read('{|\n! A !! B\n|-\n| 1 || bgcolor="pink" {{nosuch}}\n|-\n| 2 || a="b"\n|}')
    assert table == '| A | B |\n| --- | --- |\n| 1 |  |\n| 2 | a="b" |\n'


def test_cells_of_many_attributes_are_read_at_once() -> None:
    start = time.process_time()
    read("{|\n|" + "style=" * 20_000 + "'\n|" + "style=a " * 20_000 + "'\n|}")
    assert time.process_time() - start < 3
