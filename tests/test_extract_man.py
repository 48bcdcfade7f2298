"""Man pages: man(7), mdoc(7), tables, macros of pages, and sources made to break the reader."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.man.reader import extract_man, iso_date
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.readers import read as read_any

LIMITS = ExtractSettings()
PARSER = MarkdownIt("commonmark").enable("table")


def read(source: str, name: str = "tool.1") -> Page:
    return extract_man(source.encode(), None, name, LIMITS)


def fences(text: str) -> list[str]:
    return [token.content for token in PARSER.parse(text) if token.type == "fence"]


def man(body: str) -> str:
    """The Markdown of a section of a man(7) page, without title and heading."""
    return read(f'.TH TOOL 1 "2024-05-06" "tool 1.2"\n.SH DESCRIPTION\n{body}').text.split("## DESCRIPTION\n\n", 1)[1]


def mdoc(body: str) -> str:
    page = f".Dd May 6, 2024\n.Dt TOOL 8\n.Os\n.Sh NAME\n.Nm tool\n.Nd does work\n.Sh DESCRIPTION\n{body}"
    return read(page).text.split("## DESCRIPTION\n\n", 1)[1]


# ---------------------------------------------------------------- the page


def test_title_and_metadata() -> None:
    head = '.\\" SPDX-License-Identifier: GPL-2.0-or-later\n.TH QTOOL 1 "6 May 2024" "qtool 1.2" "User Commands"\n'
    page = read(head + ".SH NAME\nqTool \\- does work\n")
    assert page.title == "qTool(1)"
    assert (page.date, page.licence, page.method) == ("2024-05-06", "GPL-2.0-or-later", "man")
    assert page.found == {"date": "man", "licence": "spdx"}
    assert page.text == "# qTool(1)\n\n## NAME\n\nqTool - does work\n"
    assert "User Commands" not in page.text


def test_title_takes_the_case_of_the_file() -> None:
    assert read(".TH XCONF 5\n.SH FILES\nnone\n", "man5/XConf.5").title == "XConf(5)"
    assert read(".TH XCONF 5\n.SH FILES\nnone\n", "other").title == "xconf(5)"


def test_redirect_holds_no_text() -> None:
    with pytest.raises(NoText):
        read('.\\" generated\n.so man1/other.1\n')


@pytest.mark.parametrize("source", ["Some words.\n", "int main(void) { return 0; }\n", ".PP\nwords\n"])
def test_no_man_page(source: str) -> None:
    with pytest.raises(Unreadable, match="not_text"):
        read(source)


def test_compressed_source_is_refused() -> None:
    with pytest.raises(Unreadable, match="not_text"):
        extract_man(gzip.compress(b".TH A 1\n"), None, "a.1.gz", LIMITS)


def test_include_in_a_page_is_not_opened() -> None:
    assert man("before\n.so /etc/hostname\nafter\n") == "before after\n"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-05-06", "2024-05-06"),
        ("6 May 2024", "2024-05-06"),
        ("May 6, 2024", "2024-05-06"),
        ("$Mdocdate: May 6 2024 $", "2024-05-06"),
        ("May 2024", "2024-05"),
        ("tool 1.2", ""),
    ],
)
def test_dates(text: str, date: str) -> None:
    assert iso_date(text) == date


# ---------------------------------------------------------------- man(7)


def test_literal_blocks_come_back_exactly() -> None:
    code = 'if [ \\-f "$x" ]; then\n\techo \'a\\\\b\'  \\-\\-  \\fB`id`\\fR\n\n    printf "%s\\\\n" \\(aq\\(lqq\\(rq\\(aq\nfi\n'
    expected = 'if [ -f "$x" ]; then\n\techo \'a\\b\'  --  `id`\n\n    printf "%s\\n" \'"q"\'\nfi\n'
    for begin, end in ((".nf", ".fi"), (".EX", ".EE"), (".RS 4\n.nf", ".fi\n.RE"), (".in +4n\n.EX", ".EE\n.in")):
        assert fences(man(f"Run:\n.PP\n{begin}\n{code}{end}\nafter\n")) == [expected]


def test_indentation_inside_literal_lines() -> None:
    assert fences(man(".nf\nstruct a {\n.in +4n\nint x;\n.in\n};\n.fi\n")) == ["struct a {\n    int x;\n};\n"]
    assert fences(man(".nf\nwhile\n.RS\nbody\n.RE\ndone\n.fi\n")) == ["while\n    body\ndone\n"]


def test_options_are_terms() -> None:
    text = man(".TP\n\\fB\\-o\\fR, \\fB\\-\\-output\\fR=<\\fIfile\\fR>\nWrite to\n.IR file .\n.TP\n.B \\-v\nTalk.\n")
    assert text == "`-o, --output=<file>`\n: Write to *file*.\n\n`-v`\n: Talk.\n"


def test_terms_of_generators() -> None:
    docbook = ".PP\n\\-a, \\-\\-all\n.RS 4\nAll of them\\&.\n.RE\n.PP\n<path>\\&...\n.RS 4\nWhere\\&.\n.RE\n"
    assert man(docbook) == "`-a, --all`\n: All of them.\n\n\\<path>...\n: Where.\n"
    pod = '.IP "\\fB\\-a\\fR \\fIarg\\fR" 4\n.IX Item "-a arg"\nText.\n'
    assert man(pod) == "`-a arg`\n: Text.\n"


def test_a_list_in_a_definition_ends_with_its_level() -> None:
    text = man(".TP\n.B \\-x\nOne of:\n.RS\n.IP \\(bu 2\nfirst\n.IP \\(bu\nsecond\n.RE\n.TP\n.B \\-y\nLast.\n")
    assert "- first\n" in text
    assert text.index("- second") < text.index("`-y`\n: Last.")


def test_drawn_bullets_are_lists() -> None:
    body = ".sp\n.RS 4\n.ie n \\{\\\n\\h'-04'\\(bu\\h'+03'\\c\n.\\}\n.el \\{\\\n.sp -1\n.IP \\(bu 2.3\n.\\}\n{}\n.RE\n"
    assert man(body.replace("{}", "one") + body.replace("{}", "two")) == "- one\n- two\n"


def test_numbers_go_on() -> None:
    assert man('.IP "1." 4\none\n.IP "2." 4\ntwo\n') == "1. one\n2. two\n"
    assert man(".IP (3) 4\nthree\n.IP (4) 4\nfour\n") == "3. three\n4. four\n"


def test_synopsis_keeps_its_lines() -> None:
    page = read(
        ".TH TOOL 1\n.SH SYNOPSIS\n.B tool\n[\\fIOPTION\\fR]... \\fIFILE\\fR\n.br\n.B tool\n\\-\\-help\n.PP\n"
        "There are more ways to call it than these.\n.SH DESCRIPTION\nText.\n"
    )
    assert fences(page.text) == ["tool [OPTION]... FILE\ntool --help\n"]
    assert "\nThere are more ways to call it than these.\n" in page.text


def test_synopsis_of_a_function_is_one_block() -> None:
    page = read('.TH f 2\n.SH SYNOPSIS\n.nf\n.B #include <f.h>\n.PP\n.BI "int f(int " a ", const char *" b );\n.fi\n')
    assert fences(page.text) == ["#include <f.h>\n\nint f(int a, const char *b);\n"]


def test_references_and_fonts_in_prose() -> None:
    text = man("See\n.BR git\\-add (1),\n\\fIls\\fR(1) and the\n.B \\-\\-foo\noption, \\fBnot\\fR \\fIbar\\fR.\n")
    assert text == "See git-add(1), ls(1) and the `--foo` option, **not** *bar*.\n"
    assert man("Use \\fBgit\\fR \\fBadd\\fR, \\fB\\-\\-x\\fR=\\fIy\\fR.\n") == "Use `git add`, `--x=y`.\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a\\-b \\(bu \\(em \\(co \\[u20AC] \\[char65]", "a-b • — © € A"),
        ("don\\(aqt \\(lqq\\(rq \\*(lqr\\*(rq", "don't “q” “r”"),
        ("caf\\('e na\\[:i]ve \\[u0065_0301]", "café naïve é"),
        ("a\\ b\\~c\\&d\\|e\\^f\\%g", "a b cdefg"),
        ("\\s-2small\\s0 \\s+1big\\s-1 \\s(10ten\\s0", "small big ten"),
        ("\\m[red]\\F[H]x\\m[] \\v'1'y\\h'2n'z", "x y z"),
        ("back\\eslash \\\\n \\(rs", "back\\slash \\n \\"),
        ("\\fBa\\f[CR]b\\fPc\\f1d", "`abcd`"),
    ],
)
def test_escapes(source: str, text: str) -> None:
    body = man(f"{source}\n").replace("\\\\", "\\")
    assert body in (text + "\n", text.replace("`abcd`", "`abc`d") + "\n", text.replace("`abcd`", "`abcd`") + "\n")


def test_macros_strings_and_conditions_of_a_page() -> None:
    body = (
        ".de Opt\n.TP\n.B \\\\$1\n\\\\$2 (\\\\n(.$)\n..\n.ds Nm mytool\n.nr X 3+4*2\n.ie \\nX=14 .ds W yes\n.el .ds W no\n"
        '.if t \\{\\\nfor paper\n.\\}\n.if !t for terminals\n.ig\nignored\n..\n.Opt \\-q "be quiet, \\*[Nm]"\n\\*W\n'
    )
    assert man(body) == "for terminals\n\n`-q`\n: be quiet, mytool (2) yes\n"


def test_a_line_that_goes_on_and_comments() -> None:
    assert man('one \\\ntwo\\" a comment\n.\\" another\nthree\\c\nfour\n') == "one two threefour\n"


def test_indented_lines_and_prompts_are_literal() -> None:
    assert fences(man("Run:\n\n  first line\n    second\n\nDone.\n")) == ["  first line\n    second\n"]
    assert fences(man("Run:\n\n.RS 2m\n$ tool create x \\e\n    \\-\\-zone=a\n.RE\n")) == [
        "$ tool create x \\\n    --zone=a\n"
    ]


def test_a_prompt_of_root_and_what_it_prints_are_literal() -> None:
    body = ".PP\n# ip stats show dev swp1\n.br\n1: swp1:\n.br\n    RX:  bytes  packets\n.PP\nText.\n"
    assert fences(man(body)) == ["# ip stats show dev swp1\n1: swp1:\n    RX:  bytes  packets\n"]


def test_an_indented_paragraph_without_a_term_is_a_paragraph() -> None:
    assert man("It came from the book:\n.IP\nhttps://book.example/\n.PP\nSee it.\n") == (
        "It came from the book:\n\nhttps://book.example/\n\nSee it.\n"
    )
    assert man(".TP\n.B \\-a\nOne.\n.IP\nMore.\n") == "`-a`\n: One.\n\n  More.\n"


def test_a_command_above_a_deeper_level_is_its_term() -> None:
    assert man(".PP\nrdma dev set mlx5_3 name rdma_0\n.RS\nRenames it.\n.RE\n") == (
        "rdma dev set mlx5_3 name rdma_0\n: Renames it.\n"
    )


def test_tables() -> None:
    body = (
        ".TS\nallbox tab(:);\ncb s s\nlb lb lb\nl l l.\nEvents\nName:Flag:What\n_\nRead:\\fBPOLLIN\\fR:T{\nNew data\n"
        ".B arrived\nT}\nWrite::a|b\n.TE\nafter\n"
    )
    rows = [
        "| Name | Flag | What |",
        "| --- | --- | --- |",
        "| Read | `POLLIN` | New data `arrived` |",
        "| Write |  | a\\|b |",
    ]
    text = man(body)
    assert text.replace("`Name`", "Name").replace("`Flag`", "Flag").replace("`What`", "What").split("\n\n")[
        1
    ] == "\n".join(rows)
    assert text.startswith(("`Events`", "Events"))
    assert text.endswith("\nafter\n")


def test_links() -> None:
    assert man("See\n.UR https://a.example/\nthe site\n.UE .\nOr\n.UR https://b.example/x\n.UE ,\nnow.\n") == (
        "See the site. Or https://b.example/x, now.\n"
    )


def spans(text: str) -> list[tuple[str, str]]:
    """What a CommonMark parser reads as emphasis (`em`, `strong`) or code, in its order."""
    found: list[tuple[str, str]] = []
    for block in PARSER.parse(text):
        open_tags: list[tuple[str, list[str]]] = []
        for token in block.children or []:
            if token.type == "code_inline":
                found.append(("code", token.content))
            elif token.nesting == 1:
                open_tags.append((token.tag, []))
            elif token.nesting == -1:
                tag, parts = open_tags.pop()
                found.append((tag, "".join(parts)))
            for _, parts in open_tags:
                parts.append(token.content)
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("\\fI/proc/\\fPpid\\fI/status\\fP, then", [("em", "/proc/pid/status")]),
        ("\\fIfile\\fR(s) and (\\fIword\\fR)", [("em", "file"), ("em", "word")]),
        ("\\fBa\\fP\\fIb\\fP", [("code", "ab")]),
        ("\\fBnot\\fP \\fIany\\fP", [("strong", "not"), ("em", "any")]),
        ("the \\fI<perm>\\fP and \\fIchar *\\fP", [("code", "<perm>"), ("code", "char *")]),
        ("with \\fI\\-f\\fP or \\fI\\-\\-all\\fP", [("code", "-f"), ("code", "--all")]),
        ("\\fI_hex_\\fP", [("code", "_hex_")]),
        ("\\fBeval\\fRed, \\fBint\\fRs", [("code", "eval"), ("code", "int")]),
    ],
)
def test_markup_is_read_back_as_it_was_meant(source: str, expected: list[tuple[str, str]]) -> None:
    assert spans(man(f"See {source} here.\n")) == expected


def test_typewriter_quotes_begin_no_code() -> None:
    assert man("The `first' and ``the \\fBsecond\\fP'' of `them'.\n") == "The ‘first’ and “the `second`” of ‘them’.\n"
    assert spans(man("Run `date` now, it's fine.\n")) == [("code", "date")]


def test_code_of_pod_pages_has_no_quotes_around_it() -> None:
    preamble = ".ie n \\{\\\n.    ds C` \"\"\n.    ds C' \"\"\n'br\\}\n.el\\{\\\n.    ds C`\n.    ds C'\n'br\\}\n"
    body = "\\&\\f(CW\\*(C`use feature \"say\"\\*(C'\\fR is \\f(CW\\*(C`eval\\*(C'\\fRed.\n"
    assert man(preamble + body) == '`use feature "say"` is `eval`ed.\n'


def test_terms_of_pod_pages_are_code() -> None:
    body = '.ie n .IP """cv_dump""" 4\n.el .IP "\\f(CWcv_dump\\fR" 4\n.IX Item "cv_dump"\ndump the contents of a thing\n.RS 4\n.Sp\n'
    body += ".Vb 1\n\\& void  cv_dump(const CV *cv)\n.Ve\n.RE\n.RS 4\n.RE\n"
    text = man(body)
    assert text.startswith("`cv_dump`\n: dump the contents of a thing\n\n")
    assert fences(text) == [" void  cv_dump(const CV *cv)\n"]


def test_quotes_in_terms_of_pod_pages_stay() -> None:
    body = '.ie n .IP """key"" (\\fBKEY\\fR) <octet string>" 4\n.el .IP "``key\'\' (\\fBKEY\\fR) <octet string>" 4\nSets it.\n'
    assert man(body) == '`"key" (KEY) <octet string>`\n: Sets it.\n'


