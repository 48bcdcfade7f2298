"""Texinfo to Markdown: examples as they are typed, definitions, conditions and macros, and nothing from outside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.texinfo.reader import extract_texinfo

LIMITS = ExtractSettings()
COMMONMARK = MarkdownIt("commonmark").enable("table")


def read(text: str) -> Page:
    return extract_texinfo(text.encode(), "application/x-texinfo", "manual.texi", LIMITS)


def fences(page: Page) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in COMMONMARK.parse(page.text) if token.type == "fence"]


@given(st.lists(st.text(alphabet=st.sampled_from("ab<&`*|:.-=>'\" \t@{}"), max_size=12), max_size=6))
def test_any_example_comes_back_as_it_is_typed(lines: list[str]) -> None:
    lines = ["x", *(line if line.strip() else "" for line in lines), "x"]
    code = "".join(line + "\n" for line in lines)
    typed = code.replace("@", "@@").replace("{", "@{").replace("}", "@}")
    assert fences(read(f"@example\n{typed}@end example\n")) == [("", code)]


@pytest.mark.parametrize(
    ("source", "fence"),
    [
        (
            "@smallexample\n@group\nls @var{file} @dots{}\n@end group\n@cindex ls\n\n\n\tb\n@end smallexample",
            ("", "ls file ...\n\n\n\tb\n"),
        ),
        ("@lisp\n(+ 1 2)\n@result{} 3\n@end lisp", ("lisp", "(+ 1 2)\n=> 3\n")),
        ("@example C\nint x; @c comment\n@end example", ("c", "int x; \n")),
        ("@verbatim\n@code{x} @@ @c y\n@end verbatim", ("", "@code{x} @@ @c y\n")),
        (
            "@example\nman@dots{}\n@print{} out @equiv{} @minus{}1 --x ``y''\n@end example",
            ("", "man...\n-| out == -1 --x ``y''\n"),
        ),
        ("@set V 1.2\n@example\ntar@value{V} me@@example.org\n@end example", ("", "tar1.2 me@example.org\n")),
        ("@display\na\n  b\n@end display", ("", "a\n  b\n")),
        ("@example\nthis @ifset is text\n@end example", ("", "this  is text\n")),
    ],
)
def test_blocks_of_code(source: str, fence: tuple[str, str]) -> None:
    assert fences(read(source + "\n")) == [fence]


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("@code{a @var{b} --c}", "`a b --c`"),
        ("@samp{x} @file{/etc} @option{-v} @kbd{C-x @key{RET}}", "`x` `/etc` `-v` `C-x RET`"),
        ("@emph{a} @strong{b} @dfn{c} @var{d}", "*a* **b** *c* *d*"),
        ("@verb{|a@b{|}", "`a@b{`"),
        ("a --- b ``c'' @@ @{ @} @dots{} @copyright{}", "a — b “c” @ { } ... ©"),
        ("@'e @\"{u} @,{c} @ringaccent{a} @ss{} @U{00E9}", "é ü ç å ß é"),
        ("@xref{Node, , Title, file, The Manual}.", "See Title in The Manual."),
        ("(@pxref{Node})", "(see Node)"),
        (
            "@uref{https://example.org, the site} @url{https://example.org}",
            "the site (https://example.org) https://example.org",
        ),
        ("@email{a@@example.org, Ann}", "Ann"),
        ("@inlinefmt{html, no}@inlinefmt{info, yes}", "yes"),
        ("@math{x_{1} < y}", "$x_{1} < y$"),
        ("x@c a comment", "x"),
        ("one@*two", "one<br>two"),
    ],
)
def test_inline_commands(source: str, markdown: str) -> None:
    text = read(f"Begin {source}\n").text.replace("  \n", "<br>").replace("\\\n", "<br>")
    assert text in (f"Begin {markdown}\n", f"Begin {markdown}\n".replace("<br>", "\n"))


def test_headings_and_metadata() -> None:
    page = read(
        "\\input texinfo\n@setfilename x.info\n@settitle The @code{x} Manual\n@set UPDATED 3 May 2024\n@titlepage\n@title Other\n"
        "@author Ann Bee and Jo Doe\n@end titlepage\n@node Top\n@top The Top\n@menu\n* One::\n@end menu\n@node One\n"
        "@chapter One @dfn{x}\n@cindex one\ntext\n@subsection Deep\nmore\n@bye\nnever\n"
    )
    assert (page.title, page.date, page.authors) == ("The x Manual", "2024-05-03", ("Ann Bee", "Jo Doe"))
    assert page.found == {"date": "texinfo", "authors": "texinfo"}
    assert page.text.startswith("# The Top\n\n## One ")
    assert page.text.endswith("\n\ntext\n\n#### Deep\n\nmore\n")


def test_lists_and_tables() -> None:
    text = read(
        "@itemize @bullet\n@item one\ntwo\n\n@item three\n@example\nx\n@end example\n@end itemize\n\n@enumerate 3\n@item\nc\n"
        "@end enumerate\n\n@table @option\n@item -v\n@itemx --verbose\n@cindex v\nSay more.\n\nAnd more.\n@item -q\nLess.\n@end table\n"
        "@multitable @columnfractions .5 .5\n@headitem A @tab B\n@item @code{a|b} @tab two\nlines\n@end multitable\n"
    ).text
    assert "- one two\n" in text
    assert "- three\n\n  ```\n  x\n  ```\n" in text
    assert "3. c\n" in text
    assert "`-v`\n`--verbose`\n: Say more.\n\n  And more.\n\n`-q`\n: Less.\n" in text
    assert "| A | B |\n| --- | --- |\n| `a\\|b` | two lines |" in text


def test_definitions() -> None:
    text = read(
        "@deftypefun {const char *} f (int @var{a}, char *@var{b})\n@deftypefunx void g (void)\n@findex f\nDoes.\n@end deftypefun\n"
        "@deffn {User Command} go @var{x} [@var{y}]\nGoes.\n@end deffn\n@defmethod Klass m a\nM.\n@end defmethod\n"
    ).text
    assert "Function: `const char * f (int a, char *b)`\nFunction: `void g (void)`\n: Does.\n" in text
    assert "User Command: `go x [y]`\n: Goes.\n" in text
    assert "Method on Klass: `m a`\n: M.\n" in text


def test_a_definition_goes_on_in_the_next_line() -> None:
    text = read("@defmac AC_X (@var{a}, @\n  @var{b})\n@defmacx AC_Y @\n(@var{c})\nSays.\n@end defmac\n").text
    assert text == "Macro: `AC_X (a, b)`\nMacro: `AC_Y (c)`\n: Says.\n"


def test_samples_of_spaces_and_in_displays_are_quoted() -> None:
    assert read("It sees @samp{x}, @samp{ } and @samp{,}.\n").text == "It sees `x`, ‘ ’ and `,`.\n"
    assert fences(read("@display\ntype @samp{show w} now\n@end display\n")) == [("", "type 'show w' now\n")]


def test_quotations_and_notes() -> None:
    text = read("@quotation Note\nBeware.\n@end quotation\n\n@quotation\nSaid.\n@end quotation\n").text
    assert "> **Note**\n>\n> Beware.\n" in text
    assert "> Said.\n" in text


def test_conditions() -> None:
    text = read(
        "@ifinfo\ninfo\n@end ifinfo\n@iftex\ntex\n@end iftex\n@ifnottex\nnottex\n@end ifnottex\n@html\n<b>html</b>\n@end html\n"
        "@set on\n@ifset on\nset\n@end ifset\n@ifclear on\nclear\n@end ifclear\n@ignore\nignored\n@end ignore\n"
    ).text
    assert text.split() == ["info", "nottex", "set"]


def test_macros_and_aliases() -> None:
    text = read(
        "@macro prog{name, opt}\n@code{\\name\\ --\\opt\\}\n@end macro\n@macro me\nGNU\n@end macro\n@alias cmd = command\n"
        "@me{} has @prog{ls, all}, @cmd{rm} and @@me.\n"
    ).text
    assert " ".join(text.split()) == "GNU has `ls --all`, `rm` and @me."


def test_a_macro_that_calls_itself_comes_to_an_end() -> None:
    assert read("@rmacro a\n@a{}@a{}x\n@end rmacro\nkept @a{}\n").text.startswith("kept")


def test_footnotes_and_copying() -> None:
    text = read("@copying\nThis is free.\n@end copying\n@insertcopying\n\nA@footnote{A @emph{note}.} b.\n").text
    assert text.startswith("This is free.\n\nA[^1] b.\n")
    assert "[^1]: A *note*." in text


def test_no_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.texi"
    secret.write_text("passphrase")
    text = read(f"kept\n@include {secret}\n@verbatiminclude {secret}\n@image{{{secret}, , , The picture}}\n").text
    assert " ".join(text.split()) == "kept The picture"


def test_nothing_to_read_and_too_deep() -> None:
    with pytest.raises(NoText):
        read("@node Top\n@ignore\nx\n@end ignore\n")
    with pytest.raises(Unreadable, match="too_deep"):
        read("@cartouche\n" * 2000 + "x\n")


@given(st.text(alphabet=st.sampled_from("@{}abce,* \n`'-itm"), max_size=80))
def test_any_text_is_read(text: str) -> None:
    assert read("x\n\n" + text).text.startswith("x")


@given(
    st.lists(
        st.sampled_from(
            [
                "@table @code",
                "@item x",
                "@itemx",
                "@end table",
                "@itemize",
                "@end itemize",
                "@example",
                "@end example",
                "text",
                "@tab",
            ]
        )
    )
)
def test_any_order_of_commands_is_read(lines: list[str]) -> None:
    assert read("x\n\n" + "\n".join(lines)).text.startswith("x")
