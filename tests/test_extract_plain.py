"""Plain text stays as it is: its lines, columns and drawings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Unreadable
from pipelines.extract.plain import extract_plain
from pipelines.extract.readers import read

LIMITS = ExtractSettings()

TABLE = """\
 Device   | Reads | Writes
----------+-------+--------
 nvme0n1  |    12 |      7

   +-----+     +-----+
   |  A  |---->|  B  |
   +-----+     +-----+
"""


def test_tables_and_drawings_stay() -> None:
    page = extract_plain(TABLE.encode(), "text/plain", "a/readme.txt", LIMITS)
    assert (page.text, page.method, page.title) == (TABLE, "plain", "")


@pytest.mark.parametrize(("content_type", "name"), [(None, "a/notes.txt"), ("text/plain", "https://example.org/a")])
def test_a_record_of_text_is_read(content_type: str | None, name: str) -> None:
    assert read(TABLE.encode(), content_type, name, LIMITS).text == TABLE


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"a\r\nb\rc\r\r\nd", "a\nb\nc\nd\n"),
        (b"\xef\xbb\xbfa\n\n\n", "a\n"),
        (b"\n  a\t \n", "\n  a\t \n"),
        ("caf\u00e9".encode("latin-1"), "caf\u00e9\n"),
        ("a\n".encode("utf-16"), "a\n"),
    ],
)
def test_line_ends_and_encodings(body: bytes, text: str) -> None:
    assert extract_plain(body, "text/plain", "", LIMITS).text == text


@pytest.mark.parametrize(
    ("body", "error"), [(b" \n", Unreadable), (b"\xef\xbb\xbf\n", NoText), (b"%PDF-1.4", Unreadable)]
)
def test_what_is_no_text(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        extract_plain(body, None, "", LIMITS)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffd"), min_size=1
    )
)
def test_any_line_stays(text: str) -> None:
    if text.strip():
        assert extract_plain(text.encode(), "text/plain; charset=utf-8", "", LIMITS).text == text + "\n"