def test_lists_that_lines_draw() -> None:
    assert man("Order:\n.br\n1. one\ngoes on\n.br\n2. two\n.br\nAfter.\n") == (
        "Order:\n\n1. one goes on\n2. two\n\nAfter.\n"
    )
    assert man("\\- one\n.br\n\\- two\n.PP\n\\- three\n") == "- one\n- two\n- three\n"
    assert man("Costs:\n - first\n   more of it\n - second\n") == "Costs:\n\n- first more of it\n- second\n"
    assert man("A range of 3\n.br\n- no list\n") == "A range of 3\n\\- no list\n"


def test_prose_in_the_synopsis_is_no_usage() -> None:
    page = read(
        ".TH TOOL 1\n.SH SYNOPSIS\n.B tool\n[\\fIOPTION\\fR]...\n\nSome options define many jobs at once. For more see"
        " the\ndocument\n.br\nhttps://tool.example/jobs.html\n"
    )
    assert fences(page.text) == ["tool [OPTION]...\n"]
    assert "\nSome options define many jobs" in page.text


def test_title_of_shouting_pages_is_that_of_the_file() -> None:
    page = ".TH BPF-HELPERS 7\n.SH NAME\nBPF-HELPERS \\- list of helpers\n"
    assert read(page, "man7/bpf-helpers.7").title == "bpf-helpers(7)"


