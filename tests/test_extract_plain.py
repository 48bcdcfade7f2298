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
        (b"\x1b[36mstep: 1\x1b[0m\n" * 9, "step: 1\n" * 9),
    ],
)
def test_line_ends_and_encodings(body: bytes, text: str) -> None:
    assert extract_plain(body, "text/plain", "", LIMITS).text == text


@pytest.mark.parametrize(
    ("body", "error"),
    [(b" \n", Unreadable), (b"\xef\xbb\xbf\n", NoText), (b"%PDF-1.4", Unreadable), (b"1 2 -\n", NoText)],
)
def test_what_is_no_text(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        extract_plain(body, None, "", LIMITS)


def test_who_comes_and_goes_is_left_out_of_a_chat() -> None:
    log = (
        "=== ann [~a@192.0.2.1]  has joined #linux\n[10:02] <ann> sda === sdb has joined #x?\n"
        "=== bob is now known as bobby\n[10:03] * bobby shrugs\n[10:04] <bobby> see dmesg\n*** eve has quit\n"
    )
    kept = "[10:02] <ann> sda === sdb has joined #x?\n[10:03] * bobby shrugs\n[10:04] <bobby> see dmesg\n"
    assert extract_plain(log.encode(), None, "a.txt", LIMITS).text == kept
    assert extract_plain(b"=== a has joined #b\nNo chat\n", None, "a.txt", LIMITS).text.startswith("=== a")


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffd"), min_size=1
    )
)
def test_any_line_stays(text: str) -> None:
    text += "\nx"
    assert extract_plain(text.encode(), "text/plain; charset=utf-8", "", LIMITS).text == text + "\n"
