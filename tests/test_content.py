"""Content-Encoding undone: every layer and member, never more than a payload can honestly hold."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.content import FREE_BYTES, MAX_RATIO, BodyError, decode_body, zstd

LIMIT = 64 << 20
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "zstd": lambda body: bytes(zstd.compress(body)),
}


def reason(payload: bytes, coding: str) -> str:
    with pytest.raises(BodyError) as error:
        decode_body(payload, coding, LIMIT)
    return error.value.reason


@pytest.mark.parametrize("coding", ENCODERS)
def test_what_gives_too_much_for_its_size_is_refused(coding: str) -> None:
    packed = ENCODERS[coding](bytes(8 << 20))
    assert len(packed) * MAX_RATIO < 8 << 20
    assert reason(packed, coding) == "decompression_ratio"
    assert reason(gzip.compress(packed), f"{coding}, gzip") == "decompression_ratio"
    small = bytes(FREE_BYTES)
    assert decode_body(ENCODERS[coding](small), coding, LIMIT) == small


def test_the_ratio_is_of_all_layers_together() -> None:
    """Two layers, each of which is below the ratio, are beyond it."""
    body = b"".join(b"%d" % n for n in range(300)) * 2000
    inner = gzip.compress(body)
    outer = gzip.compress(inner)
    assert max(len(body) / len(inner), len(inner) / len(outer)) < MAX_RATIO
    assert decode_body(inner, "gzip", LIMIT) == body
    assert reason(outer, "gzip, gzip") == "decompression_ratio"


def test_a_page_of_a_real_ratio_passes() -> None:
    table = b"".join(b"<tr><td>%d</td><td>CONFIG_OPTION_%d</td></tr>\n" % (n, n * n) for n in range(100_000))
    assert decode_body(gzip.compress(table, 9), "gzip", LIMIT) == table


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@given(bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=5), junk=st.binary(max_size=3))
def test_members_one_after_another_are_one_body(coding: str, bodies: list[bytes], junk: bytes) -> None:
    payload = b"".join(map(ENCODERS[coding], bodies))
    assert decode_body(payload + b"\0" + junk, coding, LIMIT) == b"".join(bodies)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_without_number_are_refused(coding: str) -> None:
    assert reason(ENCODERS[coding](b"") * 200_000, coding) == "bad_content_encoding"


def test_frames_of_zstd_that_say_to_be_skipped_are() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"text"
    assert decode_body(zstd.compress(b"a") + skipped + zstd.compress(b"b"), "zstd", LIMIT) == b"ab"