def test_sections_of_many_letters_are_man_pages() -> None:
    body = b".TH EOF 3const\n.SH NAME\nEOF \\- end of file\n"
    assert read_any(body, None, "man3/EOF.3const", LIMITS).method == "man"


def test_table_without_its_empty_columns() -> None:
    text = man(".TS\nlb lb l l\nl l l l.\nName\tWhat it is\t\t\nx\t\\fBy\\fP\t\t\n.TE\n")
    assert text == "| Name | What it is |\n| --- | --- |\n| x | `y` |\n"


# ---------------------------------------------------------------- mdoc(7)


def test_a_string_that_holds_a_request() -> None:
    assert (
        mdoc(".ds never \\\n.No It becomes Sy active No at once.\nFirst.\n\\*[never]\n")
        == "First. It becomes `active` at once.\n"
    )


def test_mdoc_words_are_apart_again_after_sm_on() -> None:
    body = "Either\n.Sm off\n.Oo user @ Oc host\n.Sm on\nor a\n.Sm off\n.No ssh:// Ar x .\n.Sm on\nThe end.\n"
    assert mdoc(body) == "Either [user@]host or a ssh://*x*. The end.\n"
    item = ".Bl -tag\n.It Fl D Xo\n.Sm off\n.Oo Ar address : Oc\n.Ar port\n.Sm on\n.Xc\nSpecifies a port.\n.El\n"
    assert mdoc(item) == "`-D [address:]port`\n: Specifies a port.\n"


