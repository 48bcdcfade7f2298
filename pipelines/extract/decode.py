"""Bytes to text: byte order mark, Content-Type, declaration in the page, UTF-8, a detector.

Labels are those of the WHATWG encoding standard (so `iso-8859-1` means windows-1252). The first encoding
with at most 1 % of replacement or control characters is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from filters.octets import count_bad
from pipelines.extract.page import Unreadable

MAX_BAD_SHARE = 0.01
BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# Where the standard's decoder knows more characters than Python's codec of the same name.
WIDER = {
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso8859-11": "cp874",
}
PRESCAN_BYTES = 1024

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{1,300}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


def decode(body: bytes, content_type: str | None) -> str:
    """The text of a body, without byte order mark and NUL characters.

    content_type: the header as it came, or None. Raises `Unreadable` with `undecodable`.
    """
    return decode_utf8(body, content_type).decode("utf-8")


def decode_utf8(body: bytes, content_type: str | None) -> bytes:
    """As `decode`, in UTF-8: a body that is in it costs a check, and no copy."""
    tried = []
    for codec in _candidates(body, content_type):
        if codec in tried:
            continue
        tried.append(codec)
        text = _in_utf8(body, codec)
        bad, characters = count_bad(text)
        # Colours of a terminal are no sign of a wrong encoding: logs are pasted with them.
        if bad <= MAX_BAD_SHARE * characters or bad - text.count(b"\x1b[") <= MAX_BAD_SHARE * characters:
            text = text.removeprefix(BYTE_ORDER_MARKS[0][0])
            return text.replace(b"\0", b"") if b"\0" in text else text
    raise Unreadable("undecodable", f"tried {', '.join(tried)}")


def _in_utf8(body: bytes, codec: str) -> bytes:
    if codec == "utf-8" and _is_utf8(body):
        return body
    return body.decode(codec, "replace").encode("utf-8", "replace")


def _candidates(body: bytes, content_type: str | None) -> Iterator[str]:
    """Python codec names to try, in order."""
    for mark, codec in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            yield codec
    if (declared := _CHARSET.search(content_type or "")) and (codec := _codec(declared.group(1))):
        yield codec
    head = body[:PRESCAN_BYTES]
    for found in (_XML.match(head), _META.search(head)):
        # A declaration that could be read as ASCII cannot be in UTF-16: the standard says UTF-8 then.
        if found and (codec := _codec(found.group(1).decode("ascii"))):
            yield "utf-8" if codec.startswith("utf-16") else codec
    if _is_utf8(body):
        yield "utf-8"
    yield _codec(detect_encoding(body) or "") or "utf-8"


def _codec(label: str) -> str:
    """The Python codec for a WHATWG label, or the empty string."""
    name = map_encoding_to_html5(label, fallback_utf8=False)
    return WIDER.get(name, name) if name else ""


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
