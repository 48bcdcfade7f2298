"""RFCXML: sections with their numbers, code byte for byte, nothing opened that the source names."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.rfc.xml import extract_rfc_xml, is_rfc_xml

LIMITS = ExtractSettings()

HEAD = """\
<?xml version="1.0"?>
<!DOCTYPE rfc [ <!ENTITY other SYSTEM "file:///etc/hostname"> ]>
<?rfc toc="yes"?>
<rfc version="3" number="99999" category="info" obsoletes="99998">
<front><title abbrev="WTP">The Widget Protocol</title>
<author fullname="Ann Writer"><organization>Example</organization></author><date year="2031" month="May" day="4"/>
<abstract><t>It moves&nbsp;widgets.</t></abstract></front>
"""
BODY = """\
<middle>
<section anchor="intro"><name>Introduction</name>
<t>See <xref target="frame"/>, <xref target="BASE"/> and <xref target="f1"/>; hosts <bcp14>MUST</bcp14> send <tt>a &lt; b</tt>.</t>
<ul><li>one</li><li><t>two</t><sourcecode type="C"><![CDATA[
int main() {
  return 0;   /* <x> */
}
]]></sourcecode></li></ul>
<dl><dt>term</dt><dd>what it means</dd></dl>&other;
<section anchor="frame"><name>Frame</name>
<figure anchor="f1"><name>A frame</name><artwork>
+---+
| a |
+---+
</artwork></figure>
<t><list style="hanging"><t hangText="old">style</t></list></t>
<texttable><ttcol>k</ttcol><ttcol>v</ttcol><c>1</c><c>2</c></texttable>
</section></section></middle>
<back><references><name>References</name>
<reference anchor="BASE" target="https://example.com/b"><front><title>Base</title><author fullname="B. Other"/><date year="2030"/></front>
<seriesInfo name="RFC" value="1"/></reference></references>
<section><name>Extra</name><section><name>More</name><t>x</t></section></section>
<section numbered="false"><name>Thanks</name><t>y</t></section></back></rfc>
"""


def extract(text: str) -> Page:
    return extract_rfc_xml(text.encode(), "application/rfc+xml", "rfc99999.xml", LIMITS)


def test_the_front() -> None:
    page = extract(HEAD + BODY)
    assert (page.title, page.date, page.authors) == ("The Widget Protocol", "2031-05-04", ("Ann Writer",))
    assert page.found == {"date": "front", "authors": "front"}
    assert "- Request for Comments: 99999\n" in page.text


def test_headings_have_the_numbers_of_the_text_form() -> None:
    headings = [line for line in extract(HEAD + BODY).text.split("\n") if line.startswith("#")]
    assert headings == [
        "# The Widget Protocol",
        "## Abstract",
        "## 1. Introduction",
        "### 1.1. Frame",
        "## 2. References",
        "## Appendix A. Extra",
        "### A.1. More",
        "## Thanks",
    ]


def test_text_and_references() -> None:
    text = extract(HEAD + BODY).text
    assert "See Section 1.1, [BASE] and Figure 1; hosts **MUST** send `a < b`." in text
    assert '[BASE] B. Other, "Base", RFC 1, 2030, <https://example.com/b>' in text
    assert "term\n: what it means" in text
    assert "old\n: style" in text
    assert "Figure 1: A frame" in text
    assert "| k | v |\n| --- | --- |\n| 1 | 2 |" in text
    assert "moves widgets" in text.replace("\xa0", " ")


def test_code_and_drawings_stay() -> None:
    tokens = MarkdownIt("commonmark").parse(extract(HEAD + BODY).text)
    found = [(token.info, token.content) for token in tokens if token.type == "fence"]
    assert found == [("c", "int main() {\n  return 0;   /* <x> */\n}\n"), ("", "+---+\n| a |\n+---+\n")]


def test_nothing_is_opened_or_expanded() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "boom"}">' for n in range(12))
    text = HEAD.replace("<!ENTITY other", bomb + "<!ENTITY other") + BODY.replace("&other;", "&e11;&other;")
    assert len(extract(text).text) < 5000


@pytest.mark.parametrize("text", ["<rfc/>", "<a><front/></a>", "no XML"])
def test_what_is_no_rfc(text: str) -> None:
    with pytest.raises(Unreadable):
        extract(text)


def test_a_deep_one_is_cut_or_refused() -> None:
    with pytest.raises((Unreadable, NoText)):
        extract("<rfc><front>" + "<t>" * 3000)


def test_is_rfc_xml() -> None:
    assert is_rfc_xml(HEAD.encode())
    assert not is_rfc_xml(b"<html><body>rfc</body></html>")


def test_citations_stand_in_brackets() -> None:
    source = (
        '<rfc version="3"><front><title>T</title></front><middle><section anchor="s"><name>N</name><t>See '
        '<xref target="A" derivedContent="A"/>, <xref target="B"/>, <xref target="s" derivedContent="Section 1"/>, '
        '<xref target="A" section="2.1" sectionFormat="of" derivedContent="A"/>, '
        '<xref target="A" section="B.2" sectionFormat="comma" derivedContent="A"/> and '
        '<xref target="A" section="3" sectionFormat="parens" derivedContent="A"/>.</t></section></middle><back>'
        '<displayreference target="B" to="HTTP/2"/><references><name>References</name>'
        '<reference anchor="A"><front><title>One</title></front></reference>'
        '<referencegroup anchor="B"><reference anchor="C"><front><title>Two</title></front></reference></referencegroup>'
        "</references></back></rfc>"
    )
    text = extract_rfc_xml(source.encode(), None, "x.xml", LIMITS).text
    assert "See [A], [HTTP/2], Section 1, Section 2.1 of [A], [A], Appendix B.2 and [A] (Section 3)." in text