def test_mdoc_page() -> None:
    page = read(
        ".Dd $Mdocdate: May 6 2024 $\n.Dt TOOL 8\n.Os\n.Sh NAME\n.Nm tool ,\n.Nm tool2\n.Nd do work\n.Sh SYNOPSIS\n.Nm\n"
        ".Op Fl abc\n.Op Fl o Ar opt Ns = Ns Ar value\n.Ar\n.Nm tool2\n.Fl -all\n.Sh AUTHORS\n.An Ann Author Aq Mt a@example.org\n"
    )
    assert (page.title, page.date, page.authors) == ("tool(8)", "2024-05-06", ("Ann Author",))
    assert fences(page.text) == ["tool [-abc] [-o opt=value] file ...\ntool2 --all\n"]


def test_mdoc_functions() -> None:
    page = read(
        '.Dd May 6, 2024\n.Dt F 3\n.Os\n.Sh SYNOPSIS\n.In f.h\n.Ft int\n.Fn f "int a" "char *b"\n.Ft void\n.Fo g\n'
        '.Fa "int x"\n.Fa "int y"\n.Fc\n.Sh DESCRIPTION\n.Fn f a b ,\n.Xr g 3 .\n'
    )
    assert fences(page.text) == ["#include <f.h>\nint\nf(int a, char *b);\nvoid\ng(int x, int y);\n"]
    assert page.text.endswith("`f(a, b)`, g(3).\n") or "f(" in page.text


