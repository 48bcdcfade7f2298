"""RFCs and Internet-Drafts as text: pages joined, columns read, drawings and grammars kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page
from pipelines.extract.rfc.reader import extract_rfc, is_rfc

LIMITS = ExtractSettings()

FIRST_PAGE = """\



Example Task Force (ETF)                                      A. Writer
Request for Comments: 99999                                Example Corp
Obsoletes: 99998                                      B. van Other, Ed.
Category: Informational                                    Testing Ltd.
ISSN: 0000-0000                                            October 2031


             The Simple Widget Transfer Protocol, Version 2

Abstract

   This document describes a protocol that moves widgets from one host
   to another host without losing any of them.

Table of Contents

   1.  Introduction  . . . . . . . . . . . . . . . . . . . . . . . .   2
     1.1.  Terms . . . . . . . . . . . . . . . . . . . . . . . . . .   2
   Author's Address  . . . . . . . . . . . . . . . . . . . . . . . .   3

1.  Introduction

"""
BODY = """\
   Widgets are moved in frames, and each of the frames begins with one
   octet that says which kind of widget it is that follows after it in
   the stream of the connection.

   Another paragraph stands here, with a sentence that is long enough
   to fill its lines up to the margin on the right, as they all do.

1.1.  Terms

   widget:  A thing that is moved by this protocol from here to there,
            and that no host may drop on the way for want of buffers.

   frame
      What stands around a widget on the wire, from its first octet to
      the last octet of its checksum.

   kind (K): 8 bits
           One octet, and each of its values names one kind of widget by
           the registry of Section 5.

           Zero is reserved.

   The rules are these:

   o  A host sends a frame only when the other host has said before it
      that it has room for one.

   o  A frame is never sent twice.

   1.  First the client connects.

   2.  Then it waits for a greeting:

          C: HELO widget
          S: 220 ready; go ahead

2.  Frame Format

       0                   1                   2                   3
       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
      |    Kind       |                   Length                      |
      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

                         Figure 1: A Widget Frame

   The grammar in ABNF is:

      frame  = kind length *OCTET
      kind   = %x01-0F          ; kinds of widgets

      length = 3OCTET

Appendix A.  A Heading That Is Long Enough to Need
             a Second Line

   See [RFC0001].

Author's Address

   Ann Writer
   Example Corp
   1 Widget Way

   Email: ann@example.com