def test_mdoc_lists() -> None:
    text = mdoc(
        ".Bl -tag -width x\n.It Fl o Ar file , Fl -output Ns = Ns Ar file\nWrite.\n.Bl -bullet\n.It\none\n.It\ntwo\n.El\n"
        ".It Fl x Oo\n.Ar more\n.Oc\nExtra.\n.El\n.Bl -enum\n.It\nfirst\n.It\nsecond\n.El\n"
    )
    assert text.startswith("`-o file, --output=file`\n: Write.\n")
    assert "`-x [more]`\n: Extra.\n" in text
    assert text.endswith("1. first\n2. second\n")


def test_mdoc_displays() -> None:
    body = 'Run:\n.Bd -literal -offset indent\nint\tx = 1;  /* \\e0 */\n\n    y();\n.Ed\n.Dl rm -rf "$dir"\nafter\n'
    text = mdoc(body)
    assert fences(text) == ["int\tx = 1;  /* \\0 */\n\n    y();\n", "rm -rf $dir\n"]
    assert text.endswith("\nafter\n")


def test_mdoc_words() -> None:
    assert (
        mdoc(
            "The\n.Nm\nutility\n.Pq see Xr foo 1\nreads\n.Pa /etc/x ,\n.Ev HOME\nand\n.Dq quoted text .\n.Sm off\n.Ar a : b\n.Sm on\n"
        )
        == "The `tool` utility (see foo(1)) reads */etc/x*, `HOME` and “quoted text”. *a*:*b*\n"
    )


def test_mdoc_columns() -> None:
    text = mdoc(".Bl -column a b\n.It Sy Name Ta Sy Value\n.It Li x Ta 1\n.It y Ta two words\n.El\n")
    assert [line.replace("**", "").replace("`", "") for line in text.splitlines()] == [
        "| Name | Value |",
        "| --- | --- |",
        "| x | 1 |",
        "| y | two words |",
    ]


# ---------------------------------------------------------------- hostile sources


@pytest.mark.parametrize(
    "body",
    [
        ".de A\n.A\n.A\n..\n.A\n",
        ".de A\n.B1\n.B1\n..\n" + "".join(f".de B{i}\n.B{i + 1}\n.B{i + 1}\n..\n" for i in range(1, 40)) + ".A\n",
        ".ds a \\*b\\*b\n" + ".ds b \\*c\\*c\n.ds c \\*d\\*d\n.ds d \\*e\\*e\n.ds e \\*a\\*a\n\\*a\n",
        ".ds a x\\*a\n\\*a\n",
        ".ds x " + "y" * 1000 + "\n" + "\\*x" * 20000 + "\n",
    ],
)
def test_macro_bombs_end(body: str) -> None:
    with pytest.raises(Unreadable, match="parser_error"):
        read(".TH A 1\n.SH NAME\n" + body)


@pytest.mark.parametrize(
    "body",
    [
        ".RS\n" * 5000 + "deep\n",
        ".TP\nx\n.RS\n" * 3000,
        ".if t \\{\\\n" * 3000,
        ".ie n .ie n .ie n a\n" * 200,
        "\\" * 100_001 + "\n",
        "x\\\n" * 50_000,
        ".TS\nl" + " s" * 3000 + ".\n" + "\t" * 20_000 + "\n.TE\n",
        ".TS\nl.\nT{\nnever closed\n",
        ".nr a " + "(" * 5000 + "\nx\n",
        '.B "' * 5000 + "\n",
        "\\f" * 5000 + "\\(" + "\n.SH\n.TP\n.UR\n.UE\n.OP\n",
        ".de A\nnever closed\n",
    ],
)
def test_hostile_sources_are_read_to_their_end(body: str) -> None:
    page = read(".TH A 1\n.SH NAME\nword\n" + body)
    assert "word" in page.text


@given(st.text(alphabet="\\.fB(['-*n{}c\"T$ \tab1\n", max_size=300))
def test_no_source_breaks_the_reader(body: str) -> None:
    assert read(".TH A 1\n.SH NAME\nword\n" + body + "\n").text.endswith("\n")


_WORDS = st.sampled_from(
    [
        ".Bl -tag",
        ".It Fl x",
        ".El",
        ".Op",
        "Oo",
        "Oc",
        "Ns",
        "Ar",
        ".Fn f",
        ".Fo g",
        ".Fc",
        ".Bd -literal",
        ".Ed",
        ".Sm off",
        "Pq",
        ".Xr a 1",
        ".Nm",
        ".Ta",
        "\n",
        ",",
        ".",
        "Xo",
        "Xc",
        ".Dl",
        ".Rs",
        ".%A",
    ]
)


@given(st.lists(_WORDS, max_size=40))
def test_no_mdoc_breaks_the_reader(words: list[str]) -> None:
    body = "".join(
        word if word == "\n" else f"\n{word} " if word[0] == "." and len(word) > 1 else word + " " for word in words
    )
    assert mdoc("start\n" + body + "\n").startswith("start")