"""
FOOTER = "Writer & van Other            Informational                    [Page {}]"
HEADER = "RFC 99999                    Widget Transfer                October 2031"


def extract(text: str) -> Page:
    return extract_rfc(text.encode(), "text/plain", "rfc99999.txt", LIMITS)


def fences(text: str) -> list[str]:
    return [token.content for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]


def with_breaks(text: str, places: list[int], feed: str) -> str:
    """The text with a page break before each of these lines."""
    lines = text.split("\n")
    for page, place in enumerate(sorted(places, reverse=True)):
        lines[place:place] = ["", "", FOOTER.format(page), feed + HEADER, "", ""]
    return "\n".join(lines)


def test_the_first_page() -> None:
    page = extract(FIRST_PAGE + BODY)
    assert page.title == "The Simple Widget Transfer Protocol, Version 2"
    assert page.authors == ("A. Writer", "B. van Other")
    assert page.date == "2031-10"
    assert page.found == {"date": "first-page", "authors": "first-page"}
    assert page.text.startswith(
        "# The Simple Widget Transfer Protocol, Version 2\n\n- Example Task Force (ETF)\n- Request for Comments: 99999\n- Obsoletes: 99998\n"
    )


def test_headings_without_the_table_of_contents() -> None:
    headings = [line for line in extract(FIRST_PAGE + BODY).text.split("\n") if line.startswith("#")]
    assert headings[1:] == [
        "## Abstract",
        "## 1. Introduction",
        "### 1.1. Terms",
        "## 2. Frame Format",
        "## Appendix A. A Heading That Is Long Enough to Need a Second Line",
        "## Author's Address",
    ]
    assert ". . ." not in extract(FIRST_PAGE + BODY).text


def test_paragraphs_lists_and_definitions() -> None:
    text = extract(FIRST_PAGE + BODY).text
    assert "that moves widgets from one host to another host without losing any of them.\n" in text
    assert "\nwidget:\n: A thing that is moved by this protocol from here to there, and that no" in text
    assert "\nframe\n: What stands around a widget" in text
    assert (
        "- A host sends a frame only when the other host has said before it that it has room for one.\n- A frame"
        in text
    )
    assert "1. First the client connects.\n2. Then it waits for a greeting:\n\n   ```\n   C: HELO" in text
    assert "\nFigure 1: A Widget Frame\n" in text
    assert "Ann Writer  \nExample Corp  \n1 Widget Way\n" in text


def test_drawings_and_grammars_stay() -> None:
    talk, drawing, grammar = fences(extract(FIRST_PAGE + BODY).text)
    assert talk == "C: HELO widget\nS: 220 ready; go ahead\n"
    lines = BODY.split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("       0   "))
    assert drawing == "\n".join(line[6:] for line in lines[first : first + 5]) + "\n"
    assert grammar == "frame  = kind length *OCTET\nkind   = %x01-0F          ; kinds of widgets\n\nlength = 3OCTET\n"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([1, 2, 3, 5, 9, 14, 18, 20, 21, 23, 25, 28, 31, 37, 40, 45, 46, 47, 52, 61]),
        max_size=4,
        unique=True,
    ),
    st.sampled_from(["", "\f"]),
)
def test_page_breaks_leave_no_trace(places: list[int], feed: str) -> None:
    broken = FIRST_PAGE + with_breaks(BODY, places, feed)
    assert extract(broken).text == extract(FIRST_PAGE + BODY).text


def test_an_old_one_with_text_in_the_first_column() -> None:
    source = (
        "Network Working Group                                     A. Writer\nRequest for Comments: 9                   "
        "             Example\n                                                          May 1984\n\n\n"
        "                          OLD WIDGETS\n\n\n1. STATUS OF THIS MEMO\n\nThis document says how widgets were moved in"
        " the years of old, when\nthere were no frames and each of the hosts had but one of them all.\n\n\n"
        "                          Table of Contents\n\n    1. STATUS OF THIS MEMO                                    1\n\n"
        "    2. TYPES                                                  2\n\n        2.1. Names                      "
        "                           3\n\n2. TYPES\n\nA               1 a host address\n\nNS              2 an authoritative name"
        " server\n\nThis is what they are called, and what each of them is called for by\nthe hosts that want to know it.\n"
    )
    text = extract_rfc(source.encode(), None, "rfc9.txt", LIMITS).text
    assert "Contents" not in text and "2.1." not in text
    assert "\n## 2. TYPES\n\nA\n: 1 a host address\n\nNS\n: 2 an authoritative name server\n\nThis is what" in text
    indented = "".join("     " + line + "\n" if line else "\n" for line in source.split("\n"))
    assert extract_rfc(indented.encode(), None, "rfc9.txt", LIMITS).text == text


def test_a_table_of_contents_without_an_end_hides_nothing() -> None:
    body = "   Contents\n\n   Words of prose stand here, and no heading comes behind them at all.\n"
    assert "Words of prose" in extract_rfc((FIRST_PAGE + body).encode(), None, "x.txt", LIMITS).text


def test_a_draft() -> None:
    draft = FIRST_PAGE.replace("Request for Comments: 99999 ", "Internet-Draft              ").replace(
        "October 2031", "3 March 2031"
    )
    draft = draft.replace("Version 2\n", "Version 2\n                      draft-writer-widget-05\n")
    page = extract(draft + BODY)
    assert is_rfc(draft)
    assert page.date == "2031-03-03"
    assert page.title == "The Simple Widget Transfer Protocol, Version 2"
    assert "- draft-writer-widget-05" in page.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("     RFC 907\n\n\n     HOST ACCESS\n", True),
        ("Group                   A. Writer\nRequest for Commments: 2347   Example\n", True),
        (FIRST_PAGE, True),
        ("\n\nNetwork Working Group                         A. B.\nRequest for Comments: 5\n", True),
        ("Change log\n\n * See RFC 2616 and others.\n", False),
        ("text\n" * 50 + "Request for Comments: 5\n", False),
        ("", False),
    ],
)
def test_is_rfc(text: str, found: bool) -> None:
    assert is_rfc(text) is found


def test_an_empty_one_has_no_text() -> None:
    with pytest.raises(NoText):
        extract(FIRST_PAGE.partition("Abstract")[0])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from("a .|+-=o1)(:\f\t[]Page`#*"), max_size=30), max_size=12))
def test_any_text_is_read(lines: list[str]) -> None:
    try:
        page = extract("\n".join(lines) + "\nx")
    except NoText:
        return
    assert page.text.endswith("\n")
    assert "\f" not in page.text
